//! Quantiles of whole numbers.

/// The value below which a share of a sorted sample lies, between two neighbours by how far it lies
/// between them (Hyndman & Fan 1996, definition 7, as `NumPy`, R and DuckDB's `quantile_cont` do).
///
/// None of no values.
pub fn quantile(sorted: &[i64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = at.floor();
    let low = *sorted.get(below as usize)?;
    let high = *sorted.get((below as usize + 1).min(last))?;
    Some(low as f64 + (at - below) * (high - low) as f64)
}
