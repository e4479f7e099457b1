//! Lifetime value beyond BG/NBD: the other models of buying, intervals, contracts, what customers
//! cost, groups with fits of their own, and the backtest.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::clv::{Inputs, Segments, Terms, lifetime_value};
use cxmart::measure::kernel::bgnbd::{BgNbd, History, MbgNbd};
use cxmart::measure::kernel::buying::Kind;
use cxmart::measure::kernel::gamma_gamma::{GammaGamma, Spend};
use cxmart::measure::kernel::pareto::ParetoNbd;
use cxmart::measure::kernel::sbg::{Renewed, Sbg};

use super::clv::{AS_OF, Dice, Row, column, purchases, relative, shop, terms};

/// Published for the CDNOW sample, in weeks.
const MBG: MbgNbd = MbgNbd(BgNbd {
    r: 0.5248377255677019,
    alpha: 6.182988479134203,
    a: 0.8913562809310627,
    b: 1.614000025671838,
});
const PARETO: ParetoNbd = ParetoNbd {
    r: 0.5532662298737305,
    alpha: 10.577377879874355,
    s: 0.6061927763748044,
    beta: 11.667295174267977,
};

/// x = 2, t_x = 30.43, T = 38.86, as other implementations (lifetimes 0.11, BTYD 2.4) have it.
#[test]
fn the_other_models_say_of_the_papers_customer_what_was_published() {
    let (x, recency, age) = (2, 30.43, 38.86);
    let (alive, _) = MBG.alive(x, recency, age);
    relative(alive, 0.706126258715401, 1e-9);
    relative(alive * MBG.expected_if_alive(x, age, 39.0), 1.2626707787139548, 1e-9);
    let (alive, _) = PARETO.alive(x, recency, age);
    relative(alive, 0.8691211890592474, 1e-9);
    relative(alive * PARETO.expected_if_alive(x, age, 39.0), 1.4551250279814987, 1e-9);
    // A new customer: E[X(39)] and E[X(78)] of the Pareto/NBD.
    relative(PARETO.expected_if_alive(0, 0.0, 39.0), 1.2134150539637043, 1e-9);
    relative(PARETO.expected_if_alive(0, 0.0, 78.0), 1.9098986368181814, 1e-9);
}

