//! Service levels once more: every request's row, and every cell from all requests.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;

use super::hidden::nothing_can_be_reckoned;
use super::service::{Hours, Ticket, Time, Values, tickets, values};
use super::slow::{student, wilson};
use super::world::{Row, World, check, flag, next_period, number, period, time, word};

/// Why the tool's number is another one: the first other reading that gives it. Tools tell minutes.
fn reason(
    ours: Option<f64>,
    vendor: Option<f64>,
    readings: &[(&'static str, Option<f64>)],
) -> Option<&'static str> {
    let Some(vendor) = vendor else { return ours.map(|_| "vendor_silent") };
    let near = |value: Option<f64>| value.is_some_and(|value| (value - vendor).abs() < 60.0);
    let found = readings.iter().find(|(_, value)| near(*value)).map(|(name, _)| *name);
    Some(match ours {
        Some(ours) if (ours - vendor).abs() < 1e-9 => "equal",
        ours if near(ours) => "rounding",
        ours => found.unwrap_or(if ours.is_some() { "other" } else { "not_over" }),
    })
}

/// A count of ours beside the tool's.
fn count_reason(ours: i64, vendor: Option<f64>, is_known: bool) -> Option<&'static str> {
    vendor.map(|vendor| match (ours as f64 - vendor).abs() < 0.5 {
        true => "equal",
        false if is_known => "other",
        false => "not_exported",
    })
}

/// A metric, ours of it, what the tool says, and why they differ.
type Compared = (&'static str, Option<f64>, Option<f64>, Option<&'static str>);

/// By the name of the column of requests.
fn compared(ticket: &Ticket, values: &Values) -> [Compared; 5] {
    let over = |metric: &'static str, clock: &'static str| {
        let time = values.times[&(metric, clock)];
        time.filter(|(_, is_over)| *is_over).map(|(seconds, _)| seconds as f64)
    };
    let business = |metric: &'static str, clock| ("business_time", over(metric, clock));
    let since = |from: DateTime<Utc>, at: Option<DateTime<Utc>>| {
        at.map(|at| (at - from).num_seconds().max(0) as f64)
    };
    let started = ticket.started.unwrap_or(ticket.created);
    let told = |column: &str| number(&ticket.row, column);
    let ours = over("first_response", "calendar");
    let theirs = told("vendor_first_response_seconds");
    let called = since(ticket.created, ticket.replied).filter(|_| ticket.is_outbound);
    let readings = [
        ("bot_reply", since(started, ticket.bot)),
        ("internal_note", since(started, ticket.agent)),
        business("first_response", "business"),
        business("first_response", "business_all"),
        ("outbound", called),
    ];
    let why = reason(ours, theirs, &readings).map(|why| match why {
        "not_over" if ticket.n_messages == 0 => "no_messages",
        why => why,
    });
    let first = ("first_response", ours, theirs, why);
    let (ours, theirs) =
        (over("first_bot_response", "calendar"), told("vendor_first_bot_response_seconds"));
    let why = reason(ours, theirs, &[business("first_bot_response", "business")]);
    let bot = ("first_bot_response", ours, theirs, why);
    let (ours, theirs) = (over("full_resolution", "calendar"), told("vendor_resolution_seconds"));
    let readings = [
        ("first_resolution", over("first_resolution", "calendar")),
        business("full_resolution", "business"),
        business("full_resolution", "business_all"),
    ];
    let resolution = ("resolution", ours, theirs, reason(ours, theirs, &readings));
    let (n, theirs) = (values.n_replies, told("vendor_replies"));
    let why = count_reason(n, theirs, ticket.n_messages > 0);
    let replies = ("replies", Some(n as f64), theirs, why);
    let (n, theirs) = (values.n_reopens, told("vendor_reopens"));
    let why = count_reason(n, theirs, ticket.is_followed);
    let reopens = ("reopens", Some(n as f64), theirs, why);
    [first, bot, resolution, replies, reopens]
}

