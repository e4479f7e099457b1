//! Retention cohorts once more: for each customer the set of buckets with an order, or with a day
//! that was paid for.

use std::collections::{BTreeMap, BTreeSet};

use super::lives::{Life, date, day_in, next, number_of, start};
use super::slow::wilson;
use super::world::{Row, World, check, flag, money};

const DAY: i64 = 86_400_000_000;

fn rolling_days(grain: &str) -> i64 {
    match grain {
        "day" => 1,
        "week" => 7,
        "month" => 30,
        "quarter" => 91,
        "year" => 365,
        other => panic!("{other}"),
    }
}

/// How many periods after the first one a day lies.
fn index(grain: &str, first: i32, day: i32) -> i64 {
    let (mut from, mut index) = (first, 0);
    while next(grain, from) <= day {
        (from, index) = (next(grain, from), index + 1);
    }
    index
}

/// One customer in one triangle.
struct Member {
    active: BTreeSet<i64>,
    revenue: BTreeMap<i64, i128>,
    /// By bucket, as far as the horizon lets the customer come.
    mrr: Vec<i128>,
    is_contractual: bool,
}

fn member(life: &Life, grain: &str, is_calendar: bool, horizon: i32) -> Option<(i32, Member)> {
    let begin = if life.is_contractual {
        life.first_day().map(|day| (day, i64::from(day) * DAY))
    } else {
        let first = life.orders().next();
        first.map(|order| (number_of(order.day), order.at.timestamp_micros()))
    };
    let (first, origin) = begin?;
    let (cohort, length) = (start(grain, first), rolling_days(grain));
    let bucket = |day: i32, at: i64| {
        if is_calendar {
            index(grain, cohort, day)
        } else {
            (at - origin).div_euclid(length * DAY).max(0)
        }
    };
    // Access is counted in whole days from the first one.
    let of_day = |day: i32| bucket(day, origin + i64::from(day - first) * DAY);
    let active = if life.is_contractual {
        (first..=horizon).filter(|day| life.at(*day)).map(of_day).collect()
    } else {
        let orders = life.orders();
        orders.map(|order| bucket(number_of(order.day), order.at.timestamp_micros())).collect()
    };
    let since = if life.is_contractual { origin - DAY } else { origin };
    let mut revenue: BTreeMap<i64, i128> = BTreeMap::new();
    for event in life.events.iter().filter(|event| ["order", "refund"].contains(&event.kind)) {
        let at = event.at.timestamp_micros();
        if at >= since {
            *revenue.entry(bucket(number_of(event.day), at)).or_default() +=
                event.home.unwrap_or(0);
        }
    }
    // The last day of each bucket, or the horizon.
    let mut mrr = Vec::new();
    for day in (first..=horizon).filter(|_| life.is_contractual) {
        let bucket = usize::try_from(of_day(day)).expect("a bucket");
        mrr.resize(bucket + 1, 0);
        mrr[bucket] = life.mrr_at(day);
    }
    Some((cohort, Member { active, revenue, mrr, is_contractual: life.is_contractual }))
}

/// Grain, cohort, whether buckets are of the calendar.
type Key = (String, i32, bool);

/// Goal: cohorts are what their definition says of the lives. Method: as for scores.
pub async fn cohorts_are_what_the_lives_say(world: &World, lives: &[Life]) {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let mut triangles: BTreeMap<Key, Vec<Member>> = BTreeMap::new();
    for grain in terms.cohorts {
        for is_calendar in [true, false] {
            for life in lives {
                if let Some((cohort, member)) = member(life, grain, is_calendar, horizon) {
                    let key = ((*grain).to_owned(), cohort, is_calendar);
                    triangles.entry(key).or_default().push(member);
                }
            }
        }
    }
    let last = |(grain, cohort, is_calendar): &Key| {
        if *is_calendar {
            index(grain, *cohort, horizon)
        } else {
            i64::from(horizon - cohort) / rolling_days(grain)
        }
    };
    let cells: i64 = triangles.keys().map(|key| 2 * (last(key) + 1)).sum();
    let rows = world.rows("retention_cohorts").await;
    assert_eq!(rows.len() as i64, cells);
    let mut shown = 0;
    for row in &rows {
        let (is_calendar, is_bounded) =
            (row["kind"].ends_with("_calendar"), row["kind"].starts_with("bounded_"));
        let key = (row["cohort_grain"].clone(), day_in(row, "cohort"), is_calendar);
        let members = triangles.get(&key).unwrap_or_else(|| panic!("nobody started: {row:?}"));
        let k: i64 = row["period_index"].parse().expect("a bucket");
        assert!((0..=last(&key)).contains(&k), "{row:?}");
        shown += usize::from(members.len() as i64 >= terms.min_cell);
        cell(row, members, (k, is_bounded), terms.min_cell, terms.currency);
        let (grain, cohort, _) = key;
        let ends = if is_calendar {
            (0..=k).fold(cohort, |from, _| next(&grain, from))
        } else {
            next(&grain, cohort) + (k as i32 + 1) * rolling_days(&grain) as i32
        };
        flag(row, "is_complete", Some(ends <= horizon + 1));
    }
    let started = lives.iter().filter(|life| life.first_day().is_some()).count();
    let first = triangles.iter().filter(|((grain, _, is), _)| *is && *grain == terms.cohorts[0]);
    assert_eq!(first.map(|(_, members)| members.len()).sum::<usize>(), started);
    assert!(shown > 100, "{shown} up to {}", date(horizon));
}

fn cell(row: &Row, members: &[Member], (k, is_bounded): (i64, bool), min: i64, currency: &str) {
    let size = members.len() as f64;
    let is_shown = members.len() as i64 >= min;
    let only = |value: f64| is_shown.then_some(value);
    let is_active = |member: &&Member| {
        let later = member.active.range(k..).next();
        later.is_some_and(|bucket| !is_bounded || *bucket == k)
    };
    let active = members.iter().filter(is_active).count() as f64;
    check(row, "cohort_size", Some(size));
    flag(row, "is_suppressed", Some(!is_shown));
    assert_eq!(row["currency"], currency);
    check(row, "active", only(active));
    check(row, "retention", only(active / size));
    let (low, high) = wilson(active, size);
    check(row, "ci_low", only(low));
    check(row, "ci_high", only(high));
    let revenue =
        |k: i64| -> i128 { members.iter().filter_map(|member| member.revenue.get(&k)).sum() };
    let mrr = |k: i64| -> i128 {
        let k = usize::try_from(k).expect("a bucket");
        members.iter().filter_map(|member| member.mrr.get(k)).sum()
    };
    let is_told = is_shown && is_bounded;
    let has_contract = members.iter().any(|member| member.is_contractual);
    let kept = |of: i128, whole: i128| (whole > 0).then(|| of as f64 / whole as f64);
    money(row, "revenue", is_told.then(|| revenue(k)));
    let share = is_told.then(|| kept(revenue(k), revenue(0))).flatten();
    check(row, "revenue_retention", share);
    let is_told = is_told && has_contract;
    money(row, "mrr", is_told.then(|| mrr(k)));
    check(row, "mrr_retention", is_told.then(|| kept(mrr(k), mrr(0))).flatten());
}
