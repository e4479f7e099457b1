//! Is a number different from another one: differences with interval and p-value.

use super::interval::{Interval, wilson};
use super::sample::Sample;
use super::special::{normal_p_value, t_p_value, two_sided_t};

/// How far one number lies from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    pub difference: f64,
    pub interval: Interval,
    /// Two-sided; none when neither side varies but they differ, where no test says anything.
    pub p_value: Option<f64>,
}

impl Difference {
    /// In other units.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let interval = self.interval.times(factor);
        Self { difference: self.difference * factor, interval, ..self }
    }
}

/// The share `k / n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub k: u64,
    pub n: u64,
}

/// Share `of` minus share `from`, as fractions; none when one side is empty.
///
/// Interval: Newcombe 1998, "Interval estimation for the difference between independent
/// proportions", method 10 (Wilson limits combined). p-value: pooled z test.
pub fn proportions(of: Share, from: Share, confidence: f64) -> Option<Difference> {
    if of.n == 0 || from.n == 0 {
        return None;
    }
    let (n1, n0) = (of.n as f64, from.n as f64);
    let (p1, p0) = (of.k as f64 / n1, from.k as f64 / n0);
    let (w1, w0) = (wilson(of.k, of.n, confidence), wilson(from.k, from.n, confidence));
    let (difference, interval) = (p1 - p0, of_difference((p1, w1), (p0, w0)));
    let pooled = (of.k + from.k) as f64 / (n1 + n0);
    let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0)).sqrt();
    // No error: all answers of both sides are alike, so the shares are equal.
    let p_value = if error > 0.0 { normal_p_value(difference / error) } else { 1.0 };
    Some(Difference { difference, interval, p_value: Some(p_value) })
}

/// Interval of the difference of two independent numbers from theirs: each side's own distance to
/// its limits, added as variances are (Zou & Donner 2008, "Construction of confidence limits about
/// effect measures", Statistics in Medicine 27).
pub fn of_difference(of: (f64, Interval), from: (f64, Interval)) -> Interval {
    let ((value, own), (other, others)) = (of, from);
    let below = (value - own.low).hypot(others.high - other);
    let above = (own.high - value).hypot(other - others.low);
    Interval::new(value - other - below, value - other + above)
}

/// Mean `of` minus mean `from`; none when one side has fewer than two answers.
///
/// Welch 1947, with Satterthwaite's degrees of freedom.
pub fn means(of: &Sample, from: &Sample, confidence: f64) -> Option<Difference> {
    if of.n < 2 || from.n < 2 {
        return None;
    }
    let difference = of.mean - from.mean;
    let (v1, v0) = (of.mean_variance(), from.mean_variance());
    let error = (v1 + v0).sqrt();
    if error <= 0.0 {
        let p_value = (difference.abs() <= 0.0).then_some(1.0);
        return Some(Difference {
            difference,
            interval: Interval::new(difference, difference),
            p_value,
        });
    }
    let freedom = (v1 + v0).powi(2) / (v1 * v1 / (of.n - 1) as f64 + v0 * v0 / (from.n - 1) as f64);
    let half = two_sided_t(confidence, freedom) * error;
    let interval = Interval::new(difference - half, difference + half);
    Some(Difference { difference, interval, p_value: Some(t_p_value(difference / error, freedom)) })
}

/// Holm's step-down correction (Holm 1979) of the p-values of one family, in their order.
///
/// Tests that gave no p-value stay without one and do not count into the family.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(i, p)| Some(((*p)?, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut corrected = vec![None; p_values.len()];
    let mut least: f64 = 0.0;
    let tests = order.len();
    for (rank, (p, i)) in order.into_iter().enumerate() {
        least = least.max(p * (tests - rank) as f64).min(1.0);
        if let Some(slot) = corrected.get_mut(i) {
            *slot = Some(least);
        }
    }
    corrected
}
