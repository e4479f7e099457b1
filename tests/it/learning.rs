//! What personas and churn risk are computed by, against published numbers and sums by hand.

use cxmart::measure::drawn::Drawn;
use cxmart::measure::kernel::boosting::{self, Shape};
use cxmart::measure::kernel::clusters::{assign, distances, k_means, matched, silhouette, starts};
use cxmart::measure::kernel::discrimination::{
    auc, auc_interval, average_precision, bins, brier, calibration_error, log_loss,
};
use cxmart::measure::kernel::stability::stability_index;
use cxmart::measure::kernel::{isotonic, logistic};

use super::clv::relative;

/// Weight and gearbox (1: manual) of 32 cars (Henderson & Velleman 1981).
const WEIGHTS: [f64; 32] = [
    2.620, 2.875, 2.320, 3.215, 3.440, 3.460, 3.570, 3.190, 3.150, 3.440, 3.440, 4.070, 3.730,
    3.780, 5.250, 5.424, 5.345, 2.200, 1.615, 1.835, 2.465, 3.520, 3.435, 3.840, 3.845, 1.935,
    2.140, 1.513, 3.170, 2.770, 3.570, 2.780,
];
const MANUAL: [u8; 32] = [
    1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1,
];

/// What R's `glm(am ~ wt, binomial, mtcars)` says: 12.040 (4.510), -4.024 (1.436), deviance 19.176.
#[test]
fn a_regression_is_the_one_that_r_fits() {
    let labels: Vec<bool> = MANUAL.iter().map(|manual| *manual == 1).collect();
    let fit = logistic::fit(&WEIGHTS, 1, &labels, 0.0).expect("a fit");
    assert!(fit.is_converged);
    relative(fit.intercept, 12.040369728657318, 1e-9);
    relative(fit.coefficients[0], -4.023969962173201, 1e-9);
    relative(fit.standard_errors[0], 4.510066238966766, 1e-6);
    relative(fit.standard_errors[1], 1.4365277526235605, 1e-6);
    relative(-2.0 * fit.log_likelihood, 19.176084807445084, 1e-9);
    relative(fit.probability(&[2.62]), logistic::sigmoid(fit.log_odds(&[2.62])), 1e-15);
}

/// Hours of study and whether the exam was passed, as textbooks have it; the ridge was solved in
/// another language.
#[test]
fn a_ridge_draws_coefficients_to_zero_and_keeps_them_finite() {
    let hours = [
        0.50, 0.75, 1.00, 1.25, 1.50, 1.75, 1.75, 2.00, 2.25, 2.50, 2.75, 3.00, 3.25, 3.50, 4.00,
        4.25, 4.50, 4.75, 5.00, 5.50,
    ];
    let passed = [0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1].map(|one| one == 1);
    let fit = |ridge| logistic::fit(&hours, 1, &passed, ridge).expect("a fit");
    relative(fit(0.0).intercept, -4.077713431087631, 1e-8);
    relative(fit(0.0).coefficients[0], 1.5046454283733333, 1e-8);
    relative(fit(1.0).intercept, -3.1395249306067363, 1e-8);
    relative(fit(1.0).coefficients[0], 1.1486039018241834, 1e-8);
    relative(fit(1.0).standard_errors[1], 0.44546560887897946, 1e-6);

    let apart = [1.0, 2.0, 3.0, 4.0];
    let fit = logistic::fit(&apart, 1, &[false, false, true, true], 0.1).expect("a fit");
    assert!(fit.is_converged && fit.coefficients[0].is_finite() && fit.coefficients[0] > 1.0);
    assert_eq!(logistic::fit(&apart, 1, &[true; 4], 0.1), None, "one class tells nothing apart");
    assert_eq!(logistic::fit(&[], 1, &[], 0.1), None);
}

/// The examples of scikit-learn's documentation.
#[test]
fn probabilities_are_judged_as_elsewhere() {
    let scored = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
    assert_eq!(auc(&scored), Some(0.75));
    relative(average_precision(&scored).expect("cases"), 0.833_333_333_333_333_4, 1e-12);
    let told = [(0.1, false), (0.9, true), (0.8, true), (0.3, false)];
    relative(brier(&told).expect("people"), 0.0375, 1e-12);
    let told = [(0.9, true), (0.1, false), (0.2, false), (0.65, true)];
    relative(log_loss(&told).expect("people"), 0.216_161_874_680_146_34, 1e-9);
    assert_eq!(auc(&[(0.3, true)]), None);
    assert_eq!(average_precision(&[(0.3, false)]), None);
    assert_eq!(brier(&[]), None);
    // Hanley & McNeil's example: area .893 of 51 and 58 has a standard error of .0325.
    let interval = auc_interval(0.893, 51, 58, 0.95);
    relative(interval.high - 0.893, 1.959_964 * 0.032_509_7, 1e-4);
}

