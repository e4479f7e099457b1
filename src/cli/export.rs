//! `cxmart export`: a release as plain Parquet, for readers that know neither Delta nor views.

use super::output::{bytes, count, plural, print};
use super::{Desk, Exit, Failure};
use crate::run::{self, release};

/// Copy a release to an empty folder as plain Parquet, with a manifest
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// The folder or url to write to
    #[arg(long, value_name = "URL")]
    to: String,
    /// Number of the release [default: the newest]
    #[arg(long, value_name = "N")]
    release: Option<u64>,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let context = run::open(&arguments.job, desk.settings)?;
    let done = release::export_to(&context, arguments.release, &arguments.to).await?;
    let (rows, size) = done
        .tables
        .values()
        .fold((0, 0), |(rows, size), table| (rows + table.rows, size + table.bytes));
    print(&format!(
        "release {} as of {}: {}, {} rows, {} at {}\n",
        done.release,
        done.as_of,
        plural(done.tables.len() as u64, "table"),
        count(rows),
        bytes(size),
        crate::telemetry::mask(&arguments.to),
    ))?;
    Ok(Exit::Done)
}
