//! Intervals around one number: shares, NPS, means.

use super::sample::Sample;
use super::special::{chi_square_quantile, two_sided_t, two_sided_z};

/// What a true value lies between, at the confidence asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// Stretched so that `value` lies inside: small samples can leave it outside.
    #[must_use]
    pub fn around(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    /// Cut to what is possible.
    #[must_use]
    pub fn clamp(self, least: f64, greatest: f64) -> Self {
        Self { low: self.low.clamp(least, greatest), high: self.high.clamp(least, greatest) }
    }

    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }
}

/// Score interval of the share `k / n`, as fractions (Wilson 1927; Newcombe 1998, method 3).
///
/// Of nothing it is 0 to 1.
pub fn wilson(k: u64, n: u64, confidence: f64) -> Interval {
    if n == 0 {
        return Interval::new(0.0, 1.0);
    }
    share_interval(k as f64 / n as f64, n as f64, confidence)
}

/// The same of a share in a sample worth `size` answers, which weights can make no whole number.
pub fn share_interval(share: f64, size: f64, confidence: f64) -> Interval {
    let z = two_sided_z(confidence);
    let centre = share + z * z / (2.0 * size);
    let half = z * (share * (1.0 - share) / size + z * z / (4.0 * size * size)).sqrt();
    let scale = 1.0 + z * z / size;
    let interval = Interval::new((centre - half) / scale, (centre + half) / scale);
    // At 0 and n one end is exact, and rounding would put it a hair outside.
    interval.clamp(0.0, 1.0).around(share)
}

/// Promoters and detractors among `n` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nps {
    pub promoters: u64,
    pub detractors: u64,
    pub n: u64,
}

impl Nps {
    /// −1 to 1; times 100 it is the score.
    pub fn fraction(&self) -> f64 {
        (self.promoters as f64 - self.detractors as f64) / self.n as f64
    }

    /// Of one answer counted as 1, 0 or −1: `p + d − (p − d)²`.
    pub fn variance(&self) -> f64 {
        trinomial_variance(self.promoters as f64, self.detractors as f64, self.n as f64)
    }

    /// Plain Wald interval, as fractions; for comparison with other tools.
    pub fn wald(&self, confidence: f64) -> Interval {
        let half = two_sided_z(confidence) * (self.variance() / self.n as f64).sqrt();
        Interval::new(self.fraction() - half, self.fraction() + half)
    }

    /// Adjusted Wald interval, as fractions: three quarters of an answer added to promoters and
    /// detractors each, three answers in all (Rocks 2016, "Interval estimation for the Net
    /// Promoter Score", The American Statistician 70(4), with the weights 3/4, 6/4, 3/4).
    pub fn adjusted_wald(&self, confidence: f64) -> Interval {
        if self.n == 0 {
            return adjusted_wald(0.0, 0.0, 0.0, confidence);
        }
        let n = self.n as f64;
        let (promoters, detractors) = (self.promoters as f64 / n, self.detractors as f64 / n);
        adjusted_wald(promoters, detractors, n, confidence).around(self.fraction())
    }

    /// As answers of 1, 0 and −1, for tests on means.
    pub fn sample(&self) -> Option<Sample> {
        let passives = self.n.checked_sub(self.promoters + self.detractors)?;
        Sample::of([(-1.0, self.detractors), (0.0, passives), (1.0, self.promoters)].into_iter())
    }
}

/// The same of shares in a sample worth `size` answers, which weights can make no whole number.
pub fn adjusted_wald(promoters: f64, detractors: f64, size: f64, confidence: f64) -> Interval {
    let n = size + 3.0;
    let (up, down) = (promoters * size + 0.75, detractors * size + 0.75);
    let centre = (up - down) / n;
    let half = two_sided_z(confidence) * (trinomial_variance(up, down, n) / n).sqrt();
    Interval::new(centre - half, centre + half).clamp(-1.0, 1.0)
}

fn trinomial_variance(promoters: f64, detractors: f64, n: f64) -> f64 {
    let (p, d) = (promoters / n, detractors / n);
    p + d - (p - d) * (p - d)
}

/// Student's interval of a mean; none for fewer than two answers.
pub fn mean(sample: &Sample, confidence: f64) -> Option<Interval> {
    if sample.n < 2 {
        return None;
    }
    let half = two_sided_t(confidence, (sample.n - 1) as f64) * sample.mean_variance().sqrt();
    Some(Interval::new(sample.mean - half, sample.mean + half))
}

/// Exact interval of a rate of events over time lived (Garwood 1936).
pub fn poisson_rate(events: u64, lived: f64, confidence: f64) -> Interval {
    let (tail, events) = ((1.0 - confidence.clamp(0.0, 1.0)) / 2.0, events as f64);
    let low = if events > 0.0 { chi_square_quantile(tail, 2.0 * events) / 2.0 } else { 0.0 };
    let high = chi_square_quantile(1.0 - tail, 2.0 * events + 2.0) / 2.0;
    Interval::new(low / lived, high / lived)
}
