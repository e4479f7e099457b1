//! `cxmart gc`: old releases, and files that no release names, go.

use super::output::{bytes, plural, print};
use super::{Desk, Exit, Failure};
use crate::run::open;
use crate::upkeep::gc;

/// Delete old releases, files that no release names, and the work of dead runs
///
/// Kept are the newest releases (`publish.retain` of the job) with all they name, and whatever is
/// younger than a day.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Say what would go; delete nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let now_us = gc::store_now_us(&desk.store, &desk.settings.run_id).await?;
    let found = gc::find(&desk.store, desk.job.publish.retain, now_us).await?;
    let size = bytes(found.bytes());
    let releases = plural(found.releases.len() as u64, "release");
    if arguments.dry_run {
        for object in &found.objects {
            print(&format!("{}\n", object.path))?;
        }
        let objects = plural(found.objects.len() as u64, "file");
        print(&format!("{releases} and {objects} ({size}) would go\n"))?;
        return Ok(Exit::Done);
    }
    let deleted = gc::sweep(&desk.store, found).await?;
    print(&format!("{releases} and {} ({size}) deleted\n", plural(deleted, "file")))?;
    Ok(Exit::Done)
}
