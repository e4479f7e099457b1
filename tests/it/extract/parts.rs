//! Lists inside records as tables of their own.

use super::{check, read_by, show, small_limits, spec_of};

const CHATS: &str = r#"
[[part]]
name = "messages"
each = "chat.messages"
[[part.column]]
name = "chat"
from = ["id"]
[[part.column]]
name = "place"
from = ["@index"]
[[part.column]]
name = "text"
from = ["@.body", "@"]
[[part]]
name = "tags"
each = "tags"
[[part.column]]
name = "tag"
from = ["@"]
"#;

/// Goal: one object gives its records and, in tables of their own, the elements of their lists.
/// Method: lists that are full, empty, missing, no list, and JSON inside of a text.
#[test]
fn one_object_gives_conversations_and_their_messages() {
    check(
        &spec_of(CHATS),
        r#"{"id":1,"chat":{"messages":[{"body":"a"},{"body":null},"c"]},"tags":["x","y"]}
           {"id":2,"chat":{"messages":[]},"tags":null}
           {"id":3,"chat":"none"}
           {"id":4,"chat":"{\"messages\":[{\"body\":\"d\"}]}","tags":"[\"z\"]"}
           {"id":5,"chat":{"messages":{"body":"alone"}}}
           {"id":6,"#,
        "1: 1
         2: 2
         3: 3
         4: 4
         5: 5
         1.0: 1|1|a
         1.0: 1|2|{\"body\":null}
         1.0: 1|3|c
         4.0: 4|1|d
         5.0: 5|1|alone
         1.1: x
         1.1: y
         4.1: z
         6! malformed_json {\"id\":6,",
    );
}

/// Goal: cells of CSV hold lists as well, and an envelope is taken off first.
#[test]
fn parts_lie_in_cells_and_envelopes_too() {
    check(
        &spec_of(CHATS),
        "id,tags\n1,\"[\"\"x\"\",\"\"y\"\"]\"\n2,\n3,none\n",
        "1: 1\n2: 2\n3: 3\n1.1: x\n1.1: y",
    );
    let enveloped = format!("{CHATS}[format]\nenvelope = \"data\"\n");
    check(&spec_of(&enveloped), r#"{"data":{"id":1,"tags":["x"]}}"#, "1: 1\n1.1: x");
}

/// Goal: a path may lead through lists; the elements of all of them count on.
#[test]
fn a_list_inside_of_lists_is_one_list() {
    let events = r#"
[[part]]
name = "events"
each = "threads.events"
[[part.column]]
name = "n"
from = ["@index"]
[[part.column]]
name = "kind"
from = ["@.type"]
"#;
    check(
        &spec_of(events),
        r#"{"id":1,"threads":[{"events":[{"type":"a"},{"type":"b"}]},{"events":[]},{},{"events":[{"type":"c"}]}]}
           {"id":2,"threads":{"events":[{"type":"d"}]}}
           {"id":3,"threads.events":[{"type":"e"}],"threads":[{"events":[{"type":"x"}]}]}
           {"id":4,"threads":[3,"x",null]}"#,
        "1: 1\n2: 2\n3: 3\n4: 4
         1.0: 1|a\n1.0: 2|b\n1.0: 3|c\n2.0: 1|d\n3.0: 1|e",
    );
    check(
        &super::spec("each = \"a.b.c\"", "id v=@"),
        r#"{"id":1,"a":{"b":[{"c":[1,2]},{"c":[3]}]}}"#,
        "1: 1|1\n1: 1|2\n1: 1|3",
    );
}

/// Goal: the same record again is a duplicate only if its parts are the same, too, and a refused
/// or repeated record leaves no row in any table, however the object is cut into chunks.
#[test]
fn records_come_and_go_with_their_parts() {
    let spec = CHATS.replace("[[part]]\nname = \"tags\"", "[[part]]\nname = \"labels\"");
    let text = format!("description = \"test\"\nkey = [\"id\"]\n[[column]]\nname = \"id\"\n{spec}");
    let spec =
        cxmart::catalog::SourceSpec::parse("sql/stage/test/records.toml", &text).expect("a spec");
    let lines = r#"{"id":1,"tags":["x"]}
        {"id":1,"tags":["x"]}
        {"id":1,"tags":["y"]}
        {"id":2,"tags":["\uzzzz"]}
        {"id":3,"chat":{"messages":["m"]}}"#;
    let expect = "1: 1\n3: 1\n5: 3\n5.0: 3|1|m\n1.1: x\n3.1: y\n4! malformed_json {\"id\":2,\"tags\":[\"\\uzzzz\"]}\n1 duplicate\n";
    let whole = read_by(lines.as_bytes(), &spec, &small_limits(), 100).expect("records");
    assert_eq!(show(&whole), expect);
    let cut = read_by(lines.as_bytes(), &spec, &small_limits(), 1).expect("records");
    assert_eq!(cut.len(), 5);
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&show(&cut)), sorted(expect));
}

/// Goal: what cannot be a part is told when the spec is read, each problem with its place.
#[test]
fn wrong_parts_are_told() {
    let text = "description = \"t\"\n[[column]]\nname = \"id\"\n[[part]]\nname = \"A b\"\neach = \"\"\ncolumn = []\n[[part]]\nname = \"a__b\"\neach = \"x\"\ncolumn = []\n[[part]]\nname = \"a__b\"\neach = \"x\"\ncolumn = []\n";
    let problems = cxmart::catalog::SourceSpec::parse("sql/stage/test/records.toml", text)
        .expect_err("problems");
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let said = |what: &str| told.iter().filter(|told| told.contains(what)).count();
    assert_eq!(
        (said("a part's name"), said("stands twice"), said("is the path of a list")),
        (3, 1, 1),
        "{told:?}"
    );
}
