//! The demo's exports: the same bytes for the same size and seed, however they came to be.

mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cxmart::demo::{self, DemoError};
use sha2::{Digest, Sha256};

const CUSTOMERS: u64 = 200;

fn write(dir: &Path, seed: u64) -> demo::Written {
    demo::write_raw(dir, CUSTOMERS, seed, &|_| ()).expect("the demo is written")
}

/// Hash of every file below a folder, by path.
fn hashes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let digest = Sha256::digest(std::fs::read(&path).expect("a file"));
                let path = path.strip_prefix(dir).expect("inside the folder").to_owned();
                found.insert(path, digest.to_vec());
            }
        }
    }
    found
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let [a, b, c] = [(); 3].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let written = write(a.path(), 1);
    write(b.path(), 1);
    write(c.path(), 2);
    let (first, second, other) = (hashes(a.path()), hashes(b.path()), hashes(c.path()));
    assert_eq!(first, second);
    assert!(first.keys().eq(other.keys()), "the set of files is a matter of size alone");
    let raw = |path: &Path| path.starts_with("raw/hubspot") || path.starts_with("raw/shopify");
    assert!(first.iter().filter(|(path, _)| raw(path)).all(|(path, hash)| other[path] != *hash));
    assert_eq!(first.len(), written.files + 2, "the exports, their note and the truth");
    assert_eq!(written.files, written.written);
}

/// A demo that was killed has some of its files, perhaps an unfinished one, and a note without
/// counts.
#[test]
fn a_killed_demo_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let whole = write(dir.path(), 1);
    let before = hashes(dir.path());
    let mut lost = 0;
    for path in before.keys().step_by(3) {
        std::fs::remove_file(dir.path().join(path)).expect("a file goes");
        lost += 1;
    }
    std::fs::write(
        dir.path().join("demo.json"),
        format!("{{\"format\":1,\"customers\":{CUSTOMERS},\"seed\":1,\"expected\":null}}"),
    )
    .expect("a note");
    let again = write(dir.path(), 1);
    assert_eq!(again.expected, whole.expected);
    assert!((lost - 2..=lost).contains(&again.written), "{} of {lost}", again.written);
    assert_eq!(hashes(dir.path()), before);
    assert_eq!(write(dir.path(), 1).written, 0);
}

#[test]
fn a_folder_holds_one_demo() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    demo::write_raw(dir.path(), 3, 1, &|_| ()).expect("the demo is written");
    for (customers, seed) in [(4, 1), (3, 2)] {
        let error = demo::write_raw(dir.path(), customers, seed, &|_| ());
        assert!(matches!(error, Err(DemoError::Other { customers: 3, seed: 1, .. })), "{error:?}");
    }
    let none = demo::write_raw(&dir.path().join("none"), 0, 1, &|_| ());
    assert!(matches!(none, Err(DemoError::Customers { customers: 0 })), "{none:?}");
}

/// Counted without the product's readers: lines that are JSON, lines that are not.
#[test]
fn the_counts_it_tells_are_the_counts_it_wrote() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().expect("a temporary folder");
    let expected = write(dir.path(), 7).expected;
    for (key, extension) in [
        ("hubspot/contacts", "gz"),
        ("zendesk/tickets", "gz"),
        ("shopify/orders", "gz"),
        ("stripe/subscriptions", "gz"),
        ("generic/events", "zst"),
    ] {
        let (mut whole, mut broken) = (0, 0);
        for path in hashes(dir.path()).into_keys() {
            let name = path.to_string_lossy().into_owned();
            if !name.starts_with(&format!("raw/{key}/")) || name.contains("aborted") {
                continue;
            }
            let file = std::fs::File::open(dir.path().join(&path)).expect("a file");
            let reader: Box<dyn std::io::Read> = if extension == "gz" {
                Box::new(flate2::read::MultiGzDecoder::new(file))
            } else {
                Box::new(zstd::Decoder::new(file).expect("a zstd stream"))
            };
            for line in BufReader::new(reader).lines() {
                let line = line.expect("text");
                if serde_json::from_str::<serde_json::Value>(&line).is_ok() {
                    whole += 1;
                } else {
                    broken += 1;
                }
            }
        }
        let told = &expected.exports[key];
        assert_eq!((whole + broken, broken), (told.read, told.malformed), "{key}");
        assert!(whole > 100, "{key}");
    }
    let malformed: u64 = expected.exports.values().map(|export| export.malformed).sum();
    assert!(malformed > 0, "a demo without broken lines shows nothing");
}
