//! Service levels: business time over clock changes, promises, causes, and what is still open.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;
use cxmart::measure::fold::calendar::Grain;
use cxmart::measure::participation::{Contact, Participations};
use cxmart::measure::scores::resubmitted::{Given, superseded};
use cxmart::measure::service::case::{Aim, Vendor, facts, over};
use cxmart::measure::service::clock::{Clock, Place};
use cxmart::measure::service::{
    Calendar, Calendars, Case, Change, Facts, Happening, Hours, Levels, Target, Terms,
};
use cxmart::table::day::day_number;

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

fn at(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().expect("a time").timestamp_micros()
}

fn day(text: &str) -> i32 {
    day_number(text.parse::<NaiveDate>().expect("a day"))
}

/// The same hours on every day of the week, in minutes after midnight.
fn daily(open: &[(u32, u32)], holidays: &[&str]) -> Hours {
    Hours {
        zone: Copenhagen,
        open: std::array::from_fn(|_| open.to_vec()),
        holidays: holidays.iter().map(|text| day(text)).collect::<BTreeSet<_>>(),
    }
}

fn clock(hours: &Hours) -> Clock {
    Clock::new(hours, day("2024-01-01"), day("2024-12-31"))
}

#[test]
fn days_that_clocks_change_have_the_hours_they_had() {
    let always = clock(&daily(&[(0, 1440)], &[]));
    // 31 March had 23 hours, 27 October 25.
    let spring = (at("2024-03-30T23:00:00Z"), at("2024-03-31T22:00:00Z"));
    let autumn = (at("2024-10-26T22:00:00Z"), at("2024-10-27T23:00:00Z"));
    assert_eq!(always.between(spring.0, spring.1), 23 * HOUR);
    assert_eq!(always.between(autumn.0, autumn.1), 25 * HOUR);
    // 02:30 did not exist in spring: the shift began at 03:00; in autumn 02:30 to 03:30 was two hours.
    let night = clock(&daily(&[(150, 210)], &[]));
    assert_eq!(night.between(spring.0, spring.1), HOUR / 2);
    assert_eq!(night.between(autumn.0, autumn.1), 2 * HOUR);
}

#[test]
fn business_time_counts_no_holiday_and_cuts_shifts_at_both_ends() {
    let office = clock(&daily(&[(540, 720), (750, 1020)], &["2024-12-25"]));
    // From 10:00 on the 24th to 13:00 on the 26th, an hour east of Greenwich.
    let (from, to) = (at("2024-12-24T09:00:00Z"), at("2024-12-26T12:00:00Z"));
    assert_eq!(office.between(from, to), (120 + 270 + 180 + 30) * MINUTE);
    assert_eq!(office.between(to, from), 0);
    assert_eq!(office.between(from, from), 0);
}

#[test]
fn one_schedule_holds_for_the_whole_stretch_and_all_schedules_each_for_its_part() {
    let (from, to) = (day("2024-01-01"), day("2024-12-31"));
    let old = (i32::MIN, daily(&[(540, 600)], &[]));
    let new = (day("2024-06-02"), daily(&[(540, 1020)], &[]));
    let mut nights = Calendar::new(vec![(i32::MIN, daily(&[(0, 360)], &[]))], from, to);
    nights.teams = vec!["night".to_owned()];
    let office = Calendar::new(vec![new, old], from, to);
    let all = Calendars::new(vec![nights, office]);
    let place = |team| Place { source: "desk", channel: None, team };
    // Two days in which the office's hours went from one to eight.
    let stretch = (at("2024-05-31T22:00:00Z"), at("2024-06-02T22:00:00Z"));
    let stay = [(i64::MIN, place(None))];
    assert_eq!(all.single(&stay, stretch.0, stretch.1), Some(16 * HOUR));
    assert_eq!(all.all(&stay, stretch.0, stretch.1), Some(9 * HOUR));
    // Given to the night team at midnight between the days.
    let moved = [(i64::MIN, place(None)), (at("2024-06-01T22:00:00Z"), place(Some("night")))];
    assert_eq!(all.single(&moved, stretch.0, stretch.1), Some(12 * HOUR));
    assert_eq!(all.all(&moved, stretch.0, stretch.1), Some(7 * HOUR));
}

fn terms() -> Terms {
    Terms {
        confidence: 0.95,
        min_cell: 1,
        periods: vec![Grain::Month],
        dimensions: vec!["all".into()],
        reopen_days: 7,
        targets: Vec::new(),
        calendars: Calendars::default(),
        zone: Copenhagen,
        horizon: at("2024-06-30T22:00:00Z"),
        horizon_day: day("2024-06-30"),
    }
}

