//! Rates, limits and tests of churn and retention, made once more of the counts beside them, which
//! `churn` has compared with the timeline.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};

use super::churn::{
    INACTIVE, Life, MIN_CELL, a_day, count, decimal, is_sign_of_life, next, same, share, start,
    text,
};
use super::slow::{Z, chi_square_tail, garwood, wilson};

fn number(batch: &RecordBatch, column: &str, i: usize) -> Option<f64> {
    count(batch, column, i).map(|value| value as f64)
}

fn money(batch: &RecordBatch, column: &str, i: usize) -> Option<f64> {
    decimal(batch, column, i).map(|value| value as f64)
}

fn rows(batches: &[RecordBatch]) -> impl Iterator<Item = (&RecordBatch, usize)> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |i| (batch, i)))
}

pub fn check_ledger(ledger: &[RecordBatch], lives: &[Life], horizon: i32) {
    let (mut shown, mut at_risk) = (0, 0);
    for (batch, i) in rows(ledger) {
        let word = |column: &str| text(batch, column, i).expect("a key");
        let what = format!("{} {} {i}", word("dimension"), word("dimension_value"));
        let n = |column: &str| number(batch, column, i).expect("a count");
        let is_shown = n("n_start") >= MIN_CELL as f64;
        let only = |value: f64| is_shown.then_some(value);
        let (left, start) = (n("n_churned_of_start"), n("n_start"));
        let (low, high) = wilson(left, start.max(1.0));
        same(share(batch, "churn_gross_low", i), only(low), &what);
        same(share(batch, "churn_gross_high", i), only(high), &what);
        // Those who came and are still there at the end.
        let came = n("n_end") - (start - left);
        let (least, most) = garwood(came);
        let rate = (left - came) / start;
        let below = ((left / start - low).powi(2) + ((most - came) / start).powi(2)).sqrt();
        let above = ((high - left / start).powi(2) + ((came - least) / start).powi(2)).sqrt();
        same(share(batch, "churn_net_low", i), only(rate - below), &what);
        same(share(batch, "churn_net_high", i), only(rate + above), &what);
        let part = |of: f64, whole: f64| (whole > 0.0).then(|| of / whole);
        let m = |column: &str| money(batch, column, i).unwrap_or(0.0);
        let lost = m("mrr_contraction") + m("mrr_churned");
        let won = m("mrr_new") + m("mrr_expansion") + m("mrr_reactivated");
        let kept = m("mrr_start") - lost;
        let ratio = |value: Option<f64>| value.filter(|_| is_shown);
        same(share(batch, "grr", i), ratio(part(kept, m("mrr_start"))), &what);
        let grown = kept + m("mrr_expansion");
        same(share(batch, "nrr", i), ratio(part(grown, m("mrr_start"))), &what);
        same(share(batch, "quick_ratio", i), ratio(part(won, lost)), &what);
        assert!((m("mrr_start") + won - lost - m("mrr_end")).abs() < 1e-3, "{what}");
        shown += usize::from(is_shown);
        let ends = next(&word("period_grain"), a_day(batch, "period_start", i));
        assert_eq!(batch["is_complete"].as_boolean().value(i), ends <= horizon + 1, "{what}");
        let (dimension, value) = (word("dimension"), word("dimension_value"));
        let own = lives.iter().filter(|life| life.values[dimension.as_str()] == value);
        let waiting = own.filter(|life| is_at_risk(life, horizon)).count() as i64;
        let is_last = ends > horizon;
        assert_eq!(count(batch, "n_at_risk", i), is_last.then_some(waiting), "{what}");
        at_risk += waiting;
    }
    assert!(shown > 50 && at_risk > 0, "{shown} {at_risk}");
}

/// Silent for more than half of the time; the demo's job has no grace.
fn is_at_risk(life: &Life, horizon: i32) -> bool {
    let signs = life.events.iter().filter(|event| is_sign_of_life(event));
    let last = signs.map(|event| event.day).filter(|day| *day <= horizon).max();
    !life.is_contractual
        && life.at(horizon)
        && last.is_some_and(|last| horizon - last > INACTIVE / 2)
}

