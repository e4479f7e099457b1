//! What `cxmart plan` prints is what the following run does.

use std::collections::BTreeSet;
use std::process::Command;

use cxmart::plan::document::{Document, Kind};
use cxmart::state::StateReader;
use cxmart::state::reports::Report;

use crate::project::Project;

fn plan(project: &Project, more: &[&str]) -> Document {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
    command.args(["plan", "project", "--format", "json"]).args(more);
    let output = command.current_dir(project.path()).env_clear().output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // The types refuse what they do not know, and the schema in docs/ is made from them.
    serde_json::from_slice(&output.stdout).expect("a document of the schema")
}

/// Runs, and gives the run's own report.
async fn run(project: &Project, run_id: &str) -> Report {
    let settings = cxmart::settings::Settings { run_id: run_id.into(), ..project.settings() };
    let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
    let store = context.store.clone();
    Box::pin(cxmart::run::run(std::sync::Arc::new(context), None)).await.expect("a run");
    let reports = StateReader::new(store).reports("project", 1).await.expect("reports");
    let report = reports.into_iter().next().expect("a report");
    assert_eq!(report.run_id, run_id);
    report
}

/// Every batch and step of the report was printed with its reason, and every one printed was done:
/// a step that the plan was sure of ran, one that depends on what it reads ran or was cut off.
fn agree(plan: &Document, report: &Report) {
    let planned: Vec<_> =
        plan.batches.iter().map(|b| (&b.spec, &b.reason, b.objects, b.bytes)).collect();
    let staged: Vec<_> =
        report.batches.iter().map(|b| (&b.source, &b.reason, b.objects, b.bytes)).collect();
    assert_eq!(planned, staged);
    assert_eq!(plan.has_changes, report.outcome == "published");
    if !plan.has_changes {
        assert!(report.steps.is_empty());
        return;
    }
    let planned: Vec<_> = plan.steps.iter().map(|step| (&step.step, &step.reason)).collect();
    let done: Vec<_> = report.steps.iter().map(|step| (&step.step, &step.reason)).collect();
    assert_eq!(planned, done);
    for (planned, done) in plan.steps.iter().zip(&report.steps) {
        let name = &planned.step;
        assert!(planned.is_due || done.reused, "`{name}` ran and was not planned");
        let is_sure = planned.is_due && !planned.may_be_cut_off;
        assert!(!is_sure || !done.reused, "`{name}` was planned and did not run");
    }
}

/// Goal: the run after a plan does what was printed, whatever changed. Method: a first night, a
/// second, none, a changed option, a changed export; for each the plan as printed by the binary
/// against the report of the run.
#[tokio::test(flavor = "multi_thread")]
async fn the_following_run_does_what_was_printed() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let first = plan(&project, &[]);
    assert_eq!((first.release, first.seconds), (None, None));
    assert!(first.steps.iter().all(|step| step.is_due));
    agree(&first, &run(&project, "100-1").await);

    project.night("2024-05-29", 3, &[2, 8]);
    let second = plan(&project, &[]);
    assert_eq!(second.release, Some(1));
    assert!(second.seconds.is_some_and(|seconds| seconds > 0.0), "receipts say how long");
    let feedback = second.steps.iter().find(|step| step.step == "feedback").expect("a step");
    assert_eq!(feedback.rows, Some(3));
    assert!(feedback.bytes.is_some_and(|bytes| bytes > 0), "{feedback:?}");
    assert!(feedback.seconds.is_some(), "{feedback:?}");
    agree(&second, &run(&project, "100-2").await);

    let nothing = plan(&project, &[]);
    assert!(!nothing.has_changes && nothing.seconds.is_some_and(|seconds| seconds < 1e-9));
    agree(&nothing, &run(&project, "100-3").await);

    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("the job");
    project.write("jobs/project.toml", &format!("{job}[metrics]\nmin_cell = 3\n"));
    let option = plan(&project, &[]);
    assert!(option.batches.is_empty() && option.has_changes);
    assert!(option.steps.iter().any(|step| step.kind == Kind::ChangedCode));
    assert!(option.steps.iter().any(|step| !step.is_due), "not all read the option");
    agree(&option, &run(&project, "100-4").await);

    project.night("2024-05-29", 3, &[2, 8, 8]);
    let changed = plan(&project, &[]);
    assert_eq!(changed.batches[0].kind, Kind::ChangedObjects);
    agree(&changed, &run(&project, "100-5").await);
}

/// Goal: a plan says what a change would make due, in order, without the change. Method: nothing
/// is due; then a step, a source and a view are supposed to have changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_supposed_change_shows_its_dependants_in_order() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    project.run().await.expect("a night");
    let due = |document: &Document| -> Vec<String> {
        document.steps.iter().filter(|step| step.is_due).map(|step| step.step.clone()).collect()
    };
    assert_eq!(due(&plan(&project, &[])), Vec::<String>::new());
    let supposed = plan(&project, &["--suppose", "feedback"]);
    let step = supposed.steps.iter().find(|step| step.step == "feedback").expect("a step");
    assert_eq!(step.kind, Kind::Supposed);
    assert_eq!(due(&supposed)[0], "feedback");
    let after: BTreeSet<_> = due(&supposed)[1..].iter().cloned().collect();
    assert_eq!(after, step.dependants.iter().cloned().collect());
    assert!(!after.is_empty());
    let source = due(&plan(&project, &["--suppose", "asknicely/responses"]));
    assert!(source.iter().any(|step| step.contains("survey_responses")), "{source:?}");
    assert!(source.len() > after.len());
    // All that was staged is merged anew, and the plan warns of it.
    let merged = plan(&project, &["--suppose", "current_survey_responses"]);
    assert_eq!(merged.warnings.len(), 1, "{:?}", merged.warnings);
}
