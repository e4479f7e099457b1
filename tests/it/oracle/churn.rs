//! The churn ledger, who it counts, and churn after feedback, once more: of every day it is asked
//! whether somebody was a customer.

use std::collections::{BTreeMap, BTreeSet};

use super::lives::{DIMENSIONS, Life, MRR, Moves, date, day_in, moves, next, number_of, start};
use super::slow::{Z, garwood, wilson};
use super::timeline::Event;
use super::world::{Row, Terms, World, check, flag, money, word};

/// All periods from the one in which the first of them came up to the horizon's.
fn periods(lives: &[&Life], grain: &str, horizon: i32) -> Vec<i32> {
    let Some(first) = lives.iter().filter_map(|life| life.first_day()).min() else {
        return Vec::new();
    };
    let mut found = vec![start(grain, first)];
    while next(grain, found[found.len() - 1]) <= horizon {
        found.push(next(grain, found[found.len() - 1]));
    }
    found
}

/// Goal: the ledger is what its definition says of the lives. Method: as for scores.
pub async fn the_ledger_is_what_the_lives_say(world: &World, lives: &[Life]) {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let rows = world.rows("churn_ledger").await;
    let mut places: BTreeMap<(String, i32, &str, String), Moves> = BTreeMap::new();
    for dimension in DIMENSIONS {
        let mut by_value: BTreeMap<&String, Vec<&Life>> = BTreeMap::new();
        for life in lives {
            by_value.entry(&life.values[dimension]).or_default().push(life);
        }
        for (value, own) in by_value {
            for grain in terms.periods {
                for from in periods(&own, grain, horizon) {
                    let to = next(grain, from).min(horizon + 1);
                    let mut sum = Moves::default();
                    for life in &own {
                        sum.add(moves(life, from, to, to > horizon, terms));
                    }
                    let place = ((*grain).to_owned(), from, dimension, value.clone());
                    places.insert(place, sum);
                }
            }
        }
    }
    assert_eq!(rows.len(), places.len());
    let (mut shown, mut at_risk, mut money_moved) = (0, 0, 0);
    for row in &rows {
        let grain = row["period_grain"].clone();
        let from = day_in(row, "period_start");
        let ends = next(&grain, from);
        let place = (grain, from, row["dimension"].as_str(), row["dimension_value"].clone());
        let moves = places.get(&place).unwrap_or_else(|| panic!("{row:?}"));
        ledger_row(row, moves, terms);
        flag(row, "is_complete", Some(ends <= horizon + 1));
        let is_last = ends > horizon;
        check(row, "n_at_risk", is_last.then_some(moves.at_risk as f64));
        shown += usize::from(moves.start >= terms.min_cell);
        at_risk += moves.at_risk;
        money_moved += usize::from(moves.mrr[2] + moves.mrr[3] + moves.mrr[5] > 0);
    }
    let told = format!("{shown} shown, {at_risk} at risk, {money_moved} with other prices");
    assert!(shown > 50 && at_risk > 0 && money_moved > 0, "{told}");
}

fn ledger_row(row: &Row, moves: &Moves, terms: &Terms) {
    for (column, wanted) in [
        ("n_start", moves.start),
        ("n_new", moves.new),
        ("n_resurrected", moves.resurrected),
        ("n_churned", moves.churned),
        ("n_churned_of_start", moves.churned_of_start),
        ("n_end", moves.end),
    ] {
        check(row, column, Some(wanted as f64));
    }
    for (column, wanted) in MRR.into_iter().zip(moves.mrr) {
        money(row, column, moves.has_contract.then_some(wanted));
    }
    word(row, "currency", moves.has_contract.then_some(terms.currency));
    let is_shown = moves.start >= terms.min_cell;
    flag(row, "is_suppressed", Some(!is_shown));
    let only = |value: f64| is_shown.then_some(value);
    let (left, start) = (moves.churned_of_start as f64, moves.start as f64);
    let (low, high) = wilson(left, start.max(1.0));
    check(row, "churn_gross", only(left / start));
    check(row, "churn_gross_low", only(low));
    check(row, "churn_gross_high", only(high));
    check(row, "churn_net", only((start - moves.end as f64) / start));
    // Those who came and are still there at the end.
    let came = moves.end as f64 - (start - left);
    let (least, most) = garwood(came);
    let rate = (left - came) / start;
    let below = ((left / start - low).powi(2) + ((most - came) / start).powi(2)).sqrt();
    let above = ((high - left / start).powi(2) + ((came - least) / start).powi(2)).sqrt();
    check(row, "churn_net_low", only(rate - below));
    check(row, "churn_net_high", only(rate + above));
    let [first, new, more, less, lost, again, _] = moves.mrr.map(|units| units as f64);
    let part = |of: f64, whole: f64| (is_shown && whole > 0.0).then(|| of / whole);
    check(row, "grr", part(first - less - lost, first));
    check(row, "nrr", part(first - less - lost + more, first));
    check(row, "quick_ratio", part(new + more + again, less + lost));
}