/// What the tools say beside a cell: how many told it, their mean, the difference, and the most
/// frequent cause of it; equals in order of name.
fn vendor(row: &Row, asked: &[(&Ticket, &Values)]) -> usize {
    let metric = row["metric"].as_str();
    let of = |(ticket, values): &(&Ticket, &Values)| -> (Option<f64>, Option<&'static str>) {
        let name = if metric == "full_resolution" { "resolution" } else { metric };
        let found = compared(ticket, values).into_iter().find(|(own, ..)| *own == name);
        let flag = |is: bool| if is { 1.0 } else { 0.0 };
        match (found, metric) {
            (Some((.., theirs, why)), _) => (theirs, why),
            (None, "reopen_rate") => {
                (number(&ticket.row, "vendor_reopens").map(|n| flag(n > 0.0)), None)
            }
            (None, "sla_breached") => {
                (ticket.row.get("vendor_sla_breached").map(|told| flag(told == "true")), None)
            }
            (None, _) => (None, None),
        }
    };
    let is_read = row["clock"] == "calendar";
    let both: Vec<_> = asked.iter().filter(|_| is_read).map(of).collect();
    let told: Vec<f64> = both.iter().filter_map(|(theirs, _)| *theirs).collect();
    check(row, "n_vendor", (!told.is_empty()).then_some(told.len() as f64));
    let mean = (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64);
    check(row, "vendor_value", mean);
    let difference = number(row, "mean").zip(mean).map(|(ours, theirs)| ours - theirs);
    check(row, "difference", difference);
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    let whys = both.iter().filter_map(|(_, why)| *why);
    for why in whys.filter(|why| *why != "equal" && *why != "rounding") {
        *causes.entry(why).or_default() += 1;
    }
    let most = causes.values().max().copied();
    let wanted = causes.iter().find(|(_, n)| Some(**n) == most).map(|(name, _)| *name);
    word(row, "cause", wanted.filter(|_| !told.is_empty()));
    told.len()
}

fn limits(row: &Row, limits: Option<(f64, f64)>) {
    let mean = number(row, "mean").unwrap_or_default();
    check(row, "ci_low", limits.map(|(low, _)| low.min(mean)));
    check(row, "ci_high", limits.map(|(_, high)| high.max(mean)));
}

fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    let low = sorted[at as usize];
    Some(low + at.fract() * (sorted[last.min(at as usize + 1)] - low))
}

/// First time by which half are gone, of those still there, and when its limits say so: Greenwood's
/// variance on the scale of log(-log S).
fn kaplan_meier(times: &[Time]) -> [Option<f64>; 3] {
    let mut ends: Vec<i64> = times.iter().filter(|(_, over)| *over).map(|(s, _)| *s).collect();
    ends.sort_unstable();
    ends.dedup();
    let (mut left, mut variance, mut found) = (1.0_f64, 0.0, [None; 3]);
    for end in ends {
        let there = times.iter().filter(|(s, _)| *s >= end).count() as f64;
        let gone = times.iter().filter(|(s, over)| *over && *s == end).count() as f64;
        left *= 1.0 - gone / there;
        variance += gone / (there * (there - gone));
        let spread = 1.959_963_984_540_054 * variance.sqrt() / left.ln().abs();
        let limit = |sign: f64| (-((-left.ln()).ln() + sign * spread).exp()).exp();
        let limits = if left < 1e-12 { [0.0; 2] } else { [limit(1.0), limit(-1.0)] };
        for (slot, share) in found.iter_mut().zip([left, limits[0], limits[1]]) {
            if share <= 0.5 + 1e-12 {
                slot.get_or_insert(end as f64);
            }
        }
    }
    found
}

