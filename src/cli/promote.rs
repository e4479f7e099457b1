//! `cxmart promote`: what an environment shows becomes what the warehouse shows.

use std::sync::Arc;

use super::output::print;
use super::{Desk, Exit, Failure};
use crate::run::open;
use crate::run::promote;
use crate::settings::{self, Settings};

/// Make the newest release of an environment the warehouse's, by reference
///
/// Nothing is computed and no file is copied. The environment has to be what a run on the warehouse
/// would make now: with anything left to do there it is refused.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// The environment
    #[arg(long, value_name = "ENV", value_parser = settings::parse_environment)]
    from: String,
    /// Promote even while another run holds the lease; the commit still lets one of them win
    #[arg(long)]
    no_lease: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let settings = Settings { without_lease: arguments.no_lease, ..desk.settings };
    let desk = open::Desk::read(&arguments.job, settings)?;
    let context = Arc::new(desk.open()?);
    let release = promote::promote(&context, &arguments.from).await?;
    let (number, from) = (release.number, arguments.from);
    print(&format!("release {number} as of {}, from `{from}`\n", release.as_of))?;
    Ok(Exit::Done)
}
