//! Whole nights on real object stores: the same tables everywhere, also with faults on the wire.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cxmart::cli::{Exit, Failure};
use cxmart::run::{Outcome, RunError};
use cxmart::settings::Settings;
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;

use crate::project::Project;
use crate::proxy::{Fault, Proxy, STALL};
use crate::servers::{self, Server};

/// A job whose raw objects and warehouse lie below one url.
struct World {
    project: Project,
    server: Server,
    root: String,
}

impl World {
    /// `root` is a url, or a folder of the project.
    fn new(server: &Server, root: &str) -> Self {
        let project = Project::new("");
        let job = format!(
            "name = \"project\"\ntime_zone = \"Europe/Copenhagen\"\nwarehouse = \"{root}/warehouse\"\n\
             [[source]]\nsource = \"asknicely\"\nentity = \"responses\"\n\
             url = \"{root}/raw/dt={{dt}}/*.json\"\n"
        );
        project.write("jobs/project.toml", &job);
        Self { project, server: server.clone(), root: root.to_owned() }
    }

    fn store(&self, below: &str) -> Store {
        let url = format!("{}/{below}", self.root);
        Store::open(&url, self.project.path(), &self.server.options).expect("a store")
    }

    /// One night's export, as in [`Project::night`].
    async fn night(&self, day: &str, first: u32, scores: &[u32]) {
        let made = Project::new("");
        made.night(day, first, scores);
        let path = format!("raw/dt={day}/responses.json");
        let bytes = std::fs::read(made.path().join(&path)).expect("a night");
        let below = path.trim_start_matches("raw/");
        self.store("raw").replace(below, bytes.into()).await.expect("written");
    }

    async fn run(&self, warehouse: &str, run_id: &str) -> Result<Outcome, RunError> {
        let settings = Settings {
            scratch: Some(self.project.path().join("scratch")),
            warehouse: Some(format!("{}/{warehouse}", self.root)),
            run_id: run_id.into(),
            store_options: self.server.options.clone(),
            without_lease: run_id != "leased",
            ..self.project.settings()
        };
        let context = cxmart::run::open("jobs/project.toml", settings)?;
        Box::pin(cxmart::run::run(Arc::new(context), None)).await
    }

    async fn release(&self, warehouse: &str) -> Option<Release> {
        StateReader::new(self.store(warehouse)).latest().await.expect("readable state")
    }
}

/// Content and rows by table, without those that show the urls of objects.
fn content(release: &Release) -> BTreeMap<String, (String, u64)> {
    const WITH_URLS: [&str; 3] = ["load_reconciliation", "load_warnings", "schema_drift"];
    let tables = release.tables.iter().filter(|(name, _)| !WITH_URLS.contains(&name.as_str()));
    tables.map(|(name, t)| (name.clone(), (t.content_hash.to_string(), t.rows))).collect()
}

fn fresh(project: &Path) -> String {
    project.file_name().expect("a name").to_string_lossy().trim_start_matches('.').to_owned()
}

/// Goal: a warehouse on S3, Azure or Google Cloud Storage holds what one on a disk holds. Method:
/// two nights on each, raw objects there too, with lease, Delta logs, views and a deep look at all
/// files.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_gives_the_same_tables_on_every_store() {
    let disk = Server { name: "disk", url: String::new(), options: BTreeMap::new() };
    let mut expected = None;
    for server in [vec![disk], servers::all()].concat() {
        let unique = fresh(Project::new("").path());
        let root =
            if server.url.is_empty() { ".".into() } else { format!("{}/{unique}", server.url) };
        let world = World::new(&server, &root);
        world.night("2024-05-28", 1, &[9, 3, 10]).await;
        world.run("warehouse", "leased").await.expect(server.name);
        world.night("2024-05-29", 3, &[2, 8]).await;
        let outcome = world.run("warehouse", "leased").await.expect(server.name);
        assert_eq!(outcome.release, Some(2), "{}", server.name);
        let release = world.release("warehouse").await.expect("a release");
        let store = world.store("warehouse");
        let whole = cxmart::upkeep::verify::verify(&store, &[release.clone()], true).await;
        assert_eq!(whole.expect("looked at").faults, [], "{}", server.name);
        let views = store.read("catalog/views.sql").await.expect("views");
        assert!(views.starts_with(b"-- Release 2."), "{}", server.name);
        assert_eq!(store.list("lease").await.expect("a listing").len(), 1, "{}", server.name);
        let seen = content(&release);
        assert_eq!(expected.get_or_insert_with(|| seen.clone()), &seen, "{}", server.name);
        let again = world.run("warehouse", "leased").await.expect("nothing to do");
        assert!(!again.published, "{}", server.name);
    }
}

/// Goal: what goes wrong between a run and S3 is survived by the client's own retries or by the
/// next run. Method: nights on SeaweedFS behind a proxy that fails one request of each; each night
/// is finished, and at the end equals the one run of a second warehouse without any fault.
#[tokio::test(flavor = "multi_thread")]
async fn faults_on_the_wire_are_survived() {
    if servers::all().is_empty() {
        return;
    }
    let proxy = Proxy::before(servers::seaweed());
    let mut server = servers::s3(proxy.address);
    let root = format!("{}/{}", server.url, fresh(Project::new("").path()));
    server.options.insert("timeout".into(), format!("{}ms", STALL.as_millis() / 2));
    let world = World::new(&server, &root);
    let mut table = String::from("fault           struck  by itself\n");
    for (night, fault) in Fault::ALL.into_iter().enumerate() {
        let day = format!("2024-05-{:02}", night + 10);
        world.night(&day, night as u32 * 2, &[9, 3, 10]).await;
        let before = world.release("warehouse").await.map(|release| content(&release));
        proxy.arm(fault, 3 + 7 * night);
        let disturbed = world.run("warehouse", &format!("disturbed-{night}")).await;
        let request = proxy.disarm().unwrap_or_else(|| panic!("{fault:?} struck nothing"));
        let seen = world.release("warehouse").await.map(|release| content(&release));
        let came_through = match disturbed {
            Ok(outcome) => outcome.published,
            Err(error) => {
                let exit = Failure::from(error).exit();
                assert!([Exit::Unavailable, Exit::Data].contains(&exit), "{exit:?} of {request}");
                false
            }
        };
        world.run("warehouse", &format!("next-{night}")).await.expect("the next run");
        let after = world.release("warehouse").await.expect("a release");
        assert_eq!(after.number, night as u64 + 1, "after {fault:?} of {request}");
        let after = Some(content(&after));
        assert!(seen == before || seen == after, "a mix after {fault:?} of {request}");
        table.push_str(&format!("{:<14} {:>7} {came_through:>10}\n", format!("{fault:?}"), 1));
    }
    world.run("undisturbed/warehouse", "undisturbed").await.expect("one run over all nights");
    let (disturbed, undisturbed) =
        (world.release("warehouse").await, world.release("undisturbed/warehouse").await);
    let newest = |release: Option<Release>| {
        // Daily tables keep their days; this one run has a single one.
        let mut tables = content(&release.expect("a release"));
        let daily = [
            "check_results",
            "churn_risk_model",
            "clv_model_parameters",
            "customer_lifetime_value",
        ];
        tables.retain(|name, _| !daily.contains(&name.as_str()));
        tables
    };
    assert_eq!(newest(disturbed), newest(undisturbed));
    println!("{table}");
}
