//! What an object is packed in, told by its first bytes and never by its name.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use flate2::Crc;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

use super::Break;

const BUFFER: usize = 256 * 1024;
/// Compressions inside each other (`.json.gz.gz`, gz in zip).
const NESTED: usize = 3;
/// Small objects may expand as they like.
const EXPANDED_FREE: u64 = 1 << 20;

/// Objects and files of a zip from this size on are worth a thread that works ahead.
pub const AHEAD_FROM: u64 = 1 << 20;
/// Blocks that wait between the two.
const AHEAD_BLOCKS: usize = 4;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";
const ZIP_EMPTY: &[u8] = b"PK\x05\x06";
pub(super) const PARQUET: &[u8] = b"PAR1";
/// What makes a zip an Excel file.
const WORKBOOK: &str = "xl/workbook.xml";

type Stream = Box<dyn Read + Send>;

/// One file of an object; most objects are one.
pub(super) enum Entry {
    Stream(Stream),
    Parquet(File),
    /// An Excel file, itself a zip.
    Workbook(File),
}

/// The files of an object, one after another.
pub(super) enum Entries {
    One(Option<Entry>),
    Zip { file: Box<Path>, archive: Box<ZipArchive<BufReader<File>>>, next: usize, bound: Bound },
}

/// Opens an object on local disk.
///
/// # Errors
/// The disk failed, or a zip has no directory.
pub(super) fn open(file: &Path, ratio: u64) -> Result<Entries, Break> {
    let mut input = File::open(file)?;
    let bytes = input.metadata()?.len();
    let bound = Bound::new(bytes, ratio);
    let magic = head(&mut input)?;
    input.seek(SeekFrom::Start(0))?;
    if magic.starts_with(PARQUET) {
        return Ok(Entries::One(Some(Entry::Parquet(input))));
    }
    if magic.starts_with(ZIP) || magic.starts_with(ZIP_EMPTY) {
        let mut archive = ZipArchive::new(BufReader::new(input)).map_err(zip_error)?;
        if archive.index_for_name(WORKBOOK).is_some() {
            return workbook(file, &mut archive, &bound);
        }
        return Ok(Entries::Zip { file: file.into(), archive: archive.into(), next: 0, bound });
    }
    let stream = unpack(Box::new(input), &bound, 0)?;
    let is_packed = magic.starts_with(GZIP) || magic.starts_with(ZSTD);
    let stream = if is_packed { Ahead::of(stream, bytes)? } else { stream };
    Ok(Entries::One(Some(Entry::Stream(stream))))
}

/// A workbook says itself how far it expands; it is not read further than that.
fn workbook(
    file: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    bound: &Bound,
) -> Result<Entries, Break> {
    let mut expanded = 0_u64;
    for index in 0..archive.len() {
        expanded = expanded.saturating_add(archive.by_index_raw(index).map_err(zip_error)?.size());
    }
    if expanded > bound.max {
        return Err(Break::Input(io::Error::other(Expanded)));
    }
    Ok(Entries::One(Some(Entry::Workbook(File::open(file)?))))
}

fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    input.take(4).read_to_end(&mut magic)?;
    Ok(magic)
}

/// Takes off compressions until there is none.
fn unpack(mut input: Stream, bound: &Bound, level: usize) -> Result<Stream, Break> {
    let magic = head(&mut input)?;
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(magic.clone()).chain(input));
    let plain: Stream = if magic.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(whole))
    } else if magic.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(whole)?)
    } else if level > 0 && magic.starts_with(ZIP) {
        return Err(Break::Undecodable("a zip inside a compressed file".into()));
    } else {
        return Ok(Box::new(whole));
    };
    if level == NESTED {
        return Err(Break::Undecodable("too many compressions inside each other".into()));
    }
    unpack(bound.hold(plain, level), bound, level + 1)
}

fn zip_error(error: zip::result::ZipError) -> Break {
    match error {
        zip::result::ZipError::Io(error) => Break::Input(error),
        zip::result::ZipError::InvalidArchive(_) => {
            Break::Input(io::Error::new(io::ErrorKind::UnexpectedEof, error))
        }
        other => Break::Undecodable(other.to_string()),
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, Break>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(entry) => entry.take().map(Ok),
            Self::Zip { file, archive, next, bound } => loop {
                let index = *next;
                if index >= archive.len() {
                    return None;
                }
                *next += 1;
                match member(file, archive, index, bound) {
                    Ok(None) => {}
                    Ok(Some((stream, bytes))) => {
                        let stream = unpack(stream, bound, 1);
                        let stream = stream.and_then(|stream| Ok(Ahead::of(stream, bytes)?));
                        return Some(stream.map(Entry::Stream));
                    }
                    Err(error) => return Some(Err(error)),
                }
            },
        }
    }
}

