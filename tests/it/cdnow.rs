//! The data set of the papers: fits, predictions and values must be what was published, and what
//! lifetimes 0.11.3 says of the same customers.

use std::collections::BTreeMap;

use cxmart::measure::kernel::bgnbd::History;
use cxmart::measure::kernel::buying::{Buying, Kind};
use cxmart::measure::kernel::gamma_gamma::{GammaGamma, Spend};

const FILE: &str = include_str!("cdnow.txt");
/// Days of a week: the time unit of the papers.
const WEEK: f64 = 7.0;

/// Histories with counts, and the mean value of a repeat in cents of those who have one.
struct Cdnow {
    histories: BTreeMap<History, u64>,
    repeaters: Vec<(History, i64)>,
}

fn cdnow() -> Cdnow {
    let (mut histories, mut repeaters) = (BTreeMap::new(), Vec::new());
    for line in FILE.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<u32> =
            line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        if let [age_days, customers] = words[..] {
            let history = History { frequency: 0, recency_days: 0, age_days };
            *histories.entry(history).or_default() += u64::from(customers);
        } else if let [frequency, recency_days, age_days, cents] = words[..] {
            let history = History { frequency, recency_days, age_days };
            *histories.entry(history).or_default() += 1;
            repeaters.push((history, i64::from(cents)));
        }
    }
    assert_eq!(histories.values().sum::<u64>(), 2_357);
    Cdnow { histories, repeaters }
}

#[track_caller]
fn relative(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance * wanted.abs(), "got {got}, wanted {wanted}");
}

fn weeks(days: u32) -> f64 {
    f64::from(days) / WEEK
}

/// Purchases expected in the next `ahead` weeks.
fn expected(model: &Buying, of: History, ahead: f64) -> f64 {
    let (alive, _) = model.alive(of.frequency, weeks(of.recency_days), weeks(of.age_days));
    alive * model.expected_if_alive(of.frequency, weeks(of.age_days), ahead)
}

#[test]
fn the_papers_customers_are_fitted_as_published() {
    let Cdnow { histories, .. } = cdnow();
    for (kind, parameters, log_likelihood) in [
        (Kind::BgNbd, [0.2426, 4.4136, 0.7929, 2.4259], -9582.429),
        (Kind::MbgNbd, [0.5248, 6.183, 0.8914, 1.614], -9582.133),
        (Kind::ParetoNbd, [0.5533, 10.577, 0.6062, 11.668], -9594.975),
    ] {
        let fit = kind.fit(&histories, WEEK).expect("customers");
        assert!(fit.is_converged && fit.agreeing > 1, "{kind:?}: {fit:?}");
        assert!((fit.log_likelihood - log_likelihood).abs() < 1e-2, "{}", fit.log_likelihood);
        for (got, wanted) in fit.parameters.into_iter().zip(parameters) {
            relative(got, wanted, 1e-2);
        }
        let told = kind.with(fit.parameters).log_likelihood(&histories, WEEK);
        relative(told, fit.log_likelihood, 1e-9);
    }
}

#[test]
fn the_papers_spend_is_fitted_as_published() {
    let mut spends: BTreeMap<Spend, u64> = BTreeMap::new();
    for (history, cents) in &cdnow().repeaters {
        let total = cents * 100 * i64::from(history.frequency);
        *spends.entry(Spend { frequency: history.frequency, total }).or_default() += 1;
    }
    let fit = GammaGamma::fit(&spends).expect("customers");
    assert!(fit.is_converged);
    // The file has means to the cent, the paper's fit those of the raw purchases.
    assert!((fit.log_likelihood + 4055.918).abs() < 1e-2, "{}", fit.log_likelihood);
    for (got, wanted) in fit.parameters.into_iter().zip([6.2496, 3.7442, 15.4435]) {
        relative(got, wanted, 1e-2);
    }
    relative(GammaGamma::from(fit.parameters).of_all(&spends), fit.log_likelihood, 1e-9);
}

#[test]
fn the_holdout_is_predicted_as_published() {
    let Cdnow { histories, .. } = cdnow();
    for (kind, sum, alive, orders) in [
        (Kind::BgNbd, 1653.4087, 0.72661, 1.22591),
        (Kind::MbgNbd, 1576.7283, 0.70613, 1.26267),
        (Kind::ParetoNbd, 1665.5153, 0.86912, 1.45513),
    ] {
        let fit = kind.fit(&histories, WEEK).expect("customers");
        let model = kind.with(fit.parameters);
        let all = histories.iter().map(|(of, count)| *count as f64 * expected(&model, *of, 39.0));
        relative(all.sum(), sum, 1e-3);
        let (got, _) = model.alive(2, 30.43, 38.86);
        relative(got, alive, 1e-3);
        relative(got * model.expected_if_alive(2, 38.86, 39.0), orders, 1e-3);
    }
}

/// Twelve month-ends of 4.345 weeks at 1 % a month and a margin of 1, as lifetimes reckons it.
#[test]
fn the_customers_are_worth_what_they_were_worth() {
    let Cdnow { histories, repeaters } = cdnow();
    let fit = Kind::BgNbd.fit(&histories, WEEK).expect("customers");
    let model = Kind::BgNbd.with(fit.parameters);
    let spend = GammaGamma { p: 6.2496, q: 3.7442, gamma: 15.4435 };
    let worth = |of: History, cents: i64| {
        let by = |months: u32| expected(&model, of, f64::from(months) * 4.345);
        let orders: f64 = (1..=12_u32)
            .map(|month| (by(month) - by(month - 1)) / 1.01_f64.powi(month as i32))
            .sum();
        orders * spend.expected(of.frequency, cents as f64 / 100.0)
    };
    let once = histories.iter().filter(|(of, _)| of.frequency == 0);
    let once: f64 = once.map(|(of, count)| *count as f64 * worth(*of, 0)).sum();
    let often: f64 = repeaters.iter().map(|(of, cents)| worth(*of, *cents)).sum();
    relative(once + often, 71_507.95, 1e-3);
    // The first three of the file.
    let first = History { frequency: 2, recency_days: 213, age_days: 272 };
    relative(worth(first, 2_235), 36.2785, 1e-3);
    let second = History { frequency: 1, recency_days: 12, age_days: 272 };
    relative(worth(second, 1_177), 4.63747, 1e-3);
    let third = History { frequency: 0, recency_days: 0, age_days: 272 };
    relative(worth(third, 0), 8.34409, 1e-3);
}
