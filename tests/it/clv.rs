//! Lifetime value: likelihoods and predictions against published numbers and the papers' own
//! formulas, fits against simulated customers whose parameters are known.
//!
//! CDNOW's purchases have no licence to copy, so they are not here: the parameters published for
//! them are, and single customers of the paper. `examples/cdnow` fits the real file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::clv::{self, Inputs, Segments, Tables, Terms, lifetime_value};
use cxmart::measure::kernel::bgnbd::{BgNbd, History};
use cxmart::measure::kernel::buying::Kind;
use cxmart::measure::kernel::gamma_gamma::{GammaGamma, Spend};
use cxmart::measure::kernel::optimise::{self, Surface};

#[track_caller]
pub(super) fn relative(got: f64, wanted: f64, tolerance: f64) {
    let far = (got - wanted).abs();
    assert!(far <= tolerance * wanted.abs().max(1e-12), "got {got:?}, wanted {wanted:?}");
}

/// Published for the CDNOW sample of 2,357 customers up to 1997-09-30, in weeks.
const CDNOW: BgNbd = BgNbd { r: 0.2426, alpha: 4.4136, a: 0.7929, b: 2.4259 };
const CDNOW_SPEND: GammaGamma = GammaGamma { p: 6.2496, q: 3.7442, gamma: 15.4435 };
/// Fitted elsewhere to Online Retail, in days: almost nobody stops.
const RETAIL: BgNbd = BgNbd {
    r: 0.826_541_912_083_109_5,
    alpha: 68.905_120_585_721_9,
    a: 0.003_437_377_900_508_192,
    b: 6.745_116_204_017_101,
};
/// Where the textbook form of eq. 10 divides by almost zero.
const EDGE: BgNbd = BgNbd { r: 0.5, alpha: 10.0, a: 1.000_000_1, b: 2.0 };

#[test]
fn the_papers_customer_is_alive_and_expected_as_published() {
    relative(CDNOW.p_alive(2, 30.43, 38.86), 0.72661, 1e-3);
    relative(CDNOW.expected(2, 30.43, 38.86, 39.0), 1.22591, 1e-3);
    // Their mean of two repeat purchases was 22.35 dollars.
    relative(CDNOW_SPEND.expected(2, 22.35), 24.658616, 1e-3);
    relative(CDNOW_SPEND.expected(1, 11.77), 18.91148, 1e-3);
    relative(CDNOW_SPEND.expected(0, 0.0), 35.171002, 1e-3);
}

/// Likelihood (eq. 6), P(alive) and expected purchases (eq. 10 with its 2F1) in 40-digit
/// arithmetic (mpmath); the last rows are far outside what the textbook form survives in floats.
#[test]
fn likelihood_and_expectation_are_those_of_the_papers_formulas() {
    #[rustfmt::skip]
    let cases = [
        (CDNOW, (0, 0.0, 38.86, 39.0), -0.55381991128943085, 1.0, 0.19478676916062002),
        (CDNOW, (1, 1.71, 38.86, 39.0), -4.4704453758993017, 0.21223426371008024, 0.2032585255260537),
        (CDNOW, (2, 30.43, 38.86, 39.0), -9.4596734501159921, 0.72661404485424713, 1.2259226579870331),
        (CDNOW, (26, 30.86, 31.0, 39.0), -37.728313083634551, 0.96891935021217811, 20.750457698780447),
        (CDNOW, (400, 350.0, 364.0, 365.0), -364.9189824622094, 9.3358661442676495e-5, 0.027681736045966436),
        (CDNOW, (0, 0.0, 0.0, 520.0), 0.0, 1.0, 4.9688866475169151),
        (CDNOW, (1200, 364.0, 365.0, 3000.0), 205.55604431833989, 0.9832071858352997, 3311.1111786065494),
        (RETAIL, (0, 0.0, 38.86, 39.0), -0.36964901231650239, 1.0, 0.29907571370195672),
        (RETAIL, (1, 1.71, 38.86, 39.0), -5.2395148534915891, 0.99889826636783434, 0.66015138492991262),
        (RETAIL, (26, 30.86, 31.0, 39.0), -59.455752772495542, 0.99988758109758839, 10.465713172531463),
        (RETAIL, (400, 350.0, 364.0, 365.0), -428.70695960962713, 0.18271611952686552, 61.678796428891506),
        (RETAIL, (1200, 364.0, 365.0, 3000.0), 22.269084230525716, 0.99995447570717355, 8263.2344307886521),
        (EDGE, (0, 0.0, 38.86, 39.0), -0.79318698641777436, 1.0, 0.33836558672497294),
        (EDGE, (2, 30.43, 38.86, 39.0), -9.1232842093021187, 0.65138773166102481, 1.0363704292244521),
        (EDGE, (1200, 364.0, 365.0, 3000.0), 187.93707814084718, 0.97987180810306127, 2586.5961116977102),
    ];
    for (model, (x, recency, age, ahead), log_likelihood, p_alive, expected) in cases {
        let got = model.log_likelihood(x, recency, age);
        assert!((got - log_likelihood).abs() < 1e-9, "got {got}, wanted {log_likelihood}");
        relative(model.p_alive(x, recency, age), p_alive, 1e-9);
        relative(model.expected(x, recency, age, ahead), expected, 1e-9);
    }
    for (x, z, wanted) in [
        (1, 35.0, -4.1824916180327027),
        (2, 22.35, -3.5504831874753428),
        (26, 41.5, -4.3764994628410711),
    ] {
        relative(CDNOW_SPEND.log_likelihood(x, z), wanted, 1e-12);
    }
}

