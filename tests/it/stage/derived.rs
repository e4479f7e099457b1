//! What follows from staged rows is not staged with them.

use std::collections::BTreeSet;

use cxmart::storage::parquet::decode;

use crate::project::Project;

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
