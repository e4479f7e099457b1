//! Kernels against published numbers and against other implementations.
//!
//! Where no paper is named, the number was computed with `SciPy` 1.16 or R's survival package.

use cxmart::measure::kernel::change::{self, Share, holm};
use cxmart::measure::kernel::interval::{self, Interval, Nps, wilson};
use cxmart::measure::kernel::kaplan_meier::{Observed, kaplan_meier, median_of};
use cxmart::measure::kernel::sample::Sample;
use cxmart::measure::kernel::special;

#[track_caller]
fn near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "got {got:?}, wanted {wanted:?}");
}

#[track_caller]
fn relative(got: f64, wanted: f64, tolerance: f64) {
    near(got, wanted, tolerance * wanted.abs());
}

#[track_caller]
fn within(got: Interval, low: f64, high: f64, tolerance: f64) {
    near(got.low, low, tolerance);
    near(got.high, high, tolerance);
}

#[test]
fn quantiles_and_tails_are_those_of_scipy() {
    relative(special::two_sided_z(0.95), 1.959963984540054, 1e-12);
    for (freedom, wanted) in [
        (1.0, 12.706204736174694),
        (2.0, 4.302652729749462),
        (2.5, 3.5746548420036817),
        (10.0, 2.228138851986274),
        (99.0, 1.9842169515864174),
        (299.0, 1.9679296690656698),
        (301.0, 1.9678765312856952),
        (1e4, 1.960201239890626),
        (1e6, 1.959966356814107),
        (1e7, 1.959964221767205),
    ] {
        relative(special::two_sided_t(0.95, freedom), wanted, 1e-9);
    }
    relative(special::two_sided_t(0.999, 300.0), 3.3232515129742195, 1e-9);
    for (t, freedom, wanted) in [
        (2.2281388519649385, 10.0, 0.05000000000180864),
        (1.0, 1.0, 0.5),
        (5.0, 3.3, 0.012214421128087875),
        (1.96, 1e6, 0.04999606758526985),
        (8.0, 50.0, 1.6632966028321368e-10),
    ] {
        relative(special::t_p_value(t, freedom), wanted, 1e-9);
        relative(special::t_p_value(-t, freedom), wanted, 1e-9);
    }
    relative(special::normal_p_value(3.3), 0.0009668482847675549, 1e-9);
}

#[test]
fn gamma_functions_are_those_of_scipy() {
    for (x, wanted) in [
        (1e-3, 6.907178885383853),
        (0.5, 0.5723649429247),
        (3.7, 1.428072326665388),
        (50.0, 144.56574394634487),
        (1e4, 82099.71749644238),
    ] {
        relative(special::ln_gamma(x), wanted, 1e-12);
    }
    for (x, wanted) in [
        (1e-3, -1000.5755719318103),
        (0.0034, -294.6892838012741),
        (0.5, -1.9635100260214235),
        (1.0, -0.5772156649015329),
        (3.7, 1.1671535393615113),
        (50.0, 3.9019896734278925),
        (1e4, 9.21029037114285),
    ] {
        relative(special::digamma(x), wanted, 1e-11);
    }
    for (x, wanted) in [
        (1e-3, 1_000_001.642_533_195),
        (0.5, 4.934802200544679),
        (1.0, 1.6449340668482264),
        (3.7, 0.310037857670038),
        (50.0, 0.020201333226697),
        (1e4, 1.000050001666667e-4),
    ] {
        relative(special::trigamma(x), wanted, 1e-12);
    }
}

#[test]
fn shares_have_wilson_intervals() {
    within(wilson(74, 107, 0.95).times(100.0), 59.9, 77.1, 0.05);
    within(wilson(200, 1000, 0.95).times(100.0), 17.6, 22.6, 0.05);
    // Newcombe 1998, table I, method 3.
    within(wilson(81, 263, 0.95), 0.2553, 0.3662, 5e-5);
    within(wilson(15, 148, 0.95), 0.0624, 0.1605, 5e-5);
    within(wilson(0, 20, 0.95), 0.0, 0.1611, 5e-5);
    within(wilson(1, 29, 0.95), 0.0061, 0.1718, 5e-5);
    assert_eq!(wilson(0, 0, 0.95), Interval::new(0.0, 1.0));
    assert!(wilson(29, 29, 0.95).high <= 1.0);
}