#[test]
fn nothing_is_expected_of_no_time_and_more_of_more() {
    let mut last = CDNOW.expected_if_alive(3, 20.0, 0.0);
    assert!(last.abs() <= 0.0);
    for ahead in [1e-6, 0.1, 1.0, 10.0, 1e3, 1e6] {
        let now = CDNOW.expected_if_alive(3, 20.0, ahead);
        assert!(now > last && now.is_finite());
        last = now;
    }
}

/// Numbers that look random and are the same everywhere (`SplitMix64`, Steele et al. 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
    }

    pub(super) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Marsaglia & Tsang 2000.
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let z = self.normal();
            let v = (1.0 + z / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * z * z + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// Days are cut finely, so that two purchases on one are rare.
const UNIT_DAYS: u32 = 1000;

/// Histories of customers who live as the model says, watched for 20 to 80 units.
fn simulated(model: BgNbd, n: u32) -> BTreeMap<History, u64> {
    let mut dice = Dice(7);
    let mut histories = BTreeMap::new();
    for i in 0..n {
        let age = 20.0 + 60.0 * f64::from(i) / f64::from(n);
        let rate = dice.gamma(model.r) / model.alpha;
        let (stop, stay) = (dice.gamma(model.a), dice.gamma(model.b));
        let stops = stop / (stop + stay);
        let (mut now, mut last, mut frequency) = (0.0, 0.0, 0);
        loop {
            now += dice.exponential() / rate;
            if now > age {
                break;
            }
            frequency += 1;
            last = now;
            if dice.uniform() < stops {
                break;
            }
        }
        let days = |time: f64| (time * f64::from(UNIT_DAYS)).ceil() as u32;
        let history = History { frequency, recency_days: days(last), age_days: days(age) };
        *histories.entry(history).or_default() += 1;
    }
    histories
}

#[test]
fn a_fit_finds_the_parameters_that_customers_were_simulated_with() {
    let truth = BgNbd { r: 0.6, alpha: 5.0, a: 0.7, b: 2.0 };
    let histories = simulated(truth, 12_000);
    let fit = BgNbd::fit(&histories, f64::from(UNIT_DAYS)).expect("customers");
    assert!(fit.is_converged && fit.gradient_norm < 1e-6);
    assert_eq!((fit.starts, fit.agreeing), (4, 4));
    assert!(fit.condition_number > 1.0 && fit.condition_number.is_finite());
    let errors = fit.standard_errors.expect("a positive curvature");
    for ((got, error), wanted) in
        fit.parameters.iter().zip(errors).zip([truth.r, truth.alpha, truth.a, truth.b])
    {
        assert!(error > 0.0 && error < 0.2 * wanted, "error {error} of {wanted}");
        assert!((got - wanted).abs() < 4.0 * error, "got {got} ± {error}, wanted {wanted}");
    }
    // The likelihood reported is the sum over customers, and no neighbour is better.
    let sum = |model: BgNbd| -> f64 {
        let unit = f64::from(UNIT_DAYS);
        let one = |(h, n): (&History, &u64)| {
            let (recency, age) = (f64::from(h.recency_days) / unit, f64::from(h.age_days) / unit);
            *n as f64 * model.log_likelihood(h.frequency, recency, age)
        };
        histories.iter().map(one).sum()
    };
    let best = BgNbd::from(fit.parameters);
    relative(sum(best), fit.log_likelihood, 1e-10);
    for worse in [
        BgNbd { r: best.r * 1.01, ..best },
        BgNbd { alpha: best.alpha * 0.99, ..best },
        BgNbd { a: best.a * 1.01, ..best },
        BgNbd { b: best.b * 0.99, ..best },
    ] {
        assert!(sum(worse) < fit.log_likelihood);
    }
}

#[test]
fn a_spend_fit_finds_the_parameters_that_spends_were_simulated_with() {
    let truth = GammaGamma { p: 5.0, q: 4.0, gamma: 20.0 };
    let mut dice = Dice(11);
    let mut spends = BTreeMap::new();
    for i in 0..6_000_u32 {
        let frequency = 1 + i % 5;
        let rate = dice.gamma(truth.q) / truth.gamma;
        let total: f64 = (0..frequency).map(|_| dice.gamma(truth.p) / rate).sum();
        let total = (total * 10_000.0).round() as i64;
        *spends.entry(Spend { frequency, total }).or_default() += 1;
    }
    let fit = GammaGamma::fit(&spends).expect("customers");
    assert!(fit.is_converged);
    assert_eq!(fit.agreeing, 4);
    let errors = fit.standard_errors.expect("a positive curvature");
    for ((got, error), wanted) in
        fit.parameters.iter().zip(errors).zip([truth.p, truth.q, truth.gamma])
    {
        assert!(error < 0.2 * wanted, "error {error} of {wanted}");
        assert!((got - wanted).abs() < 4.0 * error, "got {got} ± {error}, wanted {wanted}");
    }
    let model = GammaGamma::from(fit.parameters);
    let one = |(s, n): (&Spend, &u64)| *n as f64 * model.log_likelihood(s.frequency, s.mean());
    relative(spends.iter().map(one).sum(), fit.log_likelihood, 1e-10);
}

#[test]
fn newton_finds_the_bottom_of_a_curved_valley() {
    // Rosenbrock's function: a curvature that is not positive on the way.
    let valley = |at: &[f64; 2]| {
        let [x, y] = *at;
        Surface {
            value: (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2),
            gradient: [-2.0 * (1.0 - x) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)],
            curvature: [[2.0 - 400.0 * (y - 3.0 * x * x), -400.0 * x], [-400.0 * x, 200.0]],
        }
    };
    let end = optimise::minimise(valley, [-1.2, 3.0]);
    assert!(end.is_converged);
    relative(end.at[0], 1.0, 1e-8);
    relative(end.at[1], 1.0, 1e-8);
    let mut values = optimise::eigenvalues(&[[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]]);
    values.sort_by(f64::total_cmp);
    let root = 2.0_f64.sqrt();
    for (got, wanted) in values.iter().zip([2.0 - root, 2.0, 2.0 + root]) {
        relative(*got, wanted, 1e-12);
    }
}

