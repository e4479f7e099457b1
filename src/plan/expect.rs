//! What a plan will cost, from what earlier runs needed for the same steps.

use super::{Batch, NodeKind, Plan, Reason, Step, dataset};
use crate::state::Release;
use crate::state::reports::{Report, Slices, StepDone};

/// What a step is expected to make and to need; unknown where no run has done it yet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expected {
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    pub seconds: Option<f64>,
    /// Of all its tables.
    pub slices: Option<Slices>,
}

/// What a step made and needed the last time it ran; `reports` come newest first.
pub fn of_step(step: &Step, parent: Option<&Release>, reports: &[Report]) -> Expected {
    let made = |name: &String| parent.and_then(|release| dataset(release, name));
    let outputs = || step.node.outputs.iter().map(made);
    let mut done = reports.iter().flat_map(|report| &report.steps);
    let done = done.find(|done| !done.reused && done.step == step.node.name);
    Expected {
        rows: outputs().map(|made| Some(made?.rows)).sum(),
        bytes: outputs().map(|made| Some(made?.bytes())).sum(),
        seconds: done.map(|done| done.seconds),
        slices: done.map(StepDone::all_slices),
    }
}

/// Raw bytes of a batch.
pub fn bytes(batch: &Batch) -> u64 {
    batch.objects.iter().map(|object| object.bytes).sum()
}

/// Seconds that staging will take, at the pace of the last run that staged anything.
pub fn staging_seconds(plan: &Plan, reports: &[Report]) -> Option<f64> {
    let due: u64 = plan.batches.iter().map(bytes).sum();
    if due == 0 {
        return Some(0.0);
    }
    let pace = |report: &Report| {
        let staged: u64 = report.batches.iter().map(|batch| batch.bytes).sum();
        let is_known = staged > 0 && report.staging_seconds > 0.0;
        is_known.then(|| report.staging_seconds / staged as f64)
    };
    reports.iter().find_map(pace).map(|pace| pace * due as f64)
}

/// Seconds of the whole plan; unknown as soon as one due step is.
pub fn seconds(plan: &Plan, reports: &[Report]) -> Option<f64> {
    let due = plan.steps.iter().filter(|step| step.reason != Reason::Unchanged);
    let steps: Option<f64> = due.map(|step| of_step(step, None, reports).seconds).sum();
    Some(staging_seconds(plan, reports)? + steps?)
}

/// Whether a batch reads objects again that were read before.
pub fn reads_history(batch: &Batch) -> bool {
    matches!(batch.reason, Reason::Restage(_))
}

/// Whether a step, which else merges what is new, has to take up everything ever staged.
pub fn takes_history(step: &Step, parent: Option<&Release>) -> bool {
    let anew = matches!(step.reason, Reason::ChangedCode | Reason::Missing | Reason::Supposed);
    let merges = matches!(step.node.kind, NodeKind::Current);
    anew && merges && parent.is_some()
}

/// Names of the steps that read what a step makes, directly or through others, in order.
pub fn dependants<'a>(plan: &'a Plan, step: &'a Step) -> Vec<&'a str> {
    let mut made: Vec<&String> = step.node.outputs.iter().collect();
    let mut names = Vec::new();
    let after = plan.steps.iter().skip_while(|other| other.node.name != step.node.name).skip(1);
    for other in after {
        if other.node.inputs.iter().any(|input| made.contains(&input)) {
            made.extend(&other.node.outputs);
            names.push(other.node.name.as_str());
        }
    }
    names
}
