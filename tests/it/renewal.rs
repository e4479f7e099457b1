//! Survival and renewal kernels against published numbers.
//!
//! The table of the waltons flies is what R's `survfit(…, conf.type = "log-log")` gives for the
//! lifetimes of lifelines 0.30 (MIT); restricted means are R's, the log-rank test lifelines' own.
//! Renewals are table 1 of Fader & Hardie 2007.

use std::collections::BTreeMap;

use cxmart::measure::kernel::interval::poisson_rate;
use cxmart::measure::kernel::kaplan_meier::{Observed, kaplan_meier};
use cxmart::measure::kernel::log_rank::log_rank;
use cxmart::measure::kernel::risk::relative_risk;
use cxmart::measure::kernel::sbg::{Renewed, Sbg};

#[track_caller]
fn near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "got {got:?}, wanted {wanted:?}");
}

#[track_caller]
fn relative(got: f64, wanted: f64, tolerance: f64) {
    near(got, wanted, tolerance * wanted.abs());
}

/// Time, event, count.
const MUTANTS: &str = "6+1 9+3 13+3 15+2 19+3 22+4 26+5 29+5 33+2 36+2 43+1 47+1 62+2";
const CONTROLS: &str = "7-1 7+1 17+1 32+1 33+1 38+2 41+7 45-1 45+9 48+8 51+3 53+7 54+2 56+18 58+4 \
    60-1 60+15 61-2 61+9 63+9 66+3 68-1 68+9 69-1 69+12 75+1";

fn flies(text: &str) -> Vec<Observed> {
    let subject = |text: &str| {
        let (time, count) = text.split_once(['+', '-']).expect("time and count");
        Observed {
            time: time.parse().expect("a time"),
            event: text.contains('+'),
            count: count.parse().expect("a count"),
        }
    };
    text.split_whitespace().map(subject).collect()
}

/// Time, at risk, events, censored, survival, lower and upper limit.
#[rustfmt::skip]
const SURVFIT: [(i64, u64, u64, u64, f64, f64, f64); 32] = [
    (6, 163, 1, 0, 0.993865030674847, 0.957253659109063, 0.99913352328184),
    (7, 162, 1, 1, 0.987730061349693, 0.951834127177309, 0.996917124459818),
    (9, 160, 3, 0, 0.969210122699386, 0.927612786211386, 0.987068084231741),
    (13, 157, 3, 0, 0.95069018404908, 0.903820857363995, 0.975030991169803),
    (15, 154, 2, 0, 0.938343558282209, 0.888437314760471, 0.966342425160604),
    (17, 152, 1, 0, 0.932170245398773, 0.880865425857062, 0.961853331840505),
    (19, 151, 3, 0, 0.913650306748466, 0.858549259441711, 0.947930354921341),
    (22, 148, 4, 0, 0.888957055214724, 0.829546731904323, 0.928542628582751),
    (26, 144, 5, 0, 0.858090490797546, 0.794213194951949, 0.90333589842881),
    (29, 139, 5, 0, 0.827223926380368, 0.759669398683744, 0.877312813707239),
    (32, 134, 1, 0, 0.821050613496932, 0.752840544686734, 0.872026545178142),
    (33, 133, 3, 0, 0.802530674846626, 0.732496108893635, 0.856023467572056),
    (36, 130, 2, 0, 0.790184049079755, 0.719043744828533, 0.845242881325302),
    (38, 128, 2, 0, 0.777837423312883, 0.705673552165941, 0.834379481855462),
    (41, 126, 7, 0, 0.734624233128834, 0.659463752783147, 0.795769913127479),
    (43, 119, 1, 0, 0.728450920245399, 0.652930958783432, 0.790185711161229),
    (45, 118, 9, 1, 0.672891104294478, 0.594824941037889, 0.739243208521461),
    (47, 108, 1, 0, 0.666660631106567, 0.588370952883443, 0.733466285970835),
    (48, 107, 8, 0, 0.616816845603272, 0.537239074124696, 0.68676523054785),
    (51, 99, 3, 0, 0.598125426039536, 0.518283932675161, 0.669039525302296),
    (53, 96, 7, 0, 0.554512113724154, 0.47449773142283, 0.627251066961595),
    (54, 89, 2, 0, 0.54205116734833, 0.462098592108639, 0.61520399496087),
    (56, 87, 18, 0, 0.429902649965917, 0.352689004819362, 0.504679609232887),
    (58, 69, 4, 0, 0.404980757214269, 0.328916020006894, 0.479601064154181),
    (60, 65, 15, 1, 0.311523659395592, 0.241659493551395, 0.38375862020449),
    (61, 49, 9, 2, 0.254305028078034, 0.189747270819812, 0.323687860563665),
    (62, 38, 2, 0, 0.240920552916032, 0.177715583042292, 0.309561159787857),
    (63, 36, 9, 0, 0.180690414687024, 0.124942758833431, 0.244759097127556),
    (66, 27, 3, 0, 0.160613701944022, 0.107928575522646, 0.222638623964193),
    (68, 24, 9, 1, 0.100383563715013, 0.0592407988140729, 0.154156822188541),
    (69, 14, 12, 1, 0.0143405091021448, 0.00285407770416448, 0.0461836975250737),
    (75, 1, 1, 0, 0.0, f64::NAN, f64::NAN),
];

