//! How long contracts are renewed: the shifted-beta-geometric model.
//!
//! Fader & Hardie 2007, "How to Project Customer Retention", Journal of Interactive Marketing 21(1).
//! At each renewal a customer leaves with a probability of their own, beta(α, β) over customers.
//! Cohorts of different age are fitted together (Fader & Hardie 2010, "Customer-Base Valuation in a
//! Contractual Setting", Marketing Science 29(1)): who is still there counts with S(t).

use std::collections::BTreeMap;

use super::optimise::{self, Fit, Surface};
use super::special::{digamma, ln_gamma, trigamma};

/// Equal contracts: left at renewal `renewal` (from 1 on), or still there after so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Renewed {
    pub renewal: u32,
    pub has_left: bool,
}

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sbg {
    pub alpha: f64,
    pub beta: f64,
}

impl From<[f64; 2]> for Sbg {
    fn from([alpha, beta]: [f64; 2]) -> Self {
        Self { alpha, beta }
    }
}

/// Renewals after which a sum over the future is cut; discounting has ended it long before, unless
/// there is none.
const RENEWALS_MAX: u32 = 1_200;

impl Sbg {
    /// Share that is still there after `renewals` renewals (eq. 6, as a product of eq. 7).
    pub fn survival(&self, renewals: u32) -> f64 {
        let (both, beta) = (self.alpha + self.beta, self.beta);
        let n = f64::from(renewals);
        (ln_gamma(beta + n) - ln_gamma(beta) + ln_gamma(both) - ln_gamma(both + n)).exp()
    }

    /// Share of those there after `renewal - 1` renewals who renew once more (eq. 8).
    pub fn retention(&self, renewal: u32) -> f64 {
        let t = f64::from(renewal.max(1));
        (self.beta + t - 1.0) / (self.alpha + self.beta + t - 1.0)
    }

    /// Payments expected of one who has renewed `renewals` times and is about to be asked again,
    /// each discounted at `rate` per period, the next one not (DERL of Fader & Hardie 2010, eq. 6).
    pub fn residual_lifetime(&self, renewals: u32, rate: f64) -> f64 {
        let (mut stays, mut factor, mut sum) = (1.0, 1.0, 0.0);
        for ahead in 1..=RENEWALS_MAX {
            stays *= self.retention(renewals.saturating_add(ahead));
            let term = stays * factor;
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
            factor /= 1.0 + rate;
        }
        sum
    }

    /// Payments expected of a new customer in the first `payments`, the first at once and
    /// undiscounted: Σ S(t) / (1 + rate)^t.
    pub fn lifetime(&self, payments: u32, rate: f64) -> f64 {
        let (mut stays, mut factor, mut sum) = (1.0, 1.0, 0.0);
        for t in 0..payments.min(RENEWALS_MAX) {
            sum += stays * factor;
            stays *= self.retention(t + 1);
            factor /= 1.0 + rate;
        }
        sum
    }

    /// Logarithm of the likelihood of contracts with counts.
    pub fn of_all(&self, renewed: &BTreeMap<Renewed, u64>) -> f64 {
        log_likelihood(renewed, &[self.alpha, self.beta]).value
    }

    /// Fits to contracts with counts.
    pub fn fit(renewed: &BTreeMap<Renewed, u64>) -> Option<Fit<2>> {
        let n = renewed.values().sum();
        let starts = [[1.0, 1.0], [0.5, 4.0], [5.0, 50.0], [2.0, 0.5]];
        optimise::fit(|at| log_likelihood(renewed, at), &starts, n)
    }
}

/// Sum of the logarithms of P(T = t) (eq. 5) and S(t) (eq. 6), with derivatives by α, β.
fn log_likelihood(renewed: &BTreeMap<Renewed, u64>, at: &[f64; 2]) -> Surface<2> {
    let [alpha, beta] = *at;
    let both = alpha + beta;
    let mut sum = Surface::flat();
    let fixed = ln_gamma(both) - ln_gamma(beta);
    let (psi_both, psi_beta) = (digamma(both), digamma(beta));
    let (tri_both, tri_beta) = (trigamma(both), trigamma(beta));
    for (contract, count) in renewed {
        let (w, t) = (*count as f64, f64::from(contract.renewal));
        let left = f64::from(u8::from(contract.has_left));
        let stayed = beta + t - left;
        let all = both + t;
        sum.value += w * (left * alpha.ln() + ln_gamma(stayed) - ln_gamma(all) + fixed);
        let (psi_all, tri_all) = (digamma(all), trigamma(all));
        sum.gradient[0] += w * (left / alpha + psi_both - psi_all);
        sum.gradient[1] += w * (digamma(stayed) - psi_beta + psi_both - psi_all);
        sum.curvature[0][0] += w * (tri_both - tri_all - left / (alpha * alpha));
        sum.curvature[0][1] += w * (tri_both - tri_all);
        sum.curvature[1][1] += w * (trigamma(stayed) - tri_beta + tri_both - tri_all);
    }
    sum.curvature[1][0] = sum.curvature[0][1];
    sum
}
