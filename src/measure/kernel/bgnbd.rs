//! When customers buy who may stop without a word: the BG/NBD model.
//!
//! Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24(2).
//! While alive a customer buys at rate λ ~ gamma(r, α); after each purchase they stop with
//! probability p ~ beta(a, b). Times are in any one unit, from the first purchase on.
//!
//! The MBG/NBD model (Batislam, Denizel & Filiztekin 2007, IJRM 24(3)) lets them stop after the
//! first purchase as well: each purchase has one chance to be the last more, and the formulas are
//! the same with `early` chances more of those who stay.

use std::collections::BTreeMap;

use super::optimise::{self, Fit, Surface};
use super::special::{digamma, ln_gamma, trigamma};

/// Equal customers, as the model sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct History {
    /// `x`: purchases after the first.
    pub frequency: u32,
    /// `t_x`, in days: from the first purchase to the last.
    pub recency_days: u32,
    /// `T`, in days: from the first purchase to the end of what is known.
    pub age_days: u32,
}

/// Parameters, for times in one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

impl From<[f64; 4]> for BgNbd {
    fn from([r, alpha, a, b]: [f64; 4]) -> Self {
        Self { r, alpha, a, b }
    }
}

/// Customers with a second purchase below which nothing is fitted.
pub const REPEATERS_MIN: u64 = 30;

/// The same model, with a first purchase that may be the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MbgNbd(pub BgNbd);

impl From<[f64; 4]> for MbgNbd {
    fn from(parameters: [f64; 4]) -> Self {
        Self(BgNbd::from(parameters))
    }
}

impl MbgNbd {
    pub fn log_likelihood(&self, x: u32, recency: f64, age: f64) -> f64 {
        self.0.likelihood(x, recency, age, 1.0)
    }

    /// Probability that a customer with this history will still buy, with the slopes of its
    /// logarithm by the logarithms of r, α, a, b.
    pub fn alive(&self, x: u32, recency: f64, age: f64) -> (f64, [f64; 4]) {
        self.0.still_alive(x, recency, age, 1.0)
    }

    /// Purchases expected in `(age, age + ahead]` of one who is alive at `age`.
    pub fn expected_if_alive(&self, x: u32, age: f64, ahead: f64) -> f64 {
        self.0.ahead(x, age, ahead, 1.0)
    }

    /// Fits to histories with counts; `unit_days` is the length of one time unit.
    pub fn fit(histories: &BTreeMap<History, u64>, unit_days: f64) -> Option<Fit<4>> {
        fit(histories, unit_days, 1.0)
    }
}

impl BgNbd {
    /// Logarithm of the likelihood of one customer (eq. 6).
    pub fn log_likelihood(&self, x: u32, recency: f64, age: f64) -> f64 {
        self.likelihood(x, recency, age, 0.0)
    }

    fn likelihood(&self, x: u32, recency: f64, age: f64, early: f64) -> f64 {
        let count = f64::from(x);
        let (c, chances) = (self.r + count, count + early);
        let base = ln_gamma(c) - ln_gamma(self.r) + self.r * self.alpha.ln();
        let stays = ln_gamma(self.a + self.b) + ln_gamma(self.b + chances)
            - ln_gamma(self.b)
            - ln_gamma(self.a + self.b + chances);
        let alive = -c * (self.alpha + age).ln();
        base + stays + alive + softplus(self.log_odds_dead(x, recency, age, early))
    }

    /// Logarithm of P(stopped) / P(alive), given the history; minus infinity where nobody had a
    /// chance to stop.
    fn log_odds_dead(&self, x: u32, recency: f64, age: f64, early: f64) -> f64 {
        let chances = f64::from(x) + early;
        if chances <= 0.0 {
            return f64::NEG_INFINITY;
        }
        (self.a / (self.b + chances - 1.0)).ln()
            + (self.r + f64::from(x)) * ((self.alpha + age) / (self.alpha + recency)).ln()
    }

