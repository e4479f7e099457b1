//! Bytes to records: one function runs them all, and shows what came out as text.

pub(crate) mod containers;
mod foreign;
mod fuzz;
mod json;
mod laws;
mod lines;
mod parquet;
mod parts;
mod shapes;
mod survey;
pub(crate) mod workbook;

use std::fmt::Write as _;
use std::io::Write as _;

use arrow::array::Array;
use cxmart::catalog::SourceSpec;
use cxmart::extract::{self, ExtractError, RawChunk};
use cxmart::job::Limits;
use cxmart::storage::Store;
use cxmart::table::hash::Hash;

/// A spec with these text columns.
pub(crate) fn spec(format: &str, columns: &str) -> SourceSpec {
    let key = if columns.contains('!') { "key = [\"id\"]\n" } else { "" };
    let mut text = format!("description = \"test\"\n{key}[format]\n{format}\n");
    for column in columns.split_whitespace() {
        let (column, required) = column.strip_suffix('*').map_or((column, false), |c| (c, true));
        let (name, from) = column.split_once('=').unwrap_or((column, ""));
        let name = name.trim_end_matches('!');
        writeln!(text, "[[column]]\nname = \"{name}\"\nrequired_header = {required}").unwrap();
        let from: Vec<_> = from.split('|').filter(|f| !f.is_empty()).collect();
        writeln!(text, "from = {from:?}").unwrap();
    }
    SourceSpec::parse("sql/stage/test/records.toml", &text).expect("a good spec")
}

/// A spec as it stands in a file, with a column `id`.
pub(crate) fn spec_of(text: &str) -> SourceSpec {
    let text = format!("description = \"test\"\n[[column]]\nname = \"id\"\n{text}");
    SourceSpec::parse("sql/stage/test/records.toml", &text).expect("a good spec")
}

pub(crate) fn small_limits() -> Limits {
    Limits { record_bytes_max: 10_000, columns_max: 50, ..Limits::default() }
}

/// All chunks of an object of these bytes.
pub(crate) fn read_by(
    bytes: &[u8],
    spec: &SourceSpec,
    limits: &Limits,
    chunk_records: usize,
) -> Result<Vec<RawChunk>, ExtractError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("bytes");
    extract::records_by(file.path(), "object", spec, limits, chunk_records)?.collect()
}

/// Rows as `number: a|b`, then rejects as `number! rule text`, then the counts that are not zero.
pub(crate) fn show(chunks: &[RawChunk]) -> String {
    let mut out = String::new();
    let (mut rejects, mut read, mut duplicate, mut skipped) = (String::new(), 0, 0, 0);
    let mut kept = std::collections::BTreeSet::new();
    let mut refused = 0;
    for chunk in chunks {
        for (row, number) in chunk.numbers.iter().enumerate() {
            let cells = chunk.columns.iter().map(|column| {
                assert_eq!(column.len(), chunk.numbers.len());
                if column.is_null(row) { "~".to_owned() } else { column.value(row).to_owned() }
            });
            let cells: Vec<_> = cells.collect();
            writeln!(out, "{number}: {}", cells.join("|")).unwrap();
            kept.insert(*number);
        }
        for (place, part) in chunk.parts.iter().enumerate() {
            for (row, number) in part.numbers.iter().enumerate() {
                let cells = part.columns.iter().map(|column| {
                    assert_eq!(column.len(), part.numbers.len());
                    if column.is_null(row) { "~" } else { column.value(row) }
                });
                let cells: Vec<_> = cells.collect();
                writeln!(out, "{number}.{place}: {}", cells.join("|")).unwrap();
                kept.insert(*number);
            }
        }
        for reject in &chunk.rejects {
            let mark = if reject.value_only { '?' } else { '!' };
            refused += u64::from(!reject.value_only);
            writeln!(rejects, "{}{mark} {} {}", reject.record_number, reject.rule, reject.text)
                .unwrap();
        }
        read += chunk.read;
        duplicate += chunk.duplicate;
        skipped += chunk.skipped;
    }
    assert_eq!(read, kept.len() as u64 + duplicate + refused + skipped, "{out}{rejects}");
    out += &rejects;
    for (name, count) in [("duplicate", duplicate), ("skipped", skipped)] {
        if count > 0 {
            writeln!(out, "{count} {name}").unwrap();
        }
    }
    out
}

pub(crate) fn read(bytes: &[u8], spec: &SourceSpec) -> String {
    show(&read_by(bytes, spec, &small_limits(), 1_000).expect("records"))
}

pub(crate) fn check(spec: &SourceSpec, bytes: impl AsRef<[u8]>, expect: &str) {
    let expect: String = expect.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let expect = expect.trim_start_matches('\n').trim_end();
    assert_eq!(read(bytes.as_ref(), spec).trim_end(), expect);
}

pub(crate) fn fails(spec: &SourceSpec, bytes: impl AsRef<[u8]>, expect: &str) {
    let error = read_by(bytes.as_ref(), spec, &small_limits(), 1_000).expect_err("an error");
    assert_eq!(error.to_string(), expect);
}

/// Goal: a large file on this disk, which is hashed beside its reading, has the hash of its bytes.
/// Method: a file above the size from which that is done.
#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_hashed_beside_their_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = "a line of twenty bytes\n".repeat(1 << 20).into_bytes();
    std::fs::write(folder.path().join("large.csv"), &bytes).expect("a file");
    let store = Store::on_disk(folder.path());
    let scratch = folder.path().join("scratch");
    let fetched = extract::fetch(&store, "large.csv", &scratch, &Limits::default()).await;
    let mut fetched = fetched.expect("fetched");
    assert_eq!(fetched.bytes, bytes.len() as u64);
    assert_eq!(fetched.sha256().await.expect("hashed"), Hash::of(&bytes));
    assert_eq!(fetched.sha256().await.expect("known"), Hash::of(&bytes));
}