/// One row of `conversation_service`.
fn request(row: &Row, ticket: &Ticket, values: &Values) {
    for column in ["conversation_id", "source", "source_account", "source_id"] {
        assert_eq!(row[column], ticket.row[column], "{row:?}");
    }
    word(row, "customer_id", ticket.customer.as_deref());
    assert_eq!(time(&row["created_at"]), ticket.created);
    assert_eq!(row["created_date"], ticket.day.to_string());
    assert_eq!(row["month"], period("month", ticket.day).to_string());
    flag(row, "is_outbound", Some(ticket.is_outbound));
    flag(row, "is_resolved", Some(ticket.resolved().is_some()));
    for ((metric, clock), time) in &values.times {
        let unit = match *clock {
            "calendar" => "seconds",
            "business" => "business_seconds",
            _ => "business_all_seconds",
        };
        let over = time.filter(|(_, over)| *over).map(|(seconds, _)| seconds as f64);
        check(row, &format!("{metric}_{unit}"), over);
    }
    check(row, "n_replies", Some(values.n_replies as f64));
    check(row, "n_bot_messages", Some(ticket.n_bots as f64));
    check(row, "n_customer_messages", Some(ticket.n_customer as f64));
    check(row, "n_reopens", Some(values.n_reopens as f64));
    for (column, metric) in [
        ("is_first_contact", "first_contact_resolution"),
        ("is_one_touch", "one_touch"),
        ("is_reopened", "reopen_rate"),
        ("is_contained", "containment"),
    ] {
        flag(row, column, values.shares[metric].flatten());
    }
    for (name, promise) in ["first_response", "resolution"].into_iter().zip(values.promises) {
        check(row, &format!("{name}_target_seconds"), promise.map(|(seconds, ..)| seconds as f64));
        flag(row, &format!("is_{name}_target_business"), promise.map(|(_, business, _)| business));
        let is_breached = promise.and_then(|(.., is_breached)| is_breached);
        flag(row, &format!("is_{name}_target_breached"), is_breached);
    }
    for (name, ours, theirs, why) in compared(ticket, values) {
        check(row, &format!("vendor_{name}"), theirs);
        let difference = ours.zip(theirs).map(|(ours, theirs)| ours - theirs);
        check(row, &format!("vendor_{name}_difference"), difference);
        word(row, &format!("vendor_{name}_cause"), why);
    }
}

/// What a request counts as in a metric: nothing, so far so much, or at last so much.
fn outcome(values: &Values, metric: &str, clock: &str) -> Option<Time> {
    let time = values.times.iter().find(|((own, of), _)| *own == metric && *of == clock);
    match (time, values.shares.get(metric)) {
        (Some((_, time)), _) => *time,
        (None, Some(told)) => told.map(|told| (i64::from(told == Some(true)), told.is_some())),
        (None, None) if metric == "replies" => Some((values.n_replies, true)),
        (None, None) => Some((values.n_reopens, true)),
    }
}

