//! Sessions over hand-made visits: what parts them, what joins them, and what they say.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use cxmart::measure::fold::sessions::{Rules, Sessions};
use cxmart::measure::fold::{Attributes, Grain, Marks, pass};
use cxmart::table::day::date;
use proptest::prelude::*;

use super::{Row, Visit, calendar, day, row, timeline};
use crate::oracle::journeys::{Seen, slow_sessions};

const MINUTE: i64 = 60_000_000;
const START: i32 = 19_000;

fn rules() -> Rules {
    Rules {
        inactive_minutes: 30,
        cuts_at_midnight: false,
        cuts_at_campaign: false,
        page_events: vec!["page_view".into()],
        key_events: vec!["purchase".into()],
    }
}

/// Who, after how many microseconds, in which session of the source, on which device.
type Told = (&'static str, i64, Option<&'static str>, Option<&'static str>);

/// Events in the order given; ids follow it.
fn visits(told: &[Told]) -> Vec<Row> {
    let visit = |(i, (customer, after, session, device)): (usize, &Told)| {
        let at = row(customer, "event", START, 0);
        Row {
            at: at.at + after,
            name: Some("scroll"),
            channel: Some("web"),
            reference: *session,
            visit: Some(Visit {
                event: format!("e{i:03}"),
                account: Some("main"),
                device: *device,
                ..Visit::default()
            }),
            ..at
        }
    };
    told.iter().enumerate().map(visit).collect()
}

fn made(rules: Rules, rows: &[Row]) -> RecordBatch {
    let fold = Sessions { rules, calendar: calendar(START + 1_400, &[Grain::Month]) };
    let of = |cut| {
        let rows = timeline(rows, cut);
        let walked = pass(&fold, &rows, &Marks::default(), &Attributes::default());
        walked.expect("a pass").batch(&fold).expect("a batch")
    };
    let batch = of(3);
    assert_eq!(batch, of(1_000), "cuts change nothing");
    batch
}

fn text(rows: &RecordBatch, column: &str, i: usize) -> Option<String> {
    let texts = rows[column].as_string::<i32>();
    texts.is_valid(i).then(|| texts.value(i).to_owned())
}

fn count(rows: &RecordBatch, column: &str, i: usize) -> i64 {
    rows[column].as_primitive::<Int64Type>().value(i)
}

/// Source's id if any, minutes from the first event of all to the first and last, events; as told.
fn shown(rows: &RecordBatch) -> Vec<(String, i64, i64, i64)> {
    let at = |column: &str, i: usize| {
        let at = rows[column].as_primitive::<TimestampMicrosecondType>().value(i);
        (at - row("", "event", START, 0).at) / MINUTE
    };
    let session = |i| {
        let id = text(rows, "session_source_id", i).unwrap_or_default();
        (id, at("started_at", i), at("ended_at", i), count(rows, "n_events", i))
    };
    (0..rows.num_rows()).map(session).collect()
}

fn id(text: &str) -> String {
    text.to_owned()
}

#[test]
fn silence_of_more_than_half_an_hour_ends_a_session_and_of_half_an_hour_does_not() {
    let rows = visits(&[
        ("a", 0, None, Some("phone")),
        ("a", 30 * MINUTE, None, Some("phone")),
        ("a", 60 * MINUTE + 1, None, Some("phone")),
        // Of another person, and another device.
        ("b", 0, None, Some("phone")),
        ("b", MINUTE, None, None),
    ]);
    let rows = made(rules(), &rows);
    let wanted = [(id(""), 0, 30, 2), (id(""), 60, 60, 1), (id(""), 0, 0, 1), (id(""), 1, 1, 1)];
    assert_eq!(shown(&rows), wanted);
    assert_eq!(text(&rows, "delimited_by", 0), Some(id("inactivity")));
    let mut keys: Vec<_> = (0..4).map(|i| text(&rows, "session_key", i)).collect();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[test]
fn a_session_id_is_believed_however_long_it_takes_and_whatever_lies_between() {
    let rows = visits(&[
        ("a", 0, Some("1"), Some("phone")),
        ("a", 5 * MINUTE, Some("2"), Some("phone")),
        ("a", 200 * MINUTE, Some("1"), Some("phone")),
        ("a", 201 * MINUTE, Some("2"), Some("phone")),
    ]);
    let rows = made(Rules { cuts_at_midnight: true, ..rules() }, &rows);
    assert_eq!(shown(&rows), [(id("1"), 0, 200, 2), (id("2"), 5, 201, 2)]);
    assert_eq!(text(&rows, "delimited_by", 0), Some(id("source")));
}

/// An event that names no device is of the newest session of its id.
#[test]
fn a_session_id_of_two_devices_is_two_sessions() {
    let rows = visits(&[
        ("a", 0, Some("1"), None),
        ("a", MINUTE, Some("1"), Some("phone")),
        ("a", 2 * MINUTE, Some("1"), Some("laptop")),
        ("a", 3 * MINUTE, Some("1"), None),
        ("a", 4 * MINUTE, Some("1"), Some("phone")),
    ]);
    assert_eq!(shown(&made(rules(), &rows)), [(id("1"), 0, 4, 3), (id("1"), 2, 3, 2)]);
}

#[test]
fn events_without_an_id_are_of_the_session_under_way_on_their_device() {
    let rows = visits(&[
        // Begun without an id, which comes later.
        ("a", 0, None, Some("phone")),
        ("a", MINUTE, Some("1"), Some("phone")),
        ("a", 20 * MINUTE, None, Some("phone")),
        // Not on this one.
        ("a", 21 * MINUTE, None, Some("laptop")),
        // Half an hour after the last of all, not after the last with an id.
        ("a", 50 * MINUTE, None, Some("phone")),
        // The next id parts them at once.
        ("a", 51 * MINUTE, Some("2"), Some("phone")),
        ("a", 52 * MINUTE, None, Some("phone")),
        ("a", 90 * MINUTE, None, Some("phone")),
    ]);
    let wanted =
        [(id("1"), 0, 50, 4), (id(""), 21, 21, 1), (id("2"), 51, 52, 2), (id(""), 90, 90, 1)];
    assert_eq!(shown(&made(rules(), &rows)), wanted);
}

#[test]
fn events_of_one_microsecond_are_one_session_in_either_order() {
    let at_once = [("a", 0, None, Some("phone")), ("a", 0, Some("1"), Some("phone"))];
    for told in [at_once, [at_once[1], at_once[0]]] {
        assert_eq!(shown(&made(rules(), &visits(&told))), [(id("1"), 0, 0, 2)]);
    }
}

#[test]
fn systems_and_their_accounts_have_sessions_of_their_own() {
    let mut rows = visits(&[("a", 0, Some("1"), None), ("a", MINUTE, Some("1"), None)]);
    rows[1].visit.as_mut().expect("a visit").account = Some("shop-2");
    let rows = made(rules(), &rows);
    assert_eq!(shown(&rows), [(id("1"), 0, 0, 1), (id("1"), 1, 1, 1)]);
    assert_eq!(text(&rows, "source_account", 1), Some(id("shop-2")));
}

/// Clocks go back on 27 October 2024 in Copenhagen: 02:50 comes twice, an hour apart. And midnight
/// there is at 22:00 UTC the evening before.
#[test]
fn a_session_over_midnight_or_a_clock_change_is_one_unless_the_job_cuts_it() {
    let midnight = (i64::from(day("2024-10-26")) * 24 + 22) * 60 * MINUTE;
    let visit = |after: i64, local: &str| {
        let mut row = visits(&[("a", 0, None, Some("phone"))]).remove(0);
        row.at = midnight + after * MINUTE;
        row.day_there = Some(day(local));
        row.visit.as_mut().expect("a visit").event = format!("e{after}");
        row
    };
    let rows = [
        visit(-10, "2024-10-26"),
        visit(10, "2024-10-27"),
        // 02:50 in summer time, and in winter time.
        visit(170, "2024-10-27"),
        visit(195, "2024-10-27"),
        visit(230, "2024-10-27"),
    ];
    let events = |rows: &RecordBatch| -> Vec<(String, i64)> {
        let started = |i| date(rows["started_date"].as_primitive::<Date32Type>().value(i));
        (0..rows.num_rows()).map(|i| (started(i).to_string(), count(rows, "n_events", i))).collect()
    };
    let told = |text: &str, n| (text.to_owned(), n);
    let whole = made(rules(), &rows);
    let one = [told("2024-10-26", 2), told("2024-10-27", 2), told("2024-10-27", 1)];
    assert_eq!(events(&whole), one, "the hour that comes twice is an hour of silence");
    let month = |i| date(whole["month"].as_primitive::<Date32Type>().value(i)).to_string();
    assert_eq!((month(0), month(2)), ("2024-10-01".to_owned(), "2024-10-01".to_owned()));
    let cut = made(Rules { cuts_at_midnight: true, ..rules() }, &rows);
    let two = [told("2024-10-26", 1), told("2024-10-27", 1)];
    assert_eq!(events(&cut)[..2], two);
}

#[test]
fn another_campaign_ends_a_session_only_where_the_job_says_so() {
    let mut rows = visits(&[("a", 0, None, None); 5]);
    for (i, campaign) in
        [None, Some("spring"), None, Some("summer"), Some("summer")].into_iter().enumerate()
    {
        rows[i].at += i as i64 * MINUTE;
        rows[i].visit.as_mut().expect("a visit").campaign = campaign;
    }
    let whole = made(rules(), &rows);
    assert_eq!(shown(&whole), [(id(""), 0, 4, 5)]);
    assert_eq!(text(&whole, "utm_campaign", 0), Some(id("spring")), "the first that is named");
    let cut = made(Rules { cuts_at_campaign: true, ..rules() }, &rows);
    assert_eq!(shown(&cut), [(id(""), 0, 0, 1), (id(""), 1, 2, 2), (id(""), 3, 4, 2)]);
    assert_eq!(text(&cut, "utm_campaign", 0), None);
    assert_eq!(text(&cut, "utm_source", 2), Some(id("mail")));
}

#[test]
fn sessions_are_engaged_by_time_pages_key_events_or_the_sources_word() {
    let second = MINUTE / 60;
    let mut rows = visits(&[
        ("short", 0, None, None),
        ("short", 10 * second, None, None),
        ("long", 0, None, None),
        ("long", 10 * second + 1, None, None),
        ("pages", 0, None, None),
        ("pages", 0, None, None),
        ("buys", 0, None, None),
        ("told", 0, None, None),
    ]);
    (rows[4].name, rows[5].name, rows[6].name) =
        (Some("page_view"), Some("page_view"), Some("purchase"));
    for (i, page) in [(0, None), (1, Some("/a")), (4, Some("/b")), (5, Some("/c"))] {
        rows[i].visit.as_mut().expect("a visit").page = page;
    }
    for (i, spent) in [(4, Some(700)), (5, Some(50))] {
        rows[i].visit.as_mut().expect("a visit").engagement = spent;
    }
    rows[7].visit.as_mut().expect("a visit").is_engaged = true;
    let made = made(rules(), &rows);
    let mut told: Vec<_> = (0..made.num_rows())
        .map(|i| {
            let spent = made["engagement_ms"].as_primitive::<Int64Type>();
            (
                text(&made, "customer_id", i).expect("somebody"),
                made["is_engaged"].as_boolean().value(i),
                count(&made, "n_pages", i),
                spent.is_valid(i).then(|| spent.value(i)),
                text(&made, "landing_page", i),
            )
        })
        .collect();
    told.sort();
    let row = |who: &str, engaged, pages, spent, page: Option<&str>| {
        (who.to_owned(), engaged, pages, spent, page.map(str::to_owned))
    };
    let wanted = [
        row("buys", true, 0, None, None),
        row("long", true, 0, None, None),
        row("pages", true, 2, Some(750), Some("/b")),
        row("short", false, 0, None, Some("/a")),
        row("told", true, 0, None, None),
    ];
    assert_eq!(told, wanted);
}

/// What is no visit, and customers without any, leave no trace.
#[test]
fn other_events_are_of_no_session() {
    let rows = [row("a", "event", START, 1), row("a", "order", START, 2)];
    assert_eq!(made(rules(), &rows).num_rows(), 0);
}

prop_compose! {
    fn wanderings()(told in prop::collection::vec(
        (0..2_usize, 0..90_i64, 0..4_usize, 0..3_usize), 0..30,
    )) -> Vec<Row> {
        let mut at = [0, 0];
        let step = |(who, minutes, session, device): (usize, i64, usize, usize)| {
            // Many events in few minutes, some long pauses, some at once.
            at[who] += if minutes < 70 { minutes / 10 } else { minutes - 30 };
            let session = [None, None, Some("1"), Some("2")][session];
            (["a", "b"][who], at[who] * MINUTE, session, [None, Some("x"), Some("y")][device])
        };
        visits(&told.into_iter().map(step).collect::<Vec<_>>())
    }
}

proptest! {
    /// A second, slow reading of the rules finds the same sessions, and every event is of one.
    #[test]
    fn sessions_are_those_of_the_slow_reading(rows in wanderings(), minutes in 1..60_i64) {
        let batch = made(Rules { inactive_minutes: minutes, ..rules() }, &rows);
        let mut got = Vec::new();
        for i in 0..batch.num_rows() {
            let at = |column: &str| batch[column].as_primitive::<TimestampMicrosecondType>().value(i);
            let who = text(&batch, "customer_id", i).expect("somebody");
            let id = text(&batch, "session_source_id", i);
            got.push((who, at("started_at"), at("ended_at"), id, count(&batch, "n_events", i)));
        }
        got.sort();
        prop_assert_eq!(got.iter().map(|session| session.4).sum::<i64>(), rows.len() as i64);
        let mut wanted = Vec::new();
        for who in ["a", "b"] {
            let own = rows.iter().filter(|row| row.customer == who);
            let seen: Vec<Seen> = own.map(|row| Seen {
                at: row.at,
                stream: "shop".into(),
                id: row.reference.map(str::to_owned),
                device: row.visit.as_ref().and_then(|visit| visit.device).map(str::to_owned),
            }).collect();
            for session in slow_sessions(&seen, minutes) {
                let (first, last) = (&seen[session[0]], &seen[session[session.len() - 1]]);
                let id = session.iter().find_map(|i| seen[*i].id.clone());
                wanted.push((who.to_owned(), first.at, last.at, id, session.len() as i64));
            }
        }
        wanted.sort();
        prop_assert_eq!(got, wanted);
    }
}