/// The likelihood is a density: over all that may be seen of a customer it adds up to one. And its
/// slopes are those of P(alive) itself.
#[test]
fn the_pareto_integral_holds_far_from_the_data_and_has_its_slopes() {
    for model in [
        PARETO,
        ParetoNbd { r: 0.2, alpha: 50.0, s: 8.0, beta: 2.0 },
        ParetoNbd { r: 3.0, alpha: 2.0, s: 1.0, beta: 400.0 },
    ] {
        for (x, recency, age) in
            [(0, 0.0, 0.0), (0, 0.0, 52.0), (1, 0.5, 300.0), (26, 30.0, 31.0), (900, 250.0, 260.0)]
        {
            let (alive, slopes) = model.alive(x, recency, age);
            assert!(
                alive > 0.0 && alive <= 1.0 && model.log_likelihood(x, recency, age).is_finite()
            );
            let at = [model.r, model.alpha, model.s, model.beta];
            for i in 0..4 {
                let nudged = |by: f64| {
                    let mut moved = at;
                    moved[i] *= f64::exp(by);
                    ParetoNbd::from(moved).alive(x, recency, age).0.ln()
                };
                let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
                assert!((slopes[i] - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{i} of {model:?}");
            }
        }
    }
    // Nobody buys within T with the probability of no purchase: for x = 0 the likelihood is
    // P(X(T) = 0), which falls from 1.
    relative(PARETO.log_likelihood(0, 0.0, 0.0).exp(), 1.0, 1e-12);
    assert!(PARETO.log_likelihood(0, 0.0, 100.0) < PARETO.log_likelihood(0, 0.0, 10.0));
}

/// Days of one time unit in simulations.
const UNIT_DAYS: u32 = 50;

/// Histories of customers who live as BG/NBD says, or as MBG/NBD or Pareto/NBD do.
fn simulated(kind: Kind, at: [f64; 4], n: u32, dice: &mut Dice) -> Vec<History> {
    let days = |time: f64| (time * f64::from(UNIT_DAYS)).ceil() as u32;
    (0..n)
        .map(|i| {
            let age = 20.0 + 60.0 * f64::from(i) / f64::from(n);
            let rate = dice.gamma(at[0]) / at[1];
            let death = if kind == Kind::ParetoNbd {
                dice.exponential() / (dice.gamma(at[2]) / at[3])
            } else {
                f64::INFINITY
            };
            let (stop, stay) = match kind {
                Kind::ParetoNbd => (0.0, 1.0),
                _ => (dice.gamma(at[2]), dice.gamma(at[3])),
            };
            let stops = stop / (stop + stay);
            let (mut now, mut last, mut frequency) = (0.0, 0.0, 0);
            let mut is_alive = kind != Kind::MbgNbd || dice.uniform() >= stops;
            while is_alive {
                now += dice.exponential() / rate;
                if now > age || now > death {
                    break;
                }
                (frequency, last) = (frequency + 1, now);
                is_alive = dice.uniform() >= stops;
            }
            History { frequency, recency_days: days(last), age_days: days(age) }
        })
        .collect()
}

fn counted(histories: &[History]) -> BTreeMap<History, u64> {
    let mut counts = BTreeMap::new();
    for history in histories {
        *counts.entry(*history).or_default() += 1;
    }
    counts
}

#[test]
fn fits_of_the_other_models_find_what_customers_were_simulated_with() {
    for (kind, truth) in
        [(Kind::MbgNbd, [0.6, 5.0, 0.7, 2.0]), (Kind::ParetoNbd, [0.8, 6.0, 0.7, 9.0])]
    {
        let histories = simulated(kind, truth, 2_500, &mut Dice(3));
        let fit = kind.fit(&counted(&histories), f64::from(UNIT_DAYS)).expect("customers");
        assert!(fit.is_converged, "{kind:?}");
        assert_eq!(fit.agreeing, fit.starts, "{kind:?}");
        let errors = fit.standard_errors.expect("a positive curvature");
        for ((got, error), wanted) in fit.parameters.iter().zip(errors).zip(truth) {
            assert!((got - wanted).abs() < 4.0 * error, "{kind:?}: {got} ± {error}, {wanted}");
        }
    }
}

/// Customers with spends by Gamma–Gamma, as rows of `customer_purchases`.
fn rows(histories: &[History], spend: GammaGamma, dice: &mut Dice) -> Vec<Row> {
    let row = |(i, history): (usize, &History)| {
        let rate = dice.gamma(spend.q) / spend.gamma;
        let total: f64 = (0..history.frequency).map(|_| dice.gamma(spend.p) / rate).sum();
        let (frequency, recency, age) = (history.frequency, history.recency_days, history.age_days);
        let first = AS_OF - age as i32;
        let known = (i64::from(frequency), i64::from(recency), i64::from(age));
        let value = (total * 10_000.0).round() as i128;
        (format!("c_{i:05}"), first, first + recency as i32, Some(known), value, value)
    };
    histories.iter().enumerate().map(row).collect()
}

/// Goal: the interval is as wide as the fit is unsure. Method: 40 worlds simulated from the fitted
/// parameters are fitted in turn; the spread of one customer's value over them is that of the
/// interval.
#[test]
fn the_interval_is_that_of_a_parametric_bootstrap() {
    const CUSTOMERS: u32 = 700;
    const WORLDS: u64 = 40;
    let (truth, spend) = ([0.6, 5.0, 0.7, 2.0], GammaGamma { p: 5.0, q: 4.0, gamma: 20.0 });
    let terms = Terms { unit_days: UNIT_DAYS, horizon_days: 730, ..terms() };
    let mut dice = Dice(11);
    let mut known = rows(&simulated(Kind::BgNbd, truth, CUSTOMERS, &mut dice), spend, &mut dice);
    // The customer whose value is looked at.
    let (x, recency, age, mean) = (3_u32, 1_500_u32, 2_500_u32, 8.0);
    let history = (i64::from(x), i64::from(recency), i64::from(age));
    known.push(("z".into(), AS_OF - 2_500, AS_OF - 1_000, Some(history), 240_000, 240_000));
    let inputs = Inputs { purchases: vec![purchases(&known)], ..Inputs::default() };
    let tables = lifetime_value(&inputs, &terms).expect("good rows");
    let last = tables.values.num_rows() - 1;
    let amount = |name: &str| {
        column(&tables.values, name).as_primitive::<Decimal128Type>().value(last) as f64
    };
    let (low, value, high) = (amount("clv_low"), amount("clv_probabilistic"), amount("clv_high"));
    assert!(low < value && value < high);
    let spread = (high / low).ln() / (2.0 * 1.959963984540054);

    let unit = f64::from(UNIT_DAYS);
    let estimate = column(&tables.parameters, "estimate").as_primitive::<Float64Type>();
    let fitted: [f64; 4] = std::array::from_fn(|i| estimate.value(i));
    let spent = GammaGamma::from(std::array::from_fn(|i| estimate.value(4 + i)));
    let logs: Vec<f64> = (0..WORLDS)
        .map(|world| {
            let mut dice = Dice(1_000 + world);
            let histories = simulated(Kind::BgNbd, fitted, CUSTOMERS, &mut dice);
            let fit = BgNbd::fit(&counted(&histories), unit).expect("customers");
            let mut spends = BTreeMap::new();
            for (_, _, _, known, total, _) in rows(&histories, spent, &mut dice) {
                let frequency = known.map_or(0, |known| known.0) as u32;
                if frequency > 0 {
                    let spend = Spend { frequency, total: total as i64 };
                    *spends.entry(spend).or_default() += 1_u64;
                }
            }
            let money = GammaGamma::fit(&spends).expect("customers");
            let model = BgNbd::from(fit.parameters);
            let time = |days: u32| f64::from(days) / unit;
            let orders = model.expected(x, time(recency), time(age), 730.0 / unit);
            (orders * GammaGamma::from(money.parameters).expected(x, mean)).ln()
        })
        .collect();
    let mean = logs.iter().sum::<f64>() / WORLDS as f64;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (WORLDS - 1) as f64;
    let ratio = spread / variance.sqrt();
    assert!((0.65..1.5).contains(&ratio), "{spread} against {}", variance.sqrt());
}

/// id, start, end, renewals, recurring revenue in whole units.
type Agreed = (String, i32, Option<i32>, i64, i128);

fn contracts(rows: &[Agreed]) -> RecordBatch {
    let text = |of: &dyn Fn(&Agreed) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let money: Decimal128Array = rows.iter().map(|row| Some(row.4 * 10_000)).collect();
    let money: ArrayRef = Arc::new(money.with_precision_and_scale(18, 4).expect("money"));
    let started: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Date32Array>());
    let ended: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Date32Array>());
    let renewals: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable(vec![
        ("customer_id", text(&|row| Some(row.0.clone())), false),
        ("started_on", started, false),
        ("ended_on", ended, true),
        ("n_renewals", renewals, false),
        ("mrr", money, false),
        ("acquisition_channel", text(&|row| row.0.starts_with('p').then(|| "ads".into())), true),
        ("country", text(&|_| None), true),
    ])
    .expect("columns of one length")
}

