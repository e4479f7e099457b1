//! What each type of a spec column makes of a text, and what becomes of a text it cannot read.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::catalog::SourceSpec;
use cxmart::extract::RawChunk;
use cxmart::stage::{Context, Typing, types::raw_schema};
use proptest::prelude::*;

pub(super) fn spec(columns: &str) -> SourceSpec {
    let text = format!("description = \"a test\"\n{columns}");
    SourceSpec::parse("sql/stage/some/thing.toml", &text).expect("the spec parses")
}

pub(super) fn context() -> Context {
    Context::new(chrono_tz::Europe::Copenhagen)
}

pub(super) fn chunk(columns: Vec<Vec<Option<&str>>>) -> RawChunk {
    let rows = columns.first().map_or(0, Vec::len) as u64;
    RawChunk {
        numbers: (1..=rows).collect(),
        columns: columns.into_iter().map(StringArray::from).collect(),
        read: rows,
        ..RawChunk::default()
    }
}

/// One text through a column `c` of the given settings: what it became, or the rule it broke.
pub(super) fn one(settings: &str, text: &str) -> String {
    let spec = spec(&format!("[[column]]\nname = \"c\"\n{settings}"));
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let (rows, rejects) = typing.chunk(0, &chunk(vec![vec![Some(text)]])).expect("typed");
    assert_eq!(rows.schema(), raw_schema(&spec));
    if let Some(reject) = rejects.first() {
        assert_eq!(rows.num_rows(), usize::from(reject.value_only));
        return reject.rule.to_owned();
    }
    let array = rows.column(1);
    if array.is_null(0) {
        return "null".into();
    }
    let format = FormatOptions::default();
    ArrayFormatter::try_new(array, &format).expect("a formatter").value(0).to_string()
}

pub(super) fn check(settings: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(&one(settings, text), expected, "`{text}` with {settings}");
    }
}

#[test]
fn text_stays_as_it_was() {
    check("", &[("  Ana ", "  Ana "), ("", "null"), (" \t\u{a0}", "null"), ("N/A", "N/A")]);
    check("null_values = [\"N/A\", \"-\"]", &[(" N/A ", "null"), ("-", "null"), ("--", "--")]);
    check(
        "html_unescape = true",
        &[
            (
                "L&#39;assistance est &quot;top&quot; &amp; rapide",
                "L'assistance est \"top\" & rapide",
            ),
            ("&amp;#39; &#x27;&lt;&gt;", "&#39; '<>"),
            ("a & b; &nosuch; &#xD800; &#0; &", "a & b; &nosuch; &#xD800; &#0; &"),
            ("&nbsp;", "null"),
        ],
    );
}

#[test]
fn whole_numbers() {
    check(
        "type = \"int64\"",
        &[
            ("12", "12"),
            (" +007 ", "7"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "not_a_number"),
            ("1.0", "not_a_number"),
            ("1,000", "not_a_number"),
            ("four", "not_a_number"),
            ("", "null"),
        ],
    );
    check(
        "type = \"int64\"\nmin = 0\nmax = 10",
        &[("-1", "below_min"), ("11", "above_max"), ("10", "10")],
    );
}

#[test]
fn floats_are_finite() {
    check(
        "type = \"float64\"",
        &[
            ("1.5", "1.5"),
            ("-2e3", "-2000.0"),
            ("NaN", "not_a_number"),
            ("inf", "not_a_number"),
            ("-Infinity", "not_a_number"),
            ("1e999", "not_a_number"),
            ("1,5", "not_a_number"),
        ],
    );
    check(
        "type = \"float64\"\ndecimal_mark = \",\"",
        &[("1.234,5", "1234.5"), ("1.5", "not_a_number")],
    );
}

#[test]
fn decimals_are_exact() {
    check(
        "type = \"decimal\"",
        &[
            ("9", "9.0000"),
            ("-0.00010", "-0.0001"),
            ("0.12345", "too_many_decimals"),
            ("0.0000000", "0.0000"),
            ("1e3", "1000.0000"),
            ("12E-1", "1.2000"),
            ("0e999", "0.0000"),
            ("1e-999", "too_many_decimals"),
            ("99999999999999.9999", "99999999999999.9999"),
            ("100000000000000", "too_large"),
            ("1e99", "too_large"),
            (".", "not_a_number"),
            ("1,000.00", "not_a_number"),
            ("EUR 1", "not_a_number"),
            ("٣", "not_a_number"),
        ],
    );
}