fn case() -> Case<'static> {
    let created = at("2024-06-03T08:00:00Z");
    Case {
        id: "g_1",
        source: "desk",
        created_at: created,
        created_date: day("2024-06-03"),
        created_month: day("2024-06-01"),
        started_at: Some(created),
        n_messages: 2,
        ..Case::default()
    }
}

fn change(text: &str, what: Happening) -> Change {
    Change { at: at(text), what }
}

#[test]
fn a_ticket_closed_by_a_bot_was_never_answered_and_waits_no_longer() {
    let ticket =
        Case { n_bot_messages: 1, first_bot_at: Some(at("2024-06-03T08:00:07Z")), ..case() };
    let closed = [change("2024-06-03T09:00:00Z", Happening::Resolved { by_bot: true })];
    let facts = facts(&ticket, &closed, &terms());
    let response = facts.first_response.expect("it is asked");
    assert_eq!((response.is_over, response.seconds[0]), (false, Some(3_600)));
    assert_eq!(over(facts.first_bot_response), Some(7));
    assert_eq!((facts.is_contained, facts.is_one_touch), (Some(true), Some(false)));
    assert_eq!(facts.is_first_contact, Some(true));
}

#[test]
fn the_target_in_force_when_it_was_answered_counts() {
    let target = |minutes: i64| Happening::Target {
        aim: Aim::FirstResponse,
        seconds: minutes * 60,
        is_business_time: false,
    };
    let changes =
        [change("2024-06-03T08:00:00Z", target(120)), change("2024-06-03T09:00:00Z", target(30))];
    let breached = |replied: Option<&str>, horizon: &str| {
        let ticket = Case { first_human_at: replied.map(at), ..case() };
        let terms = Terms { horizon: at(horizon), ..terms() };
        facts(&ticket, &changes, &terms).response_target.expect("a target").is_breached
    };
    let later = "2024-06-30T22:00:00Z";
    assert_eq!(breached(Some("2024-06-03T08:50:00Z"), later), Some(false));
    assert_eq!(breached(Some("2024-06-03T09:10:00Z"), later), Some(true));
    // Nobody answered: missed once the time is over, undecided before.
    assert_eq!(breached(None, "2024-06-03T08:20:00Z"), None);
    assert_eq!(breached(None, "2024-06-03T09:01:00Z"), Some(true));
    // Without one of the source's the job's own holds, and without hours none in business time.
    let own = |is_business_time| Target {
        aim: Aim::FirstResponse,
        source: Some("desk".into()),
        channel: None,
        priority: None,
        since: None,
        until: None,
        seconds: 60,
        is_business_time,
    };
    let of = |target| Terms { targets: vec![target], ..terms() };
    let told = |target| facts(&case(), &[], &of(target)).response_target.expect("a target");
    assert_eq!(told(own(false)).is_breached, Some(true));
    assert_eq!(told(own(true)).is_breached, None);
}

#[test]
fn solved_at_first_contact_is_known_when_the_window_is_over() {
    let resolved = change("2024-06-03T10:00:00Z", Happening::Resolved { by_bot: false });
    let at_first = |n_replies, horizon: &str, more: Option<&str>| {
        let ticket = Case { n_replies, ..case() };
        let mut changes = vec![resolved.clone()];
        changes.extend(more.map(|text| change(text, Happening::Open)));
        let terms = Terms { horizon: at(horizon), ..terms() };
        facts(&ticket, &changes, &terms).is_first_contact
    };
    assert_eq!(at_first(1, "2024-06-10T09:59:59Z", None), None);
    assert_eq!(at_first(1, "2024-06-10T10:00:00Z", None), Some(true));
    assert_eq!(at_first(2, "2024-06-04T00:00:00Z", None), Some(false));
    assert_eq!(at_first(0, "2024-06-04T00:00:00Z", Some("2024-06-03T12:00:00Z")), Some(false));
    let late = Some("2024-06-10T10:00:00Z");
    assert_eq!(at_first(1, "2024-06-20T00:00:00Z", late), Some(true));
}