    /// Probability that a customer with this history will still buy
    /// (Fader, Hardie & Lee 2008, "Computing P(alive) Using the BG/NBD Model", eq. 1).
    pub fn p_alive(&self, x: u32, recency: f64, age: f64) -> f64 {
        self.alive(x, recency, age).0
    }

    /// The same with the slopes of its logarithm by the logarithms of r, α, a, b.
    pub fn alive(&self, x: u32, recency: f64, age: f64) -> (f64, [f64; 4]) {
        self.still_alive(x, recency, age, 0.0)
    }

    fn still_alive(&self, x: u32, recency: f64, age: f64, early: f64) -> (f64, [f64; 4]) {
        let chances = f64::from(x) + early;
        if chances <= 0.0 {
            return (1.0, [0.0; 4]);
        }
        let (at_end, at_last) = (self.alpha + age, self.alpha + recency);
        let c = self.r + f64::from(x);
        let alive = 1.0 / (1.0 + self.log_odds_dead(x, recency, age, early).exp());
        let odds = [
            self.r * (at_end / at_last).ln(),
            self.alpha * c * (1.0 / at_end - 1.0 / at_last),
            1.0,
            -self.b / (self.b + chances - 1.0),
        ];
        (alive, odds.map(|slope| (alive - 1.0) * slope))
    }

    /// Purchases expected in `(age, age + ahead]` of a customer with this history (eq. 10).
    pub fn expected(&self, x: u32, recency: f64, age: f64, ahead: f64) -> f64 {
        self.p_alive(x, recency, age) * self.expected_if_alive(x, age, ahead)
    }

    /// The same of one who is alive at `age`; it does not depend on when they last bought.
    ///
    /// The paper's form has a Gauss hypergeometric function over `a - 1`, which loses all digits
    /// near `a = 1`. With `w = ahead / (α + age + ahead)` the same expectation is
    /// `Σ_{j≥0} P(N > j) · E[q^j]`, where N is negative binomial(r + x, w) and q, the
    /// probability to stay, beta(b + x, a): N counts the purchases were nobody to stop, and the
    /// (j + 1)-th of them takes place when the j before it did not end it. All terms are positive.
    pub fn expected_if_alive(&self, x: u32, age: f64, ahead: f64) -> f64 {
        self.ahead(x, age, ahead, 0.0)
    }

    fn ahead(&self, x: u32, age: f64, ahead: f64, early: f64) -> f64 {
        if ahead <= 0.0 {
            return 0.0;
        }
        let count = f64::from(x);
        let (shape, stay) = (self.r + count, self.b + count + early);
        let w = ahead / (self.alpha + age + ahead);
        // P(N = 0), and P(N > 0) without cancellation.
        let log_none = shape * (-w).ln_1p();
        let (mut log_mass, mut mass) = (log_none, log_none.exp());
        let mut above = -log_none.exp_m1();
        let (mut stayed, mut sum) = (1.0, 0.0);
        for j in 0..TERMS_MAX {
            let n = f64::from(j);
            let term = above * stayed;
            sum += term;
            let ratio = (shape + n) / (n + 1.0) * w;
            if above <= TAIL || (ratio < 1.0 && term < sum * 1e-17 * (1.0 - ratio)) {
                break;
            }
            if mass > f64::MIN_POSITIVE {
                mass *= ratio;
            } else {
                // The first masses of a frequent buyer are below any float; walk in logarithms.
                log_mass += ratio.ln();
                mass = log_mass.exp();
            }
            above = (above - mass).max(0.0);
            stayed *= (stay + n) / (self.a + stay + n);
        }
        sum
    }

    /// Fits to histories with counts; `unit_days` is the length of one time unit.
    pub fn fit(histories: &BTreeMap<History, u64>, unit_days: f64) -> Option<Fit<4>> {
        fit(histories, unit_days, 0.0)
    }
}

