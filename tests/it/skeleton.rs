//! One source to one published table, and a rerun that publishes nothing.

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn one_source_becomes_one_released_table_and_a_rerun_publishes_nothing() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3]);
    let first = project.run().await.expect("the run succeeds");
    assert!(first.published);
    assert_eq!(first.counts.read, 2);
    assert_eq!(first.counts.used, 2);
    let views = std::fs::read_to_string(project.path().join("warehouse/catalog/views.sql"));
    assert!(views.expect("views").contains("create or replace view feedback"));
    let second = project.run().await.expect("the rerun succeeds");
    assert!(!second.published);
    assert_eq!(second.release, first.release);
}
