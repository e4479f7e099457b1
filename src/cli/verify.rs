//! `cxmart verify`: whether the files that releases name are there and whole.

use std::sync::Arc;

use super::output::{bytes, columns, count, plural, print};
use super::{Desk, Exit, Failure};
use crate::run::{open, repair};
use crate::state::{Release, StateError, StateReader};
use crate::upkeep::verify;

/// Look whether every file of the releases is there, and with --deep read it whole
///
/// Exits 65 when one is missing or damaged.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Read every byte and compare hashes; without it only sizes are compared
    #[arg(long)]
    deep: bool,
    /// Make files again that are missing or damaged, from the raw objects and other tables
    #[arg(long, requires = "deep")]
    repair: bool,
    /// Only this release [default: all of them]
    #[arg(long, value_name = "N")]
    release: Option<u64>,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let reader = StateReader::new(desk.store.clone());
    let mut releases = Vec::new();
    for number in reader.numbers().await? {
        if arguments.release.is_none_or(|only| only == number) {
            releases.push(reader.release(number).await?);
        }
    }
    if releases.is_empty() {
        return Err(StateError::NoRelease.into());
    }
    if arguments.repair {
        return Box::pin(repair(desk, &releases)).await;
    }
    let found = verify::verify(&desk.store, &releases, arguments.deep).await?;
    let how = if arguments.deep { "whole" } else { "there, of the right size" };
    let row = |(path, fault, release): &(String, verify::Fault, u64)| {
        vec![format!("release {release}"), fault.to_string(), path.clone()]
    };
    print(&columns(&found.faults.iter().map(row).collect::<Vec<_>>()))?;
    let good = found.files - found.faults.len() as u64;
    print(&format!(
        "{} of {} ({}) of {} {how}\n",
        count(good),
        plural(found.files, "file"),
        bytes(found.bytes),
        plural(releases.len() as u64, "release"),
    ))?;
    match found.faults.len() as u64 {
        0 => Ok(Exit::Done),
        bad => Err(Failure::Data(format!("{} cannot be used", plural(bad, "file")))),
    }
}

async fn repair(desk: open::Desk, releases: &[Release]) -> Result<Exit, Failure> {
    let context = Arc::new(desk.open()?);
    let repaired = repair::repair(&context, releases).await?;
    let row = |(path, is_whole): (&String, &bool)| {
        let done = if *is_whole { "made again" } else { "lost" };
        vec![done.to_owned(), path.clone()]
    };
    print(&columns(&repaired.iter().map(row).collect::<Vec<_>>()))?;
    let lost = repaired.values().filter(|is_whole| !**is_whole).count() as u64;
    let made = plural(repaired.len() as u64 - lost, "file");
    print(&format!("{made} made again\n"))?;
    match lost {
        0 => Ok(Exit::Done),
        lost => Err(Failure::Data(format!("{} cannot be made again", plural(lost, "file")))),
    }
}