/// Goal: the ledger's customers are those who were there, came or went. Method: as for scores.
pub async fn its_customers_are_those_who_were_there(world: &World, lives: &[Life]) {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let rows = world.rows("churn_ledger_customers").await;
    let mut places: BTreeMap<(i32, &str), (Moves, &Life)> = BTreeMap::new();
    for life in lives {
        for from in periods(&[life], "month", horizon) {
            let to = next("month", from).min(horizon + 1);
            let moves = moves(life, from, to, to > horizon, terms);
            if !moves.is_idle() {
                places.insert((from, &life.id), (moves, life));
            }
        }
    }
    assert_eq!(rows.len(), places.len());
    let mut risks = 0;
    for row in &rows {
        let from = day_in(row, "period_start");
        let to = next("month", from).min(horizon + 1);
        let (moves, life) = places.get(&(from, &row["customer_id"])).expect("a customer of then");
        assert_eq!(row["period_grain"], "month");
        for dimension in &DIMENSIONS[1..] {
            assert_eq!(row[*dimension], life.values[dimension], "{row:?}");
        }
        flag(row, "is_start", Some(moves.start > 0));
        flag(row, "is_new", Some(moves.new > 0));
        flag(row, "is_churned_of_start", Some(moves.churned_of_start > 0));
        flag(row, "is_end", Some(moves.end > 0));
        flag(row, "is_at_risk", Some(moves.at_risk > 0));
        check(row, "n_resurrected", Some(moves.resurrected as f64));
        check(row, "n_churned", Some(moves.churned as f64));
        word(row, "currency", moves.has_contract.then_some(terms.currency));
        for (column, wanted) in MRR.into_iter().zip(moves.mrr) {
            money(row, column, moves.has_contract.then_some(wanted));
        }
        let churn = (from..to).rev().find(|day| life.at(day - 1) && !life.at(*day));
        let day = |day: i32| date(day).to_string();
        word(row, "churned_on", churn.map(day).as_deref());
        let silent = churn.and_then(|churn| life.silent_since(churn));
        let waiting = life.at_risk(horizon, terms).filter(|_| moves.at_risk > 0);
        word(row, "silent_since", silent.or(waiting).map(day).as_deref());
        risks += moves.at_risk;
    }
    assert!(risks > 0 && rows.len() > 500, "{risks} of {}", rows.len());
}

fn bucket(metric: &str, event: &Event) -> Option<&'static str> {
    if let ("csat" | "ces", Some(is)) = (metric, event.is_favourable) {
        return Some(if is { "favourable" } else { "not_favourable" });
    }
    let (score, most) = (event.score?, event.scale_max?);
    let from =
        |least: i128| Some(if score >= least * 10_000 { "favourable" } else { "not_favourable" });
    match (metric, most / 10_000) {
        ("nps", 10) if score >= 90_000 => Some("promoter"),
        ("nps", 10) if score > 60_000 => Some("passive"),
        ("nps", 10) => Some("detractor"),
        ("csat", 1) => from(1),
        ("csat", 3) => from(3),
        ("csat", 5) => from(4),
        ("csat", 7) => from(6),
        ("csat", 10) => from(9),
        ("ces", 5) => from(4),
        ("ces", 7) => from(5),
        _ => None,
    }
}

/// Customers of one class, how many of them churned, and the days that they were there to.
#[derive(Debug, Clone, Copy, Default)]
struct Class {
    n: f64,
    churned: f64,
    days: f64,
}

