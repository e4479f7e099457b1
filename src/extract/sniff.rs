//! What a stream of text is, where the spec does not say: told by its first bytes.

use memchr::memchr;

use super::csv::Dialect;
use super::document::LISTS;
use super::exported;
use super::json::{Json, Tree};
use crate::catalog::SourceSpec;
use crate::catalog::spec::FormatKind;

/// Bytes looked at; a header or a first record longer than this is not told apart.
pub(super) const PEEK: usize = 64 * 1024;
/// In order of preference.
const DELIMITERS: [u8; 7] = [b',', b';', b'\t', b'|', 1, b'^', b'`'];

/// What is no export of any known kind, by how it begins.
const FOREIGN: [(&[u8], &str); 7] = [
    (b"Obj\x01", "it is Avro; export it as Parquet or JSON"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook of before 2007; save it as .xlsx or CSV"),
    (b"%PDF", "it is a PDF"),
    (b"BZh9", "it is packed with bzip2; gzip, zip and zstd are read"),
    (b"\xfd7zXZ", "it is packed with xz; gzip, zip and zstd are read"),
    (b"7z\xbc\xaf", "it is a 7-Zip archive; gzip, zip and zstd are read"),
    (b"<", "it is HTML or XML, such as the answer of a server to a failed download"),
];

/// Why a stream that begins with `head` cannot be read, where its first bytes tell.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let found = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic));
    found.map(|(_, told)| *told)
}

/// The format of a stream that begins with `head`.
pub(super) fn kind(spec: &SourceSpec, head: &[u8]) -> FormatKind {
    if let Some(kind) = spec.format.kind {
        return kind;
    }
    match head.trim_ascii_start() {
        [b'[', ..] => FormatKind::Json,
        [b'{', rest @ ..] => {
            let body = head.trim_ascii_start();
            let end = memchr(b'\n', rest).map_or(body.len(), |at| at + 1);
            // In an old code page it is JSON but for its accents.
            let first = body.get(..end).map(String::from_utf8_lossy).unwrap_or_default();
            let more = !body.get(end..).unwrap_or_default().trim_ascii().is_empty();
            match &spec.format.list {
                Some(list) => around(spec, list, &first),
                None => object(spec, &first, more),
            }
        }
        _ => FormatKind::Csv,
    }
}

/// The first line begins an object: a record, where it is whole, has columns or an envelope, and
/// not the `list`.
fn around(spec: &SourceSpec, list: &str, line: &str) -> FormatKind {
    let mut tree = Tree::default();
    for from in spec.columns.iter().flat_map(|column| &column.from) {
        tree.insert(from, 1, 0);
    }
    for envelope in spec.format.envelope.iter().flat_map(|names| names.split('|')) {
        tree.insert(envelope, 1, 0);
    }
    tree.insert(list, 0, 0);
    let (mut found, mut column) = (false, false);
    let walked = Json::parse(line.trim()).map(|value| {
        tree.walk(value, &mut |slot, _, _| if slot == 0 { found = true } else { column = true })
    });
    let is_record = walked.is_some_and(|walked| walked.is_ok()) && column && !found;
    if is_record { FormatKind::Ndjson } else { FormatKind::Json }
}

/// The first line begins an object: a record, or a document around a list.
fn object(spec: &SourceSpec, line: &str, more: bool) -> FormatKind {
    let Some(value) = Json::parse(line.trim()) else {
        // Cut off by the window, it may be a record; cut off by a line end, it is a document.
        return if line.ends_with('\n') || more || line.len() < PEEK / 2 {
            FormatKind::Json
        } else {
            FormatKind::Ndjson
        };
    };
    if more {
        return FormatKind::Ndjson;
    }
    // One object alone: it is a document if it has a list where documents have one, and none of
    // the columns.
    let mut tree = Tree::default();
    for name in LISTS {
        tree.insert(name, 0, 0);
    }
    for from in spec.columns.iter().flat_map(|column| &column.from) {
        if !LISTS.contains(&from.as_str()) {
            tree.insert(from, 1, 0);
        }
    }
    let (mut list, mut column) = (false, false);
    let walked = tree.walk(value, &mut |slot, _, raw| match slot {
        0 => list |= raw.starts_with('['),
        _ => column = true,
    });
    if walked.is_ok() && list && !column { FormatKind::Json } else { FormatKind::Ndjson }
}

/// Instead of one character as the delimiter.
const BLANKS: &str = "whitespace";

/// How the lines of a stream are cut, and the lines before its header that only say so.
pub(super) fn dialect(spec: &SourceSpec, head: &[u8]) -> (Dialect, u32) {
    let terminator =
        if memchr(b'\n', head).is_none() && memchr(b'\r', head).is_some() { b'\r' } else { b'\n' };
    if spec.format.delimiter.as_deref() == Some(BLANKS) {
        return (Dialect::blanks(terminator), spec.format.preamble_rows);
    }
    let given = spec.format.delimiter.as_ref().and_then(|text| text.bytes().next());
    let mut lines = head.split(|byte| *byte == terminator);
    let mut preamble = spec.format.preamble_rows;
    let first = lines.next().unwrap_or_default();
    // Spreadsheets write their delimiter into a line of its own.
    if let [b's', b'e', b'p', b'=', delimiter] = first.trim_ascii_end() {
        preamble += 1;
        return (Dialect::new(given.unwrap_or(*delimiter), terminator), preamble);
    }
    if let Some(delimiter) = given {
        return (Dialect::new(delimiter, terminator), preamble);
    }
    let mut lines = head.split(|byte| *byte == terminator).skip(preamble as usize);
    let header = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let delimiter = delimiter(spec, &String::from_utf8_lossy(header));
    (Dialect::new(delimiter, terminator), preamble)
}

/// The delimiter that finds most of the spec's columns in a header; then the most frequent one.
fn delimiter(spec: &SourceSpec, header: &str) -> u8 {
    let headless = spec.format.header_rows == Some(0);
    let score = |delimiter: u8| {
        let mut in_quotes = false;
        let names: Vec<&str> = header
            .split(|c: char| {
                in_quotes ^= c == '"';
                !in_quotes && c == char::from(delimiter)
            })
            .map(|name| name.trim().trim_matches('"'))
            .collect();
        let named = |from: &String| {
            let name = from.trim();
            names.iter().any(|header| header.eq_ignore_ascii_case(name))
        };
        let known = spec.columns.iter().filter(|column| column.from.iter().any(named)).count();
        let width = match spec.format.columns.len() {
            0 => exported(spec).filter(|column| !column.named_only).count(),
            columns => columns,
        };
        let fits = if headless { usize::from(names.len() == width) } else { known };
        (fits, names.len())
    };
    let mut best = (DELIMITERS[0], score(DELIMITERS[0]));
    for delimiter in DELIMITERS {
        let score = score(delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}
