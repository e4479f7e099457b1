//! The tables of churn and retention, made once more from the run's own timeline by an
//! implementation that is slow and obvious: it asks of every day whether somebody was a customer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use chrono::{Datelike, NaiveDate};
use cxmart::demo;
use cxmart::engine::Session;
use cxmart::job::value::Override;
use cxmart::run::Context;
use cxmart::settings::{self, Settings};
use cxmart::table::day::{date, day_number};

use super::rates;
use crate::project::tables;

const DAY: i64 = 86_400_000_000;
pub(super) const INACTIVE: i32 = 90;
pub(super) const MIN_CELL: usize = 3;
const FIRST: i32 = 18_000;

/// One row of the timeline.
pub(super) struct Event {
    at: i64,
    pub(super) day: i32,
    kind: String,
    name: String,
    source: String,
    channel: Option<String>,
    reference: String,
    home: Option<i128>,
    score: Option<i128>,
    scale_max: Option<i128>,
}

/// One customer, day by day from [`FIRST`] on.
pub(super) struct Life {
    pub(super) values: BTreeMap<&'static str, String>,
    pub(super) is_contractual: bool,
    active: Vec<bool>,
    mrr: Vec<i128>,
    pub(super) events: Vec<Event>,
}

/// The demo's job, with cells of three already shown: it is a small demo.
fn context(dir: &Path) -> Context {
    let small = Override {
        key: "metrics.min_cell".into(),
        value: MIN_CELL.to_string(),
        from: "the test".into(),
    };
    let settings = Settings {
        project: dir.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some(demo::salt(1)),
        overrides: vec![small],
        ..settings::from_environment()
    };
    cxmart::run::open(demo::JOB, settings).expect("the demo's job opens")
}

async fn open(dir: &Path) -> (Context, Session) {
    let done = cxmart::run::run(std::sync::Arc::new(context(dir)), Some(demo::as_of())).await;
    assert!(done.expect("the run succeeds").published);
    let context = context(dir);
    let session = tables(&context).await;
    (context, session)
}

pub(super) fn text(batch: &RecordBatch, column: &str, i: usize) -> Option<String> {
    let texts = batch[column].as_string::<i32>();
    texts.is_valid(i).then(|| texts.value(i).to_owned())
}

pub(super) fn decimal(batch: &RecordBatch, column: &str, i: usize) -> Option<i128> {
    let values = batch[column].as_primitive::<Decimal128Type>();
    values.is_valid(i).then(|| values.value(i))
}

pub(super) fn count(batch: &RecordBatch, column: &str, i: usize) -> Option<i64> {
    let values = batch[column].as_primitive::<Int64Type>();
    values.is_valid(i).then(|| values.value(i))
}

pub(super) fn share(batch: &RecordBatch, column: &str, i: usize) -> Option<f64> {
    let values = batch[column].as_primitive::<Float64Type>();
    values.is_valid(i).then(|| values.value(i))
}

pub(super) fn a_day(batch: &RecordBatch, column: &str, i: usize) -> i32 {
    batch[column].as_primitive::<Date32Type>().value(i)
}

#[track_caller]
pub(super) fn same(got: Option<f64>, wanted: Option<f64>, what: &str) {
    let near = match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        (None, None) => true,
        _ => false,
    };
    assert!(near, "{what}: got {got:?}, wanted {wanted:?}");
}

pub(super) fn is_sign_of_life(event: &Event) -> bool {
    match event.kind.as_str() {
        "order"
        | "subscription_started"
        | "subscription_changed"
        | "subscription_resumed"
        | "conversation_opened"
        | "survey_answered" => true,
        "event" => !["email_delivered", "email_opened", "email_sent", "email_bounced"]
            .contains(&event.name.as_str()),
        _ => false,
    }
}