/// One cell of anything but the backlog, against its requests.
fn cell(row: &Row, asked: &[(&Ticket, &Values)]) -> usize {
    let (metric, clock) = (row["metric"].as_str(), row["clock"].as_str());
    let told = |(_, values): &(&Ticket, &Values)| outcome(values, metric, clock);
    let times: Vec<Time> = asked.iter().filter_map(told).collect();
    check(row, "n", Some(times.len() as f64));
    let mut over: Vec<f64> = times.iter().filter(|(_, is)| *is).map(|(s, _)| *s as f64).collect();
    over.sort_by(f64::total_cmp);
    let n = over.len() as f64;
    check(row, "answered", Some(n));
    check(row, "open", Some(times.len() as f64 - n));
    check(row, "mean", (n > 0.0).then(|| over.iter().sum::<f64>() / n));
    let (is_time, is_share) = if asked[0].1.shares.contains_key(metric) {
        (false, true)
    } else {
        (metric != "replies" && metric != "reopens", false)
    };
    let hits = over.iter().sum::<f64>();
    check(row, "hits", is_share.then_some(hits));
    limits(row, if is_share { (n > 0.0).then(|| wilson(hits, n)) } else { student(&over) });
    check(row, "median", quantile(&over, 0.5).filter(|_| !is_share));
    check(row, "p90", quantile(&over, 0.9).filter(|_| !is_share));
    let medians = if is_time { kaplan_meier(&times) } else { [None; 3] };
    for (column, median) in ["km_median", "km_median_low", "km_median_high"].iter().zip(medians) {
        check(row, column, median);
    }
    let about = match (metric, clock) {
        ("first_response", "calendar") => Some("sla_first_response_breached"),
        ("full_resolution", "calendar") => Some("sla_resolution_breached"),
        _ => None,
    };
    let kept: Option<Vec<bool>> = about.map(|about| {
        let promises = asked.iter().filter_map(|(_, values)| values.shares[about]);
        promises.flatten().map(|is_breached| !is_breached).collect()
    });
    let within = kept.as_ref().map(|kept| kept.iter().filter(|is| **is).count() as f64);
    let all = kept.map(|kept| kept.len() as f64);
    check(row, "n_with_target", all);
    check(row, "n_within_target", within);
    let share = within.zip(all).filter(|(_, all)| *all > 0.0).map(|(within, all)| within / all);
    check(row, "share_within_target", share);
    let counted: Vec<_> = asked.iter().copied().filter(|one| told(one).is_some()).collect();
    vendor(row, &counted)
}

const NUMBERS: [&str; 17] = [
    "answered",
    "open",
    "hits",
    "mean",
    "ci_low",
    "ci_high",
    "median",
    "p90",
    "km_median",
    "km_median_low",
    "km_median_high",
    "n_with_target",
    "n_within_target",
    "share_within_target",
    "n_vendor",
    "vendor_value",
    "difference",
];

/// Requests that waited when a period ended, and how long they had, in seconds.
fn waiting(tickets: &[&Ticket], grain: &str, start: NaiveDate, world: &World) -> Vec<f64> {
    let midnight = next_period(grain, start).and_hms_opt(0, 0, 0).expect("midnight");
    let local = midnight.and_local_timezone(Copenhagen).single().expect("an instant");
    let end = local.with_timezone(&Utc).min(world.horizon());
    let waits = tickets.iter().flat_map(|ticket| &ticket.waits);
    let open = waits.filter(|(from, to)| *from < end && to.is_none_or(|to| to >= end));
    open.map(|(from, _)| (end - *from).num_seconds() as f64).collect()
}

/// Metric, clock, grain, start, dimension, value.
type Place = (String, String, String, NaiveDate, String, String);

/// All cells that have to be there, with their requests.
fn places<'a>(
    all: &[(&'a Ticket, &'a Values)],
    world: &World,
) -> BTreeMap<Place, Vec<(&'a Ticket, &'a Values)>> {
    let mut places: BTreeMap<Place, Vec<(&Ticket, &Values)>> = BTreeMap::new();
    let measures = |values: &Values| -> Vec<(&'static str, &'static str)> {
        let shares = values.shares.keys().map(|metric| (*metric, "calendar"));
        let counts = ["replies", "reopens"].map(|metric| (metric, "calendar"));
        values.times.keys().copied().chain(shares).chain(counts).collect()
    };
    let first = all.iter().map(|(ticket, _)| ticket.day).min().expect("a request");
    for dimension in world.terms.service_dimensions {
        for grain in world.terms.periods {
            let place = |metric: &str, clock: &str, start: NaiveDate, value: String| -> Place {
                let text = |text: &str| text.to_owned();
                (text(metric), text(clock), text(grain), start, text(dimension), value)
            };
            for (ticket, values) in all {
                let (start, value) = (period(grain, ticket.day), ticket.value(dimension));
                for (metric, clock) in measures(values) {
                    if outcome(values, metric, clock).is_some() {
                        let place = place(metric, clock, start, value.clone());
                        places.entry(place).or_default().push((ticket, values));
                    }
                }
            }
            let mut by_value: BTreeMap<String, Vec<(&Ticket, &Values)>> = BTreeMap::new();
            for one in all {
                by_value.entry(one.0.value(dimension)).or_default().push(*one);
            }
            for (value, own) in by_value {
                let tickets: Vec<&Ticket> = own.iter().map(|(ticket, _)| *ticket).collect();
                let mut start = period(grain, first);
                while start <= world.last_day() {
                    if !waiting(&tickets, grain, start, world).is_empty() {
                        places.insert(
                            place("backlog", "calendar", start, value.clone()),
                            own.clone(),
                        );
                    }
                    start = next_period(grain, start);
                }
            }
        }
    }
    places
}

