//! Answers as counts per value: what mean and variance are computed from.

/// Size, mean and variance of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub n: u64,
    pub mean: f64,
    /// With `n - 1` in the denominator; 0 when `n < 2`.
    pub variance: f64,
}

impl Sample {
    /// From distinct values with how often each occurs, in the order of `counts`.
    ///
    /// Two passes, the mean first: the textbook one-pass formula cancels for large means.
    pub fn of(counts: impl Iterator<Item = (f64, u64)> + Clone) -> Option<Self> {
        let n: u64 = counts.clone().map(|(_, count)| count).sum();
        if n == 0 {
            return None;
        }
        let total: f64 = counts.clone().map(|(value, count)| value * count as f64).sum();
        let mean = total / n as f64;
        let squares: f64 = counts.map(|(value, count)| (value - mean).powi(2) * count as f64).sum();
        let variance = if n < 2 { 0.0 } else { squares / (n - 1) as f64 };
        Some(Self { n, mean, variance })
    }

    /// Variance of the mean.
    pub fn mean_variance(&self) -> f64 {
        self.variance / self.n as f64
    }
}
