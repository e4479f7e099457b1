//! Daily tables: a night adds its day, keeps the former ones, and no step reads those.

use std::collections::BTreeSet;

use crate::project::Project;

/// Goal: what a night published of a daily table is still there after the next, and a third run
/// finds nothing to do. Method: two nights, and the days in the files of each daily table.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_adds_its_day_and_keeps_the_days_before() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    project.run().await.expect("the first night");
    project.night("2024-05-29", 4, &[2, 8]);
    project.run().await.expect("the second night");
    let release = project.release().await.expect("a release");
    for table in ["clv_model_parameters", "customer_lifetime_value", "check_results"] {
        let files = &release.tables[table].files;
        let days: BTreeSet<&str> = files.iter().map(|f| f.partition["as_of"].as_str()).collect();
        let either = table == "customer_lifetime_value" && days.is_empty();
        assert!(
            either || days == BTreeSet::from(["2024-05-28", "2024-05-29"]),
            "{table}: {days:?}"
        );
    }
    assert_eq!(release.tables["customers"].rows, 5);
    assert!(!project.run().await.expect("a third run").published);
}
