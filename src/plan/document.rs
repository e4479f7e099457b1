//! A plan as a JSON document; its schema is `docs/schemas/plan.schema.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expect::{self, of_step, takes_history};
use super::{Plan, Reason};
use crate::state::Release;
use crate::state::reports::{Report, Slices};

/// What a run would do, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// YYYY-MM-DD.
    pub as_of: String,
    /// The release it builds on.
    pub release: Option<u64>,
    pub has_changes: bool,
    /// Only daily tables are restated, for a day before the newest release's.
    pub is_past: bool,
    pub batches: Vec<BatchDocument>,
    /// All steps in order, those that are not due too.
    pub steps: Vec<StepDocument>,
    pub left_out: Vec<LeftOut>,
    /// Of staging, and of all together; null until a run has shown it.
    pub staging_seconds: Option<f64>,
    pub seconds: Option<f64>,
    /// Where history is read again.
    pub warnings: Vec<String>,
}

/// Objects that are staged together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchDocument {
    pub spec: String,
    pub reason: String,
    pub kind: Kind,
    pub objects: usize,
    pub bytes: u64,
    /// They were read before.
    pub reads_history: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDocument {
    pub step: String,
    pub reason: String,
    pub kind: Kind,
    pub is_due: bool,
    /// It is due because of what it reads, and is left out should that come out as it was.
    pub may_be_cut_off: bool,
    /// All that was ever staged is taken up, not only what is new.
    pub takes_history: bool,
    /// Tables it makes.
    pub makes: Vec<String>,
    /// Steps that read them, directly or through others, in order.
    pub dependants: Vec<String>,
    /// As of the last time; null where it was never made.
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    pub seconds: Option<f64>,
    /// Partitions, and parts of them by customer, of all its tables.
    pub slices: Option<u64>,
    /// Those of them that were as the release before had them: not written, but named again.
    pub slices_kept: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub url: String,
    pub reason: String,
}

/// A reason as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    NewObjects,
    ChangedObjects,
    Restage,
    Missing,
    ChangedCode,
    Inputs,
    Stale,
    Supposed,
    Unchanged,
}

impl From<&Reason> for Kind {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::NewObjects(_) => Self::NewObjects,
            Reason::ChangedObjects(_) => Self::ChangedObjects,
            Reason::Restage(_) => Self::Restage,
            Reason::Missing => Self::Missing,
            Reason::ChangedCode => Self::ChangedCode,
            Reason::Inputs(_) => Self::Inputs,
            Reason::Stale => Self::Stale,
            Reason::Supposed => Self::Supposed,
            Reason::Unchanged => Self::Unchanged,
        }
    }
}

impl Document {
    /// `reports` are those of earlier runs, newest first.
    pub fn new(plan: &Plan, parent: Option<&Release>, reports: &[Report]) -> Self {
        let batch = |batch: &super::Batch| BatchDocument {
            spec: batch.spec.clone(),
            reason: batch.reason.to_string(),
            kind: Kind::from(&batch.reason),
            objects: batch.objects.len(),
            bytes: expect::bytes(batch),
            reads_history: expect::reads_history(batch),
        };
        let step = |step: &super::Step| {
            let expected = of_step(step, parent, reports);
            StepDocument {
                step: step.node.name.clone(),
                reason: step.reason.to_string(),
                kind: Kind::from(&step.reason),
                is_due: step.reason != Reason::Unchanged,
                may_be_cut_off: matches!(step.reason, Reason::Inputs(_) | Reason::Stale),
                takes_history: takes_history(step, parent),
                makes: step.node.outputs.clone(),
                dependants: expect::dependants(plan, step).into_iter().map(Into::into).collect(),
                rows: expected.rows,
                bytes: expected.bytes,
                seconds: expected.seconds,
                slices: expected.slices.map(Slices::all),
                slices_kept: expected.slices.map(|slices| slices.kept),
            }
        };
        let left_out =
            |(url, reason): &(String, String)| LeftOut { url: url.clone(), reason: reason.clone() };
        Self {
            as_of: plan.as_of.to_string(),
            release: parent.map(|release| release.number),
            has_changes: plan.has_changes(),
            is_past: plan.is_past,
            batches: plan.batches.iter().map(batch).collect(),
            steps: plan.steps.iter().map(step).collect(),
            left_out: plan.left_out.iter().map(left_out).collect(),
            staging_seconds: expect::staging_seconds(plan, reports),
            seconds: expect::seconds(plan, reports),
            warnings: warnings(plan, parent),
        }
    }
}

/// Where a plan reads history again, for people.
pub fn warnings(plan: &Plan, parent: Option<&Release>) -> Vec<String> {
    let again = plan.batches.iter().filter(|batch| expect::reads_history(batch));
    let batch = |batch: &super::Batch| {
        let (objects, bytes) = (batch.objects.len(), expect::bytes(batch));
        format!(
            "`{}`: {objects} objects ({bytes} bytes) that were read before are read again",
            batch.spec
        )
    };
    let anew = plan.steps.iter().filter(|step| takes_history(step, parent));
    let step = |step: &super::Step| {
        format!("`{}` is merged anew from everything that was ever staged", step.node.name)
    };
    again.map(batch).chain(anew.map(step)).collect()
}

/// JSON Schema of [`Document`].
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}
