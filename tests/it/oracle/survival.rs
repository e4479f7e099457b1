//! Survival once more: on each day of their lives it is counted who is still there.

use std::collections::BTreeMap;

use super::lives::{Life, date, number_of, start};
use super::slow::{Z, chi_square_tail};
use super::world::{Row, World, check, flag, word};

/// Cohort's grain, its first day, dimension, value.
pub type Group = (String, i32, String, String);

/// Everything that is told of by group: of all cohorts together each value, and each cohort.
pub fn groups<T: Copy>(
    lives: &[Life],
    cohorts: &[&str],
    of: impl Fn(&Life) -> Option<T>,
) -> BTreeMap<Group, Vec<T>> {
    let mut groups: BTreeMap<Group, Vec<T>> = BTreeMap::new();
    for life in lives {
        let (Some(first), Some(told)) = (life.first_day(), of(life)) else { continue };
        for (dimension, value) in &life.values {
            let group = ("all".to_owned(), 0, (*dimension).to_owned(), value.clone());
            groups.entry(group).or_default().push(told);
        }
        for grain in cohorts {
            let group = ((*grain).to_owned(), start(grain, first), "all".into(), "all".into());
            groups.entry(group).or_default().push(told);
        }
    }
    groups
}

pub fn segment((_, _, dimension, value): &Group) -> String {
    if dimension == "all" { "all".to_owned() } else { format!("{dimension}={value}") }
}

/// How the three key columns tell a group.
pub fn named(group: &Group) -> [String; 3] {
    [group.0.clone(), date(group.1).to_string(), segment(group)]
}

/// A time at which somebody churned or was last seen.
struct Step {
    time: f64,
    at_risk: f64,
    events: f64,
    censored: f64,
    survival: f64,
    /// Sum of Greenwood's terms up to it.
    greenwood: f64,
}

/// Days lived, and whether that was all.
type Lived = (i32, bool);

fn curve(lives: &[Lived]) -> Vec<Step> {
    let (mut steps, mut left, mut greenwood) = (Vec::new(), 1.0, 0.0);
    for day in 0..=lives.iter().map(|life| life.0).max().unwrap_or(0) {
        let of = |lived: Lived| lives.iter().filter(|life| **life == lived).count() as f64;
        let (events, censored) = (of((day, true)), of((day, false)));
        if events + censored > 0.0 {
            let at_risk = lives.iter().filter(|life| life.0 >= day).count() as f64;
            left *= 1.0 - events / at_risk;
            greenwood += events / (at_risk * (at_risk - events));
            let time = f64::from(day);
            steps.push(Step { time, at_risk, events, censored, survival: left, greenwood });
        }
    }
    steps
}

impl Step {
    /// On the scale of log(-log S); none where that is not defined.
    fn limits(&self) -> Option<(f64, f64)> {
        let log = self.survival.ln();
        let half = Z * self.greenwood.sqrt() / log.abs();
        let is_inside = self.survival > 1e-12 && self.survival < 1.0;
        is_inside.then(|| ((log * half.exp()).exp(), (log * (-half).exp()).exp()))
    }
}

/// Share that is there at the end of each day.
fn at(steps: &[Step], day: f64) -> f64 {
    let before = steps.iter().rev().find(|step| step.time <= day);
    before.map_or(1.0, |step| step.survival)
}