/// Goal: service levels are what their definitions say. Method: as for scores; how many values of
/// vendors were compared.
pub async fn service_levels_are_what_their_definitions_say(world: &World) -> usize {
    let tickets = tickets(world).await;
    let first = tickets.iter().map(|ticket| ticket.created).min().expect("a request");
    let hours = Hours::new(world, first);
    let values: Vec<Values> = tickets.iter().map(|t| values(t, world, &hours)).collect();
    let requests = world.rows("conversation_service").await;
    let ids: BTreeMap<&String, &Row> =
        requests.iter().map(|row| (&row["conversation_id"], row)).collect();
    assert_eq!((requests.len(), ids.len()), (tickets.len(), tickets.len()));
    for (ticket, values) in tickets.iter().zip(&values) {
        request(ids[&ticket.row["conversation_id"]], ticket, values);
    }
    let all: Vec<(&Ticket, &Values)> = tickets.iter().zip(&values).collect();
    let places = places(&all, world);
    let rows = world.rows("service_levels").await;
    assert_eq!(rows.len(), places.len());
    let (mut compared, mut told) = (0, 0);
    for row in &rows {
        let start: NaiveDate = row["period_start"].parse().expect("a day");
        let of = |name: &str| row[name].clone();
        let (metric, grain) = (of("metric"), of("period_grain"));
        let place = (metric, of("clock"), grain, start, of("dimension"), of("dimension_value"));
        let asked = places.get(&place).unwrap_or_else(|| panic!("nobody was asked: {row:?}"));
        assert_eq!(row["year"], start.year().to_string());
        let is_backlog = row["metric"] == "backlog";
        let tickets: Vec<&Ticket> = asked.iter().map(|(ticket, _)| *ticket).collect();
        let ages = waiting(&tickets, &row["period_grain"], start, world);
        let n = if is_backlog { ages.len() } else { asked.len() } as f64;
        check(row, "n", Some(n));
        let mut empty: Vec<&str> = [&NUMBERS[..], &["cause"]].concat();
        if row["is_suppressed"] == "false" {
            compared += 1;
            if !is_backlog {
                told += cell(row, asked);
                continue;
            }
            check(row, "open", Some(n));
            check(row, "mean", Some(ages.iter().sum::<f64>() / n));
            empty.retain(|column| *column != "open" && *column != "mean");
        }
        for column in empty {
            assert!(!row.contains_key(column), "{column}: {row:?}");
        }
    }
    assert!(compared > 500, "{compared}");
    let mut metrics: BTreeMap<[&str; 3], Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        // The backlog is of a moment: its year is no sum of its months.
        let alone = if row["metric"] == "backlog" { row["period_grain"].as_str() } else { "" };
        metrics.entry([&row["metric"], &row["clock"], alone]).or_default().push(row);
    }
    let min_cell = world.terms.min_cell;
    let beside: usize = metrics.values().map(|rows| nothing_can_be_reckoned(rows, min_cell)).sum();
    assert!(beside > 0, "a second cell is hidden somewhere");
    told
}
