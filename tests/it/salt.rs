//! The secret that customer ids are made under: a warehouse has one, and no command works with
//! another.

use std::sync::Arc;

use cxmart::run::native::resolve::why;
use cxmart::run::{self, Context, Outcome, RunError, forget};
use cxmart::settings::Settings;
use cxmart::state::{StateReader, salt_check};

use super::project::Project;

fn open(project: &Project, salt: Option<&str>) -> Arc<Context> {
    let salt = salt.map(str::to_owned);
    let settings = Settings { identity_salt: salt, ..project.settings() };
    Arc::new(run::open("jobs/project.toml", settings).expect("the job opens"))
}

async fn run(project: &Project, salt: Option<&str>) -> Result<Outcome, RunError> {
    run::run(open(project, salt), None).await
}

/// Goal: a shell without the salt, or with another, neither renames everybody nor forgets under
/// hashes that no run knows. Method: a warehouse made under one salt meets the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_knows_its_salt() {
    let project = Project::new("");
    project.night("2026-02-01", 1, &[9, 3, 10]);
    let (own, other) = ("07".repeat(32), "08".repeat(32));
    run(&project, Some(&own)).await.expect("the first run");
    let release = project.release().await.expect("a release");
    assert_eq!(release.salt_check, Some(salt_check(&[7; 32])));
    assert!(!serde_json::to_string(&release).expect("json").contains(&own));

    project.night("2026-02-02", 4, &[8]);
    let names = ["p1@example.com".to_owned()];
    for salt in [Some(other.as_str()), None] {
        let ended = run(&project, salt).await.expect_err("a run");
        let context = open(&project, salt);
        let others = [
            forget::look(&context, &names).await.map(drop).expect_err("a dry run"),
            forget::apply(&context, &names).await.map(drop).expect_err("forgetting"),
            why::explain(&context, &names[0]).await.map(drop).expect_err("an explanation"),
        ];
        for error in others.into_iter().chain([ended]) {
            let is_it = match salt {
                Some(_) => matches!(error, RunError::OtherSalt { number: 1 }),
                None => matches!(error, RunError::NoSalt { number: 1 }),
            };
            assert!(is_it, "{salt:?}: {error}");
        }
    }
    assert!(!project.path().join("warehouse/state/v1/salt").exists(), "no salt is made up");
    let reader = StateReader::new(project.open().store.clone());
    assert_eq!(reader.numbers().await.expect("releases"), [1]);

    run(&project, Some(&own)).await.expect("the salt is back");
    let found = why::explain(&open(&project, Some(&own)), &names[0]).await.expect("readable");
    assert!(found.is_some_and(|found| found.customer_id.starts_with("c_")));
}

/// A warehouse whose runs are given no salt makes one and keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_salt_is_made_once() {
    let project = Project::new("");
    project.night("2026-02-01", 1, &[9, 3, 10]);
    run(&project, None).await.expect("the first run");
    let path = project.path().join("warehouse/state/v1/salt");
    let made = std::fs::read_to_string(&path).expect("a salt");
    project.night("2026-02-02", 4, &[8]);
    run(&project, None).await.expect("the second run");
    assert_eq!(std::fs::read_to_string(&path).expect("a salt"), made);
    let ended = run(&project, Some(&"08".repeat(32))).await;
    // With nothing new nothing is made, and nothing is wrong.
    assert!(ended.is_ok_and(|outcome| !outcome.published));
    std::fs::remove_file(&path).expect("the salt goes");
    project.night("2026-02-03", 5, &[8]);
    let ended = run(&project, None).await.expect_err("lost");
    assert!(matches!(ended, RunError::NoSalt { number: 2 }), "{ended}");
}
