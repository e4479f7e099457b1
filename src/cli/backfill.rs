//! `cxmart backfill`: days of the daily tables, made again from what was known by then.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use chrono::NaiveDate;

use super::output::{columns, plural, print};
use super::run::watched;
use super::{Desk, Exit, Failure};
use crate::run::backfill::{self, Day};
use crate::run::stop::Stop;
use crate::run::{self, Context};
use crate::settings::Settings;

/// Restate days of the daily tables, late objects and changed code included
///
/// Each day becomes a release of its own that changes nothing else. A day that fails does not keep
/// the others; the first one's exit code is the command's. `cxmart status` names days that are out
/// of date.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// First day
    #[arg(long, value_name = "DATE", value_parser = super::date)]
    from: NaiveDate,
    /// Last day
    #[arg(long, value_name = "DATE", value_parser = super::date)]
    to: NaiveDate,
    /// Only these daily tables [default: all of them]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    tables: Vec<String>,
    /// Days made beside each other; they share threads and memory
    #[arg(long, value_name = "N", default_value = "1")]
    parallel: NonZeroUsize,
    /// Run even while another run holds the lease
    #[arg(long)]
    no_lease: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let Arguments { job, from, to, tables, parallel, no_lease } = arguments;
    if from > to {
        let message = format!("the range from {from} to {to} has no day");
        return Err(Failure::Usage { message, hint: "--from is the first day, --to the last" });
    }
    let settings = Settings { without_lease: no_lease, ..desk.settings };
    let stop = Stop::default();
    let contexts = open(&job, &settings, parallel.get(), &stop)?;
    let Some(first) = contexts.first() else { return Ok(Exit::Done) };
    let days = backfill::days(first, from, to).await?;
    if days.kept.is_empty() {
        let message = format!("daily tables keep no day from {from} to {to}");
        let hint = "kept are the last 35 days and the last days of months";
        return Err(Failure::Usage { message, hint });
    }
    let tables: BTreeSet<String> = tables.into_iter().collect();
    let tables = (!tables.is_empty()).then_some(tables);
    let work = backfill::backfill(&contexts, &days.kept, tables.as_ref());
    let done = watched(stop, work).await?;
    print(&text(&job, &done))?;
    if days.left_out > 0 {
        print(&format!("{} are not kept\n", plural(days.left_out as u64, "other day")))?;
    }
    match done.into_iter().find_map(|day| day.outcome.err()) {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Done),
    }
}

/// A context a worker, with its share of the machine.
fn open(
    job: &str,
    settings: &Settings,
    parallel: usize,
    stop: &Stop,
) -> Result<Vec<Arc<Context>>, Failure> {
    let share = |i: usize| {
        let mut context = run::open(
            job,
            Settings {
                run_id: format!("{}-{i}", settings.run_id),
                threads: (settings.threads / parallel).max(1),
                memory_bytes: settings.memory_bytes / parallel,
                ..settings.clone()
            },
        )?;
        context.stop = stop.clone();
        Ok(Arc::new(context))
    };
    (0..parallel).map(share).collect()
}

fn text(job: &str, days: &[Day]) -> String {
    let row = |day: &Day| {
        let words = match &day.outcome {
            Ok(outcome) if outcome.published => {
                format!("release {}", outcome.release.unwrap_or_default())
            }
            Ok(_) => "nothing to do".into(),
            Err(error) => {
                let (error, day) = (crate::telemetry::mask(&error.to_string()), day.day);
                format!("failed: {error}; again: cxmart backfill {job} --from {day} --to {day}")
            }
        };
        vec![day.day.to_string(), words]
    };
    columns(&days.iter().map(row).collect::<Vec<_>>())
}
