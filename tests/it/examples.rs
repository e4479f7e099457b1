//! The example projects, on the small files beside them: a user's job, TOML and SQL, no Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use chrono::NaiveDate;
use cxmart::measure::kernel::bgnbd::{BgNbd, History};
use cxmart::run::Outcome;
use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a file");
        }
    }
}

/// A copy of an example after its job ran on `file`.
struct Ran {
    folder: TempDir,
    outcome: Outcome,
    release: Release,
}

impl Ran {
    async fn new(name: &str, file: &str, day: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in ["jobs", "sql"] {
            copy(&example(name).join(part), &folder.path().join(part));
        }
        let raw = folder.path().join(format!("raw/dt={day}"));
        std::fs::create_dir_all(&raw).expect("a folder");
        std::fs::copy(example(name).join(file), raw.join(file)).expect("the example's file");
        let settings = Settings {
            project: folder.path().to_owned(),
            run_id: "test".into(),
            memory_bytes: 1 << 28,
            identity_salt: Some("00".repeat(32)),
            ..settings::from_environment()
        };
        let context = cxmart::run::open(&format!("jobs/{name}.toml"), settings).expect("a job");
        let context = Arc::new(context);
        let outcome = cxmart::run::run(Arc::clone(&context), None).await.expect("a run");
        let release = StateReader::new(context.store.clone()).latest().await.expect("state");
        Self { folder, outcome, release: release.expect("a release") }
    }

    /// All rows of a published table, file by file.
    fn rows(&self, table: &str) -> Vec<RecordBatch> {
        let files = &self.release.tables.get(table).expect("a published table").files;
        let read = |path: &String| {
            let file = File::open(self.folder.path().join("warehouse").join(path));
            let reader = ParquetRecordBatchReaderBuilder::try_new(file.expect("a file"));
            let reader = reader.expect("Parquet").build().expect("rows");
            reader.map(|batch| batch.expect("rows")).collect::<Vec<_>>()
        };
        files.iter().flat_map(|file| read(&file.path)).collect()
    }

    /// The integer in a column of a table of one row.
    fn count(&self, table: &str, column: &str) -> i64 {
        let rows = self.rows(table);
        let array = rows.first().and_then(|batch| batch.column_by_name(column)).expect("a column");
        array.as_primitive::<Int64Type>().value(0)
    }
}

/// The purchase days of each customer of a CDNOW-shaped file.
fn purchase_days(text: &str) -> BTreeMap<String, BTreeSet<NaiveDate>> {
    let mut days: BTreeMap<String, BTreeSet<NaiveDate>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let day = NaiveDate::parse_from_str(words[2], "%Y%m%d").expect("a date");
        days.entry(words[1].to_owned()).or_default().insert(day);
    }
    days
}

/// Goal: the job's table holds what the kernel gives for histories counted here by hand, with
/// purchases after the fit day left out and several on one day as one.
#[tokio::test(flavor = "multi_thread")]
async fn cdnow_is_fitted_to_purchase_days_up_to_the_fit_day() {
    let ran = Ran::new("cdnow", "synthetic.txt", "1998-06-30").await;
    let text = std::fs::read_to_string(example("cdnow").join("synthetic.txt")).expect("a file");
    let lines = u64::try_from(text.lines().count()).expect("few");
    assert_eq!((ran.outcome.counts.read, ran.outcome.counts.used), (lines, lines));
    let until = NaiveDate::from_ymd_opt(1997, 9, 30).expect("a date");
    let mut histories: BTreeMap<History, u64> = BTreeMap::new();
    let customers = purchase_days(&text);
    for days in customers.values() {
        let first = *days.first().expect("a purchase");
        let known: Vec<_> = days.iter().filter(|day| **day <= until).collect();
        let since = |day: NaiveDate| u32::try_from((day - first).num_days()).expect("later");
        let history = History {
            frequency: u32::try_from(known.len() - 1).expect("few"),
            recency_days: since(**known.last().expect("a purchase")),
            age_days: since(until),
        };
        *histories.entry(history).or_default() += 1;
    }
    let fit = BgNbd::fit(&histories, 7.0).expect("customers");
    assert!(fit.is_converged);
    let rows = ran.rows("clv_model_parameters");
    let batch = rows.first().expect("parameters");
    let names = batch.column_by_name("parameter").expect("names").as_string::<i32>();
    let values = batch.column_by_name("estimate").expect("values").as_primitive::<Float64Type>();
    let value = |name: &str| {
        let found = names.iter().position(|known| known == Some(name));
        values.value(found.unwrap_or_else(|| panic!("no parameter {name}")))
    };
    for (name, wanted) in ["r", "alpha", "a", "b"].into_iter().zip(fit.parameters) {
        assert!((value(name) - wanted).abs() < 1e-9 * wanted, "{name}: {}", value(name));
    }
    let values = ran.rows("customer_lifetime_value");
    assert_eq!(values.iter().map(RecordBatch::num_rows).sum::<usize>(), customers.len());
}

/// Of the extract, counted with DuckDB.
const LINES: u64 = 2138;
const CLEAN_LINES: i64 = 2052;
const CLEAN_CUSTOMERS: i64 = 23;
const CLEAN_INVOICES: i64 = 121;
const CLEAN_REVENUE: i128 = 665_126_600;
/// Customers of 2010-12 who bought in that month and the twelve after it.
const COHORT: [i64; 13] = [5, 3, 0, 2, 1, 2, 1, 0, 3, 3, 1, 1, 2];

#[tokio::test(flavor = "multi_thread")]
async fn online_retail_keeps_doubles_and_counts_its_clean_lines() {
    let ran = Ran::new("online_retail", "extract.csv", "2011-12-09").await;
    assert_eq!((ran.outcome.counts.read, ran.outcome.counts.used), (LINES, LINES));
    assert_eq!(ran.outcome.counts.duplicate, 0);
    assert_eq!(ran.count("retail_counts", "n_lines"), CLEAN_LINES);
    assert_eq!(ran.count("retail_counts", "n_customers"), CLEAN_CUSTOMERS);
    assert_eq!(ran.count("retail_counts", "n_invoices"), CLEAN_INVOICES);
    let counts = ran.rows("retail_counts");
    let revenue = counts.first().and_then(|batch| batch.column_by_name("revenue"));
    let revenue = revenue.expect("a column").as_primitive::<Decimal128Type>().value(0);
    assert_eq!(revenue, CLEAN_REVENUE);
    let mut cohort: BTreeMap<i64, i64> = BTreeMap::new();
    let december = NaiveDate::from_ymd_opt(2010, 12, 1).expect("a date");
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
    for batch in ran.rows("retention_cohorts") {
        let column = |name: &str| batch.column_by_name(name).expect("a column").clone();
        let (start, kind) = (column("cohort"), column("kind"));
        let (index, active) = (column("period_index"), column("active"));
        for i in 0..batch.num_rows() {
            let day = i64::from(start.as_primitive::<Date32Type>().value(i));
            let is_december = day == (december - epoch).num_days();
            if is_december && kind.as_string::<i32>().value(i) == "bounded_calendar" {
                let at = index.as_primitive::<Int64Type>().value(i);
                cohort.insert(at, active.as_primitive::<Int64Type>().value(i));
            }
        }
    }
    assert_eq!(cohort.into_values().collect::<Vec<_>>(), COHORT);
}