pub(super) const AS_OF: i32 = 20_000;

pub(super) fn terms() -> Terms {
    Terms {
        as_of: AS_OF,
        currency: "DKK".into(),
        margin: 0.5,
        unit_days: 7,
        horizon_days: 365,
        discount_rate: 0.1,
        acquisition_cost: 12.5,
        inactive_days: 90,
        model: Kind::BgNbd,
        segments: Segments::None,
        segment_min: 200,
        confidence: 0.95,
        min_cell: 0,
        drift_max: 0.01,
        fit: 1,
    }
}

fn value(purchases: &[RecordBatch]) -> Tables {
    let inputs = Inputs { purchases: purchases.to_vec(), ..Inputs::default() };
    lifetime_value(&inputs, &terms()).expect("good rows")
}

/// id, first day, last day, (x, `t_x`, T), repeat value, revenue of the last year.
pub(super) type Row = (String, i32, i32, Option<(i64, i64, i64)>, i128, i128);

/// Rows of `customer_purchases` that values are computed from.
pub(super) fn purchases(rows: &[Row]) -> RecordBatch {
    let count = |of: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.3.as_ref().map(of)).collect::<Int64Array>())
    };
    let money = |of: fn(&Row) -> i128| -> ArrayRef {
        let array: Decimal128Array = rows.iter().map(|row| Some(of(row))).collect();
        Arc::new(array.with_precision_and_scale(18, 4).expect("money"))
    };
    let day = |of: fn(&Row) -> i32| -> ArrayRef {
        Arc::new(
            rows.iter().map(of).collect::<Vec<_>>().into_iter().map(Some).collect::<Date32Array>(),
        )
    };
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)));
    let channel: ArrayRef = Arc::new(StringArray::from(vec![Some("web"); rows.len()]));
    let country = |i: usize| Some(if i.is_multiple_of(3) { "DK" } else { "SE" });
    let country: ArrayRef = Arc::new((0..rows.len()).map(country).collect::<StringArray>());
    RecordBatch::try_from_iter_with_nullable(vec![
        ("customer_id", ids, false),
        ("first_purchase_date", day(|row| row.1), false),
        ("last_purchase_date", day(|row| row.2), false),
        ("frequency", count(|history| history.0), true),
        ("recency_days", count(|history| history.1), true),
        ("age_days", count(|history| history.2), true),
        ("monetary_total", money(|row| row.4), true),
        ("revenue_365d", money(|row| row.5), false),
        ("acquisition_channel", channel, true),
        ("country", country, true),
        ("revenue_total", money(|row| row.5), false),
        // Half of what they had bought by then they bought once more.
        ("backtest_date", day(|_| AS_OF - 180), false),
        ("backtest_frequency", count(|history| history.0), true),
        ("backtest_recency_days", count(|history| history.1), true),
        ("backtest_age_days", count(|history| history.2), true),
        ("backtest_monetary_total", money(|row| row.4), true),
        ("backtest_purchase_days_after", count(|history| history.0 / 2), true),
        ("backtest_revenue_after", money(|row| row.4 / 2), true),
    ])
    .expect("columns of one length")
}

