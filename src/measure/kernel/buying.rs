//! The models of when customers buy, behind one set of questions.

use std::collections::BTreeMap;

use super::bgnbd::{BgNbd, History, MbgNbd};
use super::optimise::Fit;
use super::pareto::ParetoNbd;

/// Which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    BgNbd,
    MbgNbd,
    ParetoNbd,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::BgNbd => "bg_nbd",
            Self::MbgNbd => "mbg_nbd",
            Self::ParetoNbd => "pareto_nbd",
        }
    }

    /// Names of the parameters, in order.
    pub fn parameters(self) -> [&'static str; 4] {
        match self {
            Self::BgNbd | Self::MbgNbd => ["r", "alpha", "a", "b"],
            Self::ParetoNbd => ["r", "alpha", "s", "beta"],
        }
    }

    /// Fits to histories with counts; `unit_days` is the length of one time unit.
    pub fn fit(self, histories: &BTreeMap<History, u64>, unit_days: f64) -> Option<Fit<4>> {
        match self {
            Self::BgNbd => BgNbd::fit(histories, unit_days),
            Self::MbgNbd => MbgNbd::fit(histories, unit_days),
            Self::ParetoNbd => ParetoNbd::fit(histories, unit_days),
        }
    }

    pub fn with(self, parameters: [f64; 4]) -> Buying {
        match self {
            Self::BgNbd => Buying::BgNbd(BgNbd::from(parameters)),
            Self::MbgNbd => Buying::MbgNbd(MbgNbd::from(parameters)),
            Self::ParetoNbd => Buying::ParetoNbd(ParetoNbd::from(parameters)),
        }
    }
}

/// A model with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Buying {
    BgNbd(BgNbd),
    MbgNbd(MbgNbd),
    ParetoNbd(ParetoNbd),
}

impl Buying {
    /// Of all histories with their counts; `unit_days` is the length of one time unit.
    pub fn log_likelihood(&self, histories: &BTreeMap<History, u64>, unit_days: f64) -> f64 {
        let of = |(history, count): (&History, &u64)| {
            let time = |days: u32| f64::from(days) / unit_days;
            let (x, recency, age) =
                (history.frequency, time(history.recency_days), time(history.age_days));
            let one = match self {
                Self::BgNbd(model) => model.log_likelihood(x, recency, age),
                Self::MbgNbd(model) => model.log_likelihood(x, recency, age),
                Self::ParetoNbd(model) => model.log_likelihood(x, recency, age),
            };
            *count as f64 * one
        };
        histories.iter().map(of).sum()
    }

    /// Probability that a customer with this history will still buy, with the slopes of its
    /// logarithm by the logarithms of the parameters.
    pub fn alive(&self, x: u32, recency: f64, age: f64) -> (f64, [f64; 4]) {
        match self {
            Self::BgNbd(model) => model.alive(x, recency, age),
            Self::MbgNbd(model) => model.alive(x, recency, age),
            Self::ParetoNbd(model) => model.alive(x, recency, age),
        }
    }

    /// Purchases expected in `(age, age + ahead]` of one who is alive at `age`.
    pub fn expected_if_alive(&self, x: u32, age: f64, ahead: f64) -> f64 {
        match self {
            Self::BgNbd(model) => model.expected_if_alive(x, age, ahead),
            Self::MbgNbd(model) => model.expected_if_alive(x, age, ahead),
            Self::ParetoNbd(model) => model.expected_if_alive(x, age, ahead),
        }
    }
}
