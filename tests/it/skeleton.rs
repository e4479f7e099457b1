//! One source to one published table, and a rerun that publishes nothing.

use std::path::Path;
use std::sync::Arc;

use cxmart::run::Outcome;
use cxmart::settings::{self, Settings};

const JOB: &str = r#"
name = "skeleton"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/dt={dt}/*.json"
"#;

const RESPONSES: &str = r#"{"success":true,"data":[
{"response_id":"1","contact_id":"9","email":"a@example.com","answer":"9","question_type":"nps","comment":"","segment":null,"sent":"1716883200","responded":"1716890123"},
{"response_id":"2","contact_id":"10","email":"b@example.com","answer":"3","question_type":"nps","comment":"no","segment":"web","sent":"1716883200","responded":"1716990123"}]}"#;

async fn run(project: &Path) -> Outcome {
    let settings = Settings {
        project: project.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        ..settings::from_environment()
    };
    let context = cxmart::run::open("jobs/skeleton.toml", settings).expect("the job opens");
    cxmart::run::run(Arc::new(context), None).await.expect("the run succeeds")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_becomes_one_released_table_and_a_rerun_publishes_nothing() {
    let project = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write("jobs/skeleton.toml", JOB);
    write("raw/dt=2024-05-28/responses.json", RESPONSES);
    let first = run(project.path()).await;
    assert!(first.published);
    assert_eq!(first.counts.read, 2);
    assert_eq!(first.counts.used, 2);
    let views = std::fs::read_to_string(project.path().join("warehouse/catalog/views.sql"));
    assert!(views.expect("views").contains("create or replace view feedback"));
    let second = run(project.path()).await;
    assert!(!second.published);
    assert_eq!(second.release, first.release);
}