fn fit(histories: &BTreeMap<History, u64>, unit_days: f64, early: f64) -> Option<Fit<4>> {
    let prepared = Prepared::new(histories, unit_days, early);
    let mean_age = prepared.mean_age.max(f64::MIN_POSITIVE);
    // Rates around one purchase per life watched; stopping rare, even and frequent.
    let starts = [
        [0.5, mean_age / 4.0, 0.8, 2.5],
        [1.0, mean_age / 2.0, 0.1, 2.0],
        [0.2, mean_age / 10.0, 1.0, 1.0],
        [2.0, mean_age, 0.5, 8.0],
    ];
    optimise::fit(|at| prepared.log_likelihood(at), &starts, prepared.n)
}

/// Terms of a series before it is cut; reached only where the horizon is ten thousand times the
/// time scale of the model.
const TERMS_MAX: u32 = 200_000;
/// Chance of more purchases below which they add nothing.
const TAIL: f64 = 1e-15;

/// `ln(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// A distinct history as places in the tables of [`Prepared`].
struct Row {
    x: u32,
    recency: u32,
    age: u32,
    count: f64,
}

/// Histories cut up so that a pass takes one exponential and one logarithm a distinct one.
struct Prepared {
    /// With a chance to stop; the others are in `single`.
    rows: Vec<Row>,
    /// Index of age, count: customers who had no chance to stop.
    single: Vec<(u32, f64)>,
    times: Vec<f64>,
    /// Distinct frequencies with how many customers have them.
    frequencies: Vec<(f64, f64)>,
    mean_age: f64,
    n: u64,
    /// Chances to stop before the first repeat.
    early: f64,
}

impl Prepared {
    fn new(histories: &BTreeMap<History, u64>, unit_days: f64, early: f64) -> Self {
        let mut days: Vec<u32> =
            histories.keys().flat_map(|h| [h.recency_days, h.age_days]).collect();
        days.sort_unstable();
        days.dedup();
        let place = |day: u32| index(days.partition_point(|known| *known < day));
        let mut frequencies: BTreeMap<u32, u64> = BTreeMap::new();
        for (history, count) in histories {
            *frequencies.entry(history.frequency).or_default() += count;
        }
        let known: Vec<u32> = frequencies.keys().copied().collect();
        let (mut rows, mut single) = (Vec::new(), Vec::new());
        let (mut n, mut ages) = (0, 0.0);
        for (history, count) in histories {
            let (age, weight) = (place(history.age_days), *count as f64);
            n += count;
            ages += f64::from(history.age_days) * weight;
            if history.frequency == 0 && early <= 0.0 {
                single.push((age, weight));
            } else {
                let x = index(known.partition_point(|x| *x < history.frequency));
                rows.push(Row { x, recency: place(history.recency_days), age, count: weight });
            }
        }
        Self {
            rows,
            single,
            times: days.iter().map(|day| f64::from(*day) / unit_days).collect(),
            frequencies: frequencies.iter().map(|(x, n)| (f64::from(*x), *n as f64)).collect(),
            mean_age: ages / unit_days / (n.max(1)) as f64,
            n,
            early,
        }
    }

