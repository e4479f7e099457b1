//! `cxmart run`: plan, and do what the plan says.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{columns, count, plural, print};
use super::{Desk, Exit, Failure};
use crate::run::stop::{Signal, Stop};
use crate::run::{self, Context, Outcome, RunError};
use crate::settings::{Refit, Settings};

/// After a signal a step gets so long to end; then it is dropped, and made anew next time.
const GRACE: Duration = Duration::from_secs(20);

/// Stage what is new, compute what depends on it, check it, publish it
///
/// A run that was killed goes on where it stopped. With nothing new, nothing is published.
/// When stdout is no terminal, its last line is a JSON summary.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// The logical day of the run [default: the newest day of the raw objects]
    #[arg(long, value_name = "DATE", value_parser = super::date)]
    as_of: Option<NaiveDate>,
    /// Fit these models anew; otherwise they are kept as first fitted
    #[arg(long, value_name = "MODELS", value_enum, value_delimiter = ',')]
    refit: Vec<Refit>,
    /// Exit with 99 instead of 0 when there was nothing to do
    #[arg(long, value_name = "CODE", value_parser = ["99"])]
    skip_exit_code: Option<String>,
    /// Run even while another run holds the lease; the commit still lets one of them win
    #[arg(long)]
    no_lease: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let (without_lease, refits) = (arguments.no_lease, arguments.refit);
    let settings = Settings { without_lease, refits, ..desk.settings };
    let mut context = run::open(&arguments.job, settings)?;
    if !context.settings.refits.is_empty() && !context.job.identity.matching.enabled {
        let message = "the job has no matching to fit".to_owned();
        return Err(Failure::Usage { message, hint: "set `identity.matching.enabled = true`" });
    }
    context.record.progress = desk.progress;
    let context = Arc::new(context);
    let outcome = drive(&context, arguments.as_of).await?;
    let seconds = context.record.seconds();
    if std::io::stdout().is_terminal() {
        print(&text(&outcome, seconds))?;
    } else {
        print(&format!("{}\n", summary(&outcome, seconds)))?;
    }
    let skip = arguments.skip_exit_code.is_some() && !outcome.published;
    Ok(if skip { Exit::NothingToDo } else { Exit::Done })
}

/// Runs a job until it ends, or a signal ends it.
pub(super) async fn drive(
    context: &Arc<Context>,
    as_of: Option<NaiveDate>,
) -> Result<Outcome, Failure> {
    watched(context.stop.clone(), run::run(Arc::clone(context), as_of)).await
}

/// Waits for work until it ends, or a signal ends it.
pub(super) async fn watched<T>(
    stop: Stop,
    work: impl Future<Output = Result<T, RunError>>,
) -> Result<T, Failure> {
    tokio::select! {
        // In this order: signals are heard from the first moment on.
        biased;
        signal = watch(stop) => Err(RunError::Stopped(signal?).into()),
        done = work => Ok(done?),
    }
}

/// Turns the first signal into a wish to stop, the second into an end.
async fn watch(stop: Stop) -> Result<Signal, Failure> {
    let mut interrupts = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    let mut terminates = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let mut next = async || {
        tokio::select! {
            _ = interrupts.recv() => Signal::Interrupt,
            _ = terminates.recv() => Signal::Terminate,
        }
    };
    let first = next().await;
    stop.ask(first);
    tracing::warn!("{first}: stopping after this step; a second signal stops at once");
    tokio::select! {
        // Nothing is torn by leaving here: a release is visible only after its one create.
        second = next() => std::process::exit(i32::from(code(second).code())),
        () = tokio::time::sleep(GRACE) => Ok(first),
    }
}

fn code(signal: Signal) -> Exit {
    match signal {
        Signal::Interrupt => Exit::Interrupted,
        Signal::Terminate => Exit::Terminated,
    }
}

/// One line for schedulers.
fn summary(outcome: &Outcome, seconds: f64) -> serde_json::Value {
    serde_json::json!({
        "release": outcome.release,
        "as_of": outcome.as_of.to_string(),
        "published": outcome.published,
        "objects": outcome.objects,
        "records": outcome.counts,
        "steps_run": outcome.steps_run,
        "steps_reused": outcome.steps_reused,
        "tables": outcome.tables,
        "seconds": (seconds * 1_000.0).round() / 1_000.0,
        "warnings": outcome.warnings,
    })
}

fn text(outcome: &Outcome, seconds: f64) -> String {
    let number = outcome.release.unwrap_or_default();
    let as_of = outcome.as_of;
    if !outcome.published {
        return format!("nothing to do: release {number} already says it, as of {as_of}\n");
    }
    let records = outcome.counts;
    let rows = outcome.tables.iter().map(|(name, rows)| vec![name.clone(), count(*rows)]);
    let rows: Vec<_> = rows.collect();
    format!(
        "{}release {number} as of {as_of}: {}, {} ({} used, {} rejected), {} in {seconds:.1} s\n",
        columns(&rows),
        plural(outcome.objects as u64, "object"),
        plural(records.read, "record"),
        count(records.used),
        count(records.rejected),
        plural(outcome.tables.len() as u64, "table"),
    )
}
