//! Post-stratification: answers weighted so that each group has its share of all customers.
//!
//! Kish 1965, "Survey Sampling", section 11.7: weighting costs precision, and the design effect
//! says how much; intervals use the size of the unweighted sample that would be as precise.

use super::Counts;
use super::reading::Reading;
use crate::measure::kernel::interval::{Interval, adjusted_wald, share_interval};
use crate::measure::kernel::special::two_sided_t;

/// A score of weighted answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    pub score: f64,
    pub interval: Option<Interval>,
    /// `n Σw² / (Σw)²`; the sample is worth `n` divided by it.
    pub design_effect: f64,
}

/// Weighs the answers of strata, each with its share of all customers.
///
/// The shares of the strata that answered are scaled up to 1. None when nobody of them answered.
pub(super) fn weighted<'a>(
    reading: Reading,
    strata: impl Iterator<Item = (f64, &'a Counts)>,
    confidence: f64,
) -> Option<Weighted> {
    let sized = strata.map(|(share, counts)| (share, counts, super::total(counts) as f64));
    let strata: Vec<_> = sized.filter(|(share, _, n)| *n > 0.0 && *share > 0.0).collect();
    let whole: f64 = strata.iter().map(|(share, _, _)| share).sum();
    let n: f64 = strata.iter().map(|(_, _, n)| n).sum();
    if n <= 0.0 {
        return None;
    }
    // Weight of one answer, by stratum; all answers together weigh 1.
    let answers = strata.iter().flat_map(|(share, counts, size)| {
        let weight = share / whole / size;
        counts.iter().map(move |(given, count)| (reading.value(*given), weight * *count as f64))
    });
    let answers: Vec<(f64, f64)> = answers.collect();
    let squares: f64 = strata.iter().map(|(share, _, n)| (share / whole).powi(2) / n).sum();
    let design_effect = n * squares;
    let worth = n / design_effect;
    let mean: f64 = answers.iter().map(|(value, weight)| value * weight).sum();
    let weight_of = |sign: f64| -> f64 {
        answers.iter().filter(|(value, _)| value * sign > 0.5).map(|(_, weight)| weight).sum()
    };
    let (score, interval) = match reading {
        Reading::Nps { .. } => {
            let interval = adjusted_wald(weight_of(1.0), weight_of(-1.0), worth, confidence);
            (100.0 * mean, Some(interval.times(100.0)))
        }
        Reading::Share { .. } => {
            (100.0 * mean, Some(share_interval(mean, worth, confidence).times(100.0)))
        }
        Reading::Mean { .. } | Reading::Norm(_) => {
            let spread: f64 =
                answers.iter().map(|(value, weight)| (value - mean).powi(2) * weight).sum();
            let interval = (worth > 1.0).then(|| {
                let error = (spread / (worth - 1.0)).sqrt();
                let half = two_sided_t(confidence, worth - 1.0) * error;
                Interval::new(mean - half, mean + half)
            });
            (mean, interval)
        }
    };
    Some(Weighted { score, interval: interval.map(|i| i.around(score)), design_effect })
}