/// A hundred contracts by a rule: three in five have left, at renewals 1 to 6.
fn agreed() -> Vec<Agreed> {
    (0..100_i32)
        .map(|i| {
            let renewals = i64::from(1 + i % 6);
            let start = AS_OF - 400;
            let left = i % 5 < 3;
            let end = left.then(|| start + 30 * renewals as i32);
            let renewals = if left { renewals } else { 13 };
            (format!("p_{i:03}"), start, end, renewals, if left { 0 } else { 20 })
        })
        .collect()
}

#[test]
fn contracts_are_worth_their_payments_to_come() {
    let inputs = Inputs { contracts: vec![contracts(&agreed())], ..Inputs::default() };
    let tables = lifetime_value(&inputs, &terms()).expect("good rows");
    let mut counts: BTreeMap<Renewed, u64> = BTreeMap::new();
    for (_, _, end, renewals, _) in agreed() {
        let key = Renewed { renewal: renewals as u32, has_left: end.is_some() };
        *counts.entry(key).or_default() += 1;
    }
    let model = Sbg::from(Sbg::fit(&counts).expect("contracts").parameters);
    let rate = 1.1_f64.powf(1.0 / 12.0) - 1.0;
    let values = &tables.values;
    let derl = column(values, "derl").as_primitive::<Float64Type>();
    let worth = column(values, "clv_contractual").as_primitive::<Decimal128Type>();
    // The first has left; the fourth pays 20 a month, at a margin of one half.
    assert_eq!((derl.value(0), worth.value(0)), (0.0, 0));
    relative(derl.value(3), model.residual_lifetime(13, rate), 1e-12);
    relative(worth.value(3) as f64 / 1e4, 10.0 * model.residual_lifetime(13, rate), 1e-6);
    assert_eq!(column(values, "clv_probabilistic").null_count(), 100);
    let cohorts = &tables.cohorts;
    assert_eq!(cohorts.num_rows(), 1);
    let new = column(cohorts, "clv_new_contract").as_primitive::<Decimal128Type>().value(0);
    let payments: f64 = (0..13).map(|t| model.survival(t) / (1.0 + rate).powi(t as i32)).sum();
    relative(new as f64 / 1e4, 10.0 * payments - 12.5, 1e-6);
}