#[test]
fn nps_has_the_adjusted_wald_interval_that_holds_its_score() {
    let nps = |promoters, detractors, n| Nps { promoters, detractors, n };
    let usual = nps(50, 20, 100);
    near(usual.fraction() * 100.0, 30.0, 1e-12);
    within(usual.adjusted_wald(0.95).times(100.0), 14.1, 44.2, 0.05);
    let few = nps(5, 0, 5).adjusted_wald(0.95);
    assert!(few.low < 1.0);
    near(few.high, 1.0, 0.0);
    // Without the stretch the upper limit would be 0.984.
    let many = nps(200, 0, 200);
    near(many.adjusted_wald(0.95).high, many.fraction(), 0.0);
}

#[test]
fn a_published_nps_file_gives_its_variance_and_plain_interval() {
    // The answers of the R package NPS 1.1: 462 promoters, 362 detractors, 176 passives.
    let nps = Nps { promoters: 227 + 235, detractors: 74 + 10 + 22 + 35 + 40 + 140 + 41, n: 1000 };
    near(nps.fraction(), 0.100, 1e-12);
    near(nps.variance(), 0.814, 1e-12);
    within(nps.wald(0.95), 0.04408, 0.15592, 5e-6);
}

#[test]
fn means_have_student_intervals() {
    let sample = Sample::of([(1.0, 1), (2.0, 1), (4.0, 2), (9.0, 1)].into_iter()).expect("rows");
    assert_eq!((sample.n, sample.mean), (5, 4.0));
    near(sample.variance, 9.5, 1e-12);
    let interval = interval::mean(&sample, 0.95).expect("five answers");
    within(interval, 4.0 - 3.827063, 4.0 + 3.827063, 1e-5);
    let one = Sample::of([(3.0, 1)].into_iter()).expect("a row");
    assert_eq!(interval::mean(&one, 0.95), None);
    assert_eq!(Sample::of(std::iter::empty()), None);
}

#[test]
fn shares_differ_by_newcombes_interval_and_a_pooled_test() {
    let of = |k, n| Share { k, n };
    // Newcombe 1998, table II, method 10, contrasts (a), (b), (d).
    let a = change::proportions(of(56, 70), of(48, 80), 0.95).expect("both sides");
    within(a.interval, 0.0524, 0.3339, 5e-5);
    relative(a.p_value.expect("a test"), 0.00804508136819658, 1e-9);
    let b = change::proportions(of(9, 10), of(3, 10), 0.95).expect("both sides");
    within(b.interval, 0.1705, 0.8090, 5e-5);
    let d = change::proportions(of(5, 56), of(0, 29), 0.95).expect("both sides");
    within(d.interval, -0.0381, 0.1926, 5e-5);
    let same = change::proportions(of(10, 10), of(7, 7), 0.95).expect("both sides");
    assert_eq!(same.p_value, Some(1.0));
    assert_eq!(change::proportions(of(1, 2), of(0, 0), 0.95), None);
}

#[test]
fn means_differ_by_welch() {
    let one = |values: &[f64]| Sample::of(values.iter().map(|value| (*value, 1))).expect("rows");
    let first = one(&[
        27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4,
    ]);
    let second = one(&[
        27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4,
    ]);
    let welch = change::means(&first, &second, 0.95).expect("enough answers");
    relative(welch.p_value.expect("a test"), 0.021378001462866992, 1e-9);
    within(welch.interval, -3.984096267140929, -0.3492370661924069, 1e-9);
    let still = one(&[3.0, 3.0]);
    assert_eq!(change::means(&still, &still, 0.95).and_then(|d| d.p_value), Some(1.0));
    let other = one(&[4.0, 4.0]);
    assert_eq!(change::means(&still, &other, 0.95).and_then(|d| d.p_value), None);
    assert_eq!(change::means(&one(&[1.0]), &other, 0.95), None);
}

#[test]
fn holm_corrects_inside_a_family() {
    let given = [Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)];
    let got = holm(&given);
    for (got, wanted) in got.iter().zip([Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)]) {
        match (got, wanted) {
            (Some(got), Some(wanted)) => near(*got, wanted, 1e-12),
            (got, wanted) => assert_eq!(*got, wanted),
        }
    }
    assert_eq!(holm(&[Some(0.7), Some(0.9)]), vec![Some(1.0), Some(1.0)]);
}

