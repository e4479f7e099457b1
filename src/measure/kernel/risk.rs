//! How much more often something happens in one group than in another.

use super::interval::Interval;
use super::special::two_sided_z;

/// A ratio of two shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeRisk {
    pub ratio: f64,
    pub interval: Interval,
}

/// Share `of` over share `from`, each as (cases, subjects); none when one side is empty.
///
/// Interval on the logarithm (Katz et al. 1978); where a side has no cases half a case is added to
/// both and one subject to both (Walter 1976), to the ratio as well.
pub fn relative_risk(of: (u64, u64), from: (u64, u64), confidence: f64) -> Option<RelativeRisk> {
    if of.1 == 0 || from.1 == 0 {
        return None;
    }
    let more = if of.0 == 0 || from.0 == 0 { 0.5 } else { 0.0 };
    let (a, n) = (of.0 as f64 + more, of.1 as f64 + 2.0 * more);
    let (b, m) = (from.0 as f64 + more, from.1 as f64 + 2.0 * more);
    let ratio = (a / n) / (b / m);
    let error = ((n - a) / (a * n) + (m - b) / (b * m)).max(0.0).sqrt();
    let half = two_sided_z(confidence) * error;
    let interval = Interval::new(ratio * (-half).exp(), ratio * half.exp());
    Some(RelativeRisk { ratio, interval })
}