/// Pairs counted one by one.
#[test]
fn an_area_counts_ties_half() {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed >> 33
    };
    let scored: Vec<(f64, bool)> =
        (0..200).map(|_| ((next() % 20) as f64 / 20.0, next() % 3 == 0)).collect();
    let (mut pairs, mut won) = (0.0, 0.0);
    for case in scored.iter().filter(|one| one.1) {
        for other in scored.iter().filter(|one| !one.1) {
            pairs += 1.0;
            won +=
                if case.0 > other.0 { 1.0 } else { f64::from(u8::from(case.0 == other.0)) / 2.0 };
        }
    }
    relative(auc(&scored).expect("two classes"), won / pairs, 1e-12);
}

#[test]
fn bins_are_of_equal_size_and_say_how_far_off_they_are() {
    let scored: Vec<(f64, bool)> = (0..10).map(|i| (f64::from(i) / 10.0, i >= 5)).collect();
    let bins = bins(&scored, 2);
    assert_eq!(bins.iter().map(|bin| (bin.n, bin.cases)).collect::<Vec<_>>(), [(5, 0), (5, 5)]);
    relative(bins[0].predicted, 0.2, 1e-12);
    relative(calibration_error(&bins).expect("people"), 0.25, 1e-12);
}

/// By hand: 0 | 1 and 0 pooled to a half | 1, 1 and 0 pooled to two thirds.
#[test]
fn violators_are_pooled() {
    let scored: Vec<(f64, bool)> =
        [0, 1, 0, 1, 1, 0].iter().enumerate().map(|(i, y)| (i as f64 + 1.0, *y == 1)).collect();
    let curve = isotonic::fit(&scored).expect("scores");
    assert_eq!(curve.blocks(), [(1.0, 0.0), (2.5, 0.5), (5.0, 2.0 / 3.0)]);
    relative(curve.at(2.5), 0.5, 1e-12);
    relative(curve.at(1.75), 0.25, 1e-12);
    relative(curve.at(9.0), 2.0 / 3.0, 1e-12);
    relative(curve.at(-3.0), 0.5 / 6.0, 1e-12);
    let mut backwards = scored.clone();
    backwards.reverse();
    assert_eq!(isotonic::fit(&backwards), Some(curve));
    assert_eq!(isotonic::fit(&[]), None);
}

/// By hand: half of the tenths twice as full, the others empty.
#[test]
fn what_moved_is_told_by_how_far() {
    let trained: Vec<f64> = (1..=100).map(f64::from).collect();
    let today: Vec<f64> = (51..=100).map(f64::from).collect();
    let wanted = 5.0 * 0.1 * 2.0_f64.ln() + 5.0 * (1e-4 - 0.1) * 1e-3_f64.ln();
    relative(stability_index(&trained, &today).expect("people"), wanted, 1e-9);
    assert!(stability_index(&trained, &trained).expect("people").abs() < 1e-12);
    assert!(stability_index(&[3.0; 9], &[3.0; 4]).expect("people").abs() < 1e-12);
    assert_eq!(stability_index(&trained, &[]), None);
}

/// By hand: from even odds, two below and two above, each leaf moves by a gradient of 1 over a
/// curvature of a half and a ridge of 1.
#[test]
fn a_tree_is_the_one_that_a_pencil_grows() {
    let shape = Shape { trees: 1, depth: 1, rate: 1.0, leaf_rows: 1, ridge: 1.0 };
    let labels = [false, false, true, true];
    let tree = boosting::fit(&[1.0, 2.0, 3.0, 4.0], 1, &labels, shape).expect("two classes");
    relative(tree.log_odds(&[2.0]), -2.0 / 3.0, 1e-12);
    relative(tree.log_odds(&[2.5]), 2.0 / 3.0, 1e-12);
    relative(tree.log_odds(&[99.0]), 2.0 / 3.0, 1e-12);
    relative(tree.contributions(&[1.0])[0], -2.0 / 3.0, 1e-12);
    assert_eq!(tree.gains(), [1.0]);
    assert_eq!(boosting::fit(&[1.0, 2.0], 1, &[true; 2], shape), None);
    let alike = boosting::fit(&[1.0; 4], 1, &labels, shape).expect("two classes");
    assert_eq!((alike.trees(), alike.probability(&[1.0])), (0, 0.5), "nothing parts them");
}

