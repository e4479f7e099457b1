//! `cxmart demo`: raw exports of an invented company, one run over them, and what came out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output::{columns, count, print};
use super::run::drive;
use super::{Desk, Exit, Failure};
use crate::demo;
use crate::run::headline::{self, Line};
use crate::run::{self, Context, Outcome, RunError};
use crate::settings::Settings;
use crate::state::StateWriter;

/// Write the raw exports of an invented company, and run the main job on them
///
/// The same size and seed give the same bytes. A demo that was killed goes on where it stopped; one
/// that is complete publishes nothing and shows its numbers again.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder for the exports and the warehouse
    #[arg(long, value_name = "DIR", default_value = "cxmart-demo")]
    dir: PathBuf,
    /// People who ever had to do with the company
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    customers: u64,
    /// Another seed, another company
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let Arguments { dir, customers, seed } = arguments;
    let progress = desk.progress;
    let exports = dir.clone();
    progress.writing(customers);
    let writing = tokio::task::spawn_blocking(move || {
        let written = demo::write_raw(&exports, customers, seed, &|done| progress.written(done));
        progress.end_writing();
        (progress, written)
    });
    let (progress, written) = writing.await.map_err(RunError::Thread)?;
    let written = written?;
    tracing::info!(
        files = written.files,
        written = written.written,
        records = written.expected.records(),
        "exports written"
    );
    let dir = std::path::absolute(&dir).map_err(Failure::Runtime)?;
    let settings =
        Settings { project: dir.clone(), identity_salt: Some(demo::salt(seed)), ..desk.settings };
    let mut context = run::open(demo::JOB, settings)?;
    context.record.progress = progress;
    let context = Arc::new(context);
    // The demo's secret is none: other commands find it where they find a warehouse's own.
    StateWriter::new(context.store.clone()).keep_salt(demo::salt(seed)).await?;
    let outcome = drive(&context, Some(demo::as_of())).await?;
    let lines = headline::headline(&context).await?;
    print(&text(&context, &dir, &outcome, &lines))?;
    Ok(Exit::Done)
}

fn text(context: &Context, dir: &Path, outcome: &Outcome, lines: &[Line]) -> String {
    let rows: Vec<_> = lines.iter().map(row).collect();
    let published: u64 = outcome.tables.values().sum();
    let number = outcome.release.unwrap_or_default();
    let warehouse = match context.store.folder() {
        Some(folder) => folder.to_owned(),
        None => dir.join("warehouse"),
    };
    let views = warehouse.join("catalog").join("views.sql");
    let query = "select metric, scale, n, score, ci_low, ci_high from experience_scores \
                 where period_grain = 'year' and dimension = 'all' order by all";
    let state = if outcome.published { "published" } else { "nothing new; it was published" };
    format!(
        "{}\nrelease {number} as of {}: {} rows in {} tables, {state} below\n  {}\n\n\
         Look at it with DuckDB:\n  duckdb -init '{views}' -c \"{query}\"\n\
         or from Python (pip install duckdb):\n  python3 -c \"import duckdb; \
         duckdb.execute(open('{views}').read()); print(duckdb.sql('from customers limit 5'))\"\n",
        columns(&rows),
        outcome.as_of,
        count(published),
        outcome.tables.len(),
        warehouse.display(),
        views = views.display(),
    )
}

/// A number as people say it: `NPS 2025  34.3 [20.3, 46.3] of 108`.
fn row(line: &Line) -> Vec<String> {
    let n = line.n.map_or_else(|| "-".to_owned(), |n| count(n.unsigned_abs()));
    let said = |number: f64| match line.unit.as_str() {
        "share" => format!("{:.1} %", number * 100.0),
        "score" => format!("{number:.1}"),
        currency => format!("{number:.2} {currency}"),
    };
    let Some(reading) = line.reading else { return vec![line.name.clone(), n] };
    let interval = line
        .interval
        .map(|(low, high)| format!(" [{}, {}]", said(low), said(high)))
        .unwrap_or_default();
    vec![line.name.clone(), format!("{}{interval}", said(reading)), format!("of {n}")]
}
