//! Speaks to people: arguments in, results on stdout, everything else on stderr, an exit code.
//!
//! One verb, one file, one function `run`; this file knows the flags they share and how each ends.

mod backfill;
mod check;
mod demo;
mod diff;
mod exit;
mod explain;
mod export;
mod forget;
mod gc;
mod init;
mod output;
mod plan;
mod promote;
mod rejects;
mod releases;
mod resolve;
mod rollback;
mod run;
mod sources;
mod status;
mod validate;
mod verify;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::NaiveDate;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

pub use self::exit::{Exit, Failure};
use crate::settings::{self, Flags, LogFormat, Settings};
use crate::telemetry::{self, Loudness, Progress};

/// Threads of the process run SQL, whose planning recurses deeply.
const STACK_BYTES: usize = 8 << 20;
/// Work that was left behind by a stopped run gets so long to notice.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Raw feedback and CRM exports in, a published customer-experience mart out.
///
/// JOB is a path, or the name of a file in `jobs/` of the project folder or of this binary.
/// Every flag below can be a variable too (`CXMART__MEMORY_LIMIT=4GiB`), and so can every value
/// of a job (`CXMART__LIMITS__REJECTS_MAX=0.1`): flag, then variable, then job file, then default.
#[derive(Debug, Parser)]
#[command(name = "cxmart", version, after_help = exit::HELP, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Arguments),
    Run(run::Arguments),
    Plan(plan::Arguments),
    Backfill(backfill::Arguments),
    Status(status::Arguments),
    Validate(validate::Arguments),
    Rejects(rejects::Arguments),
    Releases(releases::Arguments),
    Check(check::Arguments),
    Diff(diff::Arguments),
    Rollback(rollback::Arguments),
    Promote(promote::Arguments),
    Verify(verify::Arguments),
    Gc(gc::Arguments),
    Forget(forget::Arguments),
    Export(export::Arguments),
    Explain(explain::Arguments),
    Resolve(resolve::Arguments),
    Sources(sources::Arguments),
    Init(init::Arguments),
}

/// Flags that every verb takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Shared options")]
struct Shared {
    /// Folder with your `jobs/` and `sql/`; paths in a job start here [default: where you are]
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Folder or url of the warehouse, instead of the job's
    #[arg(long, global = true, value_name = "URL")]
    warehouse: Option<String>,
    /// An environment: releases of its own that share all unchanged files with the warehouse
    #[arg(long, global = true, value_name = "NAME", value_parser = settings::parse_environment)]
    env: Option<String>,
    /// Threads that work [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = settings::parse_threads)]
    threads: Option<usize>,
    /// Memory that queries may take before they spill, such as 4GiB [default: half of the machine]
    #[arg(long, global = true, value_name = "SIZE", value_parser = settings::parse_memory)]
    memory_limit: Option<usize>,
    /// How log lines are written to stderr [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Say nothing but errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Tell every step
    #[arg(long, short, global = true)]
    verbose: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// What verbs get beside their own arguments.
#[derive(Debug)]
struct Desk {
    settings: Settings,
    progress: Progress,
}

/// Parses the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    exit::tell_panics();
    let done = catch_unwind(AssertUnwindSafe(|| main_of(std::env::args_os())));
    done.unwrap_or(Exit::Bug).into()
}

/// The names of all verbs, as `--help` shows them.
pub fn verbs() -> Vec<String> {
    let command = Arguments::command();
    command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

fn main_of(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for, and go to stdout; all else is a mistake.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match act(arguments) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.tell();
            failure.exit()
        }
    }
}

fn act(Arguments { verb, shared }: Arguments) -> Result<Exit, Failure> {
    let loudness = match (shared.quiet, shared.verbose) {
        (true, _) => Loudness::Quiet,
        (_, true) => Loudness::Verbose,
        _ => Loudness::Normal,
    };
    let settings = settings::from_flags(Flags {
        project: shared.project,
        warehouse: shared.warehouse,
        environment: shared.env,
        threads: shared.threads,
        memory_bytes: shared.memory_limit,
        log_format: shared.log_format,
    })
    .map_err(Failure::Problems)?;
    let progress = telemetry::start(settings.log_format, loudness);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let desk = Desk { settings, progress };
    let done = runtime.block_on(async {
        match verb {
            Verb::Demo(arguments) => demo::run(arguments, desk).await,
            Verb::Run(arguments) => run::run(arguments, desk).await,
            Verb::Plan(arguments) => plan::run(arguments, desk).await,
            Verb::Backfill(arguments) => backfill::run(arguments, desk).await,
            Verb::Status(arguments) => status::run(arguments, desk).await,
            Verb::Validate(arguments) => validate::run(&arguments, desk),
            Verb::Rejects(arguments) => rejects::run(arguments, desk).await,
            Verb::Releases(arguments) => releases::run(arguments, desk).await,
            Verb::Check(arguments) => check::run(arguments, desk).await,
            Verb::Diff(arguments) => diff::run(arguments, desk).await,
            Verb::Rollback(arguments) => rollback::run(arguments, desk).await,
            Verb::Promote(arguments) => promote::run(arguments, desk).await,
            Verb::Verify(arguments) => Box::pin(verify::run(arguments, desk)).await,
            Verb::Gc(arguments) => gc::run(arguments, desk).await,
            Verb::Forget(arguments) => Box::pin(forget::run(arguments, desk)).await,
            Verb::Export(arguments) => export::run(arguments, desk).await,
            Verb::Explain(arguments) => explain::run(arguments, desk).await,
            Verb::Resolve(arguments) => resolve::run(arguments, desk).await,
            Verb::Init(arguments) => init::run(arguments, desk).await,
            Verb::Sources(arguments) => sources::run(&arguments, &desk),
        }
    });
    runtime.shutdown_timeout(LAST_WAIT);
    done
}

/// A day on the command line.
fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| format!("`{text}` is not a date; write YYYY-MM-DD"))
}
