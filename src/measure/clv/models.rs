//! The models of a day: when customers buy, for how much, and how long they renew.

use std::collections::BTreeMap;

use super::people::{Bought, Contract, Held};
use super::reference::{ALL, RENEWING, Reference, SPENDING};
use super::{Segments, Terms};
use crate::measure::kernel::bgnbd::{History, REPEATERS_MIN};
use crate::measure::kernel::buying::{Buying, Kind};
use crate::measure::kernel::gamma_gamma::{GammaGamma, Spend};
use crate::measure::kernel::optimise::Fit;
use crate::measure::kernel::sbg::{Renewed, Sbg};
use crate::measure::kernel::special::chi_square_quantile;

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Fitted,
    /// Fewer customers with a second purchase, or contracts that left, than a fit needs.
    TooFew(&'static str),
    /// The gradient did not vanish from any start.
    NotConverged,
    /// The same, and the parameters of the reference stand in.
    Reference,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::TooFew(who) => who,
            Self::NotConverged => "not_converged",
            Self::Reference => "reference",
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
    /// Parameters of the first fit there was.
    pub reference: Option<[f64; N]>,
    /// What of the mean log-likelihood of a customer the reference gives away.
    pub reference_loss: Option<f64>,
}

/// Chance of a false alarm in the drift gate, were customers all alike.
const ALARM: f64 = 0.001;

impl<const N: usize> Fitted<N> {
    fn of<K: Ord>(
        counts: &BTreeMap<K, u64>,
        (telling, least, too_few): (u64, u64, &'static str),
        fit: impl Fn() -> Option<Fit<N>>,
    ) -> Self {
        let fit = if telling < least { None } else { fit() };
        let status = match &fit {
            _ if telling < least => Status::TooFew(too_few),
            Some(fit) if fit.is_converged => Status::Fitted,
            _ => Status::NotConverged,
        };
        let (n_customers, n_distinct) = (counts.values().sum(), counts.len());
        Self { status, fit, n_customers, n_distinct, reference: None, reference_loss: None }
    }

    /// Beside the parameters of the reference, by whose log-likelihood of the same customers they
    /// are compared.
    fn beside(mut self, reference: Option<[f64; N]>, of: impl Fn([f64; N]) -> f64) -> Self {
        self.reference = reference;
        self.reference_loss = self.usable().zip(reference).map(|(fit, reference)| {
            (fit.log_likelihood - of(reference)) / self.n_customers.max(1) as f64
        });
        if self.status == Status::NotConverged && reference.is_some() {
            self.status = Status::Reference;
        }
        self
    }

    /// Whether customers have become others than those the reference was fitted to: its loss is
    /// above what the job bears, and above chance. Twice the loss of all is chi-square when nothing
    /// changed; the reference is a sample itself, so that counts double.
    pub fn has_drifted(&self, drift_max: f64) -> Option<bool> {
        let loss = self.reference_loss?;
        let chance = chi_square_quantile(1.0 - ALARM, N as f64);
        Some(loss > drift_max && loss * self.n_customers as f64 > chance)
    }

    /// The fit, if it can be used.
    pub fn usable(&self) -> Option<&Fit<N>> {
        self.fit.as_ref().filter(|_| self.status == Status::Fitted)
    }

    /// The parameters, of a fit that can be used or of the reference in its place.
    pub fn parameters(&self) -> Option<[f64; N]> {
        let reference = self.reference.filter(|_| self.status == Status::Reference);
        self.usable().map(|fit| fit.parameters).or(reference)
    }
}

/// A model of buying and Gamma–Gamma as fitted to one group of customers.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    pub kind: Kind,
    pub bought: Fitted<4>,
    pub spent: Fitted<3>,
}

