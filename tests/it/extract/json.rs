//! NDJSON, documents and lists.

use proptest::prelude::*;

use super::{check, fails, spec};

#[test]
fn one_malformed_line_is_one_reject() {
    check(
        &spec("", "id name"),
        "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\n\n[3]\n{\"id\":4} x\n7\n{\"id\":5}\r\n",
        "1: 1|a
         6: 5|~
         2! malformed_json {\"id\":2,
         3! not_an_object [3]
         4! malformed_json {\"id\":4} x
         5! not_an_object 7",
    );
}

#[test]
fn values_are_kept_as_they_are_written() {
    check(
        &spec("kind = \"ndjson\"", "v"),
        r#"{"v":90071992547409931234}
           {"v":1.10}
           {"v":-0}
           {"v":1e400}
           {"v":true}
           {"v":null}
           {"w":1}
           {"v":""}
           {"v":"a\"\u00f8\ud83d\ude00\/"}
           {"v":[1, {"b" : 2}]}
           {"v":"x","v":"last"}"#,
        "1: 90071992547409931234
         2: 1.10
         3: -0
         4: 1e400
         5: true
         6: ~
         7: ~
         8:
         9: a\"\u{f8}\u{1f600}/
         10: [1, {\"b\" : 2}]
         11: last"
            .replace("8:\n", "8: \n")
            .as_str(),
    );
}

#[test]
fn half_a_surrogate_pair_is_replaced_and_told() {
    check(
        &spec("kind = \"ndjson\"", "v"),
        r#"{"v":"cut \ud83d"}
           {"v":"\uzzzz"}"#,
        "1: cut \u{fffd}
         1? replaced_characters half a surrogate pair
         2! malformed_json {\"v\":\"\\uzzzz\"}",
    );
}

#[test]
fn paths_go_by_dots_places_and_whole_keys() {
    let orders = spec(
        "kind = \"ndjson\"",
        "id=gid|id sku=line_items.0.sku mail=customer.email|email first=name.first second=line_items.1",
    );
    check(
        &orders,
        r#"{"id":1,"gid":null,"line_items":[{"sku":"A"},{"sku":"B"}],"customer":{"email":"x"},"email":"y"}
           {"id":1,"gid":"g","customer":"cus_1","email":"y","name.first":"Ana"}
           {"line_items":{"0":{"sku":"C"}},"customer":"{\"email\":\"deep\"}","name":{"first":"B"},"name.first":null}"#,
        "1: 1|A|x|~|{\"sku\":\"B\"}
         2: g|~|y|Ana|~
         3: ~|C|deep|B|~",
    );
}

#[test]
fn elements_of_a_list_are_picked_by_what_they_say() {
    let events = spec(
        "kind = \"ndjson\"",
        "page=params[key=page].value.text n=params[key=n].value.int|params[id=7].value first=params.0.key deep=a.list[kind=x]",
    );
    check(
        &events,
        r#"{"params":[{"key":"n","value":{"int":"3"}},{"key":"p\u0061ge","value":{"text":"/a"}}]}
           {"params":[{"id":7,"value":12},{"key":"page","value":null},"loose"],"a":{"list":[{"kind":"y"},{"kind":"x","b":1}]}}
           {"params":{"key":"page"},"a":{"list":[]}}
           {"params":"[{\"key\":\"page\",\"value\":{\"text\":\"/in a text\"}}]"}"#,
        "1: /a|3|n|~
         2: ~|12|~|{\"kind\":\"x\",\"b\":1}
         3: ~|~|~|~
         4: /in a text|~|page|~",
    );
}

#[test]
fn steps_joined_by_two_underscores_are_a_path() {
    check(
        &spec("kind = \"ndjson\"", "mail=person.email|mail"),
        r#"{"person__email":"a","mail":"b"}
           {"person__email":"a","person":{"email":"c"}}
           {"person__email":null,"mail":"b"}"#,
        "1: a
         2: c
         3: b",
    );
    check(
        &spec("kind = \"csv\"", "mail=person.email|mail"),
        "person__email,mail\n,b\na,b",
        "1: b\n2: a",
    );
}

#[test]
fn envelopes_are_unwrapped_and_may_be_missing() {
    let airbyte = spec("envelope = \"_airbyte_data\"", "id at=_airbyte_extracted_at");
    check(
        &airbyte,
        r#"{"_airbyte_extracted_at":"17","_airbyte_data":{"id":1}}
           {"_airbyte_extracted_at":18,"_airbyte_data":"{\"id\":2}"}
           {"_airbyte_data":"\"{\\\"id\\\":3}\"","id":"outside"}
           {"id":4}
           {"_airbyte_data":[5]}
           {"_airbyte_data":"{"}"#,
        "1: 1|17
         2: 2|18
         3: 3|~
         4: 4|~
         5! not_an_object {\"_airbyte_data\":[5]}
         6! malformed_json {\"_airbyte_data\":\"{\"}",
    );
    let singer = spec("envelope = \"record\"", "id at=time_extracted");
    check(
        &singer,
        r#"{"type":"SCHEMA","stream":"contacts","schema":{}}
           {"type":"RECORD","stream":"contacts","record":{"id":7},"time_extracted":"t"}
           {"type":"STATE","value":{}}"#,
        "2: 7|t\n2 skipped",
    );
    check(
        &spec("envelope = \"_airbyte_data|record\"", "id"),
        r#"{"_airbyte_data":{"id":1}}
           {"type":"RECORD","record":{"id":2}}
           {"type":"STATE","value":{}}"#,
        "1: 1\n2: 2\n1 skipped",
    );
}

#[test]
fn each_element_gives_a_row_with_its_record() {
    let lines =
        spec("kind = \"ndjson\"\neach = \"order.lines\"", "id sku=@.sku n=@index both=@.note|note");
    check(
        &lines,
        r#"{"id":1,"note":"r","order":{"lines":[{"sku":"A","note":"e"},{"sku":"B"}]}}
           {"id":2,"order":{"lines":[]}}
           {"id":3}
           {"id":4,"order":{"lines":"[{\"sku\":\"C\"}]"}}
           {"id":5,"order":{"lines":{"sku":"D"}}}"#,
        "1: 1|A|1|e
         1: 1|B|2|r
         2: 2|~|~|~
         3: 3|~|~|~
         4: 4|C|1|~
         5: 5|D|1|~",
    );
    check(
        &spec("kind = \"ndjson\"\neach = \"ids\"", "id! v=@"),
        r#"{"id":1,"ids":["a",2]}
           {"id":1,"ids":["a",2]}
           {"id":1,"ids":["a",3]}"#,
        "1: 1|a\n1: 1|2\n3: 1|a\n3: 1|3\n1 duplicate",
    );
    check(
        &spec("each = \"items\"", "id sku=@.sku"),
        "id,items\n1,\"[{\"\"sku\"\":\"\"A\"\"},{\"\"sku\"\":2}]\"\n2,\n",
        "1: 1|A\n1: 1|2\n2: 2|~",
    );
}

#[test]
fn documents_hold_one_list() {
    let id = spec("", "id");
    check(
        &id,
        r#" [ {"id":1} , {"id":"a]},\"["},3,{"id":4}] "#,
        "1: 1\n2: a]},\"[\n4: 4\n3! not_an_object 3",
    );
    check(
        &id,
        r#"{"ok":true,"meta":{"data":[{"id":0}]},"data":[{"id":1},{"id":2}],"n":2}"#,
        "1: 1\n2: 2",
    );
    check(&id, "{\n \"results\": [\n {\"id\": 1}\n ]\n}\n", "1: 1");
    check(&spec("list = \"chats\"", "id"), r#"{"chats":[{"id":1}],"data":[{"id":9}]}"#, "1: 1");
    check(
        &spec("kind = \"json\"\nlist = \"data.data\"", "id"),
        r#"{"data":{"page":0,"data":[{"id":1}]}}"#,
        "1: 1",
    );
    check(&spec("list = \"data\"", "id"), r#"{"data":null}"#, "");
    check(&spec("list = \"data\"", "id"), r#"{"data":[]}"#, "");
    // Pages, one after another.
    check(
        &spec("list = \"data\"", "id"),
        "{\"data\":[{\"id\":1}]}\n{\"data\":[{\"id\":2}]}\n",
        "1: 1\n2: 2",
    );
    // Records of a stream need no list around them; a document whose first line is a record's is one.
    check(&spec("list = \"chats\"", "id"), "{\"id\":1}\n{\"id\":2,\"data\":[]}\n", "1: 1\n2: 2");
    check(&spec("list = \"chats\"", "id"), r#"{"id":7,"chats":[{"id":1}]}"#, "1: 1");
    check(
        &spec("list = \"chats\"\nenvelope = \"record\"", "id"),
        "{\"stream\":\"c\",\"record\":{\"id\":1}}\n{\"stream\":\"c\",\"record\":{\"id\":2}}\n",
        "1: 1\n2: 2",
    );
    check(
        &spec("list = \"data\"", "id"),
        r#"{"error":"no"}"#,
        "1! undecodable_object it has no list",
    );
    fails(
        &spec("kind = \"json\"", "id"),
        r#"{"data":[{"id":1}],"items":[]}"#,
        "object `object` cannot be decoded: it holds two lists; `format.list` must say which",
    );
}

#[test]
fn documents_that_break_keep_what_came_before() {
    let id = spec("kind = \"json\"", "id");
    check(&id, r#"[{"id":1},{"id":"#, "1: 1\n2! truncated_object unexpected end of file");
    check(&id, r#"[{"id":1},{"id":2x},{"id":3}]"#, "1: 1\n3: 3\n2! malformed_json {\"id\":2x}");
    check(
        &id,
        r#"[{"id":1} {"id":2}]"#,
        "1: 1\n2! undecodable_object elements are not parted by a comma",
    );
    check(&id, "<html>", "1! undecodable_object it is not a JSON document");
    check(&id, "  \n", "");
    let long = format!("[{{\"id\":1}},{{\"id\":\"{}\"}},{{\"id\":3}}]", "x".repeat(400_000));
    check(&id, &long, &format!("1: 1\n3: 3\n2! record_too_large {{\"id\":\"{}", "x".repeat(193)));
}

#[test]
fn one_object_alone_is_told_from_a_document_by_its_columns() {
    check(&spec("", "id items"), r#"{"id":1,"items":[2]}"#, "1: 1|[2]");
    check(&spec("", "sku"), r#"{"count":1,"items":[{"sku":"A"}]}"#, "1: A");
    check(&spec("", "id"), "{\"id\":1}\n{\"id\":2}\n", "1: 1\n2: 2");
}

#[test]
fn a_member_that_every_record_lacks_stops_the_object() {
    let required = spec("kind = \"ndjson\"", "id* name");
    check(&required, "{\"name\":\"a\"}\n{\"id\":null}\n", "1: ~|a\n2: ~|~");
    fails(
        &required,
        "{\"name\":\"a\"}\n",
        "object `object` lacks the header or member `id` that its spec requires, by the name `id`",
    );
    check(&required, "", "");
}

#[test]
fn nesting_without_end_is_malformed_and_not_a_crash() {
    let deep = format!("{{\"id\":{}\n{{\"id\":1}}\n", "[".repeat(9_000));
    let text = super::read(deep.as_bytes(), &spec("kind = \"ndjson\"", "id"));
    assert!(text.starts_with("2: 1\n1! malformed_json"), "{text}");
    let held = format!("{{\"id\":\"{}\"}}", "[".repeat(1_000));
    check(&spec("kind = \"ndjson\"", "id"), &held, &format!("1: {}", "[".repeat(1_000)));
    let utf8 = b"{\"id\":\"\xff\"}\n{\"id\":2}\n";
    check(&spec("kind = \"ndjson\"", "id"), utf8, "2: 2\n1! invalid_utf8 {\"id\":\"\u{fffd}\"}");
}

/// Something like a JSON value, often a malformed one.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec![
            "0", "-1", "10.5e+3", "1E9", "true", "false", "null", "\"\"", "\"a\"", "\"\\u00e9\\n\"",
            "\"long enough for several words of eight bytes, æøå\"", "{}", "[]", "\"[1]\"",
        ]),
        2 => prop::sample::select(vec![
            "01", "1.", ".5", "-", "+1", "1e", "tru", "nulls", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\t\"",
            "\"seven..\u{1}\"", "'a'", "{,}", "[1,]", "{\"a\"}", "{1:2}", "{\"a\":1,}", "[1 2]", "", ",",
            "}", "\"\\\"", "\"12345678\\",
        ]),
    ];
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let members = prop::collection::vec(("[ab]{1,9}", inner), 0..4);
        prop_oneof![
            list.prop_map(|list| format!("[ {}]", list.join(", "))),
            members.prop_map(|members| {
                let member = |(key, value)| format!("\"{key}\" :{value}\r");
                format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_serde_json_takes_for_json_is_json(value in nearly_json(), read in any::<bool>()) {
        let name = if read { "v" } else { "unread" };
        let line = format!("{{\"id\":1,\"{name}\": {value} ,\"last\":\"x\"}}").replace('\r', " ");
        let shown = super::read(line.as_bytes(), &spec("kind = \"ndjson\"", "id v last"));
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line) {
            Err(_) => prop_assert!(shown.starts_with("1! malformed_json"), "{line}: {shown}"),
            Ok(object) => {
                let written = match object.get("v") {
                    None | Some(serde_json::Value::Null) => "~".to_owned(),
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(_) => value.trim_end().replace('\r', " "),
                };
                let last = object.get("last").and_then(serde_json::Value::as_str).unwrap_or("~");
                prop_assert_eq!(shown, format!("1: 1|{}|{}\n", written, last));
            }
        }
    }
}
