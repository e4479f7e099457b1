//! `cxmart rollback`: an older release becomes the newest again.

use super::output::print;
use super::{Desk, Exit, Failure};
use crate::run::{self, release};
use crate::settings::Settings;

/// Make an older release current again, by a new release that says the same
///
/// The next run takes up again what that release does not know of.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Number of the release
    #[arg(value_name = "N")]
    release: u64,
    /// Do it even while a run holds the lease
    #[arg(long)]
    no_lease: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let settings = Settings { without_lease: arguments.no_lease, ..desk.settings };
    let context = run::open(&arguments.job, settings)?;
    let made = release::roll_back(&context, arguments.release).await?;
    print(&format!(
        "release {} says what release {} said, as of {}\n",
        made.number, arguments.release, made.as_of
    ))?;
    Ok(Exit::Done)
}