    /// Sum over all customers of the logarithm of eq. 6, with its derivatives by r, α, a, b.
    fn log_likelihood(&self, at: &[f64; 4]) -> Surface<4> {
        let [r, alpha, a, b] = *at;
        let mut sum = self.of_frequencies(at);
        let scaled: Vec<(f64, f64)> =
            self.times.iter().map(|t| ((alpha + t).ln(), 1.0 / (alpha + t))).collect();
        for (age, count) in &self.single {
            let (log, inverse) = scaled[*age as usize];
            sum.value -= count * r * log;
            sum.gradient[0] -= count * log;
            sum.gradient[1] -= count * r * inverse;
            sum.curvature[0][1] -= count * inverse;
            sum.curvature[1][1] += count * r * inverse * inverse;
        }
        // Per frequency: r + x, and with c chances to stop 1 / (b + c - 1) and ln(a / (b + c - 1)).
        let per_x: Vec<(f64, f64, f64)> = self
            .frequencies
            .iter()
            .map(|(x, _)| {
                let others = b + x + self.early - 1.0;
                (r + x, 1.0 / others, (a / others).ln())
            })
            .collect();
        let per_a = 1.0 / a;
        for row in &self.rows {
            let (c, per_b, log_stop) = per_x[row.x as usize];
            let (log_age, per_age) = scaled[row.age as usize];
            let (log_recency, per_recency) = scaled[row.recency as usize];
            let odds = log_stop + c * (log_age - log_recency);
            let small = (-odds.abs()).exp();
            let dead = if odds > 0.0 { 1.0 } else { small } / (1.0 + small);
            let (alive, both) = (1.0 - dead, dead * (1.0 - dead));
            let w = row.count;
            sum.value += w * (odds.max(0.0) + small.ln_1p() - c * log_age);
            // Derivatives of the log-odds.
            let o = [log_age - log_recency, c * (per_age - per_recency), per_a, -per_b];
            let per_time = alive * per_age + dead * per_recency;
            sum.gradient[0] += w * (dead * o[0] - log_age);
            sum.gradient[1] -= w * c * per_time;
            sum.gradient[2] += w * dead * per_a;
            sum.gradient[3] -= w * dead * per_b;
            let h = &mut sum.curvature;
            h[0][0] += w * both * o[0] * o[0];
            h[0][1] += w * (both * o[0] * o[1] - per_time);
            h[0][2] += w * both * o[0] * o[2];
            h[0][3] += w * both * o[0] * o[3];
            let squares = alive * per_age * per_age + dead * per_recency * per_recency;
            h[1][1] += w * (both * o[1] * o[1] + c * squares);
            h[1][2] += w * both * o[1] * o[2];
            h[1][3] += w * both * o[1] * o[3];
            h[2][2] += w * (both - dead) * per_a * per_a;
            h[2][3] += w * both * o[2] * o[3];
            h[3][3] += w * (both + dead) * per_b * per_b;
        }
        for i in 0..4 {
            for j in 0..i {
                sum.curvature[i][j] = sum.curvature[j][i];
            }
        }
        sum
    }

    /// The factors of eq. 6 that only depend on x.
    fn of_frequencies(&self, at: &[f64; 4]) -> Surface<4> {
        let [r, alpha, a, b] = *at;
        let mut sum = Surface::flat();
        let fixed = ln_gamma(a + b) - ln_gamma(b) - ln_gamma(r) + r * alpha.ln();
        let (psi_r, psi_b, psi_ab) = (digamma(r), digamma(b), digamma(a + b));
        let (tri_r, tri_b, tri_ab) = (trigamma(r), trigamma(b), trigamma(a + b));
        for (x, n) in &self.frequencies {
            let stays = b + x + self.early;
            let all = a + stays;
            sum.value += n * (fixed + ln_gamma(r + x) + ln_gamma(stays) - ln_gamma(all));
            let (psi_abx, tri_abx) = (digamma(all), trigamma(all));
            sum.gradient[0] += n * (digamma(r + x) - psi_r + alpha.ln());
            sum.gradient[1] += n * r / alpha;
            sum.gradient[2] += n * (psi_ab - psi_abx);
            sum.gradient[3] += n * (psi_ab - psi_abx + digamma(stays) - psi_b);
            sum.curvature[0][0] += n * (trigamma(r + x) - tri_r);
            sum.curvature[0][1] += n / alpha;
            sum.curvature[1][1] -= n * r / (alpha * alpha);
            sum.curvature[2][2] += n * (tri_ab - tri_abx);
            sum.curvature[2][3] += n * (tri_ab - tri_abx);
            sum.curvature[3][3] += n * (tri_ab - tri_abx + trigamma(stays) - tri_b);
        }
        sum
    }
}

/// Places are fewer than the days and purchases of a life.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