/// Advertising of 300 in the month that 100 customers of the channel started is 3 each; the shop's
/// own customers came by another channel, for which the job's cost counts.
#[test]
fn customers_cost_what_their_channel_did_that_month() {
    let spending = RecordBatch::try_from_iter(vec![
        (
            "cost_date",
            Arc::new(Date32Array::from(vec![AS_OF - 400, AS_OF - 400, AS_OF - 2_000])) as ArrayRef,
        ),
        ("channel", Arc::new(StringArray::from(vec!["ads", "ads", "ads"])) as ArrayRef),
        (
            "cost",
            Arc::new(
                Decimal128Array::from(vec![1_000_000, 2_000_000, 5_000_000])
                    .with_precision_and_scale(18, 4)
                    .expect("money"),
            ) as ArrayRef,
        ),
    ])
    .expect("columns");
    let inputs = Inputs {
        purchases: vec![purchases(&shop())],
        contracts: vec![contracts(&agreed())],
        spending: vec![spending],
        ..Inputs::default()
    };
    let tables = lifetime_value(&inputs, &terms()).expect("good rows");
    let values = &tables.values;
    let cac = column(values, "cac").as_primitive::<Decimal128Type>();
    let channels = column(values, "acquisition_channel").as_string::<i32>();
    for i in 0..values.num_rows() {
        let wanted = if channels.value(i) == "ads" { 30_000 } else { 125_000 };
        assert_eq!(cac.value(i), wanted);
    }
    let costs = &tables.acquisition;
    let customers = column(costs, "n_customers").as_primitive::<Int64Type>();
    assert_eq!(customers.iter().flatten().sum::<i64>(), values.num_rows() as i64);
    // Money spent on nobody is shown, and has no cost per customer.
    assert_eq!(customers.value(0), 0);
    let spent = column(costs, "cost").as_primitive::<Decimal128Type>();
    assert_eq!(spent.value(0), 5_000_000);
    assert!(column(costs, "cac").is_null(0));
    let payback = column(values, "payback_months").as_primitive::<Float64Type>();
    let mrr = column(values, "mrr").as_primitive::<Decimal128Type>();
    let paying = (0..values.num_rows()).find(|i| mrr.is_valid(*i) && mrr.value(*i) > 0);
    relative(payback.value(paying.expect("a contract")), 3.0 / 10.0, 1e-12);
}

#[test]
fn groups_have_parameters_of_their_own_where_they_are_large_enough() {
    let inputs = Inputs { purchases: vec![purchases(&shop())], ..Inputs::default() };
    let with = |segments, segment_min| {
        let terms = Terms { segments, segment_min, ..terms() };
        lifetime_value(&inputs, &terms).expect("good rows")
    };
    let alone = with(Segments::None, 50);
    let by_country = with(Segments::Country, 120);
    let segments = column(&by_country.parameters, "segment").as_string::<i32>();
    let names: std::collections::BTreeSet<_> = segments.iter().flatten().collect();
    assert_eq!(names, ["all", "country=SE"].into(), "too few buy twice in Denmark");
    let p_alive = |tables: &cxmart::measure::clv::Tables, i: usize| {
        column(&tables.values, "p_alive").as_primitive::<Float64Type>().value(i)
    };
    let of = column(&by_country.values, "segment").as_string::<i32>();
    // Rows 0 and 3 are Danish, 1 is Swedish; the second buys twice.
    assert_eq!((of.value(0), of.value(1)), ("all", "country=SE"));
    assert_eq!(p_alive(&alone, 3), p_alive(&by_country, 3));
    assert_ne!(p_alive(&alone, 1), p_alive(&by_country, 1));
}