fn life(events: Vec<Event>, country: Option<String>, horizon: i32) -> Life {
    let is_contractual = events.iter().any(|event| event.kind == "subscription_started");
    let first_order = events.iter().position(|event| event.kind == "order");
    let (mut active, mut mrr): (Vec<bool>, Vec<i128>) = (Vec::new(), Vec::new());
    for today in FIRST..=horizon {
        if is_contractual {
            // Every subscription as it stands when the day is over.
            let mut paid: BTreeMap<&str, (bool, bool, i128)> = BTreeMap::new();
            for event in events.iter().filter(|event| event.day <= today) {
                let state = paid.entry(&event.reference).or_default();
                let home = event.home.unwrap_or(0);
                match event.kind.as_str() {
                    "subscription_started" => (state.0, state.2) = (true, home),
                    "subscription_ended" => state.0 = false,
                    "subscription_paused" => state.1 = true,
                    "subscription_resumed" => (state.1, state.2) = (false, home),
                    "subscription_changed" => state.2 = home,
                    _ => {}
                }
            }
            let paid: Vec<_> = paid.values().filter(|state| state.0 && !state.1).collect();
            active.push(!paid.is_empty());
            mrr.push(paid.iter().map(|state| state.2).sum());
        } else {
            let since = first_order.unwrap_or(events.len());
            active.push(events.iter().skip(since).any(|event| {
                is_sign_of_life(event) && (today - INACTIVE < event.day) && event.day <= today
            }));
            mrr.push(0);
        }
    }
    let begins = |event: &&Event| event.kind == "order" || event.kind == "subscription_started";
    let source = events.iter().find(begins).or(events.first()).map(|event| event.source.clone());
    let created = |event: &&Event| event.kind == "contact_created" && event.channel.is_some();
    let channel = events.iter().find(created).and_then(|event| event.channel.clone());
    let relationship = match (is_contractual, first_order) {
        (true, _) => "contractual",
        (false, Some(_)) => "non_contractual",
        (false, None) => "prospect",
    };
    let none = || "(none)".to_owned();
    let values = BTreeMap::from([
        ("all", "all".to_owned()),
        ("acquisition_channel", channel.unwrap_or_else(none)),
        ("country", country.unwrap_or_else(none)),
        ("relationship", relationship.to_owned()),
        ("source", source.unwrap_or_else(none)),
    ]);
    Life { values, is_contractual, active, mrr, events }
}

impl Life {
    pub(super) fn at(&self, day: i32) -> bool {
        usize::try_from(day - FIRST).ok().and_then(|i| self.active.get(i)).copied().unwrap_or(false)
    }

    pub(super) fn mrr_at(&self, day: i32) -> i128 {
        usize::try_from(day - FIRST).ok().and_then(|i| self.mrr.get(i)).copied().unwrap_or(0)
    }

    pub(super) fn first_day(&self) -> Option<i32> {
        self.active.iter().position(|active| *active).map(|i| FIRST + i as i32)
    }

    pub(super) fn first_churn(&self, horizon: i32) -> Option<i32> {
        (self.first_day()?..=horizon).find(|day| !self.at(*day))
    }

    fn orders(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.kind == "order")
    }
}

async fn lives(session: &Session, horizon: i32) -> Vec<Life> {
    let countries = session
        .collect("test", "select customer_id, country from golden_customers")
        .await
        .expect("customers");
    let mut country = BTreeMap::new();
    for batch in &countries {
        for i in 0..batch.num_rows() {
            country
                .insert(text(batch, "customer_id", i).expect("an id"), text(batch, "country", i));
        }
    }
    let sql = "select * from timeline order by customer_id, occurred_at, event_id";
    let mut events: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for batch in session.collect("test", sql).await.expect("a timeline") {
        let at = batch["occurred_at"].as_primitive::<TimestampMicrosecondType>();
        for i in 0..batch.num_rows() {
            let word = |column: &str| text(&batch, column, i).unwrap_or_default();
            events.entry(word("customer_id")).or_default().push(Event {
                at: at.value(i),
                day: a_day(&batch, "occurred_date", i),
                kind: word("kind"),
                name: word("name"),
                source: word("source"),
                channel: text(&batch, "channel", i),
                reference: word("reference"),
                home: decimal(&batch, "home_amount", i),
                score: decimal(&batch, "score", i),
                scale_max: decimal(&batch, "scale_max", i),
            });
        }
    }
    let of = |(id, events)| life(events, country.get(&id).cloned().flatten(), horizon);
    events.into_iter().map(of).collect()
}