#[test]
fn money_as_people_write_it() {
    check(
        "type = \"money\"",
        &[
            ("1,234.50", "1234.5000"),
            ("$1,234.50", "1234.5000"),
            ("US$ 12", "12.0000"),
            ("EUR 1'234.50", "1234.5000"),
            ("12,34,567.00", "1234567.0000"),
            ("(12.00)", "-12.0000"),
            ("12.00-", "-12.0000"),
            ("-$12.00", "-12.0000"),
            ("$-12.00", "-12.0000"),
            ("−5", "-5.0000"),
            ("(-5)", "not_a_number"),
            (".50", "0.5000"),
            ("5.", "5.0000"),
            ("1,50", "not_a_number"),
            ("1.234,50", "not_a_number"),
            ("1,234,5", "not_a_number"),
            ("1 234", "1234.0000"),
            ("12 monkeys", "not_a_number"),
            ("12/24", "not_a_number"),
            ("€", "not_a_number"),
        ],
    );
    check(
        "type = \"money\"\ndecimal_mark = \",\"",
        &[
            ("1.234,50 €", "1234.5000"),
            ("1\u{a0}234,50", "1234.5000"),
            ("1\u{202f}234\u{202f}567,5", "1234567.5000"),
            ("kr. 99,-", "99.0000"),
            ("99,-", "99.0000"),
            ("99,00 kr", "99.0000"),
            ("1.50", "not_a_number"),
            ("1.500", "1500.0000"),
        ],
    );
}

#[test]
fn minor_units_follow_the_currency() {
    let spec = spec(
        "[[column]]\nname = \"amount\"\ntype = \"money\"\nminor_units_of = \"currency\"\n\
         [[column]]\nname = \"currency\"\n",
    );
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let amounts = vec![Some("123450"), Some("5000"), Some("1234"), Some("12345"), Some("7")];
    let currencies = vec![Some("eur"), Some(" JPY"), Some("bhd"), Some("usd"), None];
    let (rows, rejects) = typing.chunk(0, &chunk(vec![amounts, currencies])).expect("typed");
    assert!(rejects.is_empty());
    let shown = arrow::util::pretty::pretty_format_columns("amount", &[rows.column(1).clone()]);
    let shown = shown.expect("a table").to_string();
    for amount in ["1234.5000", "5000.0000", "1.2340", "123.4500", "0.0700"] {
        assert!(shown.contains(&format!("| {amount} ")), "{amount} in {shown}");
    }
}

#[test]
fn amounts_inside_lists_are_added_up() {
    check(
        "type = \"money\"\nsum_of = \"transactions[kind=refund][status=success].amount\"",
        &[
            (
                r#"[{"transactions":[{"kind":"refund","status":"success","amount":"51.01"},
                    {"kind":"refund","status":"failure","amount":"7"},
                    {"kind":"void","status":"success","amount":"8"}]},
                   {"transactions":[{"kind":"refund","status":"success","amount":1.5}]},
                   {"transactions":[]}, {"transactions":null}, {}]"#,
                "52.5100",
            ),
            ("[]", "0.0000"),
            ("[{", "malformed_json"),
            (
                r#"{"transactions":{"kind":"refund","status":"success","amount":"x"}}"#,
                "not_a_number",
            ),
        ],
    );
}

/// A record of which one row is refused leaves with all of them; its number is told once a rule.
#[test]
fn rows_of_one_record_leave_together() {
    let spec = spec("[[column]]\nname = \"c\"\ntype = \"int64\"\n");
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let mut chunk = chunk(vec![vec![Some("1"), Some("2"), Some("x"), Some("4")]]);
    chunk.numbers = vec![1, 2, 2, 3];
    let (rows, rejects) = typing.chunk(0, &chunk).expect("typed");
    assert_eq!(rows.num_rows(), 2);
    assert_eq!(rejects.len(), 1);
    assert_eq!((rejects[0].record_number, rejects[0].rule), (2, "not_a_number"));
}

