//! `cxmart status`: what the warehouse holds, and what waits.

use std::collections::BTreeMap;

use serde_json::json;

use super::output::{bytes, columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::check;
use crate::plan::{Plan, expect};
use crate::run::open::{self, Planned};
use crate::run::{checks, is_due};
use crate::state::reports::Report;
use crate::state::{Counts, ObjectEntry, Release, StateReader};

/// Reports that are read to tell how long things take, and those that are shown.
const RUNS: usize = 20;
const SHOWN: usize = 5;

/// Show the newest release, what was read for it, and what waits
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// How the status is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was read of one source.
#[derive(Debug, Default)]
struct Read {
    objects: u64,
    newest: Option<chrono::NaiveDate>,
    records: Counts,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let Planned { plan, parent, objects } = desk.plan(None).await?;
    let sources = by_source(&objects);
    let stale = desk.stale().await?;
    let reader = StateReader::new(desk.store.clone());
    let reports = reader.reports(&desk.job.name, RUNS).await?;
    let releases = reader.numbers().await?;
    let as_of = parent.as_ref().map(|release| release.as_of);
    let watched = as_of.map(|as_of| {
        let sources = checks::sources(&desk.job, &objects);
        check::sources::check(&sources, as_of).into_iter().filter_map(|found| found.sample)
    });
    let watched: Vec<String> = watched.into_iter().flatten().collect();
    let seconds = expect::seconds(&plan, &reports);
    let warehouse = crate::telemetry::mask(&desk.store.address(""));
    match arguments.format {
        Format::Text => {
            print(&format!("job {}, warehouse {warehouse}\n", desk.job.name))?;
            print(&runs(&reports, &releases))?;
            for line in &watched {
                print(&format!("look at: {line}\n"))?;
            }
            print(&text(parent.as_ref(), &sources, &plan))?;
            if let Some(seconds) = seconds.filter(|seconds| *seconds >= 1.0) {
                print(&format!("the next run takes about {seconds:.0} s\n"))?;
            }
            print(&out_of_date(&arguments.job, &stale))?;
        }
        Format::Json => {
            let mut document = document(parent.as_ref(), &sources, &plan);
            document["stale_days"] = json!(stale);
            document["releases"] = json!(releases);
            document["runs"] = json!(reports.iter().map(run_document).collect::<Vec<_>>());
            document["sources_to_look_at"] = json!(watched);
            document["waiting"]["seconds"] = json!(seconds);
            print_json(&document)?;
        }
    }
    Ok(Exit::Done)
}

/// The last runs, oldest last, and how many releases there are.
fn runs(reports: &[Report], releases: &[u64]) -> String {
    let row = |report: &Report| {
        let made = report.release.map(|number| format!("release {number}")).unwrap_or_default();
        let as_of = report.as_of.map(|day| day.to_string()).unwrap_or_default();
        let error = report.error.first().cloned().unwrap_or_default();
        let time = format!("{:.0} s", report.seconds);
        vec![format!("  {}", report.run_id), report.outcome.clone(), as_of, made, time, error]
    };
    let mut text = String::new();
    if let (Some(first), Some(last)) = (releases.first(), releases.last()) {
        text.push_str(&format!("releases {first} to {last}\n"));
    }
    if !reports.is_empty() {
        text.push_str("last runs\n");
        text.push_str(&columns(&reports.iter().take(SHOWN).map(row).collect::<Vec<_>>()));
    }
    text
}

fn run_document(report: &Report) -> serde_json::Value {
    json!({
        "run_id": report.run_id,
        "outcome": report.outcome,
        "as_of": report.as_of,
        "release": report.release,
        "seconds": report.seconds,
        "error": report.error,
        "warnings": report.warnings,
    })
}

fn by_source(objects: &[ObjectEntry]) -> BTreeMap<(String, String), Read> {
    let mut sources: BTreeMap<_, Read> = BTreeMap::new();
    for entry in objects {
        let read = sources.entry((entry.spec.clone(), entry.account.clone())).or_default();
        read.objects += 1;
        read.newest = read.newest.max(Some(entry.dt));
        read.records.add(entry.counts);
    }
    sources
}

/// Objects and steps that a run would take up.
fn waiting(plan: &Plan) -> (u64, u64) {
    let objects = plan.batches.iter().map(|batch| batch.objects.len() as u64).sum();
    (objects, plan.steps.iter().filter(|step| is_due(&step.reason)).count() as u64)
}

fn text(
    parent: Option<&Release>,
    sources: &BTreeMap<(String, String), Read>,
    plan: &Plan,
) -> String {
    let mut text = match parent {
        None => String::from("no release yet\n"),
        Some(release) => {
            let tables = release.tables.iter();
            let row = |(name, dataset): (&String, &crate::table::dataset::Dataset)| {
                vec![format!("  {name}"), count(dataset.rows), bytes(dataset.bytes())]
            };
            let rows: Vec<_> = tables.map(row).collect();
            format!("release {} as of {}\n{}", release.number, release.as_of, columns(&rows))
        }
    };
    if !sources.is_empty() {
        let head = ["  source", "account", "objects", "newest", "read", "used", "rejected"];
        let mut rows = vec![head.map(String::from).to_vec()];
        for ((spec, account), read) in sources {
            rows.push(vec![
                format!("  {spec}"),
                account.clone(),
                count(read.objects),
                read.newest.map(|day| day.to_string()).unwrap_or_default(),
                count(read.records.read),
                count(read.records.used),
                count(read.records.rejected),
            ]);
        }
        text.push_str(&columns(&rows));
    }
    let (objects, steps) = waiting(plan);
    let waits = if plan.has_changes() {
        format!("waiting: {}, {}\n", plural(objects, "object"), plural(steps, "step"))
    } else {
        "nothing waits\n".into()
    };
    text + &waits
}

/// Days of daily tables that would come out differently today.
fn out_of_date(job: &str, stale: &[chrono::NaiveDate]) -> String {
    let (Some(first), Some(last)) = (stale.first(), stale.last()) else { return String::new() };
    let days = plural(stale.len() as u64, "day");
    format!(
        "{days} of the daily tables out of date, with late objects or changed code;          `cxmart backfill {job} --from {first} --to {last}` restates them\n"
    )
}

fn document(
    parent: Option<&Release>,
    sources: &BTreeMap<(String, String), Read>,
    plan: &Plan,
) -> serde_json::Value {
    let tables = parent.iter().flat_map(|release| &release.tables);
    let tables: BTreeMap<_, _> = tables
        .map(|(name, dataset)| (name, json!({ "rows": dataset.rows, "bytes": dataset.bytes() })))
        .collect();
    let sources = sources.iter().map(|((spec, account), read)| {
        json!({
            "spec": spec,
            "account": account,
            "objects": read.objects,
            "newest": read.newest.map(|day| day.to_string()),
            "records": read.records,
        })
    });
    let (objects, steps) = waiting(plan);
    json!({
        "release": parent.map(|release| release.number),
        "as_of": parent.map(|release| release.as_of.to_string()),
        "tables": tables,
        "sources": sources.collect::<Vec<_>>(),
        "waiting": { "objects": objects, "steps": steps },
    })
}
