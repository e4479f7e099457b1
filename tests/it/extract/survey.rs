//! What an object has beyond its spec is kept, and all of its names are told.

use std::collections::BTreeMap;

use arrow::array::Array;
use cxmart::extract::{RawChunk, Seen};
use cxmart::job::Limits;

use super::{read_by, small_limits, spec};

fn attributes(chunks: &[RawChunk]) -> Vec<String> {
    let texts = chunks.iter().flat_map(|chunk| {
        let texts = chunk.attributes.as_ref().expect("attributes");
        assert_eq!(texts.len(), chunk.numbers.len());
        texts.iter().map(|text| text.unwrap_or("~").to_owned()).collect::<Vec<_>>()
    });
    texts.collect()
}

fn seen(chunks: &[RawChunk]) -> String {
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    for (name, seen) in chunks.iter().flat_map(|chunk| &chunk.seen) {
        all.entry(name.clone()).or_default().merge(*seen);
    }
    let lines = all.iter().map(|(name, seen)| {
        format!("{name}{} {}", if seen.is_read { "" } else { "*" }, seen.kinds())
    });
    lines.collect::<Vec<_>>().join(", ")
}

fn read(spec: &cxmart::catalog::SourceSpec, bytes: &[u8]) -> Vec<RawChunk> {
    read_by(bytes, spec, &small_limits(), 100).expect("records")
}

/// Goal: members that no path reads are kept as they are written, sorted, down to where paths
/// lead; nothing is kept twice. Method: every shape a member can have beside a path.
#[test]
fn unknown_members_are_kept_by_their_paths() {
    let spec = spec("kind = \"ndjson\"", "id mail=customer.email first=lines.0.sku");
    let lines = br#"{"id":1,"zeta":1.50,"customer":{"email":"e","tags":["x"],"age":null},"alpha":"\u00f8","lines":[{"sku":"A"}]}
{"id":2}
{"id":3,"customer":"cus_1","lines":{"total":2}}
{"id":4,"customer":null,"empty":null}
{"id":5,"customer.email":"whole","customer":{"email":"e"}}
"#;
    let chunks = read(&spec, lines);
    assert_eq!(
        attributes(&chunks),
        [
            r#"{"alpha":"\u00f8","customer.tags":["x"],"zeta":1.50}"#,
            "~",
            r#"{"customer":"cus_1","lines.total":2}"#,
            "~",
            "~",
        ]
    );
    assert_eq!(
        seen(&chunks),
        "alpha* text, customer* text, customer.age* , customer.email text, customer.tags* list, \
         empty* , id number, lines list, lines.total* number, zeta* number"
    );
}

/// Goal: cells of unknown columns are kept, JSON in them as JSON, and names stand in the header.
#[test]
fn unknown_columns_are_kept_and_named() {
    let known = spec("", "id ext=meta.external_id");
    let text = b"zip,id,meta,extra\n0800,1,\"{\"\"external_id\"\":1}\",\"[1, 2]\"\n,2,,a \"quote\"\n,3,,\n";
    let chunks = read(&known, text);
    assert_eq!(
        attributes(&chunks),
        [r#"{"extra":[1, 2],"zip":"0800"}"#, r#"{"extra":"a \"quote\""}"#, "~"]
    );
    assert_eq!(seen(&chunks), "extra* text, id text, meta text, zip* text");
    // A header without rows is a header.
    assert_eq!(seen(&read(&known, b"id,new\n")), "id text, new* text");
    let off = spec("attributes = false", "id");
    assert!(read(&off, text).iter().all(|chunk| chunk.attributes.is_none()));
}

/// Goal: rows of one record share what is kept, and what was refused keeps nothing.
#[test]
fn attributes_go_with_their_rows() {
    let spec = spec("kind = \"ndjson\"\neach = \"lines\"", "id! sku=@.sku");
    let lines = br#"{"id":1,"a":1,"lines":[{"sku":"A"},{"sku":"B"}]}
{"id":1,"a":1,"lines":[{"sku":"A"},{"sku":"B"}]}
{"id":2,"a":2,"lines":[{"sku":"\uzzzz"}]}
{"id":3,"lines":[]}
{"id":4,"a":4}
"#;
    for chunk in [1, 100] {
        let chunks = read_by(lines, &spec, &small_limits(), chunk).expect("records");
        assert_eq!(attributes(&chunks), [r#"{"a":1}"#, r#"{"a":1}"#, "~", r#"{"a":4}"#]);
    }
}

/// Goal: an envelope's content is what counts, and a limit bounds what is kept.
#[test]
fn envelopes_are_looked_into_and_sizes_bounded() {
    let enveloped = spec("envelope = \"data\"", "id");
    let chunks = read(&enveloped, br#"{"data":{"id":1,"new":true},"emitted":7}"#);
    assert_eq!(attributes(&chunks), [r#"{"new":true}"#]);
    // A record that is not wrapped is looked at as it is.
    let chunks = read(&enveloped, br#"{"id":1,"new":true}"#);
    assert_eq!(attributes(&chunks), [r#"{"new":true}"#]);
    // One that is not wrapped is looked at as it is, and a message of a stream not at all.
    let bare = br#"{"id":2,"new":false}
{"type":"STATE","value":{}}
"#;
    assert_eq!(attributes(&read(&enveloped, bare)), [r#"{"new":false}"#]);
    assert_eq!(seen(&read(&enveloped, bare)), "id number, new* truth");
    assert_eq!(attributes(&read(&enveloped, b"id,new\n3,x\n")), [r#"{"new":"x"}"#]);
    let limits = Limits { attributes_bytes_max: 20, ..small_limits() };
    let spec = spec("kind = \"ndjson\"", "id");
    let line = br#"{"id":1,"a":"long enough to pass","b":12345,"c":[1],"d":2}"#;
    let chunks = read_by(line, &spec, &limits, 10).expect("records");
    assert_eq!(attributes(&chunks), [r#"{"b":12345,"c":[1]}"#]);
    let none = Limits { attributes_bytes_max: 0, ..small_limits() };
    let chunks = read_by(line, &spec, &none, 10).expect("records");
    assert!(chunks[0].attributes.is_none());
}