#[test]
fn truths() {
    for text in ["true", "TRUE", " Yes", "1", "ja", "Oui", "y"] {
        assert_eq!(one("type = \"bool\"", text), "true", "{text}");
    }
    for text in ["false", "no", "0", "Nej", "nein", "non", "N"] {
        assert_eq!(one("type = \"bool\"", text), "false", "{text}");
    }
    assert_eq!(one("type = \"bool\"", "perhaps"), "not_a_truth");
    assert_eq!(one("type = \"bool\"", " "), "null");
}

#[test]
fn times_in_all_forms_that_exports_use() {
    check(
        "type = \"timestamp\"",
        &[
            ("2024-05-28T09:12:44Z", "2024-05-28T09:12:44Z"),
            ("2024-05-28T09:12:44.123Z", "2024-05-28T09:12:44.123Z"),
            ("2024-05-28T11:12:44+02:00", "2024-05-28T09:12:44Z"),
            ("2024-05-28 11:12:44 +0200", "2024-05-28T09:12:44Z"),
            ("2020-06-01 15:25:50.633 UTC", "2020-06-01T15:25:50.633Z"),
            ("2020-09-11T19:35:42.000-00:00 ", "2020-09-11T19:35:42Z"),
            // No offset: Copenhagen, in summer and in winter.
            ("2020-09-11 19:35:42.000 ", "2020-09-11T17:35:42Z"),
            ("2020-12-30 3:15:52", "2020-12-30T02:15:52Z"),
            ("2024-03-12 09:14", "2024-03-12T08:14:00Z"),
            ("2024-03-12", "2024-03-11T23:00:00Z"),
            ("2024-02-30", "not_a_time"),
            ("2024-05-28T25:00:00Z", "not_a_time"),
            ("2024-05-28T09:12:44+25:00", "not_a_time"),
            ("2024-05-28T09:12:44 CET", "not_a_time"),
            ("28/05/2024", "not_a_time"),
            ("1716883200", "not_a_time"),
            ("soon", "not_a_time"),
            // The hour that comes twice is the earlier one, the hour that never comes moves on.
            ("2024-10-27 02:30:00", "2024-10-27T00:30:00Z"),
            ("2024-03-31 02:30:00", "2024-03-31T01:30:00Z"),
        ],
    );
    check("type = \"timestamp\"\nzone = \"UTC\"", &[("2024-03-12 09:14", "2024-03-12T09:14:00Z")]);
    // Samoa left out a whole day.
    check(
        "type = \"timestamp\"\nzone = \"Pacific/Apia\"",
        &[("2011-12-30 12:00", "2011-12-30T22:00:00Z")],
    );
    check(
        "type = \"timestamp\"\nformats = [\"%m/%d/%Y %I:%M %p\", \"%d.%m.%Y\"]\nzone = \"UTC\"",
        &[
            ("3/15/2024 2:30 PM", "2024-03-15T14:30:00Z"),
            ("28.05.2024", "2024-05-28T00:00:00Z"),
            ("2024-05-28T09:12:44Z", "2024-05-28T09:12:44Z"),
        ],
    );
}

#[test]
fn epoch_numbers_have_a_declared_unit_and_a_range() {
    check(
        "type = \"timestamp\"\nunit = \"s\"\nnull_values = [\"0\"]",
        &[
            ("1716883200", "2024-05-28T08:00:00Z"),
            ("1716883200.5", "2024-05-28T08:00:00.500Z"),
            ("0", "null"),
            ("14522193485", "time_out_of_range"),
            ("1716883200000", "time_out_of_range"),
            ("-5", "time_out_of_range"),
            ("2024-05-28T08:00:00Z", "2024-05-28T08:00:00Z"),
        ],
    );
    check("type = \"timestamp\"\nunit = \"ms\"", &[("1716887564123", "2024-05-28T09:12:44.123Z")]);
    check(
        "type = \"timestamp\"\nunit = \"us\"",
        &[("1716887564123456", "2024-05-28T09:12:44.123456Z")],
    );
}

