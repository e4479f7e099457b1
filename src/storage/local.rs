//! The local disk: temporary name, fsync, then link or rename, then fsync of the folder.
//!
//! Two things are quicker. Files of `work/` are a cache, and not synced before they are published
//! ([`adopt`], [`note`]); folders of published files are synced together before the commit
//! ([`sync_folders`]).
//!
//! `object_store` 0.13 does not fsync, so a power cut could leave a committed release that names
//! empty files. A link is the create-if-absent of a POSIX file system; a rename is its replace.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Created, StorageError};
use crate::table::hash::Hash;

/// Bytes read at once to be hashed.
const HASH_BYTES: usize = 1 << 20;

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A name beside `path` that no other process or thread uses.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{serial}.tmp", std::process::id()))
}

/// Whether a name is one of ours that is being written, or was when its writer died.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn prepare(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn write_temporary(path: &Path, bytes: &[u8], lasts: bool) -> io::Result<PathBuf> {
    prepare(path)?;
    let temporary = temporary(path);
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        if lasts { file.sync_all() } else { Ok(()) }
    })();
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// # Errors
/// The disk is full, read-only or failing.
pub fn create(path: &Path, bytes: &[u8]) -> Result<Created, StorageError> {
    let fail = |source| StorageError::io(path, source);
    let temporary = write_temporary(path, bytes, true).map_err(fail)?;
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path).map(|()| Created::New).map_err(fail),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
        Err(error) => Err(fail(error)),
    }
}

/// # Errors
/// The disk is full, read-only or failing.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let fail = |source| StorageError::io(path, source);
    let temporary = write_temporary(path, bytes, true).map_err(fail)?;
    fs::rename(&temporary, path).and_then(|()| sync_folder(path)).map_err(fail)
}

/// As [`replace`], for what a power cut may tear or take away.
///
/// # Errors
/// The disk is full, read-only or failing.
pub fn note(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let fail = |source| StorageError::io(path, source);
    let temporary = write_temporary(path, bytes, false).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)
}

/// Renames a finished file into place; copies when it lies on another disk. A power cut may tear
/// it: [`link`] is what makes it last.
///
/// # Errors
/// The disk is full, read-only or failing.
pub fn adopt(scratch: &Path, path: &Path) -> Result<(), StorageError> {
    let fail = |source| StorageError::io(path, source);
    prepare(path).map_err(fail)?;
    match fs::rename(scratch, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let temporary = temporary(path);
            fs::copy(scratch, &temporary)
                .and_then(|_| fs::rename(&temporary, path))
                .and_then(|()| fs::remove_file(scratch))
                .map_err(fail)
        }
        Err(error) => Err(fail(error)),
    }
}

/// Gives a file a second name; names are content hashes, so an existing one is the same file.
///
/// Its bytes are on disk before the name is; the name is once [`sync_folders`] returned.
///
/// # Errors
/// The first name is not there, or the disk is failing.
pub fn link(from: &Path, to: &Path) -> Result<(), StorageError> {
    prepare(to).map_err(|source| StorageError::io(to, source))?;
    let temporary = temporary(to);
    fs::hard_link(from, &temporary)
        .or_else(|_| fs::copy(from, &temporary).map(|_| ()))
        .and_then(|()| File::open(&temporary)?.sync_all())
        .map_err(|source| StorageError::io(from, source))?;
    fs::rename(&temporary, to)
        // Renaming one link of a file over another does nothing, and leaves the first name.
        .and_then(|()| match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .map_err(|source| StorageError::io(to, source))?;
    touch(to)
}

/// Syncs the folders of files, and those above them up to `root`: names in them last.
///
/// # Errors
/// A folder is not there, or the disk is failing.
pub fn sync_folders<'a>(
    root: &Path,
    files: impl Iterator<Item = &'a Path>,
) -> Result<(), StorageError> {
    let mut folders = BTreeSet::new();
    for file in files {
        let above = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        // What is above a folder that is known is known as well.
        for folder in above {
            if !folders.insert(folder.to_owned()) {
                break;
            }
        }
    }
    // The deepest first: a folder's own name lies in the one above.
    for folder in folders.iter().rev() {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StorageError::io(folder, source))?;
    }
    Ok(())
}

/// Makes a file count as written now.
///
/// The file system's own clock says what now is: a fresh file beside it carries it. Ages are
/// compared with the times of a listing, and on a network disk this process's clock may differ.
///
/// # Errors
/// The file is not there, or the disk is failing.
pub fn touch(path: &Path) -> Result<(), StorageError> {
    let fail = |source| StorageError::io(path, source);
    let beside = temporary(path);
    let now = File::create_new(&beside).and_then(|file| file.metadata()?.modified());
    let _ = fs::remove_file(&beside);
    let now = now.map_err(fail)?;
    File::options().append(true).open(path).and_then(|f| f.set_modified(now)).map_err(fail)
}

/// Syncs files that another writer put there.
///
/// # Errors
/// A file is not there, or the disk is failing.
pub fn sync(path: &Path) -> Result<(), StorageError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.and_then(|()| sync_folder(path)).map_err(|source| StorageError::io(path, source))
}

/// A file that arrives in pieces under a temporary name.
#[derive(Debug)]
pub struct Arrival {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Arrival {
    /// # Errors
    /// The disk is full, read-only or failing.
    pub fn new(path: &Path) -> Result<Self, StorageError> {
        let fail = |source| StorageError::io(path, source);
        prepare(path).map_err(fail)?;
        let temporary = temporary(path);
        let file = File::create_new(&temporary).map_err(fail)?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    /// # Errors
    /// The disk is full or failing.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(piece).map_err(|source| StorageError::io(&self.path, source))
    }

    /// # Errors
    /// The disk is full or failing.
    pub fn finish(self) -> Result<(), StorageError> {
        let done = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.path));
        done.and_then(|()| sync_folder(&self.path))
            .map_err(|source| StorageError::io(&self.path, source))
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // After `finish` the temporary name is gone already.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Hash of a file's bytes.
///
/// # Errors
/// The file is not there, or the disk is failing.
pub fn hash(path: &Path) -> Result<Hash, StorageError> {
    let fail = |source| StorageError::io(path, source);
    let mut file = File::open(path).map_err(fail)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; HASH_BYTES]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Hash::from_digest(&digest.finalize())),
            Ok(size) => digest.update(piece.get(..size).unwrap_or(&piece)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error)),
        }
    }
}

/// Does what waits for a disk beside the threads that wait for nothing; `path` is what it is about.
///
/// # Errors
/// Those of the work, or its thread ended early.
pub async fn aside<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| StorageError::Unavailable { path: path.to_owned(), source: cause.into() })?
}

/// Up to `size` bytes; fewer only at the end of the file.
///
/// # Errors
/// The file cannot be read.
pub fn read_part(file: &mut File, size: usize) -> io::Result<Bytes> {
    let mut part = Vec::new();
    file.take(size as u64).read_to_end(&mut part)?;
    Ok(part.into())
}
