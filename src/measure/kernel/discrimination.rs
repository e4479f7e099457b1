//! How good probabilities of yes and no are: whether they part the two, and whether they are right.

use super::interval::Interval;
use super::special::two_sided_z;

/// Cases and others.
fn sizes(scored: &[(f64, bool)]) -> (u64, u64) {
    let cases = scored.iter().filter(|one| one.1).count() as u64;
    (cases, scored.len() as u64 - cases)
}

/// Probability that a case scores above another, ties half: Mann and Whitney's U by its size.
///
/// None where one side is empty.
pub fn auc(scored: &[(f64, bool)]) -> Option<f64> {
    let (cases, others) = sizes(scored);
    if cases == 0 || others == 0 {
        return None;
    }
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut twice) = (0_u128, 0_u128);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let (cases, others) = sizes(same);
        twice += u128::from(cases) * (2 * below + u128::from(others));
        below += u128::from(others);
    }
    Some(twice as f64 / 2.0 / (cases as f64 * others as f64))
}

/// Interval of an area (Hanley & `McNeil` 1982, eqs. 1 and 2).
pub fn auc_interval(auc: f64, cases: u64, others: u64, confidence: f64) -> Interval {
    let (n, m) = (cases.max(1) as f64, others.max(1) as f64);
    let square = auc * auc;
    let (first, second) = (auc / (2.0 - auc), 2.0 * square / (1.0 + auc));
    let variance = auc * (1.0 - auc) + (n - 1.0) * (first - square) + (m - 1.0) * (second - square);
    let half = two_sided_z(confidence) * (variance / (n * m)).max(0.0).sqrt();
    Interval::new((auc - half).max(0.0), (auc + half).min(1.0))
}

/// Area under precision by recall as the mean precision at the cases, without interpolation.
///
/// None without cases.
pub fn average_precision(scored: &[(f64, bool)]) -> Option<f64> {
    let (cases, _) = sizes(scored);
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen, mut area) = (0, 0, 0.0);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let new = sizes(same).0;
        found += new;
        seen += same.len() as u64;
        area += new as f64 * (found as f64 / seen as f64);
    }
    (cases > 0).then(|| area / cases as f64)
}

/// Mean squared distance of probabilities from what came (Brier 1950, halved as is usual for two
/// classes). None of nobody.
pub fn brier(scored: &[(f64, bool)]) -> Option<f64> {
    let square = |one: &(f64, bool)| (one.0 - f64::from(u8::from(one.1))).powi(2);
    mean(scored.iter().map(square))
}

/// Mean negative logarithm of the probability of what came. None of nobody.
pub fn log_loss(scored: &[(f64, bool)]) -> Option<f64> {
    mean(scored.iter().map(|one| -libm::log(if one.1 { one.0 } else { 1.0 - one.0 })))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

/// People with probabilities near each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    pub n: u64,
    pub cases: u64,
    /// Mean probability.
    pub predicted: f64,
}

impl Bin {
    pub fn observed(&self) -> f64 {
        self.cases as f64 / self.n as f64
    }
}

/// Cuts people into so many bins of equal size, lowest probability first; equal probabilities are
/// put in the order they come in.
pub fn bins(scored: &[(f64, bool)], wanted: usize) -> Vec<Bin> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = wanted.clamp(1, sorted.len().max(1));
    let cut = |i: usize| i * sorted.len() / wanted;
    let bin = |i: usize| {
        let part = sorted.get(cut(i)..cut(i + 1)).filter(|part| !part.is_empty())?;
        let predicted = mean(part.iter().map(|one| one.0))?;
        Some(Bin { n: part.len() as u64, cases: sizes(part).0, predicted })
    };
    (0..wanted).filter_map(bin).collect()
}

/// Mean distance between what was told and what came, over bins by their size (Naeini et al. 2015).
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let n: u64 = bins.iter().map(|bin| bin.n).sum();
    let far = |bin: &Bin| (bin.predicted - bin.observed()).abs() * bin.n as f64;
    (n > 0).then(|| bins.iter().map(far).sum::<f64>() / n as f64)
}