/// Either of two features alone says nothing: no line parts them, trees do.
#[test]
fn trees_see_what_no_line_does() {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for i in 0..20_u32 {
        for j in 0..20_u32 {
            rows.extend([f64::from(i), f64::from(j), f64::from(i * 7 % 5)]);
            // Not quite even, or no first split is better than none.
            labels.push((i < 9) != (j < 11));
        }
    }
    let shape = Shape { trees: 60, depth: 3, rate: 0.3, leaf_rows: 5, ridge: 1.0 };
    let trees = boosting::fit(&rows, 3, &labels, shape).expect("two classes");
    let line = logistic::fit(&rows, 3, &labels, 1.0).expect("two classes");
    let area = |told: &dyn Fn(&[f64]) -> f64| {
        let scored = rows.chunks_exact(3).zip(&labels).map(|(row, label)| (told(row), *label));
        auc(&scored.collect::<Vec<_>>()).expect("two classes")
    };
    assert!(area(&|row| trees.probability(row)) > 0.999);
    assert!(area(&|row| line.probability(row)) < 0.6);
    for row in rows.chunks_exact(3) {
        let added: f64 = trees.contributions(row).iter().sum();
        assert!((trees.base() + added - trees.log_odds(row)).abs() < 1e-9);
    }
    assert!(trees.gains()[2] < 0.05);
    assert_eq!(boosting::fit(&rows, 3, &labels, shape), Some(trees));
}

#[test]
fn known_groups_are_found_from_starts_that_nothing_is_drawn_for() {
    let corners = [(0.0, 0.0), (10.0, 0.0), (0.0, 12.0)];
    let near = [(0.0, 0.0), (0.5, 0.1), (-0.4, 0.3), (0.1, -0.6), (-0.2, 0.2)];
    let mut points = Vec::new();
    for (dx, dy) in near {
        for (x, y) in corners {
            points.extend([x + dx, y + dy]);
        }
    }
    let found = k_means(&points, 2, 3);
    assert_eq!(found.sizes, [5, 5, 5]);
    let groups = assign(&found.centres, &points, 2);
    assert!((0..15).all(|i| groups[i] == groups[i % 3]) && groups[0] != groups[1]);
    let (each, all) = silhouette(&distances(&points, 2), &groups, 3).expect("three groups");
    assert!(all > 0.9 && each.iter().all(|one| *one > 0.9));
    let two = assign(&k_means(&points, 2, 2).centres, &points, 2);
    assert!(silhouette(&distances(&points, 2), &two, 2).expect("two groups").1 < all);
    assert_eq!(starts(&[1.0, 1.0, 1.0], 1, 3).len(), 1, "points that do not differ");
    assert!(k_means(&[], 2, 3).centres.is_empty());
}

/// By hand: 0 and 1 against 10 and 11.
#[test]
fn a_silhouette_is_the_one_by_hand() {
    let (each, all) =
        silhouette(&distances(&[0.0, 1.0, 10.0, 11.0], 1), &[0, 0, 1, 1], 2).expect("two");
    let (outer, inner) = (9.5 / 10.5, 8.5 / 9.5);
    relative(all, f64::midpoint(outer, inner), 1e-12);
    relative(each[0], f64::midpoint(outer, inner), 1e-12);
    let (each, _) = silhouette(&distances(&[0.0, 1.0, 10.0], 1), &[0, 0, 1], 2).expect("two");
    assert_eq!(each[1], 0.0, "alone");
    assert_eq!(silhouette(&distances(&[0.0, 1.0], 1), &[0, 0], 2), None);
}

#[test]
fn partners_are_those_of_the_least_distance_together() {
    let points = |values: &[f64]| values.iter().map(|x| vec![*x]).collect::<Vec<_>>();
    // One after the other, 1.0 would take 1.2 and leave 9.0 to 0.0.
    let pairs = matched(&points(&[1.0, 1.3]), &points(&[1.2, 0.0]));
    assert_eq!(pairs, [Some(1), Some(0)]);
    let pairs = matched(&points(&[5.0, 0.1, 9.0]), &points(&[0.0, 9.1]));
    assert_eq!(pairs, [None, Some(0), Some(1)]);
    assert_eq!(matched(&points(&[5.0]), &[]), [None]);
}

#[test]
fn a_sample_is_of_about_its_size_and_of_nobody_else() {
    let ids: Vec<String> = (0..10_000).map(|i| format!("c_{i}")).collect();
    let held = |drawn: Drawn| ids.iter().filter(|id| drawn.holds(id)).cloned().collect::<Vec<_>>();
    let few = held(Drawn::new("test", 1_000, 10_000));
    assert!((900..1_100).contains(&few.len()), "{}", few.len());
    assert!(held(Drawn::new("test", 2_000, 10_000)).iter().filter(|id| few.contains(id)).eq(&few));
    assert_eq!(held(Drawn::new("test", 10_000, 10_000)).len(), ids.len());
    let other = held(Drawn::new("other", 1_000, 10_000));
    assert!(other.iter().filter(|id| few.contains(id)).count() < 200);
}
