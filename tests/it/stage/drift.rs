//! Exports that change: new columns are kept and told, lost ones stop the run or are left out.

use arrow::array::AsArray;
use cxmart::run::RunError;
use cxmart::storage::parquet::decode;

use crate::project::Project;

const SOURCE: &str = r#"
[[source]]
source = "till"
entity = "sales"
url = "till/dt={dt}/*.csv"
"#;

const SPEC: &str = r#"
description = "Sales of a till."
key = ["receipt"]
[[column]]
name = "receipt"
required_header = true
[[column]]
name = "amount"
type = "money"
[[column]]
name = "note"
"#;

const SQL: &str = "-- One row per receipt.
-- grain: source_id
-- canonical: orders
select record_id, attributes, receipt as source_id, amount as total, 'EUR' as currency
from raw_till__sales
";

fn project(extra: &str) -> Project {
    let project = Project::new(&format!("{SOURCE}{extra}"));
    project.night("2025-01-01", 1, &[9]);
    project.write("sql/stage/till/sales.toml", SPEC);
    project.write("sql/stage/till/stg_till__sales.sql", SQL);
    project
}

/// Goal: a column that appears is kept and told, one that goes is told, and the run goes on.
#[tokio::test(flavor = "multi_thread")]
async fn new_and_lost_columns_are_told() {
    let project = project("");
    project.write("till/dt=2025-01-01/a.csv", "receipt,amount,note,old\n1,10,x,7\n");
    project.run().await.expect("a first night");
    assert!(project.rows("schema_drift", &["change"]).await.is_empty());
    project
        .write("till/dt=2025-01-02/a.csv", "receipt,amount,colour\n2,20,\"red, or so\"\n3,30,\n");
    project.run().await.expect("a second night");
    assert_eq!(
        project.rows("schema_drift", &["entity", "column_name", "change", "dt", "is_read"]).await,
        [
            "sales|colour|new_column|2025-01-02|false",
            "sales|note|lost_column|2025-01-01|true",
            "sales|old|lost_column|2025-01-01|false",
        ]
    );
    let kept = project.rows("staged_orders", &["source_id", "attributes"]).await;
    assert_eq!(kept, ["1|{\"old\":\"7\"}", "2|{\"colour\":\"red, or so\"}", "3|"]);
}

/// Goal: a value of another kind is told with the day since when. Method: a JSON export whose
/// number becomes a text.
#[tokio::test(flavor = "multi_thread")]
async fn changed_types_are_told() {
    let project = project("");
    project.write("till/dt=2025-01-01/a.csv", "{\"receipt\":1,\"amount\":10}\n");
    project.write("till/dt=2025-01-02/a.csv", "{\"receipt\":2,\"amount\":\"20\"}\n");
    project.run().await.expect("a run");
    let drift =
        project.rows("schema_drift", &["column_name", "change", "dt", "column_kinds"]).await;
    assert_eq!(drift, ["amount|changed_type|2025-01-02|text"]);
}

/// Goal: a lost key column publishes nothing; of an optional source the object is left out, told,
/// and read again once the spec knows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_stops_the_run_or_is_left_out() {
    let lost = "number,amount\n1,10\n2,20\n";
    let strict = project("");
    strict.write("till/dt=2025-01-01/a.csv", lost);
    let error = strict.run().await.expect_err("the run stops");
    assert!(matches!(error, RunError::Extract(_)), "{error}");
    assert!(strict.release().await.is_none());

    let optional = project("optional = true\n");
    optional.write("till/dt=2025-01-01/a.csv", lost);
    optional.write("till/dt=2025-01-02/a.csv", "receipt,amount\n3,30\n");
    optional.run().await.expect("the run goes on");
    assert_eq!(optional.rows("staged_orders", &["source_id"]).await, ["3"]);
    let told = optional.rows("load_warnings", &["warning_rule", "warning_column"]).await;
    assert_eq!(told, ["left_out|receipt"]);
    let counts = ["n_read", "n_used", "n_rejected"];
    let counts = optional.rows("load_reconciliation", &counts).await;
    assert_eq!(counts, ["1|0|1", "1|1|0", "1|1|0"]);

    let known =
        SPEC.replace("name = \"receipt\"", "name = \"receipt\"\nfrom = [\"receipt\", \"number\"]");
    optional.write("sql/stage/till/sales.toml", &known);
    optional.run().await.expect("a run with the new spec");
    assert_eq!(optional.rows("staged_orders", &["source_id"]).await, ["1", "2", "3"]);
    assert!(optional.rows("load_warnings", &["warning_rule"]).await.is_empty());
}

