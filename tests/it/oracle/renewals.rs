//! Renewals once more: contracts counted month by month, and the model fitted by another method.

use std::collections::BTreeMap;

use super::lives::{Life, number_of};
use super::survival::{Group, groups, named};
use super::world::{Row, Terms, World, check, flag, word};

/// Mean length of a month.
const MONTH: f64 = 30.4375;

/// Months, and whether it left then.
type Renewed = (i64, bool);

/// Of first contracts.
fn renewed(life: &Life, horizon: i32, terms: &Terms) -> Option<Renewed> {
    let first = life.first_day().filter(|_| life.is_contractual)?;
    let months = |day: i32| f64::from(day - first) / MONTH;
    Some(match life.first_churn(horizon) {
        // Access had ended before the grace.
        Some(churn) => ((months(churn - terms.grace_days).round() as i64).max(1), true),
        None => (months(horizon) as i64, false),
    })
}

/// Σ 1/(from + i) for i below `n`: what two digamma functions of whole distance differ by.
fn harmonic(from: f64, n: i64, power: i32) -> f64 {
    (0..n).map(|i| (from + i as f64).powi(-power)).sum()
}

/// Mean log-likelihood of the shifted-beta-geometric model, by P(T = t) as a product of what is
/// left at each renewal.
fn likelihood(renewed: &[Renewed], alpha: f64, beta: f64) -> f64 {
    let of = |(months, has_left): &Renewed| -> f64 {
        let renewals = if *has_left { months - 1 } else { *months };
        let stays: f64 =
            (0..renewals).map(|i| ((beta + i as f64) / (alpha + beta + i as f64)).ln()).sum();
        let leaves = (alpha / (alpha + beta + renewals as f64)).ln();
        if *has_left { stays + leaves } else { stays }
    };
    renewed.iter().map(of).sum::<f64>() / renewed.len() as f64
}

/// Slopes of minus that in the logarithms of both, and their slopes.
fn slopes(renewed: &[Renewed], alpha: f64, beta: f64) -> ([f64; 2], [[f64; 2]; 2]) {
    let (mut first, mut second) = ([0.0; 2], [[0.0; 2]; 2]);
    for (months, has_left) in renewed {
        let left = if *has_left { 1.0 } else { 0.0 };
        let stays = months - i64::from(*has_left);
        let both = |power| harmonic(alpha + beta, *months, power);
        first[0] -= left / alpha - both(1);
        first[1] -= harmonic(beta, stays, 1) - both(1);
        second[0][0] -= both(2) - left / (alpha * alpha);
        second[0][1] -= both(2);
        second[1][1] -= both(2) - harmonic(beta, stays, 2);
    }
    let n = renewed.len() as f64;
    let at = [alpha, beta];
    let gradient = [first[0] * alpha / n, first[1] * beta / n];
    second[1][0] = second[0][1];
    let mut curvature = [[0.0; 2]; 2];
    for i in 0..2 {
        for j in 0..2 {
            curvature[i][j] = second[i][j] * at[i] * at[j] / n;
        }
        curvature[i][i] += gradient[i];
    }
    (gradient, curvature)
}

/// The most likely parameters: the best of a wide grid, then ever finer grids around the best, and
/// Newton's steps at the end.
fn fit(renewed: &[Renewed]) -> (f64, f64) {
    let (mut best, mut width) = ([0.0_f64, 0.0], 8.0);
    for _ in 0..40 {
        let around = best;
        let mut value = likelihood(renewed, best[0].exp(), best[1].exp());
        for i in -4..=4 {
            for j in -4..=4 {
                let at = [
                    around[0] + width * f64::from(i) / 4.0,
                    around[1] + width * f64::from(j) / 4.0,
                ];
                let found = likelihood(renewed, at[0].exp(), at[1].exp());
                if found > value {
                    (best, value) = (at, found);
                }
            }
        }
        width *= 0.7;
    }
    for _ in 0..20 {
        let ([a, b], [[p, q], [_, r]]) = slopes(renewed, best[0].exp(), best[1].exp());
        let whole = p * r - q * q;
        best = [best[0] - (r * a - q * b) / whole, best[1] - (p * b - q * a) / whole];
    }
    (best[0].exp(), best[1].exp())
}

/// Greatest over least stretch of a symmetric matrix.
fn condition([[p, q], [_, r]]: [[f64; 2]; 2]) -> f64 {
    let (middle, half) = (f64::midpoint(p, r), ((p - r) / 2.0).hypot(q));
    (middle + half) / (middle - half)
}

/// Payments still to come, each discounted by its months from the next one.
fn to_come(alpha: f64, beta: f64, renewals: i64) -> f64 {
    let (mut stays, mut sum, monthly) = (1.0, 0.0, 1.1_f64.powf(-1.0 / 12.0));
    for ahead in 0..1_200_i32 {
        let t = (renewals + 1 + i64::from(ahead)) as f64;
        stays *= (beta + t - 1.0) / (alpha + beta + t - 1.0);
        sum += stays * monthly.powi(ahead);
    }
    sum
}