impl Models {
    /// Fits to what was known of customers: their histories and the value of their repeats.
    pub fn fit(
        known: &[(History, i64)],
        terms: &Terms,
        least: u64,
        (segment, reference): (&str, &Reference),
    ) -> Self {
        let mut histories: BTreeMap<History, u64> = BTreeMap::new();
        let mut spends: BTreeMap<Spend, u64> = BTreeMap::new();
        for (history, repeat_value) in known {
            *histories.entry(*history).or_default() += 1;
            // The gamma distribution knows no free purchases.
            if history.frequency > 0 && *repeat_value > 0 {
                let spend = Spend { frequency: history.frequency, total: *repeat_value };
                *spends.entry(spend).or_default() += 1;
            }
        }
        let repeats =
            |(history, count): (&History, &u64)| (history.frequency > 0).then_some(*count);
        let repeaters = histories.iter().filter_map(repeats).sum();
        let buyers: u64 = spends.values().sum();
        let unit = f64::from(terms.unit_days);
        let kind = terms.model;
        let needs = |telling| (telling, least, "too_few_repeaters");
        let bought = Fitted::of(&histories, needs(repeaters), || kind.fit(&histories, unit));
        let spent = Fitted::of(&spends, needs(buyers), || GammaGamma::fit(&spends));
        let buying = reference.parameters(segment, (kind.name(), kind.parameters()), terms);
        let spending = reference.parameters(segment, SPENDING, terms);
        Self {
            kind,
            bought: bought.beside(buying, |at| kind.with(at).log_likelihood(&histories, unit)),
            spent: spent.beside(spending, |at| GammaGamma::from(at).of_all(&spends)),
        }
    }

    pub fn buying(&self) -> Option<Buying> {
        self.bought.parameters().map(|parameters| self.kind.with(parameters))
    }

    pub fn spending(&self) -> Option<GammaGamma> {
        self.spent.parameters().map(GammaGamma::from)
    }
}

/// All fits of a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Fits {
    pub all: Models,
    /// Groups with enough customers for a fit of their own, by name.
    pub segments: BTreeMap<String, Models>,
    pub renewing: Fitted<2>,
}

impl Fits {
    pub fn new(
        customers: &[Bought],
        contracts: &[Contract],
        reference: &Reference,
        terms: &Terms,
    ) -> Self {
        let known = |bought: &Bought| Some((bought.history?, bought.repeat_value));
        let all: Vec<_> = customers.iter().filter_map(known).collect();
        let mut groups: BTreeMap<String, Vec<(History, i64)>> = BTreeMap::new();
        for customer in customers {
            if let (Some(name), Some(known)) = (segment(customer, terms), known(customer)) {
                groups.entry(name).or_default().push(known);
            }
        }
        let least = terms.segment_min.max(REPEATERS_MIN);
        let is_large = |known: &Vec<(History, i64)>| {
            let repeaters = known.iter().filter(|(history, _)| history.frequency > 0);
            repeaters.count() as u64 >= least
        };
        groups.retain(|_, known| is_large(known));
        let fit = |(name, known): (String, Vec<_>)| {
            let models = Models::fit(&known, terms, least, (&name, reference));
            (name, models)
        };
        Self {
            all: Models::fit(&all, terms, REPEATERS_MIN, (ALL, reference)),
            segments: groups.into_iter().map(fit).collect(),
            renewing: renewing(contracts, reference, terms),
        }
    }

    /// The models of a customer's group: its own where they can be used, else those of all.
    pub fn group(&self, customer: &Bought, terms: &Terms) -> (&str, &Models) {
        let name = segment(customer, terms);
        let own = name.and_then(|name| self.segments.get_key_value(&name));
        let own = own.filter(|(_, models)| models.buying().is_some());
        own.map_or((ALL, &self.all), |(name, models)| (name.as_str(), models))
    }
}

/// The group a customer is fitted with.
fn segment(customer: &Bought, terms: &Terms) -> Option<String> {
    let (dimension, value) = match terms.segments {
        Segments::None => return None,
        Segments::AcquisitionChannel => ("acquisition_channel", &customer.channel),
        Segments::Country => ("country", &customer.country),
    };
    value.as_ref().map(|value| format!("{dimension}={value}"))
}

fn renewing(contracts: &[Contract], reference: &Reference, terms: &Terms) -> Fitted<2> {
    let mut counts: BTreeMap<Renewed, u64> = BTreeMap::new();
    for contract in contracts {
        *counts.entry(contract.renewed).or_default() += 1;
    }
    let left = |(renewed, count): (&Renewed, &u64)| renewed.has_left.then_some(*count);
    let leavers = counts.iter().filter_map(left).sum();
    Fitted::of(&counts, (leavers, REPEATERS_MIN, "too_few_leavers"), || Sbg::fit(&counts))
        .beside(reference.parameters(ALL, RENEWING, terms), |at| Sbg::from(at).of_all(&counts))
}

/// The models as they would have been fitted on the day of the backtest.
pub fn held_out(held: &[&Held], terms: &Terms) -> Models {
    let known: Vec<_> = held.iter().map(|held| (held.history, held.repeat_value)).collect();
    Models::fit(&known, terms, REPEATERS_MIN, (ALL, &Reference::default()))
}
