//! What a model's probabilities were worth on customers it had not seen, in a time it had not seen.

use super::Terms;
use crate::measure::kernel::discrimination::{
    Bin, auc, auc_interval, average_precision, bins, brier, calibration_error, log_loss,
};
use crate::measure::kernel::interval::Interval;

/// Bins of calibration and lift at most.
const BINS: u64 = 10;

#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub n: u64,
    pub churned: u64,
    pub auc: Option<(f64, Interval)>,
    pub average_precision: Option<f64>,
    pub brier: Option<f64>,
    pub log_loss: Option<f64>,
    /// Mean distance of bins from what came.
    pub calibration_error: Option<f64>,
    /// Lowest probabilities first, none of fewer customers than a cell may have.
    pub bins: Vec<Bin>,
}

impl Judged {
    pub fn new(scored: &[(f64, bool)], terms: &Terms) -> Self {
        let n = scored.len() as u64;
        let churned = scored.iter().filter(|one| one.1).count() as u64;
        let interval = |area| auc_interval(area, churned, n - churned, terms.confidence);
        let wanted = (n / terms.min_cell.max(1)).clamp(1, BINS);
        let bins = if n < terms.min_cell { Vec::new() } else { bins(scored, wanted as usize) };
        Self {
            n,
            churned,
            auc: auc(scored).map(|area| (area, interval(area))),
            average_precision: average_precision(scored),
            brier: brier(scored),
            log_loss: log_loss(scored),
            calibration_error: calibration_error(&bins),
            bins,
        }
    }

    /// Share that churned.
    pub fn base(&self) -> Option<f64> {
        (self.n > 0).then(|| self.churned as f64 / self.n as f64)
    }

    /// What the squared distance is less than that of telling everybody the share.
    pub fn skill(&self) -> Option<f64> {
        let base = self.base()?;
        let plain = base * (1.0 - base);
        (plain > 0.0).then_some(1.0 - self.brier? / plain)
    }
}