fn class(lives: &[Life], metric: &str, wanted: &str, window: i32, horizon: i32) -> Class {
    let day = horizon - window;
    let mut class = Class::default();
    for life in lives.iter().filter(|life| life.at(day)) {
        let known = life.events.iter().filter(|event| {
            let is_one = event.kind == "survey_answered" && number_of(event.day) <= day;
            is_one && event.name.as_deref() == Some(metric)
        });
        let newest = known.filter_map(|event| bucket(metric, event)).next_back();
        if newest.unwrap_or("no_answer") == wanted {
            let churn = (day..=horizon).find(|day| !life.at(*day));
            class.n += 1.0;
            class.churned += f64::from(u8::from(churn.is_some()));
            class.days += f64::from(churn.unwrap_or(horizon) - day);
        }
    }
    class
}

/// Goal: churn after feedback is what its definition says of the lives. Method: as for scores.
pub async fn feedback_is_what_was_known_by_then(world: &World, lives: &[Life]) {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let rows = world.rows("churn_by_feedback").await;
    let mut expected = BTreeSet::new();
    let nps = ["promoter", "passive", "detractor", "no_answer"];
    let others = ["favourable", "not_favourable", "no_answer"];
    for window in [30, 90, 180] {
        if lives.iter().any(|life| life.at(horizon - window)) {
            expected.extend(nps.map(|bucket| ("nps".to_owned(), bucket.to_owned(), window)));
            for metric in ["csat", "ces"] {
                let all = others.map(|bucket| (metric.to_owned(), bucket.to_owned(), window));
                expected.extend(all);
            }
        }
    }
    let (mut found, mut compared) = (BTreeSet::new(), 0);
    for row in &rows {
        let (metric, bucket) = (row["metric"].as_str(), row["bucket"].as_str());
        let window: i32 = row["window_days"].parse().expect("days");
        found.insert((metric.to_owned(), bucket.to_owned(), window));
        assert_eq!(row["feedback_until"], date(horizon - window).to_string());
        let best = if metric == "nps" { "promoter" } else { "favourable" };
        assert_eq!(row["reference_bucket"], best);
        let own = class(lives, metric, bucket, window, horizon);
        let reference = class(lives, metric, best, window, horizon);
        let is_shown = own.n >= terms.min_cell as f64;
        let only = |value: f64| is_shown.then_some(value);
        check(row, "n", Some(own.n));
        flag(row, "is_suppressed", Some(!is_shown));
        check(row, "churned", only(own.churned));
        check(row, "rate", only(own.churned / own.n));
        let (low, high) = wilson(own.churned, own.n.max(1.0));
        check(row, "ci_low", only(low));
        check(row, "ci_high", only(high));
        let years = own.days / 365.25;
        let lived = |value: f64| only(value).filter(|_| years > 0.0);
        let (low, high) = garwood(own.churned);
        check(row, "hazard", lived(own.churned / years));
        check(row, "hazard_low", lived(low / years));
        check(row, "hazard_high", lived(high / years));
        let told = is_shown && reference.n >= terms.min_cell as f64 && bucket != best;
        let risk = told.then(|| relative_risk(own, reference));
        let one = only(1.0).filter(|_| bucket == best);
        check(row, "relative_risk", risk.map(|risk| risk.0).or(one));
        check(row, "relative_risk_low", risk.map(|risk| risk.1));
        check(row, "relative_risk_high", risk.map(|risk| risk.2));
        compared += usize::from(told);
    }
    assert_eq!((&found, rows.len()), (&expected, expected.len()));
    assert!(compared > 5, "{compared}");
}

/// With limits on its logarithm; where one side has none, half a case more on both.
fn relative_risk(one: Class, other: Class) -> (f64, f64, f64) {
    let more = if one.churned * other.churned > 0.0 { 0.0 } else { 0.5 };
    let (a, n) = (one.churned + more, one.n + 2.0 * more);
    let (b, m) = (other.churned + more, other.n + 2.0 * more);
    let error = (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).max(0.0).sqrt();
    let ratio = a / n / (b / m);
    (ratio, ratio * (-Z * error).exp(), ratio * (Z * error).exp())
}
