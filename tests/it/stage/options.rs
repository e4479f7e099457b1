//! Options of a job's source: what each account's export has of its own, without a spec of its own.

use std::collections::BTreeMap;
use std::io::Write as _;

use cxmart::catalog::spec::SourceSpec;
use cxmart::catalog::{Catalog, Files};
use cxmart::extract::{self, ExtractError, RawChunk};
use cxmart::job::Limits;
use cxmart::plan::PlanError;
use cxmart::run::RunError;

use crate::project::Project;

fn spec(key: &str, options: &[(&str, &str)]) -> SourceSpec {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let spec = catalog.specs.get(key).expect("an embedded spec");
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options: BTreeMap<String, String> = options.collect();
    for name in options.keys() {
        assert!(spec.knows_option(name), "{key}: {name}");
    }
    spec.with_options(&options)
}

fn read(spec: &SourceSpec, bytes: &[u8]) -> Result<RawChunk, ExtractError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("bytes");
    let mut chunks = extract::records_by(file.path(), "object", spec, &Limits::default(), 100)?;
    chunks.next().expect("a chunk")
}

/// The first row, the columns that have a value.
fn first(spec: &SourceSpec, bytes: &[u8]) -> BTreeMap<String, String> {
    let chunk = read(spec, bytes).expect("records");
    assert_eq!(chunk.rejects, []);
    let cells = spec.columns.iter().zip(&chunk.columns);
    let filled = cells.filter(|(_, texts)| !arrow::array::Array::is_null(texts, 0));
    filled.map(|(column, texts)| (column.name.clone(), texts.value(0).to_owned())).collect()
}

/// Goal: a file that a German spreadsheet saved is read once the job says its encoding, and says
/// that it is none of UTF-8 before. Method: the same bytes with and without the option.
#[test]
fn an_encoding_that_is_not_utf8_is_named_by_the_job() {
    let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode("Datensatz-ID;Vorname\n1;J\u{f6}rg\n");
    let plain = spec("hubspot/contacts_ui", &[]);
    let refused = read(&plain, &bytes).expect("records").rejects;
    assert_eq!(refused.iter().map(|reject| reject.rule).collect::<Vec<_>>(), ["invalid_utf8"]);
    let named = spec("hubspot/contacts_ui", &[("encoding", "windows-1252")]);
    assert_eq!(first(&named, &bytes).get("first_name").map(String::as_str), Some("J\u{f6}rg"));
}

/// Goal: an export without header is read in the order that its schema lists. Method: the order of
/// version 22, of a schema with a column that is not known, and of a file that lacks the last.
#[test]
fn an_export_without_header_has_the_columns_that_the_job_lists() {
    let columns = "processed_dttm, entrytime, load_id, target_identity_id, source_identity_id";
    let spec = spec("sas_ci360/identity_map", &[("columns", columns)]);
    let line = "2024-05-28 09:02:00\u{1}2024-05-28 09:01:00\u{1}7\u{1}one\u{1}two\n";
    let row = first(&spec, line.as_bytes());
    let row: Vec<_> = row.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        row,
        [
            "entrytime=2024-05-28 09:01:00",
            "processed_dttm=2024-05-28 09:02:00",
            "source_identity_id=two",
            "target_identity_id=one",
        ]
    );
}

/// Goal: headers that are an account's own are named in the job. Method: Netigate's export with
/// other questions stops, is read with two of them named, and may have no third.
#[test]
fn headers_of_an_account_are_named_by_the_job() {
    let export = "AnswerSetId;SurveyId;RespondentId;Respondent;Started;Completed;Status;4. Empfehlung?;5. Warum?\n\
                  7;45;1;a@example.com;28.05.2024 09:12;28.05.2024 09:15;Completed;9;Darum\n";
    let plain = spec("netigate/answersets_csv", &[]);
    let error = read(&plain, export.as_bytes()).expect_err("another header").to_string();
    assert_eq!(
        error,
        "object `object` lacks the header or member `nps_answer` that its spec requires, by the \
         name `1. Hvor sandsynlig er det at du vil anbefale oss?`"
    );
    let mut options = vec![("from_nps_answer", "4. Empfehlung?"), ("from_comment", "5. Warum?")];
    let without = spec("netigate/answersets_csv", &options);
    let error = read(&without, export.as_bytes()).expect_err("no satisfaction").to_string();
    assert!(error.contains("`csat_answer`"), "{error}");
    options.push(("from_csat_answer", ""));
    let row = first(&spec("netigate/answersets_csv", &options), export.as_bytes());
    let told = ["nps_answer", "comment", "csat_answer"].map(|name| row.get(name));
    assert_eq!(told.map(|text| text.map(String::as_str)), [Some("9"), Some("Darum"), None]);
}

/// Goal: an option that nothing reads, that lacks or that means nothing is told before anything
/// runs, all of them at once.
#[test]
fn options_that_cannot_be_used_are_problems() {
    let project = Project::new(
        r#"
[[source]]
source = "stripe"
entity = "payments_ui"
url = "stripe/dt={dt}/*"
options = { decimal_marc = ",", encoding = "windows-1252", from_amount = "Betrag", colour = "red" }

[[source]]
source = "shopify"
entity = "transactions"
url = "shopify/dt={dt}/*"
options = { from_amounts = "x" }

[[source]]
source = "asknicely"
entity = "webhook"
url = "webhook/dt={dt}/*"
options = { csat_scale_max = "seven", time_zone = "Mars/Olympus" }

[[source]]
source = "stripe"
entity = "payments_ui"
url = "more/dt={dt}/*"
options = { decimal_mark = "comma" }
"#,
    );
    let opened = cxmart::run::open("jobs/project.toml", project.settings());
    let error = opened.err().expect("problems");
    let RunError::Plan(PlanError::Problems(problems)) = error else { panic!("{error}") };
    let told: Vec<_> = problems
        .iter()
        .map(|problem| {
            let hint = problem.hint.clone().unwrap_or_default();
            let (_, at) = problem.path.split_once(": ").expect("a place");
            format!("{at}: {}: {hint}", problem.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "source[1].options.colour: `stripe/payments_ui` has no such option: known are \
             decimal_mark, order_field, encoding, and `from_COLUMN`",
            "source[1].options.decimal_marc: `stripe/payments_ui` has no such option: did you mean \
             `decimal_mark`?",
            "source[2].options.from_amounts: `shopify/transactions` has no such option: known are \
             encoding, and `from_COLUMN`",
            "source[3].options.csat_scale_max: `seven` means nothing here: a number",
            "source[3].options.question_type: `asknicely/webhook` needs this option: nps, csat, \
             fivestar, ces",
            "source[3].options.time_zone: `Mars/Olympus` means nothing here: such as `Europe/Paris`",
            "source[4].options.decimal_mark: `comma` means nothing here: `.` or `,`",
        ]
    );
}