#[test]
fn the_cause_of_a_difference_is_the_reading_that_gives_the_tools_value() {
    let replied = Case {
        first_human_at: Some(at("2024-06-03T10:00:00Z")),
        first_bot_at: Some(at("2024-06-03T08:01:00Z")),
        first_agent_at: Some(at("2024-06-03T09:00:00Z")),
        n_replies: 1,
        ..case()
    };
    let cause = |case: &Case<'_>, vendor| {
        let vendor = Vendor { first_response: vendor, ..Vendor::default() };
        let case = Case { vendor, ..case.clone() };
        facts(&case, &[], &terms()).response_cause(&case)
    };
    for (vendor, wanted) in [
        (Some(7_200), Some("equal")),
        (Some(7_170), Some("rounding")),
        (Some(60), Some("bot_reply")),
        (Some(3_600), Some("internal_note")),
        (Some(5), Some("bot_reply")),
        (Some(900), Some("other")),
        (None, Some("vendor_silent")),
    ] {
        assert_eq!(cause(&replied, vendor), wanted, "{vendor:?}");
    }
    assert_eq!(cause(&case(), None), None);
    assert_eq!(cause(&case(), Some(60)), Some("not_over"));
    assert_eq!(cause(&Case { n_messages: 0, ..case() }, Some(60)), Some("no_messages"));
    assert_eq!(Facts::count_cause(1, Some(2), true), Some("other"));
    assert_eq!(Facts::count_cause(0, Some(2), false), Some("not_exported"));
    assert_eq!(Facts::count_cause(2, Some(2), false), Some("equal"));
}

/// The plain mean knows the answered alone; the censored median knows that others still wait.
#[test]
fn open_requests_are_censored_beside_the_plain_mean() {
    let mut levels = Levels::default();
    for minutes in [Some(10), Some(20), Some(30), None, None] {
        let created = at("2024-06-03T08:00:00Z");
        let ticket =
            Case { first_human_at: minutes.map(|minutes| created + minutes * MINUTE), ..case() };
        let facts = facts(&ticket, &[], &terms());
        levels.push(&ticket, &facts);
    }
    let rows = levels.levels(&terms()).expect("known dimensions");
    let find = |metric: &str| rows.iter().find(|row| row.metric == metric).expect("a row");
    let response = find("first_response");
    assert_eq!((response.n, response.answered, response.open), (5, Some(3), Some(2)));
    assert_eq!((response.mean, response.median), (Some(1_200.0), Some(1_200.0)));
    assert_eq!(response.km.and_then(|km| km.time), Some(1_800));
    let backlog = find("backlog");
    // All five are unresolved at the end of June, 27 days and 14 hours after.
    assert_eq!((backlog.n, backlog.mean), (5, Some(27.0 * 86_400.0 + 14.0 * 3_600.0)));
    let few = levels.levels(&Terms { min_cell: 6, ..terms() }).expect("known dimensions");
    let hidden = few.iter().find(|row| row.metric == "first_response").expect("a row");
    assert_eq!((hidden.n, hidden.is_suppressed), (5, true));
    assert_eq!((hidden.answered, hidden.mean, hidden.km), (None, None, None));
}

#[test]
fn of_a_chain_of_resubmissions_the_last_counts() {
    let given = |id: &str, about: &str, hours: i64| Given {
        about: vec![about.to_owned()],
        at: hours * HOUR,
        id: id.to_owned(),
    };
    let answers = vec![
        given("c", "x", 40),
        given("a", "x", 0),
        given("b", "x", 24),
        given("d", "x", 90),
        given("e", "y", 1),
    ];
    let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    assert_eq!(superseded(answers.clone(), 1), vec![pair("a", "b"), pair("b", "c")]);
    assert!(superseded(answers, 0).is_empty());
    // The same instant: the later id stands.
    let twins = vec![given("b", "x", 1), given("a", "x", 1)];
    assert_eq!(superseded(twins, 1), vec![pair("a", "b")]);
}

#[test]
fn fatigue_is_how_often_a_person_was_asked_in_ninety_days() {
    let contact = |day: i64, survey: &str| Contact {
        source: "s".into(),
        survey: survey.into(),
        customer_id: Some("c_1".into()),
        is_invited: true,
        at: at("2024-01-01T12:00:00Z") + day * 24 * HOUR,
        is_delivered: true,
        is_opened: false,
        answered_at: None,
        is_answered: false,
        is_complete: false,
        is_incentivised: false,
    };
    let terms = cxmart::measure::participation::Terms {
        confidence: 0.95,
        min_cell: 1,
        periods: vec![Grain::Year],
        zone: Copenhagen,
        horizon_day: day("2024-12-31"),
    };
    let mut counted = Participations::new(&terms);
    for (day, survey) in [(0, "a"), (89, "a"), (90, "b"), (90, "a")] {
        counted.push(contact(day, survey));
    }
    let rows = counted.rows(&[], &terms);
    // On day 90 the first lies just outside; the other survey of the same minute counts.
    let told: Vec<_> = rows.iter().map(|(_, row)| (row.fatigue_mean, row.fatigue_max)).collect();
    assert_eq!(told, [(Some(2.0), Some(3)), (Some(3.0), Some(3))]);
    assert_eq!(rows[0].1.n_customers, 1);
}
