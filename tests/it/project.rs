//! A user's project in a temporary folder: a job over AskNicely responses, run as a user would.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use cxmart::engine::{FileInput, Session};
use cxmart::run::{Context, Outcome, RunError};
use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use cxmart::storage::parquet::decode;
use tempfile::TempDir;

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/dt={dt}/*.json"
"#;

/// Files of entities of any system, by the folder each lies in.
pub fn generic(entities: &[(&str, &str)]) -> String {
    let source = |(entity, folder): &(&str, &str)| {
        let url = format!("raw/{folder}/dt={{dt}}/*.csv");
        format!("\n[[source]]\nsource = \"generic\"\nentity = \"{entity}\"\nurl = \"{url}\"\n")
    };
    entities.iter().map(source).collect()
}

/// Removed with the value.
pub struct Project {
    pub folder: TempDir,
}

impl Project {
    /// `extra` is appended to the job file.
    pub fn new(extra: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        project.write("jobs/project.toml", &format!("{JOB}{extra}"));
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    /// One night's export: answers of the given scores, from `first` on numbered.
    pub fn night(&self, day: &str, first: u32, scores: &[u32]) {
        let row = |(number, score): (u32, &u32)| {
            format!(
                r#"{{"response_id":"{number}","contact_id":"{number}","email":"p{number}@example.com","answer":"{score}","question_type":"nps","comment":"","segment":"web","sent":"1716883200","responded":"1716890123"}}"#
            )
        };
        let rows: Vec<_> = (first..).zip(scores).map(row).collect();
        let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
        self.write(&format!("raw/dt={day}/responses.json"), &text);
    }

    pub fn settings(&self) -> Settings {
        Settings {
            project: self.path().to_owned(),
            run_id: "test".into(),
            memory_bytes: 1 << 28,
            identity_salt: Some("00".repeat(32)),
            ..settings::from_environment()
        }
    }

    pub fn open(&self) -> Context {
        cxmart::run::open("jobs/project.toml", self.settings()).expect("the job opens")
    }

    pub async fn run(&self) -> Result<Outcome, RunError> {
        cxmart::run::run(Arc::new(self.open()), None).await
    }

    pub async fn run_at(&self, as_of: NaiveDate) -> Result<Outcome, RunError> {
        cxmart::run::run(Arc::new(self.open()), Some(as_of)).await
    }

    /// Days that would come out differently today.
    pub async fn stale(&self) -> Vec<NaiveDate> {
        let desk = cxmart::run::open::Desk::read("jobs/project.toml", self.settings());
        desk.expect("the job opens").stale().await.expect("readable state")
    }

    pub async fn release(&self) -> Option<Release> {
        StateReader::new(self.open().store).latest().await.expect("readable state")
    }

    /// Rows of a query over [`tables`].
    pub async fn query(&self, sql: &str) -> RecordBatch {
        let session = tables(&self.open()).await;
        let batches = session.collect("test", sql).await.expect("rows");
        let schema = batches.first().expect("a batch").schema();
        arrow::compute::concat_batches(&schema, &batches).expect("one batch")
    }

    /// Rows of a table of the newest release, as `a|b` of the columns, sorted.
    pub async fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let release = self.release().await.expect("a release");
        let store = self.open().store;
        let dataset = release.tables.get(table).or_else(|| release.state.get(table));
        let mut rows = Vec::new();
        for file in &dataset.expect("the table").files {
            let bytes = store.read(&file.path).await.expect("a file");
            for batch in decode(&file.path, bytes, None).expect("parquet") {
                rows.extend(cells(&batch, columns));
            }
        }
        rows.sort();
        rows
    }
}

/// The newest release's tables and intermediates, for SQL.
pub async fn tables(context: &Context) -> Session {
    let release = StateReader::new(context.store.clone()).latest().await.expect("readable state");
    let release = release.expect("a release");
    let session = context.engine.session();
    for (name, dataset) in release.tables.iter().chain(&release.state) {
        let Some(contract) = context.contract(name) else { continue };
        let files = dataset.files.iter().map(|file| FileInput::of(&context.store, file));
        session.files(name, contract.schema(), files.collect()).expect("a table");
    }
    session
}

fn cells(batch: &RecordBatch, columns: &[&str]) -> Vec<String> {
    let format = FormatOptions::default();
    let of_row = |row: usize| {
        let cell = |name: &&str| {
            let column: &dyn Array = batch.column_by_name(name).expect("the column");
            ArrayFormatter::try_new(column, &format).expect("a formatter").value(row).to_string()
        };
        columns.iter().map(cell).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(of_row).collect()
}

/// Rows of a dataset; staged ones with what follows from them.
pub fn completed(context: &Context, dataset: &str, rows: RecordBatch) -> RecordBatch {
    let table = dataset.strip_prefix("staged_");
    let table = table.and_then(|name| context.catalog.canonical_tables.get(name));
    let Some(table) = table else { return rows };
    let canonical = table.canonical.as_ref().expect("a canonical table");
    cxmart::stage::complete(&table.contract, canonical, context.job.zone(), &rows).expect("staged")
}
