//! What typing makes of text that systems and spreadsheets have spoilt, and what it tells of it.

use cxmart::stage::Typing;

use super::typing::{check, chunk, context, one, spec};

/// Goal: what systems write where they know no time is null, without a word in the spec.
#[test]
fn times_that_are_none_are_null() {
    check(
        "type = \"timestamp\"\nunit = \"s\"",
        &[("0", "null"), ("0.0", "null"), ("0001-01-01T00:00:00Z", "null"), ("00", "null")],
    );
    check("type = \"timestamp\"", &[("0000-00-00 00:00:00", "null"), ("0", "not_a_time")]);
    check(
        "type = \"date\"",
        &[("1004-05-12", "null"), ("0001-01-01", "null"), ("1904-05-12", "1904-05-12")],
    );
}

/// Goal: a number of the wrong unit or from the future is a reject, measured against the day of
/// the object and no clock; what may lie ahead is said in the spec.
#[test]
fn epoch_numbers_end_a_month_after_their_object() {
    let read = |settings: &str, text: &str| {
        let spec = spec(&format!(
            "[[column]]\nname = \"c\"\ntype = \"timestamp\"\nunit = \"s\"\n{settings}"
        ));
        let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
        let dt = "2024-05-28".parse().ok();
        let typed = typing.tables(0, dt, &chunk(vec![vec![Some(text)]])).expect("typed");
        typed.rejects.first().map_or("read", |reject| reject.rule)
    };
    // 2024-06-30T23:59:59Z and a second later.
    assert_eq!(read("", "1719791999"), "read");
    assert_eq!(read("", "1719792000"), "time_out_of_range");
    assert_eq!(read("future = true", "1719792000"), "read");
    assert_eq!(read("future = true", "1719792000000"), "time_out_of_range");
    assert_eq!(read("", "946684799"), "time_out_of_range");
    assert_eq!(read("", "2024-07-01T00:00:00Z"), "read");
}

fn warnings(settings: &str, texts: &[&str]) -> Vec<(String, String, u64, String)> {
    let spec = spec(&format!("[[column]]\nname = \"c\"\n{settings}"));
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let texts = texts.iter().map(|text| Some(*text)).collect();
    let typed = typing.tables(0, None, &chunk(vec![texts])).expect("typed");
    let warnings = typed.warnings.into_iter();
    warnings.map(|w| (w.rule.to_owned(), w.column, w.records, w.text)).collect()
}

/// Goal: a local time that comes twice or never is read, and told with its count.
#[test]
fn hours_that_come_twice_or_never_are_told() {
    let told = warnings(
        "type = \"timestamp\"",
        &["2024-10-27 02:30:00", "2024-10-27 02:59:00", "2024-03-31 02:30:00", "2024-03-31 03:00"],
    );
    let rule = |rule: &str, count| (rule.to_owned(), "c".to_owned(), count, String::new());
    assert_eq!(told, [rule("hour_comes_twice", 2), rule("hour_never_comes", 1)]);
    assert_eq!(warnings("type = \"timestamp\"", &["2024-10-27 02:30:00Z"]), []);
}

/// Goal: text that was decoded wrongly once is told and stays; letters that are meant are not.
#[test]
fn text_that_was_decoded_twice_is_told() {
    let texts = ["S\u{c3}\u{b8}ren", "S\u{f8}ren", "\u{c3}\u{2026}se", "It\u{e2}\u{20ac}\u{2122}s"];
    let told = warnings("", &texts);
    let sample = "S\u{c3}\u{b8}ren".to_owned();
    assert_eq!(told, [("mojibake".to_owned(), "c".to_owned(), 3, sample)]);
    assert_eq!(one("", texts[0]), texts[0]);
    let meant = ["S\u{c3}O PAULO", "5 \u{20ac}", "\u{c2}ge", "p\u{e2}t\u{e9}", "\u{c3}"];
    assert_eq!(warnings("", &meant), []);
}

#[test]
fn percent_signs_go_where_the_spec_says_so() {
    for kind in ["decimal", "float64"] {
        let settings = format!("type = \"{kind}\"\npercent = true");
        let expected = if kind == "decimal" { "12.5000" } else { "12.5" };
        check(&settings, &[("12.5%", expected), (" 12.5 % ", expected), ("12.5", expected)]);
        check(&format!("type = \"{kind}\""), &[("12.5%", "not_a_number")]);
    }
    check(
        "type = \"decimal\"\npercent = true\ndecimal_mark = \",\"",
        &[("3,47 %", "3.4700"), ("%", "not_a_number")],
    );
}

/// Goal: markup becomes its words, and a sign that opens no tag stays.
#[test]
fn markup_becomes_words() {
    check(
        "strip_tags = true",
        &[
            ("<p>Hello &amp; <b>thanks</b>!</p><p>Bye</p>", "Hello & thanks!\nBye"),
            ("one<br/>two<br>\n  three", "one\ntwo\nthree"),
            ("<style>p { color: red }</style><p>a</p><SCRIPT>if (a < b) {}</SCRIPT>b", "a\nb"),
            ("a < b and b > c", "a < b and b > c"),
            ("5 <6", "5 <6"),
            ("<a href=\"x>y\">link</a> <!-- <p> -->end", "link end"),
            ("no end <b", "no end <b"),
            ("&lt;b&gt;", "<b>"),
            ("<p></p>", "null"),
            ("plain", "plain"),
        ],
    );
}

/// Goal: the apostrophe that guards a spreadsheet goes; one that was written stays.
#[test]
fn the_guard_of_spreadsheets_goes() {
    check(
        "",
        &[
            ("'+4531221100", "+4531221100"),
            ("'=1+1", "=1+1"),
            ("'@ana", "@ana"),
            ("'tis", "'tis"),
            ("'- yes", "'- yes"),
            ("'", "'"),
            ("'+", "'+"),
        ],
    );
    check("type = \"money\"", &[("'-12.50", "-12.5000")]);
}

/// Goal: a letter and its accent are one character, however they were written.
#[test]
fn accents_are_composed() {
    check("", &[("Se\u{301}bastien", "S\u{e9}bastien"), ("\u{c5}se", "\u{c5}se")]);
    check("type = \"json\"", &[("\"e\u{301}\"", "\"e\u{301}\"")]);
}

/// Goal: an id that went through a float is refused where ids stand, and only there.
#[test]
fn ids_that_went_through_a_float_are_refused() {
    for (name, rule) in [("id", true), ("contact_id", true), ("note", false)] {
        let spec = spec(&format!("[[column]]\nname = \"{name}\"\n"));
        let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
        let texts = vec![Some("4.50E+12"), Some("4500000000000"), Some("4,5e+12"), Some("1e5c9")];
        let rejects = typing.chunk(0, &chunk(vec![texts])).expect("typed").1;
        let told: Vec<_> = rejects.iter().map(|r| (r.record_number, r.rule)).collect();
        let expected = [(1, "scientific_id"), (3, "scientific_id")];
        assert_eq!(told, if rule { expected.to_vec() } else { Vec::new() }, "{name}");
    }
}
