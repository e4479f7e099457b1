//! Packings, told by magic bytes; and objects that break off.

use std::io::Write;

use super::{check, fails, read, read_by, small_limits, spec};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).expect("bytes");
    out.finish().expect("gzip")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("zstd")
}

pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        out.start_file(*name, options).expect("a file");
        out.write_all(bytes).expect("bytes");
    }
    out.finish().expect("a zip").into_inner()
}

const ONE: &[u8] = b"{\"id\":1}\n{\"id\":2}\n";
const TWO: &[u8] = b"{\"id\":3}\n";

#[test]
fn packings_are_opened_whatever_the_name() {
    let id = spec("", "id");
    let expect = "1: 1\n2: 2";
    check(&id, gzip(ONE), expect);
    check(&id, zstd(ONE), expect);
    check(&id, gzip(&gzip(ONE)), expect);
    check(&id, zstd(&gzip(ONE)), expect);
    check(&id, [gzip(ONE), gzip(TWO)].concat(), "1: 1\n2: 2\n3: 3");
    check(&id, [zstd(ONE), zstd(TWO)].concat(), "1: 1\n2: 2\n3: 3");
    check(&id, gzip(b""), "");
    check(&id, zipped(&[("a.csv", b"id\n1\n2\n")]), expect);
    check(&id, zipped(&[]), "");
    // As Amplitude exports: numbers run on through the files.
    check(
        &id,
        zipped(&[("1/", b""), ("1/a.json.gz", &gzip(ONE)), ("1/b.json.gz", &gzip(TWO))]),
        "1: 1\n2: 2\n3: 3",
    );
    check(&id, zipped(&[("__MACOSX/._a.csv", b"\0\x05"), ("a.csv", b"id\n1\n")]), "1: 1");
}

#[test]
fn an_object_that_breaks_off_keeps_its_records() {
    let id = spec("kind = \"ndjson\"", "id");
    let many: String =
        (0..100_000_u64).map(|i| format!("{{\"id\":{}}}\n", i * i % 1_000_003)).collect();
    for packed in [gzip(many.as_bytes()), zstd(many.as_bytes())] {
        let cut = packed.get(..packed.len() / 2).expect("half");
        let text = read(cut, &id);
        let last = text.lines().last().expect("a line");
        assert!(last.contains("! truncated_object"), "{last}");
        assert!(text.lines().count() > 5_000, "{last}");
    }
    let mut damaged = gzip(many.as_bytes());
    let middle = damaged.len() / 2;
    for byte in damaged.iter_mut().skip(middle).take(40) {
        *byte = 0xff;
    }
    let text = read(&damaged, &id);
    assert!(text.lines().last().expect("a line").contains("able_object"), "{text}");
    let mut checksum = gzip(ONE);
    let end = checksum.len() - 6;
    checksum[end] ^= 1;
    assert!(read(&checksum, &id).starts_with("1: 1\n2: 2\n3! undecodable_object"));
    let whole = zipped(&[("a.csv", ONE)]);
    let text = read(&whole[..whole.len() - 30], &id);
    assert!(text.starts_with("1! truncated_object"), "{text}");
    // One damaged file of a zip: the others are read.
    let mut zip = zipped(&[("a", ONE), ("b", TWO)]);
    zip[30 + 1 + 3] ^= 0x55;
    let text = read(&zip, &id);
    assert!(text.contains(": 3\n"), "{text}");
    assert!(text.contains("_object"), "{text}");
}

#[test]
fn limits_are_errors_that_name_them() {
    let id = spec("", "id");
    let bomb = gzip(&vec![b' '; 20 << 20]);
    let expect = "object `object` passes the limit `expansion_ratio_max` of 200";
    fails(&id, &bomb, expect);
    fails(&id, gzip(&bomb), expect);
    fails(&id, zipped(&[("a.gz", &bomb)]), expect);
    // Small objects may be as regular as they like.
    let regular = format!("id\n{}", "1\n".repeat(100_000));
    let chunks = read_by(&gzip(regular.as_bytes()), &id, &small_limits(), 30_000).expect("records");
    assert_eq!(
        chunks.iter().map(|chunk| chunk.read).collect::<Vec<_>>(),
        [30_000, 30_000, 30_000, 10_000]
    );
}

/// From 1 MiB on an object is unpacked on a thread of its own.
#[test]
fn what_is_unpacked_ahead_is_the_same() {
    let id = spec("kind = \"ndjson\"", "id");
    let number = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ i;
    let lines = (1..=80_000).map(|i| format!("{{\"id\":{}{}}}\n", number(i), number(i + 7_919)));
    let plain: String = lines.collect();
    let packed = gzip(plain.as_bytes());
    assert!(packed.len() > 1 << 20, "{}", packed.len());
    let expect = read(plain.as_bytes(), &id);
    assert_eq!(expect.lines().count(), 80_000);
    assert!(read(&packed, &id) == expect);
    let cut = read(packed.get(..packed.len() - 100_000).expect("most of it"), &id);
    let (rows, last) = cut.trim_end().rsplit_once('\n').expect("two lines");
    let different = rows.lines().zip(expect.lines()).find(|(left, right)| left != right);
    assert_eq!(different, None, "what came before the end is kept");
    assert!(rows.lines().count() > 60_000 && last.contains("! truncated_object"), "{last}");
}