/// Goal: curves are what their definition says of the lives. Method: as for scores.
pub async fn curves_are_what_the_lives_say(world: &World, lives: &[Life]) {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let lived = |life: &Life| {
        let first = life.first_day()?;
        let churn = life.first_churn(horizon);
        Some((churn.unwrap_or(horizon) - first, churn.is_some()))
    };
    let groups = groups(lives, terms.cohorts, lived);
    let is_shown = |lives: &Vec<Lived>| lives.len() as i64 >= terms.min_cell;
    let shown = groups.iter().filter(|(_, lives)| is_shown(lives));
    let curves: BTreeMap<&Group, Vec<Step>> =
        shown.map(|(group, lives)| (group, curve(lives))).collect();
    let mut steps: BTreeMap<[String; 3], BTreeMap<i64, Row>> = BTreeMap::new();
    for row in world.rows("survival_curves").await {
        let key = ["cohort_grain", "cohort", "segment"].map(|name| row[name].clone());
        let t = row["t"].parse().expect("days");
        assert!(steps.entry(key).or_default().insert(t, row).is_none());
    }
    assert_eq!(steps.len(), curves.len());
    for (group, curve) in &curves {
        let rows = &steps[&named(group)];
        assert_eq!(rows.len(), curve.len(), "{group:?}");
        for (step, (t, row)) in curve.iter().zip(rows) {
            assert_eq!(step.time, *t as f64, "{row:?}");
            assert_eq!((&row["dimension"], &row["dimension_value"]), (&group.2, &group.3));
            check(row, "at_risk", Some(step.at_risk));
            check(row, "events", Some(step.events));
            check(row, "censored", Some(step.censored));
            check(row, "survival", Some(step.survival));
            check(row, "ci_low", step.limits().map(|limits| limits.0));
            check(row, "ci_high", step.limits().map(|limits| limits.1));
        }
    }
    let rows = world.rows("survival_summary").await;
    let by_name: BTreeMap<[String; 3], &Row> = rows
        .iter()
        .map(|row| (["cohort_grain", "cohort", "segment"].map(|name| row[name].clone()), row))
        .collect();
    assert_eq!((rows.len(), by_name.len()), (groups.len(), groups.len()));
    let mut tested = 0;
    for (group, lives) in &groups {
        let row = by_name[&named(group)];
        assert_eq!((&row["dimension"], &row["dimension_value"]), (&group.2, &group.3));
        check(row, "n", Some(lives.len() as f64));
        flag(row, "is_suppressed", Some(!is_shown(lives)));
        let own = curves.get(group);
        summary(row, own.map(Vec::as_slice));
        let family: Vec<&[Step]> = curves
            .iter()
            .filter(|(other, _)| (&other.0, &other.2) == (&group.0, &group.2))
            .map(|(_, curve)| curve.as_slice())
            .collect();
        let test = own.and_then(|_| log_rank(&family));
        check(row, "logrank_statistic", test.map(|test| test.0));
        check(row, "logrank_freedom", test.map(|test| test.1));
        check(row, "logrank_p_value", test.map(|(x, freedom)| chi_square_tail(x, freedom)));
        tested += usize::from(test.is_some());
    }
    assert!(tested > 5, "{tested}");
}

/// Median and restricted mean with their limits; of a group that is not shown nothing.
fn summary(row: &Row, curve: Option<&[Step]>) {
    let Some(steps) = curve else {
        for column in [
            "events",
            "median_days",
            "median_low",
            "median_high",
            "rmst_until",
            "rmst_days",
            "rmst_low",
            "rmst_high",
        ] {
            word(row, column, None);
        }
        return;
    };
    check(row, "events", Some(steps.iter().map(|step| step.events).sum()));
    let half = 0.5 + 1e-12;
    let first = |is: &dyn Fn(&Step) -> bool| steps.iter().find(|step| is(step)).map(|s| s.time);
    // A curve that has come to nothing has limits of nothing.
    let limit = |step: &Step, low: bool| match step.limits() {
        Some((least, most)) => {
            if low {
                least
            } else {
                most
            }
        }
        None => step.survival,
    };
    check(row, "median_days", first(&|step| step.survival <= half));
    check(row, "median_low", first(&|step| limit(step, true) <= half));
    check(row, "median_high", first(&|step| limit(step, false) <= half));
    let last = steps.last().expect("a step");
    let until = if last.survival < 1e-12 { 365.0 } else { last.time.min(365.0) };
    check(row, "rmst_until", Some(until));
    // The area under the curve, day by day.
    let area = |from: f64| -> f64 {
        let days = from as i64..until as i64;
        days.map(|day| at(steps, day as f64)).sum()
    };
    check(row, "rmst_days", Some(area(0.0)));
    // Klein and Moeschberger 2003, eq. 4.5.2.
    let part = |step: &&Step| step.events > 0.0 && step.at_risk > step.events && step.time < until;
    let variance: f64 = steps
        .iter()
        .filter(part)
        .map(|s| area(s.time).powi(2) * s.events / (s.at_risk * (s.at_risk - s.events)))
        .sum();
    let half = Z * variance.sqrt();
    check(row, "rmst_low", Some((area(0.0) - half).max(0.0)));
    check(row, "rmst_high", Some((area(0.0) + half).min(until)));
}

/// Observed less expected events of all groups but one, squared over their covariance. A group that
/// nobody was left of at the first event tells nothing and is left out.
fn log_rank(groups: &[&[Step]]) -> Option<(f64, f64)> {
    let k = groups.len();
    let mut times: Vec<f64> = groups.iter().flat_map(|g| g.iter().map(|step| step.time)).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let (mut excess, mut covariance) = (vec![0.0; k], vec![vec![0.0; k]; k]);
    for time in times {
        let here = |group: &&[Step]| {
            let next = group.iter().find(|step| step.time >= time);
            let events = next.filter(|step| step.time <= time).map_or(0.0, |step| step.events);
            (next.map_or(0.0, |step| step.at_risk), events)
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