#[test]
fn the_backtest_says_what_came_and_what_was_expected() {
    let inputs = Inputs { purchases: vec![purchases(&shop())], ..Inputs::default() };
    let tables = lifetime_value(&inputs, &terms()).expect("good rows");
    let rows = &tables.backtest;
    let text = |name: &str, i: usize| column(rows, name).as_string::<i32>().value(i).to_owned();
    let float = |name: &str| column(rows, name).as_primitive::<Float64Type>();
    assert_eq!((text("measure", 0), text("bucket", 0)), ("orders".into(), "all".into()));
    // Customers of frequency 2 and 3 bought once more.
    let came = shop().iter().filter_map(|row| row.3).map(|known| known.0 / 2).sum::<i64>();
    relative(float("actual").value(0), came as f64, 1e-12);
    let predicted = float("predicted").value(0);
    relative(float("relative_error").value(0), predicted / came as f64 - 1.0, 1e-9);
    assert!(float("correlation").value(0).abs() <= 1.0);
    // The buckets of frequency are all customers, and add up to the whole.
    let n = column(rows, "n").as_primitive::<Int64Type>();
    let frequency: Vec<usize> =
        (0..rows.num_rows()).filter(|i| text("measure", *i) == "frequency").collect();
    assert_eq!(frequency.iter().map(|i| n.value(*i)).sum::<i64>(), n.value(0));
    let sum: f64 =
        frequency.iter().map(|i| float("predicted").value(*i) * n.value(*i) as f64).sum();
    relative(sum, predicted, 1e-9);
    // Nothing held out, nothing said.
    let terms = Terms { as_of: AS_OF - 180, ..terms() };
    let none = lifetime_value(&inputs, &terms).expect("good rows").backtest;
    assert_eq!(none.num_rows(), 0);
}

/// Nobody bought twice; one spent less than nothing; one bought today.
#[test]
fn odd_customers_are_valued_or_say_why_not() {
    let once: Vec<Row> = (0..60)
        .map(|i| {
            let first = AS_OF - 100 - i;
            let known = Some((0, 0, i64::from(100 + i)));
            (format!("c_{i:03}"), first, first, known, 0, 100_000)
        })
        .collect();
    let inputs = Inputs { purchases: vec![purchases(&once)], ..Inputs::default() };
    let tables = lifetime_value(&inputs, &terms()).expect("good rows");
    let status = column(&tables.parameters, "status").as_string::<i32>();
    assert!(status.iter().take(7).all(|status| status == Some("too_few_repeaters")));
    assert_eq!(column(&tables.values, "clv_simple").null_count(), 0);

    let mut odd = shop();
    odd.push(("c_negative".into(), AS_OF - 90, AS_OF - 30, Some((2, 60, 90)), -500_000, -400_000));
    odd.push(("c_today".into(), AS_OF, AS_OF, Some((0, 0, 0)), 0, 100_000));
    for model in [Kind::BgNbd, Kind::MbgNbd, Kind::ParetoNbd] {
        let inputs = Inputs { purchases: vec![purchases(&odd)], ..Inputs::default() };
        let terms = Terms { model, ..terms() };
        let tables = lifetime_value(&inputs, &terms).expect("good rows");
        let values = tables.values;
        let status = column(&tables.parameters, "status").as_string::<i32>().value(0);
        if status != "fitted" {
            // These customers do not live as Pareto/NBD says: no fit, no reading, and a row tells.
            assert_eq!((model, status), (Kind::ParetoNbd, "not_converged"));
            assert_eq!(column(&values, "p_alive").null_count(), values.num_rows());
            assert_eq!(column(&values, "clv_simple").null_count(), 0);
            continue;
        }
        let ids = column(&values, "customer_id").as_string::<i32>();
        for id in ["c_negative", "c_today"] {
            let i = (0..values.num_rows()).find(|i| ids.value(*i) == id).expect("a row");
            for name in ["p_alive", "expected_orders", "expected_spend"] {
                let value = column(&values, name).as_primitive::<Float64Type>().value(i);
                assert!(value.is_finite() && value >= 0.0, "{model:?} {id} {name}: {value}");
            }
        }
        let today = (0..values.num_rows()).find(|i| ids.value(*i) == "c_today").expect("a row");
        let alive = column(&values, "p_alive").as_primitive::<Float64Type>().value(today);
        if model == Kind::MbgNbd {
            assert!(alive < 1.0, "the first purchase may have been the last");
        } else {
            assert!((alive - 1.0).abs() < 1e-12);
        }
    }
}