/// Customers of a shop, by a rule: some buy often, some once, one bought for nothing.
pub(super) fn shop() -> Vec<Row> {
    let customer = |i: i32| {
        let age = 100 + i % 600;
        let frequency = i64::from(i % 7 % 4);
        let recency = if frequency == 0 { 0 } else { 10 + i64::from(i * 37 % (age - 20)) };
        let first = AS_OF - age;
        let last = first + i32::try_from(recency).expect("days");
        let value = if i == 3 { 0 } else { i128::from(frequency) * i128::from(200_000 + i * 911) };
        (
            format!("c_{i:04}"),
            first,
            last,
            Some((frequency, recency, i64::from(age))),
            value,
            value + 100_000,
        )
    };
    let mut rows: Vec<Row> = (0..400).map(customer).collect();
    rows.push(("c_late".into(), AS_OF - 5, AS_OF - 5, None, 0, 990_000));
    rows
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"))
}

#[test]
fn every_customer_gets_every_reading() {
    let tables = value(&[purchases(&shop())]);
    let (values, parameters) = (&tables.values, &tables.parameters);
    assert_eq!((values.num_rows(), parameters.num_rows()), (401, 9));
    let status = column(parameters, "status").as_string::<i32>();
    assert!(status.iter().take(7).all(|status| status == Some("fitted")), "{status:?}");
    assert!(status.iter().skip(7).all(|status| status == Some("too_few_leavers")), "{status:?}");
    let float = |name: &str| column(values, name).as_primitive::<Float64Type>().clone();
    let money = |name: &str| column(values, name).as_primitive::<Decimal128Type>().clone();
    let (p_alive, orders, spend) =
        (float("p_alive"), float("expected_orders"), float("expected_spend"));
    let (likely, simple, margin) =
        (money("clv_probabilistic"), money("clv_simple"), money("clv_margin"));
    let ltv_cac = float("ltv_cac");
    for i in 0..400 {
        assert!(p_alive.value(i) > 0.0 && p_alive.value(i) <= 1.0);
        assert!(orders.value(i) > 0.0);
        let value = likely.value(i) as f64 / 1e4;
        let undiscounted = orders.value(i) * spend.value(i) * 0.5;
        // A year at 10 %, paid month by month, is worth between 90 and 100 %.
        assert!(value < undiscounted + 1e-4 && value > undiscounted * 0.9 - 1e-4);
        relative(ltv_cac.value(i), value / 12.5, 1e-3);
    }
    // Bought for the first time after the fit day: no model reading, but a simple one.
    assert_eq!(column(values, "customer_id").as_string::<i32>().value(400), "c_late");
    assert!(p_alive.is_null(400) && likely.is_null(400) && simple.is_valid(400));
    let customers = clv::read(&[purchases(&shop())]).expect("good rows");
    let churn =
        clv::yearly_churn(&clv::people(&customers, &[]), &terms()).expect("some went silent");
    assert!(churn > 0.0 && churn < 1.0);
    let years = 5.0 / 365.25 + 1.0 / churn;
    relative(simple.value(400) as f64 / 1e4, 99.0 * years - 12.5, 1e-6);
    relative(margin.value(400) as f64 / 1e4, 49.5 * years - 12.5, 1e-6);
}