pub fn check_cohorts(cohorts: &[RecordBatch]) {
    let mut first: BTreeMap<(i32, String), (f64, f64)> = BTreeMap::new();
    let mut seen = 0;
    for (batch, i) in rows(cohorts) {
        let kind = text(batch, "kind", i).expect("a kind");
        let what = format!("{kind} {} {:?}", a_day(batch, "cohort", i), count(batch, "active", i));
        let Some(active) = number(batch, "active", i) else {
            same(share(batch, "ci_low", i), None, &what);
            continue;
        };
        let size = number(batch, "cohort_size", i).expect("a size");
        let (low, high) = wilson(active, size);
        same(share(batch, "ci_low", i), Some(low), &what);
        same(share(batch, "ci_high", i), Some(high), &what);
        let told = ["revenue", "mrr"].map(|column| money(batch, column, i));
        let key = (a_day(batch, "cohort", i), kind);
        if count(batch, "period_index", i) == Some(0) {
            first.insert(key.clone(), (told[0].unwrap_or(0.0), told[1].unwrap_or(0.0)));
        }
        let (revenue, mrr) = first[&key];
        let kept =
            |value: Option<f64>, whole: f64| value.filter(|_| whole > 0.0).map(|v| v / whole);
        same(share(batch, "revenue_retention", i), kept(told[0], revenue), &what);
        same(share(batch, "mrr_retention", i), kept(told[1], mrr), &what);
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

/// Time, at risk, events, left after it, share still there.
type Step = (f64, f64, f64, f64, f64);

type Group = (String, i32, String);

pub fn check_survival(curves: &[RecordBatch], summary: &[RecordBatch]) {
    let mut steps: BTreeMap<Group, Vec<Step>> = BTreeMap::new();
    let mut limits: BTreeMap<Group, Vec<(Option<f64>, Option<f64>)>> = BTreeMap::new();
    let group = |batch: &RecordBatch, i: usize| -> Group {
        let word = |column: &str| text(batch, column, i).expect("a key");
        (word("cohort_grain"), a_day(batch, "cohort", i), word("segment"))
    };
    for (batch, i) in rows(curves) {
        let n = |column: &str| number(batch, column, i).expect("a count");
        let survival = share(batch, "survival", i).expect("a share");
        let key = group(batch, i);
        let step = (n("t"), n("at_risk"), n("events"), n("censored"), survival);
        steps.entry(key.clone()).or_default().push(step);
        let told = ["ci_low", "ci_high"].map(|column| share(batch, column, i));
        limits.entry(key).or_default().push((told[0], told[1]));
    }
    for (key, steps) in &steps {
        let mut greenwood = 0.0;
        for (step, told) in steps.iter().zip(&limits[key]) {
            greenwood += step.2 / (step.1 * (step.1 - step.2));
            let log = step.4.ln();
            let half = Z * greenwood.sqrt() / log.abs();
            let is_inside = step.4 > 0.0 && step.4 < 1.0;
            let limit = |sign: f64| is_inside.then(|| (log * (sign * half).exp()).exp());
            same(told.0, limit(1.0), &format!("{key:?} {}", step.0));
            same(told.1, limit(-1.0), &format!("{key:?} {}", step.0));
        }
    }
    let mut tested = 0;
    for (batch, i) in rows(summary) {
        let key = group(batch, i);
        let is_shown = !batch["is_suppressed"].as_boolean().value(i);
        assert_eq!(steps.contains_key(&key), is_shown, "{key:?}");
        let Some(own) = steps.get(&key) else { continue };
        let what = format!("{key:?}");
        let half = own.iter().find(|step| step.4 <= 0.5 + 1e-12).map(|step| step.0);
        same(number(batch, "median_days", i), half, &what);
        let until = number(batch, "rmst_until", i).expect("a time");
        let days = (0..until as i64).map(|day| {
            let before = own.iter().rev().find(|step| step.0 <= day as f64);
            before.map_or(1.0, |step| step.4)
        });
        same(share(batch, "rmst_days", i), Some(days.sum()), &what);
        let dimension = text(batch, "dimension", i).expect("a dimension");
        let is_family = |other: &&Group| {
            let named = other.2.split('=').next().unwrap_or_default();
            other.0 == key.0 && (key.0 != "all" || named == dimension)
        };
        let family: Vec<&Vec<Step>> = steps.keys().filter(is_family).map(|k| &steps[k]).collect();
        let (statistic, freedom) = log_rank(&family).unzip();
        same(share(batch, "logrank_statistic", i), statistic, &what);
        same(number(batch, "logrank_freedom", i), freedom, &what);
        let tail = statistic.zip(freedom).map(|(x, freedom)| chi_square_tail(x, freedom));
        same(share(batch, "logrank_p_value", i), tail, &what);
        tested += usize::from(statistic.is_some());
    }
    assert!(tested > 5, "{tested}");
}

/// Observed less expected events of all groups but one, squared over their covariance. A group that
/// nobody was left of at the first event tells nothing and is left out.
fn log_rank(groups: &[&Vec<Step>]) -> Option<(f64, f64)> {
    let k = groups.len();
    let mut times: Vec<f64> = groups.iter().flat_map(|g| g.iter().map(|step| step.0)).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let (mut excess, mut covariance) = (vec![0.0; k], vec![vec![0.0; k]; k]);
    for time in times {
        let here = |group: &&Vec<Step>| {
            let next = group.iter().find(|step| step.0 >= time);
            let events = next.filter(|step| step.0 <= time).map_or(0.0, |step| step.2);
            (next.map_or(0.0, |step| step.1), events)
        };
        let cells: Vec<(f64, f64)> = groups.iter().map(here).collect();
        let n: f64 = cells.iter().map(|cell| cell.0).sum();
        let d: f64 = cells.iter().map(|cell| cell.1).sum();
        let spread = if n > 1.0 { d * (n - d) / (n - 1.0) } else { 0.0 };
        for i in 0..k {
            excess[i] += cells[i].1 - d * cells[i].0 / n;
            for j in 0..k {
                let own = if i == j { cells[i].0 / n } else { 0.0 };
                covariance[i][j] += spread * (own - cells[i].0 * cells[j].0 / (n * n));
            }
        }
    }
    let mut told: Vec<usize> = (0..k).filter(|i| covariance[*i][*i] > 1e-9).collect();
    told.pop()?;
    let row = |i: &usize| {
        let known = told.iter().map(|j| covariance[*i][*j]);
        known.chain([excess[*i]]).collect()
    };
    let solved = solve(told.iter().map(row).collect());
    let statistic = told.iter().zip(solved).map(|(i, x)| excess[*i] * x).sum();
    (!told.is_empty()).then_some((statistic, told.len() as f64))
}

/// Gauss and Jordan; the last column is the right side.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    for i in 0..rows.len() {
        let pivot = rows[i][i];
        for value in &mut rows[i] {
            *value /= pivot;
        }
        let own = rows[i].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            let factor = row[i];
            for (value, known) in row.iter_mut().zip(&own) {
                *value -= factor * known;
            }
        }
    }
    rows.iter().filter_map(|row| row.last().copied()).collect()
}

