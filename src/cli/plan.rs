//! `cxmart plan`: what a run would do, and why.

use chrono::NaiveDate;
use serde_json::json;

use super::output::{bytes, columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::plan::{Batch, Plan, Reason, dataset};
use crate::run::is_due;
use crate::run::open::{self, Planned};
use crate::state::Release;

/// Say what a run would do, and why; nothing is written
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// The logical day to plan for [default: the newest day of the raw objects]
    #[arg(long, value_name = "DATE", value_parser = super::date)]
    as_of: Option<NaiveDate>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 2 instead of 0 when there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let Planned { plan, parent, .. } = desk.plan(arguments.as_of).await?;
    match arguments.format {
        Format::Text => print(&text(&plan, parent.as_ref()))?,
        Format::Json => print_json(&document(&plan, parent.as_ref()))?,
    }
    let changes = arguments.detailed_exitcode && plan.has_changes();
    Ok(if changes { Exit::PlanHasChanges } else { Exit::Done })
}

fn size(batch: &Batch) -> u64 {
    batch.objects.iter().map(|object| object.bytes).sum()
}

/// Rows that a step's outputs have in the parent release.
fn last_rows(parent: Option<&Release>, outputs: &[String]) -> Option<u64> {
    let parent = parent?;
    outputs.iter().map(|name| dataset(parent, name).map(|dataset| dataset.rows)).sum()
}

fn text(plan: &Plan, parent: Option<&Release>) -> String {
    let on = match parent {
        Some(release) => format!("on release {} as of {}", release.number, release.as_of),
        None => "on an empty warehouse".into(),
    };
    let mut text = format!("as of {}, {on}\n", plan.as_of);
    if !plan.batches.is_empty() {
        let row = |batch: &Batch| {
            vec![format!("  {}", batch.spec), batch.reason.to_string(), bytes(size(batch))]
        };
        text.push_str("\nstage\n");
        text.push_str(&columns(&plan.batches.iter().map(row).collect::<Vec<_>>()));
    }
    let due: Vec<_> = plan.steps.iter().filter(|step| is_due(&step.reason)).collect();
    if !due.is_empty() {
        let row = |step: &&crate::plan::Step| {
            let rows = last_rows(parent, &step.node.outputs);
            let rows = rows.map(|rows| format!("{} last time", plural(rows, "row")));
            let reason = step.reason.to_string();
            vec![format!("  {}", step.node.name), reason, rows.unwrap_or_default()]
        };
        text.push_str("\nmake\n");
        text.push_str(&columns(&due.iter().map(row).collect::<Vec<_>>()));
    }
    if !plan.left_out.is_empty() {
        let row = |(url, why): &(String, String)| vec![format!("  {url}"), why.clone()];
        text.push_str("\nleave out\n");
        text.push_str(&columns(&plan.left_out.iter().map(row).collect::<Vec<_>>()));
    }
    let last = if plan.has_changes() {
        let objects = plan.batches.iter().map(|batch| batch.objects.len() as u64).sum();
        let (due, all) = (count(due.len() as u64), plural(plan.steps.len() as u64, "step"));
        format!("\n{}, {due} of {all}\n", plural(objects, "object"))
    } else {
        "nothing to do\n".into()
    };
    text + &last
}

fn document(plan: &Plan, parent: Option<&Release>) -> serde_json::Value {
    let batches = plan.batches.iter().map(|batch| {
        json!({
            "spec": batch.spec,
            "reason": batch.reason.to_string(),
            "kind": kind(&batch.reason),
            "objects": batch.objects.len(),
            "bytes": size(batch),
        })
    });
    let steps = plan.steps.iter().map(|step| {
        json!({
            "step": step.node.name,
            "reason": step.reason.to_string(),
            "kind": kind(&step.reason),
            "is_due": is_due(&step.reason),
            "last_rows": last_rows(parent, &step.node.outputs),
        })
    });
    let left_out = plan.left_out.iter().map(|(url, why)| json!({ "url": url, "reason": why }));
    json!({
        "as_of": plan.as_of.to_string(),
        "release": parent.map(|release| release.number),
        "has_changes": plan.has_changes(),
        "batches": batches.collect::<Vec<_>>(),
        "steps": steps.collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

/// A reason as one word, for programs.
fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::NewObjects(_) => "new_objects",
        Reason::ChangedObjects(_) => "changed_objects",
        Reason::Restage(_) => "restage",
        Reason::Missing => "missing",
        Reason::ChangedCode => "changed_code",
        Reason::Inputs(_) => "inputs",
        Reason::Stale => "stale",
        Reason::Unchanged => "unchanged",
    }
}
