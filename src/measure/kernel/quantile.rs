//! Quantiles of whole numbers.

/// The value below which a share of a sorted sample lies, between two neighbours by how far it lies
/// between them (Hyndman & Fan 1996, definition 7, as `NumPy`, R and DuckDB's `quantile_cont` do).
///
/// None of no values.
pub fn quantile(sorted: &[i64], share: f64) -> Option<f64> {
    between(sorted.len() as u64, share, |rank| sorted.get(rank as usize).copied())
}

/// The same of values that are counted, least first.
pub fn quantile_counted(sorted: &[(i64, u64)], share: f64) -> Option<f64> {
    between(sorted.iter().map(|(_, n)| n).sum(), share, |rank| {
        let mut left = rank;
        let found = sorted.iter().find(|(_, n)| {
            let is_here = left < *n;
            left = left.saturating_sub(*n);
            is_here
        });
        found.map(|(value, _)| *value)
    })
}

/// Of `n` values, told by their rank from 0.
fn between(n: u64, share: f64, value: impl Fn(u64) -> Option<i64>) -> Option<f64> {
    let last = n.checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = at.floor();
    let low = value(below as u64)?;
    let high = value((below as u64 + 1).min(last))?;
    Some(low as f64 + (at - below) * (high - low) as f64)
}