pub fn check_feedback(feedback: &[RecordBatch]) {
    let mut best: BTreeMap<(String, i64), (f64, f64)> = BTreeMap::new();
    let mut compared = 0;
    for round in 0..2 {
        for (batch, i) in rows(feedback) {
            let word = |column: &str| text(batch, column, i).expect("a key");
            let window = count(batch, "window_days", i).expect("a window");
            let key = (word("metric"), window);
            let n = number(batch, "n", i).expect("a count");
            let churned = number(batch, "churned", i);
            let is_best = word("bucket") == word("reference_bucket");
            if round == 0 {
                if is_best {
                    best.insert(key, (churned.unwrap_or(0.0), n));
                }
                continue;
            }
            let what = format!("{key:?} {}", word("bucket"));
            let limits = churned.map(|churned| wilson(churned, n));
            same(share(batch, "ci_low", i), limits.map(|limits| limits.0), &what);
            same(share(batch, "ci_high", i), limits.map(|limits| limits.1), &what);
            // Per year lived: exposure is what the hazard itself says.
            let hazard = share(batch, "hazard", i);
            if let (Some(hazard), Some(churned)) = (hazard.filter(|h| *h > 0.0), churned) {
                let years = churned / hazard;
                assert!(years <= n * window as f64 / 365.25 + 1e-9, "{what}");
                let (low, high) = garwood(churned);
                same(share(batch, "hazard_low", i), Some(low / years), &what);
                same(share(batch, "hazard_high", i), Some(high / years), &what);
            }
            let (b, m) = best[&key];
            let told = churned.filter(|_| m >= MIN_CELL as f64 && !is_best);
            let risk = told.map(|a| {
                let more = if a * b > 0.0 { 0.0 } else { 0.5 };
                let (a, n, b, m) = (a + more, n + 2.0 * more, b + more, m + 2.0 * more);
                let error = (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).max(0.0).sqrt();
                let ratio = a / n / (b / m);
                (ratio, ratio * (-Z * error).exp(), ratio * (Z * error).exp())
            });
            let one = churned.filter(|_| is_best).map(|_| 1.0);
            same(share(batch, "relative_risk", i), risk.map(|risk| risk.0).or(one), &what);
            same(share(batch, "relative_risk_low", i), risk.map(|risk| risk.1), &what);
            same(share(batch, "relative_risk_high", i), risk.map(|risk| risk.2), &what);
            compared += usize::from(risk.is_some());
        }
    }
    assert!(compared > 5, "{compared}");
}