/// Goal: warnings about text and times come with counts. Method: one object with each of them.
#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_published_with_their_counts() {
    let project = project("");
    let text = "receipt,amount,note\n1,10,S\u{c3}\u{b8}ren\n2,20,S\u{c3}\u{b8}ren\n3,30,fine\n";
    project.write("till/dt=2025-01-01/a.csv", text);
    project.run().await.expect("a run");
    let told = ["warning_rule", "warning_column", "n_records", "sample"];
    assert_eq!(project.rows("load_warnings", &told).await, ["mojibake|note|2|S\u{c3}\u{b8}ren"]);
    let release = project.release().await.expect("a release");
    let file = &release.tables["load_warnings"].files[0];
    let bytes = project.open().store.read(&file.path).await.expect("a file");
    let batch = &decode(&file.path, bytes, None).expect("parquet")[0];
    let urls = batch.column_by_name("object_url").expect("a column").as_string::<i32>();
    assert!(urls.value(0).ends_with("till/dt=2025-01-01/a.csv"));
}

/// Goal: no export loses what its spec does not know. Method: of each spec one mapping of its
/// records names `attributes`; exports whose further cells are answers, and those whose records
/// are only parts, keep them so.
#[test]
fn every_export_keeps_what_its_spec_does_not_know() {
    let project = Project::new("");
    let catalog = project.open().catalog;
    let lost = catalog.specs.values().filter(|spec| {
        let models = catalog.staging_models(spec);
        let of_records = |name: &str| models.iter().any(|model| model.references.contains(name));
        let are_answers = spec.format.each.as_deref() == Some("*");
        !are_answers
            && spec.keeps_attributes()
            && of_records(&spec.raw_table())
            && !models.iter().any(|model| model.names("attributes"))
    });
    assert_eq!(lost.map(|spec| spec.key()).collect::<Vec<_>>(), Vec::<String>::new());
}

/// Goal: a record of which Airbyte says that fields were lost on the way does not blank the whole
/// one of the same time of change, though it was extracted later.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_on_the_way_does_not_blank_a_record() {
    let entities = [
        ("tickets", "conversations", "subject", "subject"),
        ("deals", "orders", "dealname", "product"),
        ("companies", "accounts", "name", "name"),
        ("feedback_submissions", "survey_responses", "hs_content", "comment_text"),
    ];
    let sources = entities.map(|(entity, ..)| {
        format!("[[source]]\nsource = \"hubspot\"\nentity = \"{entity}\"\nurl = \"{entity}/dt={{dt}}/*\"\n")
    });
    let project = Project::new(&sources.concat());
    project.night("2024-06-01", 1, &[9]);
    for (entity, _, property, _) in entities {
        let line = |extracted: u64, changes: &str, value: &str| {
            format!(
                r#"{{"_airbyte_extracted_at":{extracted},"_airbyte_meta":{{"changes":[{changes}]}},"_airbyte_data":{{"id":"1","properties":{{"hs_object_id":"1","createdate":"2024-05-28T08:00:00Z","hs_createdate":"2024-05-28T08:00:00Z","hs_survey_type":"NPS","hs_value":"9","hs_submission_timestamp":"2024-05-28T08:00:00Z","hs_lastmodifieddate":"2024-05-28T12:00:01Z","{property}":{value}}},"updatedAt":"2024-05-28T12:00:01Z","archived":false}}}}"#
            )
        };
        let lost = format!(r#"{{"field":"properties.{property}","change":"NULLED"}}"#);
        let text =
            [line(1_717_000_000_000, "", "\"whole\""), line(1_717_000_900_000, &lost, "null")];
        project.write(&format!("{entity}/dt=2024-06-01/a.jsonl"), &text.join("\n"));
    }
    project.run().await.expect("a run");
    for (entity, table, _, column) in entities {
        let rows = project.rows(&format!("current_{table}"), &["entity", column]).await;
        assert!(rows.contains(&format!("{entity}|whole")), "{entity}: {rows:?}");
    }
}
