//! The DAGs of `jobs/airflow/` on a real Airflow, with tasks that are processes or pods.

mod cluster;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cxmart::state::StateReader;
use cxmart::storage::Store;
use serde_json::{Value, json};

use self::cluster::Cluster;
use crate::project::Project;
use crate::tools::left_out;

const NEEDED: &str = "`pip install apache-airflow==3.3.0 apache-airflow-providers-openlineage==2.20.3 \
     apache-airflow-providers-cncf-kubernetes==10.25.0` in a place of its own, whose `airflow` is \
     named in CXMART_TEST_AIRFLOW";
const IMAGE: &str = "registry.example.com/cxmart:1";
const DAGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs/airflow/cxmart_nightly.py");

/// The `airflow` to use; none where this machine has none.
fn airflow() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("CXMART_TEST_AIRFLOW").map(PathBuf::from);
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("airflow"));
    let found = named.or_else(|| found.find(|file| file.is_file()));
    if found.is_none() {
        left_out(NEEDED, "CXMART_WITHOUT_AIRFLOW");
    }
    found
}

struct Airflow {
    program: PathBuf,
    home: PathBuf,
    /// Beside those that are always there.
    variables: Vec<(&'static str, String)>,
}

impl Airflow {
    /// With the DAGs as they are shipped, for a project with one night; its database is made.
    fn new(program: PathBuf, project: &Project) -> Self {
        let job = std::fs::read_to_string(project.path().join("jobs/project.toml"));
        project.write("jobs/nightly.toml", &job.expect("the job"));
        project.night("2026-02-01", 1, &[9, 3, 10]);
        let dags = std::fs::read_to_string(DAGS).expect("the DAGs");
        project.write("airflow/dags/cxmart_nightly.py", &dags);
        let path = project.path().to_str().expect("text").to_owned();
        let home = project.path().join("airflow");
        let airflow = Self { program, home, variables: vec![("CXMART_PROJECT", path)] };
        airflow.run(&["db", "migrate"]);
        airflow
    }

