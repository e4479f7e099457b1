//! A warehouse and its raw objects in memory: a whole run without a disk.

use std::collections::BTreeMap;
use std::path::Path;

use cxmart::storage::Store;
use cxmart::storage::delta::DeltaLog;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_works_in_memory_raw_objects_too() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("a job");
    let job = job
        .replace("\"warehouse\"", "\"memory://whole-run/warehouse\"")
        .replace("\"raw/", "\"memory://whole-run/raw/");
    project.write("jobs/project.toml", &job);
    let open = |url: &str| Store::open(url, Path::new("/"), &BTreeMap::new()).expect("a store");
    let raw = open("memory://whole-run/raw");
    let night = project.path().join("raw/dt=2024-05-28/responses.json");
    let bytes = std::fs::read(night).expect("an export");
    raw.create("dt=2024-05-28/responses.json", bytes.into()).await.expect("a raw object");

    let first = project.run().await.expect("a release");
    assert_eq!((first.release, first.counts.used), (Some(1), 2));
    let again = project.run().await.expect("nothing new");
    assert!(!again.published);
    let warehouse = open("memory://whole-run/warehouse");
    let log = DeltaLog::new(&warehouse, "tables/feedback").newest("cxmart").await;
    let log = log.expect("a readable log").expect("a log");
    assert_eq!((log.transaction, log.active.len()), (Some(1), 1));
    let views = warehouse.read("catalog/views.sql").await.expect("views");
    let views = String::from_utf8_lossy(&views).into_owned();
    assert!(views.contains("'memory://whole-run/warehouse/tables/feedback/"), "{views}");
}
