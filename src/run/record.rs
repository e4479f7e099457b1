//! What a run did: log lines and bars while it runs, and `runs/<run_id>.json` when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::{Context, Outcome, RunError};
use crate::plan::{Batch, Plan, Step};
use crate::settings::machine;
use crate::state::Counts;
use crate::state::reports::{BatchDone, Report, Slices, StepDone};
use crate::table::dataset::{Dataset, FileRef};
use crate::telemetry::{self, Progress};

/// Collects as the run goes; shared by its threads.
#[derive(Debug)]
pub struct Record {
    /// Bars; none unless somebody sets them.
    pub progress: Progress,
    began: Instant,
    report: Mutex<Report>,
}

impl Default for Record {
    fn default() -> Self {
        let (progress, report) = Default::default();
        Self { progress, began: Instant::now(), report }
    }
}

impl Record {
    fn with<T>(&self, what: impl FnOnce(&mut Report) -> T) -> T {
        what(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// A plan is about to be done; a plan made again after a lost commit replaces the first.
    pub fn planned(&self, plan: &Plan) {
        let bytes = |batch: &Batch| batch.objects.iter().map(|object| object.bytes).sum();
        let objects: usize = plan.batches.iter().map(|batch| batch.objects.len()).sum();
        let all_bytes: u64 = plan.batches.iter().map(bytes).sum();
        let due = plan.steps.iter().filter(|step| super::is_due(&step.reason)).count();
        tracing::info!(as_of = %plan.as_of, objects, bytes = all_bytes, steps = due, "planned");
        for (url, why) in &plan.left_out {
            self.warn(format!("`{url}` is left out: {why}"));
        }
        self.progress.staging(all_bytes);
        self.with(|report| {
            report.as_of = Some(plan.as_of);
            report.left_out.clone_from(&plan.left_out);
            report.steps.clear();
            report.batches = plan
                .batches
                .iter()
                .map(|batch| BatchDone {
                    source: batch.spec.clone(),
                    reason: batch.reason.to_string(),
                    objects: batch.objects.len(),
                    bytes: bytes(batch),
                })
                .collect();
        });
    }

    /// A batch of objects is staged.
    pub fn batch(&self, batch: &Batch) {
        let bytes = batch.objects.iter().map(|object| object.bytes).sum();
        tracing::debug!(spec = batch.spec, objects = batch.objects.len(), bytes, "batch staged");
        self.progress.staged(bytes, &batch.spec);
    }

    /// All batches are staged, and `steps` come next.
    pub fn staged(&self, objects: usize, counts: Counts, steps: usize) {
        let Counts { read, used, duplicate, rejected, skipped, rows: _ } = counts;
        tracing::info!(objects, read, used, duplicate, rejected, skipped, "staged");
        self.progress.steps(steps);
        let seconds = self.seconds();
        self.with(|report| {
            (report.objects, report.records) = (objects, counts);
            (report.staging_seconds, report.staging_peak_bytes) = (seconds, machine::peak_bytes());
        });
    }

    /// A step begins.
    pub fn begin(&self, step: &Step) -> Instant {
        self.progress.step(&step.node.name);
        Instant::now()
    }

    /// A step is done, or was done before.
    pub fn end(&self, step: &Step, began: Instant, reused: bool, made: &[Dataset]) {
        let seconds = began.elapsed().as_secs_f64();
        let rows: u64 = made.iter().map(|dataset| dataset.rows).sum();
        let name = step.node.name.as_str();
        let ran = made.iter().filter(|_| !reused);
        let tables: BTreeMap<_, _> = ran.map(|made| (made.name.clone(), slices(made))).collect();
        let all: Slices = tables.values().copied().collect();
        let (kept, slices) = (all.kept, all.all());
        if seconds >= SLOW_SECONDS {
            tracing::info!(step = name, rows, seconds, kept, slices, "step done");
        } else {
            let reason = &step.reason;
            tracing::debug!(step = name, rows, seconds, reused, kept, slices, %reason, "step done");
        }
        self.progress.step_done();
        self.with(|report| {
            report.steps.push(StepDone {
                step: name.to_owned(),
                reason: step.reason.to_string(),
                reused,
                at_seconds: began.saturating_duration_since(self.began).as_secs_f64(),
                seconds,
                peak_bytes: machine::peak_bytes(),
                rows: made.iter().map(|dataset| (dataset.name.clone(), dataset.rows)).collect(),
                slices: tables,
            });
        });
    }

    /// Something a person should look at, which stops nothing.
    pub fn warn(&self, message: String) {
        let message = telemetry::mask(&message);
        tracing::warn!("{message}");
        self.with(|report| report.warnings.push(message));
    }

    pub fn warnings(&self) -> Vec<String> {
        self.with(|report| report.warnings.clone())
    }

    /// Slices by table, of the steps that ran so far.
    pub fn slices(&self) -> BTreeMap<String, Slices> {
        let of_steps = |report: &mut Report| {
            report.steps.iter().flat_map(|step| step.slices.clone()).collect()
        };
        self.with(of_steps)
    }

    /// The run ended; its report is written, and a report that cannot be written changes nothing.
    pub async fn finish(&self, context: &Context, result: &Result<Outcome, RunError>) -> Report {
        self.progress.end();
        let seconds = self.seconds();
        let report = self.with(|report| {
            report.run_id.clone_from(&context.settings.run_id);
            report.version = env!("CARGO_PKG_VERSION").into();
            report.job.clone_from(&context.job.name);
            report.seconds = seconds;
            report.peak_bytes = machine::peak_bytes();
            match result {
                Ok(outcome) => {
                    report.outcome =
                        if outcome.published { "published" } else { "unchanged" }.into();
                    report.as_of = Some(outcome.as_of);
                    report.release = outcome.release;
                    report.tables.clone_from(&outcome.tables);
                }
                Err(error) => {
                    let stopped = matches!(error, RunError::Stopped(_));
                    report.outcome = if stopped { "stopped" } else { "failed" }.into();
                    report.error = telemetry::chain(error);
                }
            }
            report.clone()
        });
        let all: Slices = self.slices().into_values().collect();
        let (outcome, release) = (&report.outcome, report.release);
        let (kept, slices) = (all.kept, all.all());
        tracing::info!(outcome, release, seconds, kept, slices, "run ended");
        let Ok(bytes) = serde_json::to_vec_pretty(&report) else { return report };
        let path = format!("runs/{}.json", context.settings.run_id);
        if let Err(error) = context.store.create(&path, Bytes::from(bytes)).await {
            tracing::warn!(%error, "the run report could not be written");
        }
        report
    }
}

/// Slices of a table that a step made, and those whose files a release has: what a run makes lies
/// in `work/` until it ends.
fn slices(made: &Dataset) -> Slices {
    let name = |file: &FileRef| file.slice.clone().unwrap_or_else(|| file.file_hash.clone());
    let is_new = |file: &&FileRef| file.path.starts_with("work/");
    let new: BTreeSet<_> = made.files.iter().filter(is_new).map(name).collect();
    let all: BTreeSet<_> = made.files.iter().map(name).collect();
    Slices { made: new.len() as u64, kept: (all.len() - new.len()) as u64 }
}

/// Steps that take longer get a line of their own.
const SLOW_SECONDS: f64 = 10.0;