#[test]
fn deciles_are_tenths_by_value() {
    let tables = value(&[purchases(&shop())]);
    let decile = column(&tables.values, "decile").as_primitive::<Int64Type>();
    let likely = column(&tables.values, "clv_probabilistic").as_primitive::<Decimal128Type>();
    let mut members: BTreeMap<i64, Vec<i128>> = BTreeMap::new();
    for i in 0..400 {
        members.entry(decile.value(i)).or_default().push(likely.value(i));
    }
    assert_eq!(members.keys().copied().collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    let mut least = i128::MAX;
    for values in members.values() {
        assert!((39..=41).contains(&values.len()));
        assert!(*values.iter().max().expect("members") <= least);
        least = *values.iter().min().expect("members");
    }
    // Without a probabilistic value a customer ranks last.
    assert_eq!(decile.value(400), 10);
}

#[test]
fn rows_depend_on_the_purchases_and_not_on_their_order() {
    let mut rows = shop();
    let once = value(&[purchases(&rows)]);
    rows.reverse();
    let (left, right) = rows.split_at(123);
    let again = value(&[purchases(left), purchases(right)]);
    assert_eq!(once.values, again.values);
    assert_eq!(once.parameters, again.parameters);
}

#[test]
fn too_few_repeaters_fit_nothing_and_say_so() {
    let rows: Vec<Row> = shop().into_iter().take(40).collect();
    let tables = value(&[purchases(&rows)]);
    let status = column(&tables.parameters, "status").as_string::<i32>();
    let few = status.iter().take(7).all(|status| status == Some("too_few_repeaters"));
    assert!(few, "{status:?}");
    assert_eq!(column(&tables.parameters, "estimate").null_count(), 9);
    for name in ["p_alive", "expected_orders", "expected_spend", "clv_probabilistic", "ltv_cac"] {
        assert_eq!(column(&tables.values, name).null_count(), 40, "{name}");
    }
    assert_eq!(column(&tables.values, "clv_simple").null_count(), 0);
    let none = value(&[]);
    assert_eq!((none.values.num_rows(), none.parameters.num_rows()), (0, 9));
}

#[test]
fn yearly_churn_is_losses_over_years_lived() {
    // 90 days of silence end a life: one of 90 + 90 days, and one still open after 551.
    let rows = [
        ("c_1".to_owned(), AS_OF - 500, AS_OF - 410, None, 0, 0),
        ("c_2".to_owned(), AS_OF - 551, AS_OF - 20, None, 0, 0),
    ];
    let customers = clv::read(&[purchases(&rows)]).expect("good rows");
    let churn = clv::yearly_churn(&clv::people(&customers, &[]), &terms()).expect("one loss");
    let hazard = 1.0 / ((180.0 + 551.0) / 365.25);
    relative(churn, 1.0 - f64::exp(-hazard), 1e-12);
    assert_eq!(clv::yearly_churn(&clv::people(&customers[1..], &[]), &terms()), None);
}
