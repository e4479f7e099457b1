//! For how much customers buy: the Gamma–Gamma model of spend.
//!
//! Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value" (brucehardie.com/notes/025).
//! Purchases of one customer are gamma(p, ν); ν is gamma(q, γ) over customers, and independent of
//! how often they buy.

use std::collections::BTreeMap;

use super::optimise::{self, Fit, Surface};
use super::special::{digamma, ln_gamma, trigamma};

/// Equal customers with a repeat purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spend {
    /// `x`: purchases, the first left out; at least 1.
    pub frequency: u32,
    /// Sum of these purchases in ten-thousandths; more than 0.
    pub total: i64,
}

impl Spend {
    /// `z̄`: mean value of one purchase.
    pub fn mean(&self) -> f64 {
        self.total as f64 / 10_000.0 / f64::from(self.frequency)
    }
}

/// Parameters; `gamma` is in the currency of the spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    pub p: f64,
    pub q: f64,
    pub gamma: f64,
}

impl From<[f64; 3]> for GammaGamma {
    fn from([p, q, gamma]: [f64; 3]) -> Self {
        Self { p, q, gamma }
    }
}

impl GammaGamma {
    /// Logarithm of the likelihood of a mean `z` of `x` purchases (eq. 1a).
    pub fn log_likelihood(&self, x: u32, z: f64) -> f64 {
        let x = f64::from(x);
        let (p, q, gamma) = (self.p, self.q, self.gamma);
        ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
            + q * gamma.ln()
            + (p * x - 1.0) * z.ln()
            + p * x * x.ln()
            - (p * x + q) * (gamma + x * z).ln()
    }

    /// The same of all spends with their counts.
    pub fn of_all(&self, spends: &BTreeMap<Spend, u64>) -> f64 {
        let of = |(spend, count): (&Spend, &u64)| {
            *count as f64 * self.log_likelihood(spend.frequency, spend.mean())
        };
        spends.iter().map(of).sum()
    }

    /// Value expected of a further purchase of a customer whose `x` purchases had the mean `z`
    /// (eq. 5); with `x = 0` the mean of all customers, which is infinite for `q ≤ 1`.
    pub fn expected(&self, x: u32, z: f64) -> f64 {
        let count = f64::from(x);
        let weight = self.p * count + self.q - 1.0;
        let seen = if x == 0 { 0.0 } else { count * z };
        if weight > 0.0 { self.p * (self.gamma + seen) / weight } else { f64::INFINITY }
    }

    /// Slopes of the logarithm of [`GammaGamma::expected`] by the logarithms of p, q, γ.
    pub fn expected_slopes(&self, x: u32, z: f64) -> [f64; 3] {
        let count = f64::from(x);
        let weight = self.p * count + self.q - 1.0;
        let seen = if x == 0 { 0.0 } else { count * z };
        let scale = self.gamma / (self.gamma + seen);
        [1.0 - self.p * count / weight, -self.q / weight, scale]
    }

    /// Fits to spends with counts.
    pub fn fit(spends: &BTreeMap<Spend, u64>) -> Option<Fit<3>> {
        let rows: Vec<Row> = rows(spends);
        let n: u64 = spends.values().sum();
        let mean = rows.iter().map(|row| row.mean * row.count).sum::<f64>() / n.max(1) as f64;
        let starts = [
            [6.0, 4.0, mean / 2.0],
            [1.0, 2.0, mean],
            [2.0, 8.0, mean * 4.0],
            [20.0, 3.0, mean / 10.0],
        ];
        optimise::fit(|at| log_likelihood(&rows, at), &starts, n)
    }
}

struct Row {
    x: f64,
    mean: f64,
    log_mean: f64,
    count: f64,
    /// The first row of its frequency: gammas are computed there once.
    opens: bool,
}

/// In order of frequency, because the map is.
fn rows(spends: &BTreeMap<Spend, u64>) -> Vec<Row> {
    let mut last = 0;
    let row = |(spend, count): (&Spend, &u64)| {
        let (mean, opens) = (spend.mean(), spend.frequency != last);
        last = spend.frequency;
        let (x, count) = (f64::from(spend.frequency), *count as f64);
        Row { x, mean, log_mean: mean.ln(), count, opens }
    };
    spends.iter().map(row).collect()
}

/// Sum over all customers of the logarithm of eq. 1a, with its derivatives by p, q, γ.
fn log_likelihood(rows: &[Row], at: &[f64; 3]) -> Surface<3> {
    let [p, q, gamma] = *at;
    let mut sum = Surface::flat();
    let (fixed, log_gamma) = (q * gamma.ln() - ln_gamma(q), gamma.ln());
    let (psi_q, tri_q) = (digamma(q), trigamma(q));
    let mut of_x = OfFrequency::default();
    for row in rows {
        if row.opens {
            of_x = OfFrequency::new(row.x, p, q);
        }
        let (x, w) = (row.x, row.count);
        let total = gamma + x * row.mean;
        let (log_total, per_total) = (total.ln(), 1.0 / total);
        let shape = p * x + q;
        sum.value += w * (of_x.log + fixed + (p * x - 1.0) * row.log_mean - shape * log_total);
        let g = &mut sum.gradient;
        g[0] += w * x * (of_x.psi_both - of_x.psi_p + row.log_mean + of_x.log_x - log_total);
        g[1] += w * (of_x.psi_both - psi_q + log_gamma - log_total);
        g[2] += w * (q / gamma - shape * per_total);
        let h = &mut sum.curvature;
        h[0][0] += w * x * x * (of_x.tri_both - of_x.tri_p);
        h[0][1] += w * x * of_x.tri_both;
        h[0][2] -= w * x * per_total;
        h[1][1] += w * (of_x.tri_both - tri_q);
        h[1][2] += w * (1.0 / gamma - per_total);
        h[2][2] += w * (shape * per_total * per_total - q / (gamma * gamma));
    }
    for i in 0..3 {
        for j in 0..i {
            sum.curvature[i][j] = sum.curvature[j][i];
        }
    }
    sum
}

/// What of a row only depends on its frequency.
#[derive(Default)]
struct OfFrequency {
    log: f64,
    log_x: f64,
    psi_p: f64,
    psi_both: f64,
    tri_p: f64,
    tri_both: f64,
}

impl OfFrequency {
    fn new(x: f64, p: f64, q: f64) -> Self {
        let (px, both, log_x) = (p * x, p * x + q, x.ln());
        Self {
            log: ln_gamma(both) - ln_gamma(px) + px * log_x,
            log_x,
            psi_p: digamma(px),
            psi_both: digamma(both),
            tri_p: trigamma(px),
            tri_both: trigamma(both),
        }
    }
}
