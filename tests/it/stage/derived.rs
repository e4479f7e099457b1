//! What follows from staged rows is not staged with them.

use std::collections::BTreeSet;

use arrow::array::{Array, RecordBatch};
use cxmart::storage::parquet::decode;

use crate::project::{Project, completed};

fn project(zone: &str) -> Project {
    let project = Project::new("");
    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("a job");
    assert!(job.contains("\"Europe/Copenhagen\""));
    project.write("jobs/project.toml", &job.replace("Europe/Copenhagen", zone));
    project
}

/// Goal: ids and local dates take no room, and are there for whoever reads. Method: the columns of
/// the staged file beside those of the newest versions.
#[tokio::test(flavor = "multi_thread")]
async fn ids_and_local_dates_are_not_staged() {
    let project = project("Europe/Copenhagen");
    project.night("2024-05-28", 1, &[9, 7]);
    project.run().await.expect("the run succeeds");
    let release = project.release().await.expect("a release");
    let store = project.open().store;
    let mut columns = Vec::new();
    for table in ["staged_survey_responses", "current_survey_responses"] {
        let path = &release.state[table].files[0].path;
        let rows = decode(path, store.read(path).await.expect("a file"), None).expect("parquet");
        let schema = rows[0].schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        columns.push(names.collect::<BTreeSet<_>>());
        let named = rows[0].column_by_name("identity_key").expect("the name of identifiers");
        assert_eq!(named.null_count(), if table.starts_with("staged") { 2 } else { 0 });
    }
    let made: Vec<_> = columns[1].difference(&columns[0]).map(String::as_str).collect();
    let parts = ["date", "month", "quarter", "week", "year"];
    let dates = ["answered", "asked"].map(|time| parts.map(|of| format!("{time}_{of}"))).concat();
    let expected: Vec<_> = dates.iter().map(String::as_str).chain(["feedback_id"]).collect();
    assert_eq!(made, expected);
    assert!(columns[0].is_subset(&columns[1]));
}

/// Goal: local dates are those of the job's zone, also of rows that were merged under another.
/// Method: a job that moved to Honolulu after its first night, beside one that always was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_moves_gets_the_dates_of_its_new_zone() {
    let moved = project("Europe/Copenhagen");
    moved.night("2024-05-28", 1, &[9, 7]);
    moved.run().await.expect("the first night");
    let date = ["source_id", "answered_date"];
    // Answered at 09:55:23 UTC on the 28th.
    let before = moved.rows("current_survey_responses", &date).await;
    assert_eq!(before, ["1|2024-05-28", "2|2024-05-28"]);
    let resident = project("Pacific/Honolulu");
    let job = std::fs::read_to_string(resident.path().join("jobs/project.toml")).expect("a job");
    moved.write("jobs/project.toml", &job);
    for project in [&moved, &resident] {
        project.night("2024-05-28", 1, &[9, 7]);
        project.night("2024-05-29", 3, &[5]);
        project.run().await.expect("the second night");
        let found = project.rows("current_survey_responses", &date).await;
        assert_eq!(found, ["1|2024-05-27", "2|2024-05-27", "3|2024-05-27"]);
    }
}

/// Goal: what is staged outlives its raw objects and the contract it was staged by. Method: rows as
/// an older contract had them, without a column of today's and with one that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_older_contract_are_read_by_todays() {
    let project = project("Europe/Copenhagen");
    project.night("2024-05-28", 1, &[9, 7]);
    project.run().await.expect("the run succeeds");
    let release = project.release().await.expect("a release");
    let context = project.open();
    let name = "staged_survey_responses";
    let path = &release.state[name].files[0].path;
    let rows = decode(path, context.store.read(path).await.expect("a file"), None);
    let rows = rows.expect("parquet").remove(0);
    let today = completed(&context, name, rows.clone());
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).filter_map(|(field, array)| {
        let older = match field.name().as_str() {
            "score" => return None,
            "touchpoint" => "place_of_contact",
            other => other,
        };
        Some((older.to_owned(), array.clone()))
    });
    let older = RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).expect("rows");
    let older = completed(&context, name, older);
    assert_eq!(older.schema(), today.schema());
    for (field, (left, right)) in
        today.schema().fields().iter().zip(today.columns().iter().zip(older.columns()))
    {
        match field.name().as_str() {
            "score" | "touchpoint" => assert_eq!(right.null_count(), right.len()),
            name => assert_eq!(left, right, "{name}"),
        }
    }
    assert_eq!(today.column_by_name("score").expect("a column").null_count(), 0);
}
