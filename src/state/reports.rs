//! Reports of runs: what each did, how long it took, and how it ended.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Counts, StateError, StateReader};

/// Content of `runs/<run_id>.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub run_id: String,
    pub version: String,
    pub job: String,
    pub as_of: Option<NaiveDate>,
    /// `published`, `unchanged`, `stopped` or `failed`.
    pub outcome: String,
    /// The error and what caused it.
    pub error: Vec<String>,
    pub release: Option<u64>,
    pub seconds: f64,
    /// The most memory the process held, and what of it staging needed.
    pub peak_bytes: Option<u64>,
    pub staging_peak_bytes: Option<u64>,
    pub staging_seconds: f64,
    pub objects: usize,
    pub records: Counts,
    pub batches: Vec<BatchDone>,
    /// Objects that the plan left out, and why.
    pub left_out: Vec<(String, String)>,
    pub steps: Vec<StepDone>,
    /// Rows by published table.
    pub tables: BTreeMap<String, u64>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchDone {
    pub source: String,
    pub reason: String,
    pub objects: usize,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StepDone {
    pub step: String,
    pub reason: String,
    pub reused: bool,
    /// When it began, in seconds of the run.
    pub at_seconds: f64,
    pub seconds: f64,
    /// The most memory the process held so far: the step that raises it needs it.
    pub peak_bytes: Option<u64>,
    pub rows: BTreeMap<String, u64>,
    /// By table, of a step that ran.
    pub slices: BTreeMap<String, Slices>,
}

/// What a step made of a table: partitions, or parts of them by customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Slices {
    /// Sorted, encoded and stored.
    pub made: u64,
    /// As the last release has them: its files are named again.
    pub kept: u64,
}

impl Slices {
    pub fn all(self) -> u64 {
        self.made + self.kept
    }
}

impl FromIterator<Slices> for Slices {
    fn from_iter<T: IntoIterator<Item = Self>>(tables: T) -> Self {
        let sum =
            |all: Self, one: Self| Self { made: all.made + one.made, kept: all.kept + one.kept };
        tables.into_iter().fold(Self::default(), sum)
    }
}

impl StepDone {
    /// Of all its tables.
    pub fn all_slices(&self) -> Slices {
        self.slices.values().copied().collect()
    }
}

impl StateReader {
    /// The newest reports of a job, newest first, at most `limit`; what cannot be read is left out.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reports(&self, job: &str, limit: usize) -> Result<Vec<Report>, StateError> {
        let mut listed = self.store.list("runs").await?;
        // Names begin with the time of the run.
        listed.sort_by(|a, b| b.path.cmp(&a.path));
        let mut reports = Vec::new();
        for object in listed.iter().take(limit) {
            let Ok(bytes) = self.store.read(&object.path).await else { continue };
            let report = serde_json::from_slice::<Report>(&bytes).ok();
            reports.extend(report.filter(|report| report.job == job));
        }
        Ok(reports)
    }
}
