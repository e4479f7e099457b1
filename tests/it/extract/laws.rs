//! What holds of any bytes: counts balance, packing and chunk size change nothing, nothing panics.

use proptest::prelude::*;

use super::containers::{gzip, zipped, zstd};
use super::{read_by, show, small_limits, spec};

/// Lines of CSV or NDJSON, some of them damaged.
fn lines(json: bool) -> impl Strategy<Value = Vec<u8>> {
    let good = if json { r#"\{"id":[0-4],"name":"[a-c]{0,3}"\}"# } else { "[0-4],[a-c]{0,3}" };
    let quoted =
        if json { r#"\{"id":"[a-c\\]{0,3}"\}"# } else { "\"[0-4\n]{1,2}\",\"(\"\"|,|a)*\"" };
    let bad = if json { r#"[{}\[\]",:0-2a]{0,8}"# } else { "[,\"0-2a\r]{0,8}" };
    let bytes = |pattern: &'static str| {
        proptest::string::string_regex(pattern).expect("a pattern").prop_map(String::into_bytes)
    };
    let line = prop_oneof![
        6 => bytes(good),
        2 => bytes(quoted),
        2 => bytes(bad),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(line, 0..30).prop_map(move |lines| {
        let mut text = if json { Vec::new() } else { b"id,name\n".to_vec() };
        for line in lines {
            text.extend(line);
            text.push(b'\n');
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_balance_and_neither_packing_nor_chunks_matter(
        json in any::<bool>(), keyed in any::<bool>(), chunk in 1_usize..7, seed in any::<u64>(),
        csv in lines(false), ndjson in lines(true),
    ) {
        let text = if json { ndjson } else { csv };
        let kind = if json { "kind = \"ndjson\"" } else { "kind = \"csv\"\ndelimiter = \",\"" };
        let spec = spec(kind, if keyed { "id! name" } else { "id name" });
        let read = |bytes: &[u8], chunk| {
            show(&read_by(bytes, &spec, &small_limits(), chunk).expect("records"))
        };
        // `show` asserts the balance.
        let plain = read(&text, 1_000);
        let rows = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.ends_with("chunk")).map(str::to_owned).collect()
        };
        prop_assert_eq!(rows(&read(&text, chunk)), rows(&plain));
        prop_assert_eq!(&read(&gzip(&text), 1_000), &plain);
        prop_assert_eq!(&read(&zstd(&text), 1_000), &plain);
        prop_assert_eq!(&read(&zipped(&[("x", &text)]), 1_000), &plain);
        // A broken packing still balances.
        let mut packed = gzip(&text);
        let at = usize::try_from(seed).unwrap_or(0) % packed.len();
        packed.truncate(at);
        if at > 3 {
            read(&packed, 1_000);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), magic in 0..6_usize) {
        let magics: [&[u8]; 6] = [b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1", b"{\"data\":["];
        let object = [magics[magic], &bytes].concat();
        if let Ok(chunks) = read_by(&object, &spec("", "id name=a.b"), &small_limits(), 10) {
            show(&chunks);
        }
    }

    /// What a well-kept writer quotes, we read back as it was.
    #[test]
    fn what_was_written_as_csv_is_read_back(
        cells in proptest::collection::vec(proptest::collection::vec("[ab,;\"\n\r ]{0,5}", 3), 0..20)
    ) {
        let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).expect("a header");
        for row in &cells {
            writer.write_record(row).expect("a row");
        }
        let text = writer.into_inner().expect("bytes");
        let spec = spec("kind = \"csv\"\ndelimiter = \",\"", "a b c");
        let chunks = read_by(&text, &spec, &small_limits(), 7).expect("records");
        let mut read = Vec::new();
        for chunk in &chunks {
            prop_assert!(chunk.rejects.is_empty());
            for row in 0..chunk.numbers.len() {
                read.push(chunk.columns.iter().map(|c| c.value(row).to_owned()).collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(read, cells);
    }
}