/// Mean length of a month.
const MONTH: f64 = 30.4375;

/// Renewals of first contracts, by cohort and segment: how many, and whether it was the last.
fn renewals(lives: &[Life], horizon: i32) -> BTreeMap<Group, Vec<(i64, bool)>> {
    let mut groups: BTreeMap<Group, Vec<(i64, bool)>> = BTreeMap::new();
    for life in lives.iter().filter(|life| life.is_contractual) {
        let Some(first) = life.first_day() else { continue };
        let months = |day: i32| f64::from(day - first) / MONTH;
        let renewed = match life.first_churn(horizon) {
            Some(day) => ((months(day).round() as i64).max(1), true),
            None => (months(horizon) as i64, false),
        };
        for (dimension, value) in &life.values {
            let segment =
                if *dimension == "all" { "all".into() } else { format!("{dimension}={value}") };
            groups.entry(("all".into(), 0, segment)).or_default().push(renewed);
        }
        let month = ("month".into(), start("month", first), "all".into());
        groups.entry(month).or_default().push(renewed);
    }
    groups
}

/// What was observed is Kaplan and Meier's share; where there is a model, its columns follow from
/// its two parameters.
pub fn check_projection(projection: &[RecordBatch], lives: &[Life], horizon: i32) {
    let groups = renewals(lives, horizon);
    let mut compared = 0;
    for (batch, i) in rows(projection) {
        let word = |column: &str| text(batch, column, i).expect("a key");
        let key = (word("cohort_grain"), a_day(batch, "cohort", i), word("segment"));
        let period = count(batch, "period_index", i).expect("a period");
        let what = format!("{key:?} {period}");
        let own = &groups[&key];
        assert_eq!(count(batch, "n", i), Some(own.len() as i64), "{what}");
        let is_shown = own.len() >= MIN_CELL;
        let longest = own.iter().map(|(renewal, _)| *renewal).max().unwrap_or(0);
        let share_at = |t: i64| {
            let there = own.iter().filter(|(renewal, _)| *renewal >= t).count() as f64;
            let gone = own.iter().filter(|one| **one == (t, true)).count() as f64;
            if there > 0.0 { 1.0 - gone / there } else { 1.0 }
        };
        let left: f64 = (1..=period).map(share_at).product();
        let observed = (is_shown && period <= longest).then_some(left);
        same(share(batch, "observed_survival", i), observed, &what);
        let churned = own.iter().filter(|(_, has_left)| *has_left).count() as i64;
        assert_eq!(count(batch, "churned", i), is_shown.then_some(churned), "{what}");
        compared += usize::from(observed.is_some());
        let (Some(alpha), Some(beta)) = (share(batch, "alpha", i), share(batch, "beta", i)) else {
            same(share(batch, "survival", i), None, &what);
            continue;
        };
        let renews = |t: i64| (beta + t as f64 - 1.0) / (alpha + beta + t as f64 - 1.0);
        same(share(batch, "survival", i), Some((1..=period).map(renews).product()), &what);
        same(share(batch, "retention", i), (period > 0).then(|| renews(period)), &what);
    }
    assert!(compared > 10, "{compared}");
}
