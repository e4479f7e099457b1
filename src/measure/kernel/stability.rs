//! How far a feature has moved since a model was trained on it.

/// Bins at most.
const BINS: usize = 10;
/// Stands for a share of nobody, which has no logarithm.
const SHARE_MIN: f64 = 1e-4;

/// Population stability index of today's values against those a model was trained on:
/// `Σ (q − p) ln(q / p)` over tenths of the latter (Siddiqi 2006, ch. 8); below 0.1 is at rest,
/// above 0.25 has moved. It is the symmetric divergence of Jeffreys 1946.
///
/// Equal values are never parted. None where one side has nobody.
pub fn stability_index(trained: &[f64], today: &[f64]) -> Option<f64> {
    if trained.is_empty() || today.is_empty() {
        return None;
    }
    let mut sorted = trained.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = |bin: usize| sorted.get(bin * sorted.len() / BINS).copied();
    let mut cuts: Vec<f64> = (1..BINS).filter_map(cut).collect();
    cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let shares = |values: &[f64]| {
        let mut counts = vec![0_u64; cuts.len() + 1];
        for value in values {
            counts[cuts.partition_point(|cut| cut <= value)] += 1;
        }
        let share = |count: u64| (count as f64 / values.len() as f64).max(SHARE_MIN);
        counts.into_iter().map(share).collect::<Vec<f64>>()
    };
    let parts = shares(trained).into_iter().zip(shares(today));
    Some(parts.map(|(p, q)| (q - p) * libm::log(q / p)).sum())
}