pub(super) fn start(grain: &str, day: i32) -> i32 {
    let day = date(day);
    let month = match grain {
        "month" => day.month(),
        "quarter" => (day.month() - 1) / 3 * 3 + 1,
        _ => 1,
    };
    day_number(NaiveDate::from_ymd_opt(day.year(), month, 1).expect("a date"))
}

pub(super) fn next(grain: &str, from: i32) -> i32 {
    let length = match grain {
        "month" => 31,
        "quarter" => 93,
        _ => 366,
    };
    start(grain, from + length)
}

/// New, resurrected, churned, churned of start, start, end, and what each class of recurring
/// revenue moved by, of one life in one period.
fn moves(life: &Life, from: i32, to: i32) -> ([i64; 6], [i128; 5]) {
    let mut n = [0; 6];
    let first = life.first_day();
    for today in from..to {
        match (life.at(today - 1), life.at(today)) {
            (false, true) => n[usize::from(first != Some(today))] += 1,
            (true, false) => {
                n[2] += 1;
                n[3] += i64::from(life.at(from - 1) && (from..today).all(|day| life.at(day)));
            }
            _ => {}
        }
    }
    n[4] = i64::from(life.at(from - 1));
    n[5] = i64::from(life.at(to - 1));
    let (before, after) = (life.mrr_at(from - 1), life.mrr_at(to - 1));
    let had = (FIRST..from).any(|day| life.mrr_at(day) > 0);
    let mut money = [0; 5];
    let class = match (before, after) {
        (0, 0) => return (n, money),
        (0, _) => {
            if had {
                4
            } else {
                0
            }
        }
        (_, 0) => 3,
        _ => {
            if after > before {
                1
            } else {
                2
            }
        }
    };
    money[class] = (after - before).abs();
    (n, money)
}

fn check_ledger(ledger: &[RecordBatch], lives: &[Life], horizon: i32) {
    let mut rows = 0;
    for batch in ledger {
        for i in 0..batch.num_rows() {
            let word = |column: &str| text(batch, column, i).expect("a key");
            let (grain, from) = (word("period_grain"), a_day(batch, "period_start", i));
            let (dimension, value) = (word("dimension"), word("dimension_value"));
            let what = format!("{grain} {} {dimension} {value}", date(from));
            let to = next(&grain, from).min(horizon + 1);
            let own = lives.iter().filter(|life| life.values[dimension.as_str()] == value);
            let (mut n, mut money) = ([0; 6], [0; 5]);
            for life in own {
                let (moved, revenue) = moves(life, from, to);
                for (sum, more) in n.iter_mut().zip(moved) {
                    *sum += more;
                }
                for (sum, more) in money.iter_mut().zip(revenue) {
                    *sum += more;
                }
            }
            let columns =
                ["n_new", "n_resurrected", "n_churned", "n_churned_of_start", "n_start", "n_end"];
            for (column, wanted) in columns.into_iter().zip(n) {
                assert_eq!(count(batch, column, i), Some(wanted), "{what}: {column}");
            }
            let columns =
                ["mrr_new", "mrr_expansion", "mrr_contraction", "mrr_churned", "mrr_reactivated"];
            for (column, wanted) in columns.into_iter().zip(money) {
                assert_eq!(decimal(batch, column, i).unwrap_or(0), wanted, "{what}: {column}");
            }
            let is_shown = n[4] >= MIN_CELL as i64;
            let gross = is_shown.then(|| n[3] as f64 / n[4] as f64);
            same(share(batch, "churn_gross", i), gross, &what);
            let net = is_shown.then(|| (n[4] - n[5]) as f64 / n[4] as f64);
            same(share(batch, "churn_net", i), net, &what);
            rows += 1;
        }
    }
    assert!(rows > 100, "{rows}");
}

