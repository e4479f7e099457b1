//! `cxmart check`: the checks of the newest release, asked again.

use serde_json::json;

use super::output::{columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::check::Finding;
use crate::run::{self, checks};

/// Ask the checks of the newest release again; nothing is written
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let context = run::open(&arguments.job, desk.settings)?;
    let findings = checks::recheck(&context).await?;
    match arguments.format {
        Format::Text => print(&text(&findings))?,
        Format::Json => {
            let all: Vec<_> = findings.iter().map(document).collect();
            print_json(&json!({ "checks": all }))?;
        }
    }
    Ok(if findings.iter().any(Finding::blocks) { Exit::Data } else { Exit::Done })
}

fn text(findings: &[Finding]) -> String {
    let failed: Vec<_> = findings.iter().filter(|finding| finding.n_failed > 0).collect();
    let row = |finding: &&Finding| {
        let rows = count(u64::try_from(finding.n_failed).unwrap_or_default());
        let sample = finding.sample.clone().unwrap_or_default();
        vec![finding.severity.name().to_owned(), finding.name.clone(), rows, sample]
    };
    let (all, failed_count) = (findings.len() as u64, failed.len() as u64);
    let told = columns(&failed.iter().map(row).collect::<Vec<_>>());
    format!("{told}{}, {} found rows\n", plural(all, "check"), count(failed_count))
}

fn document(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.name,
        "description": finding.description,
        "severity": finding.severity.name(),
        "n_failed": finding.n_failed,
        "sample": finding.sample,
    })
}