/// Opens a file of a zip and tells its packed size; none for folders and what macOS adds.
fn member(
    file: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    index: usize,
    bound: &Bound,
) -> Result<Option<(Stream, u64)>, Break> {
    let member = archive.by_index_raw(index).map_err(zip_error)?;
    let name = member.name().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let base = name.rsplit('/').next().unwrap_or_default();
    if member.is_dir() || name.starts_with("__MACOSX/") || base == ".DS_Store" {
        return Ok(None);
    }
    if member.encrypted() {
        return Err(Break::Undecodable("a file of the zip is encrypted".into()));
    }
    let start = member.data_start().ok_or_else(|| Break::Undecodable("no data".into()))?;
    let mut input = File::open(file)?;
    input.seek(SeekFrom::Start(start))?;
    let packed = BufReader::with_capacity(BUFFER, input.take(member.compressed_size()));
    let plain: Stream = match member.compression() {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => {
            return Err(Break::Undecodable(format!("zip compression {other} is not supported")));
        }
    };
    let plain = bound.hold(plain, 0);
    let (expected, left) = (member.crc32(), member.size());
    let checked = Checked { input: plain, crc: Crc::new(), expected, left };
    Ok(Some((Box::new(checked), member.compressed_size())))
}

/// A file of a zip, which says how long it is and what its checksum is.
struct Checked {
    input: Stream,
    crc: Crc,
    expected: u32,
    left: u64,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && !buffer.is_empty() {
            if self.left > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.crc.sum() != self.expected {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum differs"));
            }
        }
        Ok(read)
    }
}

/// How far an object may expand, over all its files; by level of nesting.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    out: Arc<[AtomicU64; NESTED + 1]>,
    max: u64,
}

/// The object expands further than its limit allows.
#[derive(Debug, thiserror::Error)]
#[error("it expands too far")]
pub(super) struct Expanded;

impl Bound {
    fn new(bytes: u64, ratio: u64) -> Self {
        let max = bytes.saturating_mul(ratio).max(EXPANDED_FREE);
        Self { out: Arc::default(), max }
    }

    fn hold(&self, input: Stream, level: usize) -> Stream {
        Box::new(Bounded { input, bound: self.clone(), level })
    }
}

struct Bounded {
    input: Stream,
    bound: Bound,
    level: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let Some(out) = self.bound.out.get(self.level) else { return Ok(read) };
        if out.fetch_add(read as u64, Ordering::Relaxed) + read as u64 > self.bound.max {
            return Err(io::Error::other(Expanded));
        }
        Ok(read)
    }
}

/// Unpacks ahead of the reader, in order, and never more than a few blocks.
struct Ahead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    spent: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Ahead {
    /// The stream that unpacks `bytes`, on a thread of its own if that pays.
    fn of(input: Stream, bytes: u64) -> io::Result<Stream> {
        if bytes < AHEAD_FROM { Ok(input) } else { Self::start(input) }
    }

    fn start(input: Stream) -> io::Result<Stream> {
        let (sender, blocks) = sync_channel(AHEAD_BLOCKS);
        let (spent, empty) = channel();
        let thread = std::thread::Builder::new().name("unpack".into());
        thread.spawn(move || unpack_ahead(input, &sender, &empty))?;
        Ok(Box::new(Self { blocks, spent, block: Vec::new(), at: 0, ended: false }))
    }
}

/// Ends with an empty block, so that a thread that died is not taken for the end.
fn unpack_ahead(
    mut input: Stream,
    blocks: &SyncSender<io::Result<Vec<u8>>>,
    spent: &Receiver<Vec<u8>>,
) {
    loop {
        let mut block = spent.try_recv().unwrap_or_default();
        block.clear();
        let read = (&mut input).take(BUFFER as u64).read_to_end(&mut block);
        let ended = block.is_empty();
        // What came before a failure is read before it is told.
        if !(ended && read.is_err()) && blocks.send(Ok(block)).is_err() {
            return;
        }
        if let Err(error) = read {
            let _ = blocks.send(Err(error));
            return;
        }
        if ended {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() && !self.ended {
            let next = self.blocks.recv();
            let next = next.map_err(|_| io::Error::other("unpacking stopped without a word"))?;
            let spent = std::mem::replace(&mut self.block, next?);
            let _ = self.spent.send(spent);
            self.at = 0;
            self.ended = self.block.is_empty();
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