#[test]
fn dates() {
    check(
        "type = \"date\"",
        &[
            ("2024-05-28", "2024-05-28"),
            ("2024-05-28T23:30:00Z", "2024-05-28"),
            ("2024-5-8", "2024-05-08"),
            ("20240528", "not_a_date"),
            ("31/02/2024", "not_a_date"),
        ],
    );
    check("type = \"date\"\nformats = [\"%Y%m%d\"]", &[("20240528", "2024-05-28")]);
}

#[test]
fn what_is_not_allowed_leaves_and_what_is_lenient_stays_without_its_value() {
    let spec = spec(
        "key = [\"id\"]\n[[column]]\nname = \"id\"\n\
         [[column]]\nname = \"mode\"\nvalues = [\"Live\", \"Test\"]\n\
         [[column]]\nname = \"score\"\ntype = \"int64\"\nmin = 0\nlenient = true\n",
    );
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let ids = vec![Some("1"), Some("4.50E+12"), None, Some("4"), Some("5"), Some("6e10")];
    let modes = vec![Some("Live"), Some("Live"), Some("Test"), Some("Demo"), None, Some("Live ")];
    let scores = vec![Some("x"), Some("1"), Some("2"), Some("y"), Some("-3"), Some("9")];
    let (rows, rejects) = typing.chunk(2, &chunk(vec![ids, modes, scores])).expect("typed");
    let rejects: Vec<_> = rejects
        .iter()
        .map(|r| (r.record_number, r.rule, r.column.as_deref().unwrap_or(""), r.value_only))
        .collect();
    assert_eq!(
        rejects,
        [
            (2, "scientific_id", "id", false),
            (3, "missing_required", "id", false),
            (4, "not_allowed", "mode", false),
            (1, "not_a_number", "score", true),
            (5, "below_min", "score", true),
        ]
    );
    assert_eq!(rows.num_rows(), 3);
    assert_eq!(rows.column(3).null_count(), 2);
}