/// Time, event, count: `waltons` of lifelines 0.30 (MIT), lifetimes of 163 flies.
const WALTONS: &str = "6+1 7-1 7+1 9+3 13+3 15+2 17+1 19+3 22+4 26+5 29+5 32+1 33+3 36+2 38+2 41+7 \
    43+1 45-1 45+9 47+1 48+8 51+3 53+7 54+2 56+18 58+4 60-1 60+15 61-2 61+9 62+2 63+9 66+3 68-1 \
    68+9 69-1 69+12 75+1";

fn waltons() -> Vec<Observed> {
    let subject = |text: &str| {
        let (time, count) = text.split_once(['+', '-']).expect("time and count");
        Observed {
            time: time.parse().expect("a time"),
            event: text.contains('+'),
            count: count.parse().expect("a count"),
        }
    };
    WALTONS.split_whitespace().map(subject).collect()
}

#[test]
fn survival_of_the_waltons_flies_is_that_of_r() {
    let curve = kaplan_meier(&waltons(), 0.95);
    assert_eq!(curve.n, 163);
    assert_eq!(curve.median().time, Some(56));
    for (time, survival, low, high) in [
        (6, 0.993865030674847, 0.957253659109063, 0.99913352328184),
        (7, 0.987730061349693, 0.951834127177309, 0.996917124459818),
        (68, 0.100383563715013, 0.0592407988140729, 0.154156822188541),
        (69, 0.0143405091021448, 0.00285407770416448, 0.0461836975250737),
    ] {
        near(curve.at(time), survival, 1e-9);
        let step = curve.steps.iter().find(|step| step.time == time).expect("a step");
        within(step.interval.expect("inside 0 and 1"), low, high, 1e-9);
    }
    near(curve.at(5), 1.0, 0.0);
    near(curve.at(1000), 0.0, 0.0);
    let last = curve.steps.last().expect("steps");
    assert_eq!((last.time, last.at_risk, last.events, last.interval), (75, 1, 1, None));
}

#[test]
fn survival_does_not_depend_on_order_or_on_how_counts_are_split() {
    let mut split: Vec<Observed> = waltons()
        .into_iter()
        .flat_map(|subject| (0..subject.count).map(move |_| Observed { count: 1, ..subject }))
        .collect();
    split.reverse();
    assert_eq!(kaplan_meier(&split, 0.95), kaplan_meier(&waltons(), 0.95));
}

#[test]
fn a_time_that_few_reached_has_no_median() {
    let open = |time, count| Observed { time, event: false, count };
    let curve = kaplan_meier(&[Observed { time: 2, event: true, count: 1 }, open(5, 3)], 0.95);
    assert_eq!(curve.median().time, None);
    near(curve.restricted_mean(5), 2.0 + 3.0 * 0.75, 1e-12);
    assert_eq!(kaplan_meier(&[], 0.95).steps, vec![]);
    near(kaplan_meier(&[], 0.95).at(3), 1.0, 0.0);
    let half = kaplan_meier(&[Observed { time: 4, event: true, count: 1 }, open(4, 1)], 0.95);
    assert_eq!(half.median().time, Some(4));
}

proptest::proptest! {
    /// Goal: the short way to a median may save work, and nothing else. Method: few and many subjects,
    /// close together and far apart, against the whole curve.
    #[test]
    fn the_median_of_single_subjects_is_that_of_their_curve(
        mut happened in proptest::collection::vec(0_i64..400, 0..300),
        mut censored in proptest::collection::vec(0_i64..400, 0..300),
        spread in 1_i64..4,
    ) {
        for times in [&mut happened, &mut censored] {
            for time in times.iter_mut() {
                *time /= spread * spread * spread;
            }
            times.sort_unstable();
        }
        let observed = |times: &[i64], event: bool| -> Vec<Observed> {
            times.iter().map(|time| Observed { time: *time, event, count: 1 }).collect()
        };
        let all = [observed(&happened, true), observed(&censored, false)].concat();
        for confidence in [0.5, 0.95, 0.999] {
            let curve = kaplan_meier(&all, confidence);
            proptest::prop_assert_eq!(median_of(&happened, &censored, confidence), curve.median());
        }
    }
}