#[test]
fn every_step_of_the_flies_is_that_of_r() {
    let all = [flies(MUTANTS), flies(CONTROLS)].concat();
    let curve = kaplan_meier(&all, 0.95);
    assert_eq!(curve.steps.len(), SURVFIT.len());
    for (step, (time, at_risk, events, censored, survival, low, high)) in
        curve.steps.iter().zip(SURVFIT)
    {
        let counts = (step.time, step.at_risk, step.events, step.censored);
        assert_eq!(counts, (time, at_risk, events, censored));
        near(step.survival, survival, 1e-9);
        if let Some(interval) = step.interval {
            near(interval.low, low, 1e-9);
            near(interval.high, high, 1e-9);
        } else {
            assert!(low.is_nan() && high.is_nan());
        }
    }
    let median = curve.median();
    assert_eq!((median.time, median.low, median.high), (Some(56), Some(53), Some(58)));
}

#[test]
fn the_log_rank_test_tells_mutants_from_controls() {
    let (mutants, controls) = (flies(MUTANTS), flies(CONTROLS));
    let test = log_rank(&[&mutants, &controls]).expect("two groups");
    near(test.statistic, 122.249126, 1e-6);
    assert_eq!(test.freedom, 1);
    relative(test.p_value, 2.0359832222854986e-28, 1e-6);
    let turned = log_rank(&[&controls, &mutants]).expect("two groups");
    relative(turned.statistic, test.statistic, 1e-12);
    // A group cut in two says the same about the two halves: they do not differ.
    let three = log_rank(&[&mutants, &controls, &controls]).expect("three groups");
    assert_eq!(three.freedom, 2);
    assert_eq!(log_rank(&[&mutants]), None);
    let unseen = [Observed { time: 1, event: false, count: 5 }];
    let with_unseen = log_rank(&[&mutants, &controls, &unseen]).expect("two groups at risk");
    assert_eq!(with_unseen.freedom, 1);
    near(with_unseen.statistic, test.statistic, 1e-9);
    assert_eq!(log_rank(&[&unseen, &unseen]), None);
}

#[test]
fn a_restricted_mean_is_the_area_with_its_error() {
    // Two subjects: one lives 1, one lives 3. Mean within 4 is 2; its variance by the formula is
    // (area after 1)² · 1 / (2 · 1) = 1² / 2.
    let lives = [1, 3].map(|time| Observed { time, event: true, count: 1 });
    let curve = kaplan_meier(&lives, 0.95);
    near(curve.restricted_mean(4), 2.0, 1e-12);
    let interval = curve.restricted_mean_interval(4, 0.95);
    let half = 1.959963984540054 * 0.5_f64.sqrt();
    near(interval.low, 2.0 - half, 1e-9);
    near(interval.high, 2.0 + half, 1e-9);
}

/// Percent of a cohort that is left after 0, 1, 2, … renewals.
const HIGH_END: [f64; 13] =
    [100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4];
const REGULAR: [f64; 13] =
    [100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3];

/// A cohort of a thousand, watched for seven renewals.
fn cohort(percent: &[f64]) -> BTreeMap<Renewed, u64> {
    let people = |percent: f64| (percent * 10.0).round() as u64;
    let mut renewed = BTreeMap::new();
    for (renewal, pair) in (1..).zip(percent[..8].windows(2)) {
        let left = people(pair[0]) - people(pair[1]);
        renewed.insert(Renewed { renewal, has_left: true }, left);
    }
    renewed.insert(Renewed { renewal: 7, has_left: false }, people(percent[7]));
    renewed
}

#[test]
fn renewals_are_fitted_and_projected_as_published() {
    for (percent, alpha, beta, log_likelihood, at_twelve, residual, lifetime) in [
        (HIGH_END, 0.668088, 3.806096, -1611.158, 0.3780, 7.52963, 5.922253),
        (REGULAR, 0.704077, 1.182043, -1680.265, 0.1700, 6.84232, 3.694908),
    ] {
        let fit = Sbg::fit(&cohort(&percent)).expect("customers");
        assert!(fit.is_converged);
        assert_eq!((fit.starts, fit.agreeing), (4, 4));
        near(fit.parameters[0], alpha, 1e-6);
        near(fit.parameters[1], beta, 1e-5);
        near(fit.log_likelihood, log_likelihood, 1e-3);
        let model = Sbg::from(fit.parameters);
        near(model.survival(12), at_twelve, 5e-5);
        near(model.residual_lifetime(7, 0.1), residual, 1e-5);
        near(model.lifetime(1_000, 0.1), lifetime, 1e-5);
        near(model.survival(5), model.survival(4) * model.retention(5), 1e-12);
        // The sum that METRICS writes down.
        let sum: f64 = (8..400)
            .map(|t| model.survival(t) / model.survival(7) * 1.1_f64.powi(8 - t as i32))
            .sum();
        relative(model.residual_lifetime(7, 0.1), sum, 1e-12);
    }
}

#[test]
fn rates_and_risks_have_textbook_intervals() {
    // Garwood's limits for 10 events: 4.795 and 18.390.
    let ten = poisson_rate(10, 1.0, 0.95);
    near(ten.low, 4.795389, 1e-5);
    near(ten.high, 18.390356, 1e-5);
    let none = poisson_rate(0, 2.0, 0.95);
    near(none.low, 0.0, 0.0);
    near(none.high, 3.688879 / 2.0, 1e-5);
    let risk = relative_risk((30, 100), (10, 100), 0.95).expect("two groups");
    near(risk.ratio, 3.0, 1e-12);
    let error = (70.0_f64 / 3_000.0 + 90.0 / 1_000.0).sqrt();
    near(risk.interval.low, 3.0 * (-1.959963984540054 * error).exp(), 1e-9);
    let zero = relative_risk((0, 20), (5, 20), 0.95).expect("two groups");
    near(zero.ratio, (0.5 / 21.0) / (5.5 / 21.0), 1e-12);
    assert!(relative_risk((1, 2), (0, 0), 0.95).is_none());
}
