//! `cxmart releases`: what was published, and when for.

use serde_json::json;

use super::output::{bytes, columns, count, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::run::open;
use crate::state::{Release, StateReader};

/// List the releases of a job's warehouse, oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// How they are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let reader = StateReader::new(desk.store);
    let mut releases = Vec::new();
    for number in reader.numbers().await? {
        releases.push(reader.release(number).await?);
    }
    match arguments.format {
        Format::Text => print(&text(&releases))?,
        Format::Json => {
            let all: Vec<_> = releases.iter().map(document).collect();
            print_json(&json!({ "releases": all }))?;
        }
    }
    Ok(Exit::Done)
}

/// Rows and bytes of all tables.
fn size(release: &Release) -> (u64, u64) {
    let tables = release.tables.values();
    tables.fold((0, 0), |(rows, size), table| (rows + table.rows, size + table.bytes()))
}

fn text(releases: &[Release]) -> String {
    if releases.is_empty() {
        return "no release yet\n".into();
    }
    let head = ["release", "as of", "job", "tables", "rows", "size"];
    let mut table = vec![head.map(String::from).to_vec()];
    for release in releases {
        let (rows, size) = size(release);
        table.push(vec![
            release.number.to_string(),
            release.as_of.to_string(),
            release.job.clone(),
            release.tables.len().to_string(),
            count(rows),
            bytes(size),
        ]);
    }
    columns(&table)
}

fn document(release: &Release) -> serde_json::Value {
    let (rows, size) = size(release);
    json!({
        "release": release.number,
        "as_of": release.as_of.to_string(),
        "job": release.job,
        "run_id": release.writer,
        "tables": release.tables.len(),
        "rows": rows,
        "bytes": size,
    })
}
