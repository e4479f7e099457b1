//! Environments: releases of their own over shared files, and what becomes of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use cxmart::cli::{Exit, Failure};
use cxmart::run::{Context, Outcome, RunError, promote};
use cxmart::settings::Settings;
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;
use cxmart::upkeep::gc;

use crate::project::Project;

fn open(project: &Project, environment: Option<&str>, run_id: &str) -> Context {
    let settings = Settings {
        environment: environment.map(str::to_owned),
        run_id: run_id.into(),
        ..project.settings()
    };
    cxmart::run::open("jobs/project.toml", settings).expect("the job opens")
}

async fn run(project: &Project, environment: Option<&str>) -> Result<Outcome, RunError> {
    Box::pin(cxmart::run::run(Arc::new(open(project, environment, "test")), None)).await
}

async fn newest(project: &Project, environment: Option<&str>) -> Release {
    let store = open(project, environment, "look").store.clone();
    StateReader::new(store).latest().await.expect("readable").expect("a release")
}

fn files(release: &Release) -> BTreeSet<String> {
    let datasets = release.tables.values().chain(release.state.values());
    datasets.flat_map(|dataset| &dataset.files).map(|file| file.path.clone()).collect()
}

fn change_the_job(project: &Project) {
    let path = project.path().join("jobs/project.toml");
    let job = std::fs::read_to_string(path).expect("the job");
    project.write("jobs/project.toml", &format!("{job}[metrics]\nmin_cell = 3\n"));
}

/// Goal: a change is tried beside the warehouse, computing only what it touches, seen by nobody, and
/// then taken over as it is. Method: an option changes; it runs in an environment, then is promoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_tried_in_an_environment_and_promoted_by_reference() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    run(&project, None).await.expect("a night");
    let before = newest(&project, None).await;
    let views = project.path().join("warehouse/catalog/views.sql");
    let shown = std::fs::read_to_string(&views).expect("views");

    change_the_job(&project);
    let tried = run(&project, Some("try")).await.expect("a run in the environment");
    assert_eq!((tried.release, tried.objects), (Some(2), 0));
    assert!(tried.steps_run > 0 && tried.steps_reused > tried.steps_run, "{tried:?}");
    let other = newest(&project, Some("try")).await;
    let shared = files(&before).intersection(&files(&other)).count();
    assert!(shared > 20, "{shared} files are shared");
    assert_eq!(newest(&project, None).await, before, "the warehouse shows what it showed");
    assert_eq!(std::fs::read_to_string(&views).expect("views"), shown);
    let own = project.path().join("warehouse/envs/try/catalog/views.sql");
    let own = std::fs::read_to_string(own).expect("the environment's own views");
    assert!(own.starts_with("-- Release 2.") && own.contains("/warehouse/tables/"), "{own}");
    assert!(!own.contains("envs/"));
    let again = run(&project, Some("try")).await.expect("nothing to do");
    assert!(!again.published);

    let context = open(&project, None, "promote");
    let promoted = promote::promote(&context, "try").await.expect("promoted");
    assert_eq!((promoted.number, promoted.parent), (2, Some(1)));
    assert_eq!((&promoted.tables, &promoted.state), (&other.tables, &other.state));
    let after = run(&project, None).await.expect("nothing is left to do");
    assert!(!after.published);
    assert!(std::fs::read_to_string(&views).expect("views").starts_with("-- Release 2."));
}

/// Goal: nothing is promoted that a run would not make now. Method: an environment that has not seen
/// the newest night, one without any release, and one that the warehouse has left behind.
#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_is_behind_is_not_promoted() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    run(&project, None).await.expect("a night");
    let context = open(&project, None, "promote");
    let empty = promote::promote(&context, "none").await.expect_err("no release there");
    assert_eq!(Failure::from(empty).exit(), Exit::NoInput);
    change_the_job(&project);
    run(&project, Some("try")).await.expect("a run in the environment");
    project.night("2024-05-29", 4, &[1]);
    let context = open(&project, None, "promote");
    let behind = promote::promote(&context, "try").await.expect_err("a night is missing");
    assert!(matches!(behind, RunError::Behind { .. }), "{behind:?}");
    assert_eq!(Failure::from(behind).exit(), Exit::TryAgain);
    run(&project, Some("try")).await.expect("it takes up the night");
    promote::promote(&context, "try").await.expect("promoted");
    assert_eq!(newest(&project, None).await.as_of.to_string(), "2024-05-29");
}

/// Goal: a clean-up of the warehouse leaves an environment whole, and one of an environment the
/// warehouse. Method: both keep one release; everything is old.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_spares_what_any_environment_names() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    run(&project, None).await.expect("a night");
    run(&project, Some("try")).await.expect("nothing to do");
    project.night("2024-05-29", 4, &[1]);
    run(&project, Some("try")).await.expect("a night in the environment");
    for (i, day) in ["2024-05-30", "2024-05-31"].into_iter().enumerate() {
        project.night(day, 10 + i as u32, &[5]);
        run(&project, None).await.expect("a night");
    }
    for environment in [None, Some("try")] {
        let store: Store = open(&project, environment, "gc").store.clone();
        let found = gc::find(&store, 1, i64::MAX).await.expect("found");
        gc::sweep(&store, found).await.expect("swept");
    }
    for environment in [None, Some("try")] {
        let store = open(&project, environment, "look").store.clone();
        let release = newest(&project, environment).await;
        let whole = cxmart::upkeep::verify::verify(&store, &[release], true).await;
        let whole = whole.expect("looked at");
        assert!(whole.faults.is_empty(), "{environment:?}: {:?}", whole.faults);
        let numbers = StateReader::new(store).numbers().await.expect("numbers");
        assert_eq!(numbers.len(), 1, "{environment:?}: {numbers:?}");
    }
}