    fn ran(&self, arguments: &[&str]) -> Output {
        let binary = Path::new(env!("CARGO_BIN_EXE_cxmart")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        // A task that fails is tried again after ten minutes, which nobody waits for here.
        let mut command = Command::new("timeout");
        command
            .arg("300")
            .arg(&self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("HOME", &self.home)
            .env("AIRFLOW_HOME", &self.home)
            .env("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
            .env("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False")
            .env("AIRFLOW__OPENLINEAGE__TRANSPORT", r#"{"type": "console"}"#)
            .envs(self.variables.iter().cloned());
        command.output().expect("airflow starts")
    }

    /// What it printed; the command has to end well.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.ran(arguments);
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        told
    }
}

/// Number and day of the newest release, and the task that its lineage events name as their parent.
async fn made(project: &Project) -> (u64, String, Value) {
    let store = Store::on_disk(&project.path().join("warehouse"));
    let release = StateReader::new(store).latest().await.expect("readable").expect("a release");
    let events = std::fs::read_to_string(project.path().join("events.ndjson")).expect("events");
    let last: Value = serde_json::from_str(events.lines().last().expect("an event")).expect("json");
    let parent = last["run"]["facets"]["parent"]["job"]["name"].clone();
    (release.number, release.as_of.to_string(), parent)
}

/// A night makes the first release, and once more it is skipped; what the night's backfill prints.
async fn a_night_again_and_a_backfill(airflow: &Airflow, project: &Project) -> String {
    let told = airflow.run(&["dags", "test", "cxmart_nightly", "2026-02-02"]);
    let (number, as_of, parent) = made(project).await;
    assert_eq!((number, as_of.as_str()), (1, "2026-02-02"), "{told}");
    assert_eq!(parent, "cxmart_nightly.run");
    let again = airflow.run(&["dags", "test", "cxmart_nightly", "2026-02-02"]);
    assert!(again.to_lowercase().contains("skip"), "{again}");
    let range = r#"{"from": "2026-02-02", "to": "2026-02-02"}"#;
    airflow.run(&["dags", "test", "cxmart_backfill", "2026-02-03", "--conf", range])
}

/// Goal: the DAGs as they are shipped run on the Airflow that people have. Method: `airflow dags
/// test` of a night, of the same night again, which is skipped, and of a backfill; the lineage
/// events of cxmart name the task as their parent.
#[tokio::test(flavor = "multi_thread")]
async fn the_dags_run_on_a_real_airflow() {
    let Some(program) = airflow() else { return };
    let project = Project::new("");
    let mut airflow = Airflow::new(program, &project);
    let lineage = project.path().join("events.ndjson").to_str().expect("text").to_owned();
    airflow.variables.push(("CXMART__LINEAGE", lineage));
    let backfill = a_night_again_and_a_backfill(&airflow, &project).await;
    assert!(backfill.contains("nothing to do") || backfill.contains("release"), "{backfill}");
}

/// Whether the provider for Kubernetes is installed beside this Airflow.
fn has_provider(program: &Path) -> bool {
    let python = program.parent().expect("a folder").join("python");
    let import = "import airflow.providers.cncf.kubernetes.operators.pod";
    let output = Command::new(python).args(["-c", import]).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        left_out(NEEDED, "CXMART_WITHOUT_AIRFLOW");
    }
    is_there
}

/// Goal: the same DAGs run in Kubernetes. Method: `airflow dags test` against a cluster whose
/// containers are processes here: a night, the same night again, a backfill, and one that another
/// run is in the way of; what was asked of the cluster is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn the_dags_run_as_pods() {
    let Some(program) = airflow().filter(|program| has_provider(program)) else { return };
    let project = Project::new("");
    let mut airflow = Airflow::new(program, &project);
    let lineage = project.path().join("events.ndjson").to_str().expect("text").to_owned();
    let binary = Path::new(env!("CARGO_BIN_EXE_cxmart"));
    let cluster = Cluster::start(IMAGE, binary, &[("CXMART__LINEAGE", lineage)]);
    let config = cluster.kubeconfig(project.path()).to_str().expect("text").to_owned();
    airflow.variables.extend([
        ("CXMART_IMAGE", IMAGE.to_owned()),
        ("CXMART_NAMESPACE", "mart".to_owned()),
        ("KUBECONFIG", config),
    ]);

    a_night_again_and_a_backfill(&airflow, &project).await;
    cluster.fail_with(75);
    let failed = airflow.ran(&["tasks", "test", "cxmart_nightly", "run", "2026-02-04"]);
    let told = String::from_utf8_lossy(&[failed.stdout, failed.stderr].concat()).into_owned();
    assert!(told.contains("up_for_retry"), "{told}");
    assert_eq!(cluster.left(), 0, "pods are taken away");

    let pods = cluster.asked();
    let arguments = |pod: &Value| -> Vec<String> {
        let words = pod["spec"]["containers"][0]["args"].as_array().expect("arguments");
        words.iter().map(|word| word.as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(pods.len(), 4);
    let night = arguments(&pods[0]);
    assert_eq!(night[..6], ["run", "nightly", "--skip-exit-code", "99", "--as-of", "2026-02-02"]);
    let days = arguments(&pods[2]);
    assert_eq!(days[..6], ["backfill", "nightly", "--from", "2026-02-02", "--to", "2026-02-02"]);
    for pod in &pods {
        is_as_in_the_cron_job(pod, project.path());
    }
}

/// What a pod has beside its command is what `jobs/k8s/cronjob.yaml` gives it.
fn is_as_in_the_cron_job(pod: &Value, project: &Path) {
    let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
    assert_eq!(spec["restartPolicy"], "Never");
    assert_eq!(spec["terminationGracePeriodSeconds"], 60);
    assert_eq!(spec["securityContext"], json!({"runAsNonRoot": true, "runAsUser": 10001}));
    assert_eq!(container["image"], IMAGE);
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "cxmart-credentials"}}]));
    let scratch = json!({"name": "CXMART__SCRATCH", "value": "/scratch"});
    let variables = container["env"].as_array().expect("variables");
    assert!(variables.contains(&scratch), "{variables:?}");
    assert!(variables.iter().any(|one| one["name"] == "OPENLINEAGE_PARENT_ID"), "{variables:?}");
    let mounts = container["volumeMounts"].as_array().expect("mounts");
    let jobs = json!({"name": "jobs", "mountPath": project.join("jobs")});
    assert!(mounts.contains(&jobs), "{mounts:?}");
    assert!(mounts.contains(&json!({"name": "scratch", "mountPath": "/scratch"})), "{mounts:?}");
    let volumes = spec["volumes"].as_array().expect("volumes");
    assert!(volumes.contains(&json!({"name": "jobs", "configMap": {"name": "cxmart-jobs"}})));
    let scratch = json!({"name": "scratch", "emptyDir": {"sizeLimit": "100Gi"}});
    assert!(volumes.contains(&scratch), "{volumes:?}");
    let wanted = json!({"requests": {"cpu": "2", "memory": "6Gi"}, "limits": {"memory": "8Gi"}});
    assert_eq!(container["resources"], wanted);
}