#[test]
fn an_option_of_the_source_is_a_column_or_a_zone() {
    let spec = spec(
        "[[column]]\nname = \"scale_max\"\ntype = \"decimal\"\nfrom = [\"option:scale_max=5\"]\n\
         [[column]]\nname = \"at\"\ntype = \"timestamp\"\nzone = \"option:zone\"\n",
    );
    let show = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let context = Context { options: options.collect(), ..context() };
        let typing = Typing::new(&spec, &context).map_err(|error| error.to_string())?;
        let rows = typing.chunk(0, &chunk(vec![vec![None], vec![Some("2024-05-28 12:00")]]));
        let rows = rows.map_err(|error| error.to_string())?.0;
        let format = FormatOptions::default();
        let cells = rows.columns().iter().skip(1).take(2).map(|column| {
            ArrayFormatter::try_new(column, &format).expect("a formatter").value(0).to_string()
        });
        Ok::<_, String>(cells.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(show(&[]), Ok("5.0000 2024-05-28T10:00:00Z".into()));
    let given = [("scale_max", "7"), ("zone", "America/New_York")];
    assert_eq!(show(&given), Ok("7.0000 2024-05-28T16:00:00Z".into()));
    let error = show(&[("zone", "Nowhere")]).expect_err("no such zone");
    assert!(error.contains("`Nowhere` is not a time zone"), "{error}");
}

#[test]
fn a_reject_shows_no_person() {
    let spec = spec("[[column]]\nname = \"c\"\nvalues = [\"a\"]\n");
    let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
    let texts = vec![Some("ana@example.com"), Some("call 4570123456"), Some("b")];
    let rejects = typing.chunk(0, &chunk(vec![texts])).expect("typed").1;
    let shown: Vec<_> = rejects.iter().map(|reject| reject.text.as_str()).collect();
    assert_eq!(shown, ["(an e-mail address)", "call ##########", "b"]);
}

const EVERY_KIND: &str = r#"
key = ["id"]
[[column]]
name = "id"
[[column]]
name = "text"
html_unescape = true
values = ["a", "b"]
lenient = true
[[column]]
name = "whole"
type = "int64"
min = -5
[[column]]
name = "float"
type = "float64"
lenient = true
[[column]]
name = "decimal"
type = "decimal"
max = 10
[[column]]
name = "money"
type = "money"
decimal_mark = ","
lenient = true
[[column]]
name = "minor"
type = "money"
minor_units_of = "text"
lenient = true
[[column]]
name = "truth"
type = "bool"
lenient = true
[[column]]
name = "day"
type = "date"
formats = ["%d.%m.%y", "%s", "%G-%V-%u", "%+"]
lenient = true
[[column]]
name = "time"
type = "timestamp"
unit = "ms"
formats = ["%Y %j", "%s", "%Y-%m-%dT%H:%M:%S%z"]
lenient = true
"#;

/// Text near what the types read, and any text at all.
fn texts() -> impl Strategy<Value = Option<String>> {
    let near = "[-+(]?[$€]?[0-9.,' eE]{0,30}[)-]?";
    let time =
        "-?[0-9]{1,7}[-/.][0-9]{1,2}[-/.][0-9]{1,2}[T ]?[0-9:.]{0,12} ?(Z|UTC|[+-][0-9:]{2,6})?";
    prop_oneof![
        1 => Just(None),
        4 => any::<String>().prop_map(Some),
        4 => near.prop_map(Some),
        4 => time.prop_map(Some),
        1 => "&[#a-zA-Z0-9]{0,12};?".prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_rows_and_rejects_that_add_up(
        columns in (1..6_usize).prop_flat_map(|rows| {
            prop::collection::vec(prop::collection::vec(texts(), rows), 10)
        })
    ) {
        let spec = spec(EVERY_KIND);
        let typing = Typing::new(&spec, &context()).expect("the spec can be typed");
        let columns = columns.iter().map(|c| c.iter().map(Option::as_deref).collect()).collect();
        let chunk = chunk(columns);
        let (rows, rejects) = typing.chunk(0, &chunk).expect("no text makes it fail");
        let left: BTreeSet<u64> =
            rejects.iter().filter(|r| !r.value_only).map(|r| r.record_number).collect();
        prop_assert_eq!(rows.num_rows() + left.len(), chunk.numbers.len());
        prop_assert_eq!(rows.schema(), raw_schema(&spec));
        prop_assert!(rejects.iter().all(|r| r.text.chars().count() <= 81));
    }

    /// Polars' casts are the ones of the standard library, for whatever stands in a cell.
    #[test]
    fn whole_numbers_and_floats_read_as_rust_reads_them(text in "[-+]?[0-9]{0,20}[.]?[0-9]{0,3}(e[0-9])?") {
        let known = BTreeMap::from([("int64", text.trim().parse::<i64>().ok().map(|v| v.to_string())),
            ("float64", text.trim().parse::<f64>().ok().map(|v| format!("{v:?}")))]);
        for (kind, expected) in known {
            let read = one(&format!("type = \"{kind}\""), &text);
            // Two texts may be one float (`6e14 + 0.2` and `0.3`): compared as Rust shows it.
            let float = read.parse::<f64>().ok().filter(|_| kind == "float64");
            let read = float.map_or(read, |value| format!("{value:?}"));
            let expected = expected.unwrap_or_else(|| {
                if text.is_empty() { "null".into() } else { "not_a_number".into() }
            });
            prop_assert_eq!(read, expected, "`{}` as {}", text, kind);
        }
    }

    /// Goal: times in the form that most systems write are read as all others are. Method: a second
    /// blank before the time of day makes the same text another form.
    #[test]
    fn usual_times_read_as_unusual_ones(
        date in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]",
        time in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
        end in "(Z|z|[+-][01][0-9]:?[03]0|[.][0-9]{0,7}Z?| UTC|[0-9])?",
        separator in "[T ]",
    ) {
        let read = |text: &str| one("type = \"timestamp\"", text);
        let usual = read(&format!("{date}{separator}{time}{end}"));
        prop_assert_eq!(usual, read(&format!("{date}  {time}{end}")), "{} {}{}", date, time, end);
    }
}