fn check_cohorts(cohorts: &[RecordBatch], lives: &[Life], horizon: i32) {
    let (mut rows, mut sizes) = (0, 0);
    for batch in cohorts {
        for i in 0..batch.num_rows() {
            let kind = text(batch, "kind", i).expect("a kind");
            let (cohort, k) = (a_day(batch, "cohort", i), count(batch, "period_index", i));
            let k = k.expect("a bucket");
            let is_calendar = kind.ends_with("calendar");
            let what = format!("{kind} {} {k}", date(cohort));
            let month = |day: i32| {
                let (day, from) = (date(day), date(cohort));
                let years = i64::from(day.year() - from.year());
                (years * 12 + i64::from(day.month()) - i64::from(from.month())).max(0)
            };
            let (mut size, mut active, mut revenue) = (0, 0, 0);
            for life in lives {
                let begin = if life.is_contractual {
                    life.first_day().map(|day| (day, i64::from(day) * DAY))
                } else {
                    life.orders().next().map(|order| (order.day, order.at))
                };
                let Some((day, origin)) = begin else { continue };
                if start("month", day) != cohort {
                    continue;
                }
                size += 1;
                let rolling = |at: i64| (at - origin).div_euclid(30 * DAY).max(0);
                let buckets: BTreeSet<i64> = if life.is_contractual {
                    let days = (day..=horizon).filter(|day| life.at(*day));
                    let of = |day: i32| {
                        if is_calendar {
                            month(day)
                        } else {
                            i64::from(day - begin.unwrap().0) / 30
                        }
                    };
                    days.map(of).collect()
                } else {
                    let of = |order: &Event| {
                        if is_calendar { month(order.day) } else { rolling(order.at) }
                    };
                    life.orders().map(of).collect()
                };
                let is_active = if kind.starts_with("bounded") {
                    buckets.contains(&k)
                } else {
                    buckets.range(k..).next().is_some()
                };
                active += i64::from(is_active);
                let since = if life.is_contractual { origin - DAY } else { origin };
                let paid = life.events.iter().filter(|event| {
                    (event.kind == "order" || event.kind == "refund") && event.at >= since
                });
                let of = |event: &&Event| {
                    k == if is_calendar { month(event.day) } else { rolling(event.at) }
                };
                revenue += paid.filter(of).filter_map(|event| event.home).sum::<i128>();
            }
            assert_eq!(count(batch, "cohort_size", i), Some(size), "{what}");
            let is_shown = size >= MIN_CELL as i64;
            assert_eq!(count(batch, "active", i), is_shown.then_some(active), "{what}");
            let retention = is_shown.then(|| active as f64 / size as f64);
            same(share(batch, "retention", i), retention, &what);
            let is_bounded = kind.starts_with("bounded");
            let told = (is_shown && is_bounded).then_some(revenue);
            assert_eq!(decimal(batch, "revenue", i), told, "{what}");
            let ends = if is_calendar {
                (0..=k).fold(cohort, |from, _| next("month", from))
            } else {
                next("month", cohort) + (k as i32 + 1) * 30
            };
            let is_complete = batch["is_complete"].as_boolean().value(i);
            assert_eq!(is_complete, ends <= horizon + 1, "{what}");
            sizes += if k == 0 && kind == "bounded_calendar" { size } else { 0 };
            rows += 1;
        }
    }
    assert!(rows > 500, "{rows}");
    let customers = lives.iter().filter(|life| life.first_day().is_some()).count();
    assert_eq!(sizes, customers as i64);
}

fn check_survival(curves: &[RecordBatch], lives: &[Life], horizon: i32) {
    let mut found: BTreeMap<(String, i32, String), Vec<(i64, i64, i64, i64, f64)>> =
        BTreeMap::new();
    for batch in curves {
        for i in 0..batch.num_rows() {
            let word = |column: &str| text(batch, column, i).expect("a key");
            let number = |column: &str| count(batch, column, i).expect("a count");
            let key = (word("cohort_grain"), a_day(batch, "cohort", i), word("segment"));
            let survival = share(batch, "survival", i).expect("a share");
            let step = (number("t"), number("at_risk"), number("events"), number("censored"));
            found.entry(key).or_default().push((step.0, step.1, step.2, step.3, survival));
        }
    }
    let mut groups: BTreeMap<(String, i32, String), Vec<(i32, bool)>> = BTreeMap::new();
    for life in lives {
        let Some(first) = life.first_day() else { continue };
        let churn = life.first_churn(horizon);
        let lived = (churn.unwrap_or(horizon) - first, churn.is_some());
        for (dimension, value) in &life.values {
            let segment =
                if *dimension == "all" { "all".into() } else { format!("{dimension}={value}") };
            groups.entry(("all".into(), 0, segment)).or_default().push(lived);
        }
        let month = ("month".into(), start("month", first), "all".into());
        groups.entry(month).or_default().push(lived);
    }
    groups.retain(|_, lives| lives.len() >= MIN_CELL);
    assert!(found.keys().eq(groups.keys()), "{:?}", found.keys());
    for (key, lives) in &groups {
        let mut left = 1.0;
        let mut steps = found[key].iter();
        let last = lives.iter().map(|life| life.0).max().expect("a life");
        for t in 0..=last {
            let of = |life: (i32, bool)| lives.iter().filter(|l| **l == life).count() as i64;
            let (events, censored) = (of((t, true)), of((t, false)));
            if events + censored == 0 {
                continue;
            }
            let risk = lives.iter().filter(|life| life.0 >= t).count() as i64;
            left *= 1.0 - events as f64 / risk as f64;
            let got = steps.next().expect("a step");
            let wanted = (i64::from(t), risk, events, censored);
            assert_eq!((got.0, got.1, got.2, got.3), wanted, "{key:?}");
            same(Some(got.4), Some(left), &format!("{key:?}"));
        }
        assert!(steps.next().is_none(), "{key:?}");
    }
}