const LEAVERS_MIN: usize = 30;

/// Goal: renewals are what their definition says of the lives. Method: as for scores; the model's
/// parameters are found by another search; how many groups have a model of their own.
pub async fn renewals_are_what_the_lives_say(world: &World, lives: &[Life]) -> usize {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let groups = groups(lives, terms.cohorts, |life| renewed(life, horizon, terms));
    let leavers = |own: &[Renewed]| own.iter().filter(|(_, has_left)| *has_left).count();
    let own_fit = |own: &Vec<Renewed>| (leavers(own) >= LEAVERS_MIN).then(|| fit(own));
    let fits: BTreeMap<&Group, Option<(f64, f64)>> =
        groups.iter().map(|(group, own)| (group, own_fit(own))).collect();
    let everybody = ("all".to_owned(), 0, "all".to_owned(), "all".to_owned());
    let pooled = fits.get(&everybody).copied().flatten();
    let mut rows: BTreeMap<[String; 3], BTreeMap<i64, Row>> = BTreeMap::new();
    for row in world.rows("retention_projection").await {
        let key = ["cohort_grain", "cohort", "segment"].map(|name| row[name].clone());
        let period = row["period_index"].parse().expect("a period");
        assert!(rows.entry(key).or_default().insert(period, row).is_none());
    }
    assert_eq!(rows.len(), groups.len());
    for (group, own) in &groups {
        let rows = &rows[&named(group)];
        let longest = own.iter().map(|(months, _)| *months).max().expect("a contract");
        assert!(rows.keys().copied().eq(0..=longest + 24), "{group:?}");
        let is_shown = own.len() as i64 >= terms.min_cell;
        for (period, row) in rows {
            check(row, "n", Some(own.len() as f64));
            flag(row, "is_suppressed", Some(!is_shown));
            check(row, "churned", is_shown.then_some(leavers(own) as f64));
            let is_known = is_shown && *period <= longest;
            let observed = is_known.then(|| observed(own, *period));
            check(row, "observed_survival", observed);
            model(row, own, (fits[group], pooled), *period, is_shown);
        }
    }
    fits.values().flatten().count()
}

fn observed(own: &[Renewed], period: i64) -> f64 {
    let share = |t: i64| {
        let there = own.iter().filter(|(months, _)| *months >= t).count() as f64;
        let gone = own.iter().filter(|one| **one == (t, true)).count() as f64;
        if there > 0.0 { 1.0 - gone / there } else { 1.0 }
    };
    (1..=period).map(share).product()
}

type Fit = Option<(f64, f64)>;

fn model(row: &Row, own: &[Renewed], (fit, pooled): (Fit, Fit), period: i64, is_shown: bool) {
    let status = match (fit, pooled) {
        (Some(_), _) => "fitted",
        (None, Some(_)) => "pooled",
        (None, None) => "too_few",
    };
    word(row, "status", Some(status));
    let numbers = ["survival", "retention", "derl", "alpha", "beta"];
    let quality = ["log_likelihood", "gradient_norm", "condition_number"];
    let Some((alpha, beta)) = fit.or(pooled).filter(|_| is_shown) else {
        for column in numbers.into_iter().chain(quality) {
            word(row, column, None);
        }
        return;
    };
    // Two searches end where rounding hides the slope, some digits before the last.
    let close = |column: &str, wanted: f64, tolerance: f64| {
        let got: f64 = row[column].parse().expect("a number");
        let is_close = (got - wanted).abs() <= tolerance * wanted.abs().max(1e-3);
        assert!(is_close, "{column}: got {got}, wanted {wanted} in {row:?}");
        got
    };
    let (alpha, beta) = (close("alpha", alpha, 1e-5), close("beta", beta, 1e-5));
    // What follows from the parameters follows to the last digits.
    let renews = |t: i64| (beta + t as f64 - 1.0) / (alpha + beta + t as f64 - 1.0);
    check(row, "survival", Some((1..=period).map(renews).product()));
    check(row, "retention", (period > 0).then(|| renews(period)));
    check(row, "derl", Some(to_come(alpha, beta, period)));
    if fit.is_none() {
        for column in quality {
            word(row, column, None);
        }
        return;
    }
    check(row, "log_likelihood", Some(likelihood(own, alpha, beta) * own.len() as f64));
    let (gradient, curvature) = slopes(own, alpha, beta);
    let norm = gradient[0].hypot(gradient[1]);
    let told: f64 = row["gradient_norm"].parse().expect("a number");
    assert!(told < 1e-6 && (told - norm).abs() < 1e-9, "{norm} {row:?}");
    close("condition_number", condition(curvature), 1e-7);
}
