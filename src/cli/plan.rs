//! `cxmart plan`: what a run would do, and why.

use chrono::NaiveDate;

use super::output::{bytes, columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::plan::document::{self, Document};
use crate::plan::{Batch, Plan, Step, expect, suppose};
use crate::run::is_due;
use crate::run::open::{self, Planned};
use crate::state::reports::Report;
use crate::state::{Release, StateReader};

/// Reports of earlier runs that say how long steps take.
const REPORTS: usize = 20;

/// Say what a run would do, and why; nothing is written
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// The logical day to plan for [default: the newest day of the raw objects]
    #[arg(long, value_name = "DATE", value_parser = super::date)]
    as_of: Option<NaiveDate>,
    /// Also what a change would make due to a table, model, source spec or object of this name
    #[arg(long, value_name = "NAME")]
    suppose: Vec<String>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 2 instead of 0 when there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let Planned { mut plan, parent, .. } = desk.plan(arguments.as_of).await?;
    for name in &arguments.suppose {
        suppose::suppose(&mut plan, &desk.catalog, name).map_err(|near| unknown(name, near))?;
    }
    let reader = StateReader::new(desk.store.clone());
    let reports = reader.reports(&desk.job.name, REPORTS).await?;
    let parent = parent.as_ref();
    match arguments.format {
        Format::Text => print(&text(&plan, parent, &reports))?,
        Format::Json => {
            let document = Document::new(&plan, parent, &reports);
            print_json(&serde_json::json!(document))?;
        }
    }
    let changes = arguments.detailed_exitcode && plan.has_changes();
    Ok(if changes { Exit::PlanHasChanges } else { Exit::Done })
}

fn unknown(name: &str, near: Option<String>) -> Failure {
    let message = match near {
        Some(near) => format!("nothing is called `{name}`; did you mean `{near}`?"),
        None => format!("nothing is called `{name}`"),
    };
    Failure::Usage { message, hint: "`cxmart plan JOB --format json` lists all steps" }
}

fn text(plan: &Plan, parent: Option<&Release>, reports: &[Report]) -> String {
    let on = match parent {
        Some(release) => format!("on release {} as of {}", release.number, release.as_of),
        None => "on an empty warehouse".into(),
    };
    let mut text = format!("as of {}, {on}\n", plan.as_of);
    if !plan.batches.is_empty() {
        let row = |batch: &Batch| {
            let size = bytes(expect::bytes(batch));
            vec![format!("  {}", batch.spec), batch.reason.to_string(), size]
        };
        text.push_str("\nstage\n");
        text.push_str(&columns(&plan.batches.iter().map(row).collect::<Vec<_>>()));
    }
    let due: Vec<_> = plan.steps.iter().filter(|step| is_due(&step.reason)).collect();
    if !due.is_empty() {
        let row = |step: &&Step| {
            let last = expect::of_step(step, parent, reports);
            let rows = last.rows.map(|rows| plural(rows, "row")).unwrap_or_default();
            let seconds = last.seconds.map(|s| format!("{s:.1} s")).unwrap_or_default();
            let size = last.bytes.map(bytes).unwrap_or_default();
            let kept = last.slices.filter(|slices| slices.kept > 0).map(|slices| {
                format!("kept {} of {}", count(slices.kept), plural(slices.all(), "slice"))
            });
            let (name, reason) = (format!("  {}", step.node.name), step.reason.to_string());
            vec![name, reason, rows, size, seconds, kept.unwrap_or_default()]
        };
        text.push_str("\nmake, with what each made the last time\n");
        text.push_str(&columns(&due.iter().map(row).collect::<Vec<_>>()));
    }
    if !plan.left_out.is_empty() {
        let row = |(url, why): &(String, String)| vec![format!("  {url}"), why.clone()];
        text.push_str("\nleave out\n");
        text.push_str(&columns(&plan.left_out.iter().map(row).collect::<Vec<_>>()));
    }
    for warning in document::warnings(plan, parent) {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    if !plan.has_changes() && due.is_empty() {
        return text + "nothing to do\n";
    }
    let objects = plan.batches.iter().map(|batch| batch.objects.len() as u64).sum();
    let (due, all) = (count(due.len() as u64), plural(plan.steps.len() as u64, "step"));
    let seconds = expect::seconds(plan, reports);
    let seconds = seconds.map(|s| format!(", about {s:.0} s")).unwrap_or_default();
    format!("{text}\n{}, {due} of {all}{seconds}\n", plural(objects, "object"))
}
