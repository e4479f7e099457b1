//! When customers buy who may stop at any time: the Pareto/NBD model.
//!
//! Schmittlein, Morrison & Colombo 1987, "Counting Your Customers", Management Science 33(1), in
//! the form of Fader & Hardie 2005, "A Note on Deriving the Pareto/NBD Model". While alive a
//! customer buys at rate λ ~ gamma(r, α) and dies at rate μ ~ gamma(s, β).
//!
//! The note's likelihood is a difference of two Gauss hypergeometric functions, which cancels for
//! frequent buyers. The same is an integral over the day of death in which all is positive:
//! `α^r β^s Γ(r+x)/Γ(r) · [ (α+T)^-(r+x) (β+T)^-s + s ∫ (α+τ)^-(r+x) (β+τ)^-(s+1) dτ ]`, τ from `t_x`
//! to `T`. It is summed by Gauss's rule on panels short enough for the fastest of its powers, and so
//! are its derivatives.

use std::collections::BTreeMap;

use super::bgnbd::History;
use super::optimise::{self, Fit, Surface};
use super::special::{digamma, ln_gamma, trigamma};

/// Parameters, for times in one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoNbd {
    pub r: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
}

impl From<[f64; 4]> for ParetoNbd {
    fn from([r, alpha, s, beta]: [f64; 4]) -> Self {
        Self { r, alpha, s, beta }
    }
}

/// Nodes and weights of Gauss's rule with 8 points on (−1, 1), the positive half.
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];
/// Panels of one integral; reached only by parameters far from any data.
const PANELS_MAX: u32 = 400;
/// Longest panel, in the logarithm of time.
const PANEL_MAX: f64 = 0.7;

/// What of one history's likelihood depends on when the customer died: the logarithm of each part,
/// with the time it belongs to. The last part is: not yet.
#[derive(Debug, Default)]
struct Parts(Vec<(f64, f64)>);

impl ParetoNbd {
    fn parts(&self, x: u32, recency: f64, age: f64, parts: &mut Parts) {
        let (c, least) = (self.r + f64::from(x), self.alpha.min(self.beta));
        let (mut from, end) = ((least + recency).ln(), (least + age).ln());
        parts.0.clear();
        let mut greatest = f64::NEG_INFINITY;
        for _ in 0..PANELS_MAX {
            if from >= end {
                break;
            }
            let at = from.exp();
            let time = at - least;
            let rate = c * at / (self.alpha + time) + (self.s + 1.0) * at / (self.beta + time);
            let half = (end - from).min(PANEL_MAX).min(2.0 / (rate + 1.0)) / 2.0;
            let mut highest = f64::NEG_INFINITY;
            for (node, weight) in GAUSS {
                for middle in [-node, node] {
                    let log_at = from + half * (1.0 + middle);
                    let time = log_at.exp() - least;
                    let part = (weight * half * self.s).ln() + log_at
                        - c * (self.alpha + time).ln()
                        - (self.s + 1.0) * (self.beta + time).ln();
                    highest = highest.max(part);
                    parts.0.push((part, time));
                }
            }
            greatest = greatest.max(highest);
            from += 2.0 * half;
            // The rest falls faster than it gets longer.
            if highest < greatest - 42.0 {
                break;
            }
        }
        let alive = -c * (self.alpha + age).ln() - self.s * (self.beta + age).ln();
        parts.0.push((alive, age));
    }

    /// Logarithm of the likelihood of one customer (eq. 17 of the note).
    pub fn log_likelihood(&self, x: u32, recency: f64, age: f64) -> f64 {
        let mut parts = Parts::default();
        self.parts(x, recency, age, &mut parts);
        self.fixed(x) + log_sum(&parts.0)
    }

    fn fixed(&self, x: u32) -> f64 {
        ln_gamma(self.r + f64::from(x)) - ln_gamma(self.r)
            + self.r * self.alpha.ln()
            + self.s * self.beta.ln()
    }

    /// Probability that a customer with this history will still buy, with the slopes of its
    /// logarithm by the logarithms of r, α, s, β.
    pub fn alive(&self, x: u32, recency: f64, age: f64) -> (f64, [f64; 4]) {
        let mut parts = Parts::default();
        self.parts(x, recency, age, &mut parts);
        let Some(((alive, _), _)) = parts.0.split_last() else { return (1.0, [0.0; 4]) };
        let alive = (alive - log_sum(&parts.0)).exp();
        let mut mean = Surface::flat();
        self.mean(x, &parts, &mut mean);
        let (own, _) = self.slopes(x, age, true);
        let at = [self.r, self.alpha, self.s, self.beta];
        (alive, std::array::from_fn(|i| (own[i] - mean.gradient[i]) * at[i]))
    }

    /// Purchases expected in `(age, age + ahead]` of one who is alive at `age` (eq. 41 of the note,
    /// without P(alive)).
    pub fn expected_if_alive(&self, x: u32, age: f64, ahead: f64) -> f64 {
        let (rate, left) = ((self.r + f64::from(x)) / (self.alpha + age), self.s - 1.0);
        let shrink = -(ahead / (self.beta + age)).ln_1p();
        // (1 − q^(s−1)) / (s − 1), which is −ln q at s = 1.
        let years = if left.abs() < 1e-9 { -shrink } else { -(left * shrink).exp_m1() / left };
        rate * (self.beta + age) * years
    }

