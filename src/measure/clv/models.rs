//! The models of a day: when customers buy, and for how much.

use std::collections::BTreeMap;

use super::{Bought, Terms};
use crate::measure::kernel::bgnbd::{BgNbd, History, REPEATERS_MIN};
use crate::measure::kernel::gamma_gamma::{GammaGamma, Spend};
use crate::measure::kernel::optimise::Fit;

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Fitted,
    /// Fewer customers with a second purchase than [`REPEATERS_MIN`].
    TooFewRepeaters,
    /// The gradient did not vanish from any start.
    NotConverged,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::TooFewRepeaters => "too_few_repeaters",
            Self::NotConverged => "not_converged",
        }
    }
}

/// A fit with how it went; parameters of one that failed are used nowhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted<const N: usize> {
    pub status: Status,
    pub fit: Option<Fit<N>>,
    pub n_customers: u64,
    pub n_distinct: usize,
}

impl<const N: usize> Fitted<N> {
    fn of<K: Ord>(
        counts: &BTreeMap<K, u64>,
        repeaters: u64,
        fit: impl Fn() -> Option<Fit<N>>,
    ) -> Self {
        let fit = if repeaters < REPEATERS_MIN { None } else { fit() };
        let status = match &fit {
            _ if repeaters < REPEATERS_MIN => Status::TooFewRepeaters,
            Some(fit) if fit.is_converged => Status::Fitted,
            _ => Status::NotConverged,
        };
        let (n_customers, n_distinct) = (counts.values().sum(), counts.len());
        Self { status, fit, n_customers, n_distinct }
    }

    /// The parameters, of a fit that can be used.
    pub fn parameters(&self) -> Option<[f64; N]> {
        let fit = self.fit.as_ref().filter(|_| self.status == Status::Fitted)?;
        Some(fit.parameters)
    }
}

/// BG/NBD and Gamma–Gamma as fitted to all customers of a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    pub bg_nbd: Fitted<4>,
    pub gamma_gamma: Fitted<3>,
}

impl Models {
    pub fn fit(customers: &[Bought], terms: &Terms) -> Self {
        let mut histories: BTreeMap<History, u64> = BTreeMap::new();
        let mut spends: BTreeMap<Spend, u64> = BTreeMap::new();
        for customer in customers {
            let Some(history) = customer.history else { continue };
            *histories.entry(history).or_default() += 1;
            // The gamma distribution knows no free purchases.
            if history.frequency > 0 && customer.repeat_value > 0 {
                let spend = Spend { frequency: history.frequency, total: customer.repeat_value };
                *spends.entry(spend).or_default() += 1;
            }
        }
        let repeats =
            |(history, count): (&History, &u64)| (history.frequency > 0).then_some(*count);
        let repeaters = histories.iter().filter_map(repeats).sum();
        let buyers: u64 = spends.values().sum();
        let unit = f64::from(terms.unit_days);
        Self {
            bg_nbd: Fitted::of(&histories, repeaters, || BgNbd::fit(&histories, unit)),
            gamma_gamma: Fitted::of(&spends, buyers, || GammaGamma::fit(&spends)),
        }
    }

    pub fn buying(&self) -> Option<BgNbd> {
        self.bg_nbd.parameters().map(BgNbd::from)
    }

    pub fn spending(&self) -> Option<GammaGamma> {
        self.gamma_gamma.parameters().map(GammaGamma::from)
    }
}
