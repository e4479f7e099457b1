//! Time and memory of scores and service levels; not part of the tests.
//!
//! `cargo bench --bench measure -- FOLDER`, where FOLDER holds `answers.parquet` (rows of
//! `survey_answers`), `cases.parquet` and `changes.parquet` (rows of `service_cases` and
//! `service_changes` in order of request); `bench/measure_vs_duckdb.py` writes them and asks
//! `DuckDB` for the same tables. The folds are `benches/fold.rs`.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unreadable_literal,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use cxmart::engine::{Engine, FileInput, Limits, Session};
use cxmart::measure::fold::calendar::Grain;
use cxmart::measure::scores::{self, DIMENSIONS, Terms};
use cxmart::measure::service::{self, Calendars, Change, Levels, case};
use cxmart::storage::Store;
use cxmart::table::day::day_number;
use futures::StreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const PERIODS: [Grain; 3] = [Grain::Month, Grain::Quarter, Grain::Year];

fn say(what: &str, started: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{what}: {:.2} s, peak {peak}", started.elapsed().as_secs_f64());
}

fn table(session: &Session, folder: &Path, name: &str) {
    let path = folder.join(format!("{name}.parquet"));
    let file = std::fs::File::open(&path).expect("a file");
    let bytes = file.metadata().expect("a size").len();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let rows = u64::try_from(reader.metadata().file_metadata().num_rows()).expect("rows");
    let path = path.to_str().expect("a path").trim_start_matches('/').to_owned();
    let schema = reader.schema().clone();
    session.files(name, schema, vec![FileInput { path, bytes, rows }]).expect("a table");
}

fn horizon() -> i32 {
    day_number(NaiveDate::from_ymd_opt(2025, 12, 31).expect("a day"))
}

/// All readings by month, quarter and year, of everybody and by nine dimensions.
async fn experience(session: &Session) {
    let started = Instant::now();
    let mut answers = Vec::new();
    for dimension in std::iter::once(scores::ALL).chain(DIMENSIONS) {
        let columns = scores::columns(dimension).expect("a dimension");
        let value = columns.first().map(|name| format!("{name} as value_0, ")).unwrap_or_default();
        let key = columns.first().map(|name| format!(", {name}")).unwrap_or_default();
        let sql = format!(
            "select metric, scale_min, scale_max, is_effort, is_favourable, score, {value}\
             answered_month as day, count(*) as n from answers group by metric, scale_min, \
             scale_max, is_effort, is_favourable, score, answered_month{key}"
        );
        let counted: Vec<RecordBatch> = session.collect("counts", &sql).await.expect("counts");
        for batch in &counted {
            answers.extend(scores::answers(batch, dimension, columns.len()).expect("answers"));
        }
    }
    let terms = Terms {
        confidence: 0.95,
        min_cell: 10,
        periods: PERIODS.to_vec(),
        shares: None,
        horizon_day: horizon(),
    };
    let scores = scores::scores(&answers, &terms);
    let rows = scores::batch(&scores.iter().collect::<Vec<_>>()).expect("rows").num_rows();
    say(&format!("experience_scores, {rows} rows"), started);
}

/// All measures by the wall clock, by month, quarter and year, of everybody and by five dimensions.
async fn desk(session: &Session, threads: usize) {
    let started = Instant::now();
    let end = NaiveDate::from_ymd_opt(2026, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let dimensions = ["all", "channel", "priority", "team", "source", "touchpoint"];
    let terms = service::Terms {
        confidence: 0.95,
        min_cell: 10,
        periods: PERIODS.to_vec(),
        dimensions: dimensions.map(String::from).into(),
        reopen_days: 7,
        targets: Vec::new(),
        calendars: Calendars::default(),
        zone: chrono_tz::UTC,
        horizon: end.expect("a time").and_utc().timestamp_micros(),
        horizon_day: horizon(),
    };
    let mut changes: Vec<(String, Change)> = Vec::new();
    let sql = "select * from changes order by request_id asc nulls first, \
               changed_at asc nulls first, conversation_change_id asc nulls first";
    let mut answer = session.query("changes", sql).await.expect("changes");
    while let Some(batch) = answer.batches.next().await {
        changes.extend(service::changes(&batch.expect("rows")).expect("changes"));
    }
    let mut changes = changes.into_iter().peekable();
    let (mut levels, mut n) = (Levels::default(), 0);
    let sql = "select * from cases order by conversation_id asc nulls first";
    let mut answer = session.query("cases", sql).await.expect("cases");
    while let Some(batch) = answer.batches.next().await {
        let batch = batch.expect("rows");
        for case in service::cases(&batch).expect("cases") {
            let mut own = Vec::new();
            while let Some((_, change)) = changes.next_if(|(request, _)| *request == case.id) {
                own.push(change);
            }
            levels.push(&case, &case::facts(&case, &own, &terms));
            n += 1;
        }
    }
    say("service_levels, requests read", started);
    let sorted = levels.sorted(&terms);
    let parts: Vec<_> = sorted.parts().collect();
    let next = AtomicUsize::new(0);
    let take = || {
        let at = || next.fetch_add(1, Ordering::Relaxed);
        let part = || parts.get(at()).map(|part| sorted.part(*part).expect("a part"));
        std::iter::from_fn(part).flatten().collect::<Vec<_>>()
    };
    let made = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("levels")).collect()
    });
    let rows = service::level_batch(&service::suppressed(made, &terms)).expect("rows");
    say(&format!("service_levels of {n} conversations, {} rows", rows.num_rows()), started);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let folder = PathBuf::from(arguments.first().expect("a folder"));
    let threads = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(2);
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
    runtime.block_on(async {
        let session = engine.session();
        for name in ["answers", "cases", "changes"] {
            table(&session, &folder, name);
        }
        experience(&session).await;
        desk(&session, threads).await;
    });
}