    /// First and second derivatives of the logarithm of a part.
    fn slopes(&self, x: u32, time: f64, is_alive: bool) -> ([f64; 4], [[f64; 4]; 4]) {
        let (c, per_a, per_b) =
            (self.r + f64::from(x), 1.0 / (self.alpha + time), 1.0 / (self.beta + time));
        let (power, per_s) = if is_alive { (self.s, 0.0) } else { (self.s + 1.0, 1.0 / self.s) };
        let first = [
            -(self.alpha + time).ln(),
            -c * per_a,
            per_s - (self.beta + time).ln(),
            -power * per_b,
        ];
        let mut second = [[0.0; 4]; 4];
        second[0][1] = -per_a;
        second[1][0] = -per_a;
        second[1][1] = c * per_a * per_a;
        second[2][2] = -per_s * per_s;
        second[2][3] = -per_b;
        second[3][2] = -per_b;
        second[3][3] = power * per_b * per_b;
        (first, second)
    }

    /// Logarithm of the sum of all parts with its derivatives.
    fn mean(&self, x: u32, parts: &Parts, sum: &mut Surface<4>) {
        let total = log_sum(&parts.0);
        let last = parts.0.len().saturating_sub(1);
        let mut moments = [[0.0; 4]; 4];
        *sum = Surface::flat();
        sum.value = total;
        for (place, (log, time)) in parts.0.iter().enumerate() {
            let weight = (log - total).exp();
            if weight < 1e-18 {
                continue;
            }
            let (first, second) = self.slopes(x, *time, place == last);
            for i in 0..4 {
                sum.gradient[i] += weight * first[i];
                for j in 0..4 {
                    moments[i][j] += weight * (first[i] * first[j] + second[i][j]);
                }
            }
        }
        let means = sum.gradient;
        for ((row, moments), mean) in sum.curvature.iter_mut().zip(moments).zip(means) {
            for ((cell, moment), other) in row.iter_mut().zip(moments).zip(means) {
                *cell = moment - mean * other;
            }
        }
    }

    /// Fits to histories with counts; `unit_days` is the length of one time unit.
    pub fn fit(histories: &BTreeMap<History, u64>, unit_days: f64) -> Option<Fit<4>> {
        let n: u64 = histories.values().sum();
        let ages = histories.iter().map(|(h, count)| f64::from(h.age_days) * *count as f64);
        let mean_age = (ages.sum::<f64>() / unit_days / n.max(1) as f64).max(f64::MIN_POSITIVE);
        let starts = [
            [0.5, mean_age / 4.0, 0.5, mean_age / 3.0],
            [1.0, mean_age / 2.0, 1.0, mean_age],
            [0.2, mean_age / 10.0, 0.3, mean_age / 5.0],
        ];
        optimise::fit(|at| log_likelihood(histories, unit_days, at), &starts, n)
    }
}

fn log_sum(parts: &[(f64, f64)]) -> f64 {
    let greatest = parts.iter().fold(f64::NEG_INFINITY, |most, part| most.max(part.0));
    greatest + parts.iter().map(|part| (part.0 - greatest).exp()).sum::<f64>().ln()
}

/// Sum over all customers, with derivatives by r, α, s, β.
fn log_likelihood(histories: &BTreeMap<History, u64>, unit_days: f64, at: &[f64; 4]) -> Surface<4> {
    let model = ParetoNbd::from(*at);
    let [r, alpha, s, beta] = *at;
    let (mut sum, mut own, mut parts) = (Surface::flat(), Surface::flat(), Parts::default());
    let (psi_r, tri_r) = (digamma(r), trigamma(r));
    for (history, count) in histories {
        let (x, w) = (history.frequency, *count as f64);
        let time = |days: u32| f64::from(days) / unit_days;
        model.parts(x, time(history.recency_days), time(history.age_days), &mut parts);
        model.mean(x, &parts, &mut own);
        let c = r + f64::from(x);
        sum.value += w * (own.value + model.fixed(x));
        sum.gradient[0] += w * (digamma(c) - psi_r + alpha.ln());
        sum.gradient[1] += w * r / alpha;
        sum.gradient[2] += w * beta.ln();
        sum.gradient[3] += w * s / beta;
        sum.curvature[0][0] += w * (trigamma(c) - tri_r);
        sum.curvature[0][1] += w / alpha;
        sum.curvature[1][0] += w / alpha;
        sum.curvature[1][1] -= w * r / (alpha * alpha);
        sum.curvature[2][3] += w / beta;
        sum.curvature[3][2] += w / beta;
        sum.curvature[3][3] -= w * s / (beta * beta);
        for i in 0..4 {
            sum.gradient[i] += w * own.gradient[i];
            for j in 0..4 {
                sum.curvature[i][j] += w * own.curvature[i][j];
            }
        }
    }
    sum
}
