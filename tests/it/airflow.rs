//! The DAGs of `jobs/airflow/` on a real Airflow.

use std::path::{Path, PathBuf};
use std::process::Command;

use cxmart::state::StateReader;
use cxmart::storage::Store;
use serde_json::Value;

use crate::project::Project;
use crate::tools::left_out;

const DAGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs/airflow/cxmart_nightly.py");

/// The `airflow` to use; none where this machine has none.
fn airflow() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("CXMART_TEST_AIRFLOW").map(PathBuf::from);
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("airflow"));
    let found = named.or_else(|| found.find(|file| file.is_file()));
    if found.is_none() {
        left_out(
            "`pip install apache-airflow==3.3.0 apache-airflow-providers-openlineage==2.20.3` in a \
             place of its own, whose `airflow` is named in CXMART_TEST_AIRFLOW",
            "CXMART_WITHOUT_AIRFLOW",
        );
    }
    found
}

struct Airflow {
    program: PathBuf,
    home: PathBuf,
    project: PathBuf,
}

impl Airflow {
    /// What it printed; the command has to end well.
    fn run(&self, arguments: &[&str]) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_cxmart")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("HOME", &self.home)
            .env("AIRFLOW_HOME", &self.home)
            .env("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
            .env("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False")
            .env("AIRFLOW__OPENLINEAGE__TRANSPORT", r#"{"type": "console"}"#)
            .env("CXMART_PROJECT", &self.project)
            .env("CXMART__LINEAGE", self.project.join("events.ndjson"))
            .output()
            .expect("airflow starts");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        told
    }
}

/// Goal: the DAGs as they are shipped run on the Airflow that people have. Method: `airflow dags
/// test` of a night, of the same night again, which is skipped, and of a backfill; the lineage
/// events of cxmart name the task as their parent.
#[tokio::test(flavor = "multi_thread")]
async fn the_dags_run_on_a_real_airflow() {
    let Some(program) = airflow() else { return };
    let project = Project::new("");
    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("the job");
    project.write("jobs/nightly.toml", &job);
    project.night("2026-02-01", 1, &[9, 3, 10]);
    let dags = std::fs::read_to_string(DAGS).expect("the DAGs");
    project.write("airflow/dags/cxmart_nightly.py", &dags);
    let home = project.path().join("airflow");
    let airflow = Airflow { program, home, project: project.path().to_owned() };
    airflow.run(&["db", "migrate"]);
    let told = airflow.run(&["dags", "test", "cxmart_nightly", "2026-02-02"]);
    let store = Store::on_disk(&project.path().join("warehouse"));
    let release = StateReader::new(store).latest().await.expect("readable").expect("a release");
    assert_eq!((release.number, release.as_of.to_string().as_str()), (1, "2026-02-02"), "{told}");
    let events = std::fs::read_to_string(project.path().join("events.ndjson")).expect("events");
    let last: Value = serde_json::from_str(events.lines().last().expect("an event")).expect("json");
    let parent = &last["run"]["facets"]["parent"];
    assert_eq!(parent["job"]["name"], "cxmart_nightly.run", "{last}");

    let again = airflow.run(&["dags", "test", "cxmart_nightly", "2026-02-02"]);
    assert!(again.to_lowercase().contains("skip"), "{again}");
    let range = r#"{"from": "2026-02-02", "to": "2026-02-02"}"#;
    let backfill = airflow.run(&["dags", "test", "cxmart_backfill", "2026-02-03", "--conf", range]);
    assert!(backfill.contains("nothing to do") || backfill.contains("release"), "{backfill}");
}