fn bucket(metric: &str, score: i128, max: i128) -> Option<&'static str> {
    let from =
        |least: i128| Some(if score >= least * 10_000 { "favourable" } else { "not_favourable" });
    match (metric, max / 10_000) {
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

fn check_feedback(rows: &[RecordBatch], lives: &[Life], horizon: i32) {
    let mut seen = 0;
    for batch in rows {
        for i in 0..batch.num_rows() {
            let word = |column: &str| text(batch, column, i).expect("a key");
            let (metric, wanted) = (word("metric"), word("bucket"));
            let window = count(batch, "window_days", i).expect("a window") as i32;
            let day = horizon - window;
            let (mut n, mut churned) = (0, 0);
            for life in lives.iter().filter(|life| life.at(day)) {
                let known = life.events.iter().filter(|event| {
                    event.kind == "survey_answered" && event.name == metric && event.day <= day
                });
                let of = |event: &Event| bucket(&metric, event.score?, event.scale_max?);
                let newest = known.filter_map(of).next_back().unwrap_or("no_answer");
                if newest == wanted {
                    n += 1;
                    churned += i64::from((day..=day + window).any(|day| !life.at(day)));
                }
            }
            let what = format!("{metric} {wanted} {window}");
            assert_eq!(count(batch, "n", i), Some(n), "{what}");
            let is_shown = n >= MIN_CELL as i64;
            assert_eq!(count(batch, "churned", i), is_shown.then_some(churned), "{what}");
            let rate = is_shown.then(|| churned as f64 / n as f64);
            same(share(batch, "rate", i), rate, &what);
            seen += n;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Goal: the published numbers are what their definitions say of the events. Method: a demo of 120
/// customers; every row of four tables is counted again, day by day, from the timeline.
#[tokio::test(flavor = "multi_thread")]
async fn churn_and_retention_are_what_the_timeline_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    demo::write_raw(folder.path(), 120, 1, &|_| ()).expect("written");
    let (_context, session) = open(folder.path()).await;
    let horizon = day_number(demo::as_of());
    let lives = lives(&session, horizon).await;
    let table = async |name: &str, order: &str| {
        let sql = format!("select * from {name} order by {order}");
        session.collect("test", &sql).await.expect("a table")
    };
    let ledger = table("churn_ledger", "1, 2, 3, 4").await;
    check_ledger(&ledger, &lives, horizon);
    rates::check_ledger(&ledger, &lives, horizon);
    let cohorts = table("retention_cohorts", "1, 2, 3, 4").await;
    check_cohorts(&cohorts, &lives, horizon);
    rates::check_cohorts(&cohorts);
    let curves = table("survival_curves", "1, 2, 3, 4").await;
    check_survival(&curves, &lives, horizon);
    rates::check_survival(&curves, &table("survival_summary", "1, 2, 3").await);
    let feedback = table("churn_by_feedback", "1, 2, 3").await;
    check_feedback(&feedback, &lives, horizon);
    rates::check_feedback(&feedback);
    let projection = table("retention_projection", "1, 2, 3, 4").await;
    rates::check_projection(&projection, &lives, horizon);
}
