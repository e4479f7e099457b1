//! Do groups live equally long? The log-rank test.
//!
//! Mantel 1966; for more than two groups Kalbfleisch & Prentice 1980, eq. 1.21: observed less
//! expected events per group, squared over their hypergeometric covariance.

use std::collections::BTreeMap;

use super::kaplan_meier::Observed;
use super::special::chi_square_p_value;

/// What the test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRank {
    /// χ² with `freedom` degrees.
    pub statistic: f64,
    pub freedom: usize,
    pub p_value: f64,
}

/// Per time and group: subjects that left the risk set there, and events among them.
type Times = BTreeMap<i64, Vec<(u64, u64)>>;

/// Tests groups of subjects against each other; none for fewer than two that can be told apart.
pub fn log_rank(groups: &[&[Observed]]) -> Option<LogRank> {
    let size = groups.len();
    let mut times = Times::new();
    let mut at_risk = vec![0_u64; size];
    for (group, subjects) in groups.iter().enumerate() {
        for subject in subjects.iter().filter(|subject| subject.count > 0) {
            at_risk[group] += subject.count;
            let cells = times.entry(subject.time).or_insert_with(|| vec![(0, 0); size]);
            cells[group].0 += subject.count;
            cells[group].1 += if subject.event { subject.count } else { 0 };
        }
    }
    let mut excess = vec![0.0; size];
    let mut covariance = vec![vec![0.0; size]; size];
    for cells in times.values() {
        let risk = at_risk.iter().sum::<u64>() as f64;
        let events = cells.iter().map(|cell| cell.1).sum::<u64>() as f64;
        if events > 0.0 {
            let shares: Vec<f64> = at_risk.iter().map(|n| *n as f64 / risk).collect();
            let spread = if risk > 1.0 { events * (risk - events) / (risk - 1.0) } else { 0.0 };
            for i in 0..size {
                excess[i] += cells[i].1 as f64 - events * shares[i];
                for j in 0..size {
                    let own = if i == j { shares[i] } else { 0.0 };
                    covariance[i][j] += spread * (own - shares[i] * shares[j]);
                }
            }
        }
        for (n, cell) in at_risk.iter_mut().zip(cells) {
            *n -= cell.0;
        }
    }
    statistic(&excess, &covariance)
}

/// Leaves out groups that were never at risk at an event, and one more: excesses add up to zero.
fn statistic(excess: &[f64], covariance: &[Vec<f64>]) -> Option<LogRank> {
    let mut kept: Vec<usize> = (0..excess.len()).filter(|i| covariance[*i][*i] > 1e-12).collect();
    kept.pop()?;
    if kept.is_empty() {
        return None;
    }
    let mut rows: Vec<Vec<f64>> = kept
        .iter()
        .map(|i| {
            let known = kept.iter().map(|j| covariance[*i][*j]);
            known.chain([excess[*i]]).collect()
        })
        .collect();
    let solved = eliminate(&mut rows)?;
    let statistic: f64 = kept.iter().zip(&solved).map(|(i, x)| excess[*i] * x).sum();
    let freedom = kept.len();
    let p_value = chi_square_p_value(statistic, freedom as f64);
    Some(LogRank { statistic, freedom, p_value })
}

/// Gauss's elimination with the greatest pivot; none when the matrix has no inverse.
fn eliminate(rows: &mut [Vec<f64>]) -> Option<Vec<f64>> {
    let n = rows.len();
    for column in 0..n {
        let pivot =
            (column..n).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let (above, below) = rows.split_at_mut(column + 1);
        let first = above.last()?;
        if first[column].abs() < 1e-300 {
            return None;
        }
        for row in below {
            let factor = row[column] / first[column];
            for (value, known) in row.iter_mut().zip(first).skip(column) {
                *value -= factor * known;
            }
        }
    }
    let mut solution = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| rows[i][j] * solution[j]).sum();
        solution[i] = (rows[i][n] - known) / rows[i][i];
    }
    Some(solution)
}
