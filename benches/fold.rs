//! Time and memory of the fold pass over a timeline in buckets; not part of the tests.
//!
//! `cargo bench --bench fold -- FOLDER [THREADS [retention]]`, where FOLDER holds one Parquet file a
//! bucket (`bench/fold_vs_duckdb.py` writes them and asks `DuckDB` for the same families). With
//! `retention` neither purchases nor stages of the journey are folded: what is left are the tables
//! that `bench/measure_vs_duckdb.py` asks for.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    clippy::unreadable_literal,
    clippy::unchecked_time_subtraction,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use cxmart::catalog::Files;
use cxmart::engine::{Engine, Limits};
use cxmart::measure::fold::purchases::Purchases;
use cxmart::measure::fold::retention::{self, Retention};
use cxmart::measure::fold::stage_metrics::StageMetrics;
use cxmart::measure::fold::stages::{Journey, Stages};
use cxmart::measure::fold::{Attributes, Calendar, Grain, Marks, Terms, event, mark, pass};
use cxmart::storage::{Store, parquet};
use cxmart::table::day::day_number;
use tokio::runtime::Runtime;

type All = ((Purchases, Retention), Journey);

const STAGES: [&str; 6] =
    ["awareness", "evaluation", "purchase", "post_purchase", "loyalty", "lapsed"];
const RULES: &str = "sql/measure/stages/stage_events.sql";

#[derive(Default)]
struct Counted {
    purchases: usize,
    stays: usize,
    months: usize,
    retained: retention::Counted,
    staged: StageMetrics,
    /// Of threads: decoding, rules, marks, the pass.
    seconds: [f64; 4],
}

fn all() -> All {
    let horizon_day = day_number("2025-12-31".parse().expect("a date"));
    let terms = Terms {
        horizon_day,
        fit_day: horizon_day,
        backtest_day: horizon_day - 180,
        cohorts_from_contact: false,
        currency: "EUR".into(),
        inactive_days: 90,
        grace_days: 0,
        min_cell: 10,
        confidence: 0.95,
        conversion_days: 90,
    };
    let calendar = Arc::new(Calendar::new(chrono_tz::Tz::UTC, horizon_day, &[Grain::Month]));
    let retention = Retention {
        terms: terms.clone(),
        ledger: Arc::clone(&calendar),
        cohorts: Arc::clone(&calendar),
        months: Arc::clone(&calendar),
    };
    let stages = Stages::new(&STAGES.map(String::from), "lapsed");
    ((Purchases { terms: terms.clone() }, retention), Journey { terms, stages, calendar })
}

/// The stage rules over one bucket.
async fn marks(engine: &Engine, rows: &[RecordBatch]) -> Vec<RecordBatch> {
    let session = engine.session();
    let rows = mark::numbered(rows).expect("rows");
    let schema = rows.first().expect("rows").schema();
    session.batches("timeline", schema, rows).expect("a table");
    let loyal = Arc::new(Int64Array::from(vec![3])) as ArrayRef;
    let run = RecordBatch::try_from_iter([("loyal_orders", loyal)]).expect("a row");
    session.batches("run", run.schema(), vec![run]).expect("a row");
    let files = Files::embedded();
    session.collect("stage_events", files.get(RULES).expect("rules")).await.expect("marks")
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let bytes = std::fs::read(path).expect("a file").into();
    parquet::decode("bucket", bytes, Some(&event::COLUMNS)).expect("rows")
}

/// One bucket, but for purchases and stages.
fn retain(folds: &All, path: &Path, counted: &Mutex<Counted>) {
    let ((_, retention), journey) = folds;
    let started = Instant::now();
    let rows = read(path);
    let decoded = started.elapsed();
    let (marks, attributes) = (Marks::default(), Attributes::default());
    let retained = pass(retention, &rows, &marks, &attributes).expect("a pass");
    let months = retained.months.batch(&journey.terms).expect("rows").num_rows();
    let walked = started.elapsed();
    let mut counted = counted.lock().expect("no panic");
    counted.months += months;
    counted.retained.merge(retained.counted);
    counted.seconds[0] += decoded.as_secs_f64();
    counted.seconds[3] += (walked - decoded).as_secs_f64();
}

/// One bucket, with seconds for decoding, rules, marks and the pass.
fn fold(folds: &All, path: &Path, engine: &Engine, runtime: &Runtime, counted: &Mutex<Counted>) {
    let ((purchases, _), journey) = folds;
    let started = Instant::now();
    let rows = read(path);
    let decoded = started.elapsed();
    let fired = runtime.block_on(marks(engine, &rows));
    let ruled = started.elapsed();
    let marks = Marks::new(&fired, &journey.stages.names).expect("marks");
    let marked = started.elapsed();
    let folded = pass(folds, &rows, &marks, &Attributes::default()).expect("a pass");
    let ((bought, retained), staged) = folded;
    let purchases = bought.batch(&purchases.terms).expect("rows").num_rows();
    let stays = staged.history(journey, &marks.rules).expect("rows").num_rows();
    let months = retained.months.batch(&journey.terms).expect("rows").num_rows();
    let walked = started.elapsed();
    let mut counted = counted.lock().expect("no panic");
    counted.purchases += purchases;
    counted.stays += stays;
    counted.months += months;
    counted.retained.merge(retained.counted);
    counted.staged.merge(staged.metrics);
    let parts = [decoded, ruled - decoded, marked - ruled, walked - marked];
    for (sum, part) in counted.seconds.iter_mut().zip(parts) {
        *sum += part.as_secs_f64();
    }
}

#[expect(clippy::print_stdout, reason = "a bench speaks to the person who started it")]
fn say(what: &str, seconds: f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{what}: {seconds:.2} s, peak {peak}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let folder = PathBuf::from(arguments.first().expect("a folder"));
    let threads = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(2);
    let is_whole = arguments.get(2).is_none_or(|text| text != "retention");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|file| file.path()).collect();
    paths.sort();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime");
    let scratch = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        memory_bytes: 1 << 30,
        scratch: scratch.path().to_owned(),
        spill_bytes_max: 1 << 34,
    };
    let engine = Engine::new(&Store::on_disk(Path::new("/")), &limits).expect("an engine");
    let (folds, counted) = (all(), Mutex::new(Counted::default()));
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if is_whole {
                        fold(&folds, path, &engine, &runtime, &counted);
                    } else {
                        retain(&folds, path, &counted);
                    }
                }
            });
        }
    });
    let counted = counted.into_inner().expect("no panic");
    let ((_, retention), journey) = &folds;
    let churn = counted.retained.churn.batch(&retention.ledger, &journey.terms).expect("rows");
    let cohorts = counted.retained.cohorts.batch(&retention.cohorts, &journey.terms);
    let staged = counted.staged.batch(journey, &[Grain::Month]).expect("rows");
    let what = format!(
        "{} buyers, {} stays, {} months of customers, {} ledger rows, {} cohort cells, {} stage rows; thread-seconds of \
         decoding, rules, marks, walk {:.1?}",
        counted.purchases,
        counted.stays,
        counted.months,
        churn.num_rows(),
        cohorts.expect("rows").num_rows(),
        staged.num_rows(),
        counted.seconds,
    );
    say(&what, started.elapsed().as_secs_f64());
}
