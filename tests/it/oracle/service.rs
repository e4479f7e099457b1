//! Service levels once more: every ticket from its messages and changes, business time minute by
//! minute, every cell from all tickets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Europe::Copenhagen;
use chrono_tz::Tz;

use super::hidden::nothing_can_be_reckoned;
use super::scores::period;
use super::slow::{student, wilson};
use super::world::{Row, World, time};

fn open_at(name: &str, at: DateTime<Utc>, version: Option<DateTime<Utc>>) -> bool {
    let zone: Tz = if name == "nights" { chrono_tz::America::New_York } else { Copenhagen };
    let local = at.with_timezone(&zone);
    let minute = local.hour() * 60 + local.minute();
    let within = |hours: &[(u32, u32)]| hours.iter().any(|(a, b)| (*a..*b).contains(&minute));
    let (morning, evening) = ((0, 360), (1200, 1440));
    if name == "nights" {
        return match local.weekday() {
            Weekday::Mon => within(&[evening]),
            Weekday::Tue => within(&[morning, evening]),
            Weekday::Sat => true,
            _ => false,
        };
    }
    let day = |day: &str| day.parse::<NaiveDate>().expect("a day");
    let in_force = version.unwrap_or(at).with_timezone(&zone).date_naive();
    if in_force >= day("2024-05-01") {
        return matches!(local.weekday(), Weekday::Mon | Weekday::Tue | Weekday::Wed)
            && within(&[(480, 1080)]);
    }
    if ["2024-03-28", "2024-03-29", "2024-04-01"].iter().any(|off| day(off) == local.date_naive()) {
        return false;
    }
    match local.weekday() {
        Weekday::Mon => within(&[(540, 720), (750, 1020)]),
        Weekday::Tue | Weekday::Wed | Weekday::Thu => within(&[(540, 1020)]),
        Weekday::Fri => within(&[(540, 960)]),
        Weekday::Sun => within(&[(90, 270)]),
        Weekday::Sat => false,
    }
}

/// How many minutes before each were open: by the version in force (0), the first and the second.
struct Hours {
    from: DateTime<Utc>,
    second: NaiveDate,
    open: BTreeMap<(&'static str, u8), Vec<i64>>,
}

impl Hours {
    fn new(horizon: DateTime<Utc>) -> Self {
        let from = time("2024-01-31T00:00:00Z");
        let versions =
            [None, Some(time("2024-02-01T00:00:00Z")), Some(time("2024-06-01T00:00:00Z"))];
        let mut open = BTreeMap::new();
        for name in ["nights", "office"] {
            for (i, version) in versions.iter().enumerate() {
                let minutes = 0..(horizon - from).num_minutes();
                let (mut before, mut counts) = (0, vec![0]);
                for minute in minutes {
                    let at = from + TimeDelta::minutes(minute);
                    before += i64::from(open_at(name, at, *version));
                    counts.push(before);
                }
                open.insert((name, i as u8), counts);
            }
        }
        Self { from, second: "2024-05-01".parse().expect("a day"), open }
    }
}

struct Ticket {
    row: Row,
    created: DateTime<Utc>,
    day: NaiveDate,
    started: Option<DateTime<Utc>>,
    replied: Option<DateTime<Utc>>,
    bot: Option<DateTime<Utc>>,
    /// First word of an agent, be it a note.
    agent: Option<DateTime<Utc>>,
    is_outbound: bool,
    n_messages: usize,
    n_replies: usize,
    n_bots: usize,
    /// From and to.
    waits: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    by_bot: bool,
    teams: Vec<(DateTime<Utc>, String)>,
    target: Vec<(DateTime<Utc>, i64)>,
}

impl Ticket {
    fn team(&self, at: DateTime<Utc>) -> String {
        let known = |(since, _): &&(DateTime<Utc>, String)| *since <= at;
        match self.teams.iter().rev().find(known) {
            Some((_, team)) => team.clone(),
            None if self.teams.is_empty() => self.row.get("team").cloned().unwrap_or_default(),
            None => String::new(),
        }
    }

    fn calendar(&self, at: DateTime<Utc>) -> &'static str {
        if self.team(at) == "night" { "nights" } else { "office" }
    }

    fn business(&self, from: DateTime<Utc>, to: DateTime<Utc>, all: bool, hours: &Hours) -> i64 {
        let minute = |at: DateTime<Utc>| (at - hours.from).num_minutes() as usize;
        let open = |name: &'static str, version: u8, from: DateTime<Utc>, to: DateTime<Utc>| {
            let before = &hours.open[&(name, version)];
            60 * (before[minute(to)] - before[minute(from)])
        };
        if !all {
            let late = to.with_timezone(&Copenhagen).date_naive() >= hours.second;
            return open(self.calendar(to), if late { 2 } else { 1 }, from, to);
        }
        let changes = self.teams.iter().map(|(at, _)| *at);
        let mut cuts: Vec<_> = changes.filter(|at| from < *at && *at < to).collect();
        cuts.extend([from, to]);
        cuts.sort();
        cuts.windows(2).map(|part| open(self.calendar(part[0]), 0, part[0], part[1])).sum()
    }

    fn resolved(&self) -> Option<DateTime<Utc>> {
        self.waits.last().expect("a wait").1
    }

    fn first_resolved(&self) -> Option<DateTime<Utc>> {
        self.waits[0].1
    }

    fn value(&self, dimension: &str) -> String {
        let one = |name: &str| match name {
            "all" => "all".to_owned(),
            name => self.row.get(name).cloned().unwrap_or("(none)".into()),
        };
        dimension.split('*').map(one).collect::<Vec<_>>().join("\u{1f}")
    }
}

async fn tickets(world: &World) -> Vec<Ticket> {
    let messages = world.rows("current_messages").await;
    let changes = world.rows("current_conversation_changes").await;
    let mut found = Vec::new();
    for row in world.rows("current_conversations").await {
        let is = |name: &str| row.get(name).is_some_and(|is| is == "true");
        if row.contains_key("merged_into") || is("is_internal") {
            continue;
        }
        let created = time(&row["created_at"]);
        let of = |rows: &[Row], column: &str| -> Vec<(DateTime<Utc>, String, Row)> {
            let own =
                rows.iter().filter(|other| other["conversation_source_id"] == row["source_id"]);
            let id = |row: &Row| row.get("conversation_change_id").cloned().unwrap_or_default();
            let mut own: Vec<_> =
                own.map(|other| (time(&other[column]), id(other), other.clone())).collect();
            own.sort();
            own
        };
        let said = of(&messages, "sent_at");
        let wrote = |who: &str, at_least: bool| {
            said.iter().any(|(at, _, m)| {
                m["author_kind"] == who && m["is_public"] == "true" && (*at <= created) == at_least
            })
        };
        let outbound = wrote("agent", true) && !wrote("customer", true);
        let customer = said.iter().find(|(_, _, m)| m["author_kind"] == "customer");
        let started = if outbound { customer.map(|(at, ..)| *at) } else { Some(created) };
        let after = |who: &str| -> Vec<DateTime<Utc>> {
            let Some(started) = started else { return Vec::new() };
            let own = said.iter().filter(|(at, _, m)| {
                *at > started && m["author_kind"] == who && m["is_public"] == "true"
            });
            own.map(|(at, ..)| *at).collect()
        };
        let (mut waits, mut by_bot) = (vec![(created, None)], false);
        let mut followed = false;
        let (mut teams, mut target) = (Vec::new(), Vec::new());
        for (at, _, change) in of(&changes, "changed_at") {
            let is_open = waits.last().is_some_and(|(_, to)| to.is_none());
            match change["kind"].as_str() {
                "resolved" => {
                    followed = true;
                    if is_open {
                        waits.last_mut().expect("a wait").1 = Some(at);
                        by_bot = change["author_kind"] == "bot";
                    }
                }
                "reopened" if !is_open => waits.push((at, None)),
                "assigned" if change["value_text"] == "night" => {
                    teams.push((at, "night".to_owned()));
                }
                "target_applied" => {
                    target.push((at, change["target_seconds"].parse().expect("seconds")));
                }
                _ => {}
            }
        }
        let last = waits.last_mut().expect("a wait");
        let ended =
            row.get("resolved_at").filter(|_| row["status"] == "resolved").map(|at| time(at));
        if last.1.is_none() && ended.is_some_and(|at| at >= last.0 || !followed) {
            last.1 = ended.map(|at| at.max(last.0));
        }
        let (replies, bots) = (after("agent"), after("bot"));
        let agent = said.iter().find(|(at, _, message)| {
            started.is_some_and(|started| *at > started) && message["author_kind"] == "agent"
        });
        found.push(Ticket {
            day: created.with_timezone(&Copenhagen).date_naive(),
            created,
            started,
            replied: replies.first().copied(),
            bot: bots.first().copied(),
            agent: agent.map(|(at, ..)| *at),
            is_outbound: outbound,
            n_messages: said.len(),
            n_replies: replies.len(),
            n_bots: bots.len(),
            waits,
            by_bot,
            teams,
            target,
            row,
        });
    }
    found
}

/// Seconds, or the seconds so far.
type Time = (i64, bool);

struct Values {
    times: BTreeMap<(&'static str, &'static str), Option<Time>>,
    shares: BTreeMap<&'static str, Option<Option<bool>>>,
    n_replies: i64,
    n_reopens: i64,
}

fn values(ticket: &Ticket, horizon: DateTime<Utc>, hours: &Hours) -> Values {
    let ends = ticket.resolved();
    let mut times = BTreeMap::new();
    let spans = [
        ("first_response", ticket.started, ticket.replied, ends.unwrap_or(horizon)),
        (
            "first_bot_response",
            ticket.started.filter(|_| ticket.n_bots > 0),
            ticket.bot,
            ends.unwrap_or(horizon),
        ),
        ("first_resolution", Some(ticket.created), ticket.first_resolved(), horizon),
        ("full_resolution", Some(ticket.created), ends, horizon),
    ];
    for (metric, from, to, known) in spans {
        let span = from.map(|from| (from, to.unwrap_or(known).max(from)));
        let calendar = span.map(|(from, to)| (to - from).num_seconds());
        times.insert((metric, "calendar"), calendar.map(|s| (s, to.is_some())));
        for (clock, all) in [("business", false), ("business_all", true)] {
            let within = |(from, end)| (ticket.business(from, end, all, hours), to.is_some());
            times.insert((metric, clock), span.map(within));
        }
    }
    let first = ticket.first_resolved();
    let reopened = ticket.waits.get(1).map(|(at, _)| *at);
    let contact = first.map(|first| {
        let window = first + TimeDelta::days(7);
        match reopened.is_some_and(|at| at < window) || ticket.n_replies > 1 {
            true => Some(false),
            false if window <= horizon => Some(true),
            false => None,
        }
    });
    let contact = contact.filter(|told| told.is_some() || ends.is_some());
    let one = first.map(|_| Some(ends.is_some() && ticket.n_replies == 1 && reopened.is_none()));
    let with_bot = ticket.by_bot || ticket.n_bots > 0;
    let alone = first.filter(|_| with_bot).map(|_| Some(ends.is_some() && ticket.n_replies == 0));
    let shares = BTreeMap::from([
        ("first_contact_resolution", contact),
        ("one_touch", one),
        ("reopen_rate", first.map(|_| Some(reopened.is_some()))),
        ("containment", alone),
        ("sla_first_response_breached", promise(ticket, horizon, hours)),
    ]);
    Values {
        times,
        shares,
        n_replies: ticket.n_replies as i64,
        n_reopens: ticket.waits.len() as i64 - 1,
    }
}

fn promise(ticket: &Ticket, horizon: DateTime<Utc>, hours: &Hours) -> Option<Option<bool>> {
    let started = ticket.started?;
    let end = ticket.replied.unwrap_or(ticket.resolved().unwrap_or(horizon)).max(started);
    let told = ticket.target.iter().rev().find(|(at, _)| *at <= end);
    let (elapsed, allowed) = match told {
        Some((_, seconds)) => ((end - started).num_seconds(), *seconds),
        None => (ticket.business(started, end, false, hours), 240 * 60),
    };
    Some((ticket.replied.is_some() || elapsed > allowed).then_some(elapsed > allowed))
}

/// Why the tool's first response is another one, in the order in which reasons are tried.
fn response_cause(ticket: &Ticket, hours: &Hours) -> Option<&'static str> {
    let vendor = number(&ticket.row, "vendor_first_response_seconds");
    let started = ticket.started.unwrap_or(ticket.created);
    let since = |from: DateTime<Utc>, at: Option<DateTime<Utc>>| {
        at.map(|at| (at - from).num_seconds().max(0) as f64)
    };
    let ours = ticket.started.and_then(|started| since(started, ticket.replied));
    let (ours, vendor) = match (ours, vendor) {
        (None, None) => return None,
        (Some(_), None) => return Some("vendor_silent"),
        (ours, Some(vendor)) => (ours, vendor),
    };
    let near = |value: Option<f64>| value.is_some_and(|value| (value - vendor).abs() < 60.0);
    let business = |all: bool| {
        let replied = ticket.replied.filter(|_| ticket.started.is_some())?;
        Some(ticket.business(started, replied, all, hours) as f64)
    };
    let outbound = since(ticket.created, ticket.replied).filter(|_| ticket.is_outbound);
    Some(match ours {
        Some(ours) if (ours - vendor).abs() < 1e-9 => "equal",
        ours if near(ours) => "rounding",
        _ if near(since(started, ticket.bot)) => "bot_reply",
        _ if near(since(started, ticket.agent)) => "internal_note",
        _ if near(business(false)) || near(business(true)) => "business_time",
        _ if near(outbound) => "outbound",
        None if ticket.n_messages == 0 => "no_messages",
        None => "not_over",
        Some(_) => "other",
    })
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row.get(column).map(|text| text.parse().expect("a number"))
}

/// What the tools say beside a cell: how many told it, their mean, the difference.
fn vendor(row: &Row, tickets: &[&Ticket]) -> usize {
    let column = match row["metric"].as_str() {
        "first_response" => "vendor_first_response_seconds",
        "full_resolution" => "vendor_resolution_seconds",
        "replies" => "vendor_replies",
        "reopens" => "vendor_reopens",
        _ => return 0,
    };
    let told: Vec<f64> = tickets.iter().filter_map(|t| number(&t.row, column)).collect();
    check(row, "n_vendor", (!told.is_empty()).then_some(told.len() as f64));
    let mean = (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64);
    check(row, "vendor_value", mean);
    let difference = number(row, "mean").zip(mean).map(|(ours, theirs)| ours - theirs);
    check(row, "difference", difference);
    told.len()
}

/// The most frequent cause of a difference; equals in order of name.
fn cause(row: &Row, tickets: &[&Ticket], hours: &Hours) {
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in tickets.iter().filter_map(|ticket| response_cause(ticket, hours)) {
        if cause != "equal" && cause != "rounding" {
            *causes.entry(cause).or_default() += 1;
        }
    }
    let told = tickets.iter().any(|t| t.row.contains_key("vendor_first_response_seconds"));
    let most = causes.values().max().copied();
    let wanted = causes.iter().find(|(_, n)| Some(**n) == most).map(|(name, _)| *name);
    assert_eq!(row.get("cause").map(String::as_str), wanted.filter(|_| told), "{row:?}");
}

fn limits(row: &Row, limits: Option<(f64, f64)>) {
    let mean = number(row, "mean").unwrap_or_default();
    check(row, "ci_low", limits.map(|(low, _)| low.min(mean)));
    check(row, "ci_high", limits.map(|(_, high)| high.max(mean)));
}

fn check(row: &Row, column: &str, wanted: Option<f64>) {
    let got = row.get(column).map(|text| text.parse::<f64>().expect("a number"));
    let is_same = match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        (got, wanted) => got == wanted,
    };
    assert!(is_same, "{column}: got {got:?}, wanted {wanted:?} in {row:?}");
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

/// Goal: service levels are what their definitions say. Method: as for scores.
pub async fn service_levels_are_what_their_definitions_say(world: &World) {
    let tickets = tickets(world).await;
    assert!(tickets.iter().any(|ticket| ticket.teams.len() > 1));
    let horizon = time("2024-09-01T22:00:00Z");
    let hours = Hours::new(horizon);
    let values: Vec<Values> = tickets.iter().map(|t| values(t, horizon, &hours)).collect();
    let per_ticket: BTreeMap<String, Row> = world
        .rows("conversation_service")
        .await
        .into_iter()
        .map(|row| (row["source_id"].clone(), row))
        .collect();
    assert_eq!(per_ticket.len(), tickets.len());
    for (ticket, values) in tickets.iter().zip(&values) {
        let row = &per_ticket[&ticket.row["source_id"]];
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
        check(row, "n_reopens", Some(values.n_reopens as f64));
        let cause = response_cause(ticket, &hours);
        assert_eq!(row.get("vendor_first_response_cause").map(String::as_str), cause, "{row:?}");
    }
    let rows = world.rows("service_levels").await;
    let clocks: BTreeSet<&String> = rows.iter().map(|row| &row["clock"]).collect();
    assert_eq!(clocks.len(), 3);
    let (mut compared, mut told) = (0, 0);
    for row in &rows {
        let start: NaiveDate = row["period_start"].parse().expect("a day");
        let own = |of: &dyn Fn(&Ticket) -> bool| -> Vec<usize> {
            (0..tickets.len()).filter(|i| of(&tickets[*i])).collect()
        };
        let here = |ticket: &Ticket| ticket.value(&row["dimension"]) == row["dimension_value"];
        let (metric, clock) = (row["metric"].as_str(), row["clock"].as_str());
        if metric == "backlog" {
            backlog(row, &tickets, start, horizon);
            continue;
        }
        let own = own(&|t| period(&row["period_grain"], t.day) == start && here(t));
        let is_hidden = row["is_suppressed"] == "true";
        if let Some(time) = values[0].times.keys().find(|key| **key == (metric, clock)) {
            let times: Vec<Time> = own.iter().filter_map(|i| values[*i].times[time]).collect();
            check(row, "n", Some(times.len() as f64));
            if is_hidden {
                continue;
            }
            let mut over: Vec<f64> =
                times.iter().filter(|(_, over)| *over).map(|(s, _)| *s as f64).collect();
            over.sort_by(f64::total_cmp);
            check(row, "answered", Some(over.len() as f64));
            let n = over.len() as f64;
            check(row, "mean", (n > 0.0).then(|| over.iter().sum::<f64>() / n));
            check(row, "median", quantile(&over, 0.5));
            check(row, "p90", quantile(&over, 0.9));
            let medians = kaplan_meier(&times);
            for (column, median) in
                ["km_median", "km_median_low", "km_median_high"].iter().zip(medians)
            {
                check(row, column, median);
            }
            if clock != "calendar" {
                limits(row, student(&over));
                compared += 1;
                continue;
            }
            limits(row, student(&over));
            let asked = own.iter().filter(|i| values[**i].times[time].is_some());
            let asked: Vec<&Ticket> = asked.map(|i| &tickets[*i]).collect();
            told += vendor(row, &asked);
            if metric == "first_response" {
                cause(row, &asked, &hours);
                let promises =
                    own.iter().filter_map(|i| values[*i].shares["sla_first_response_breached"]);
                let kept: Vec<bool> = promises.flatten().map(|is_breached| !is_breached).collect();
                let within = kept.iter().filter(|is_kept| **is_kept).count() as f64;
                check(row, "n_with_target", Some(kept.len() as f64));
                check(row, "n_within_target", Some(within));
                let share = (!kept.is_empty()).then(|| within / kept.len() as f64);
                check(row, "share_within_target", share);
            }
            compared += 1;
        } else if values[0].shares.contains_key(metric) {
            let told: Vec<Option<bool>> =
                own.iter().filter_map(|i| values[*i].shares[metric]).collect();
            check(row, "n", Some(told.len() as f64));
            if is_hidden {
                continue;
            }
            let known = told.iter().flatten().count() as f64;
            let hits = told.iter().flatten().filter(|is| **is).count() as f64;
            check(row, "answered", Some(known));
            check(row, "hits", Some(hits));
            check(row, "mean", (known > 0.0).then_some(hits / known));
            limits(row, (known > 0.0).then(|| wilson(hits, known)));
            compared += 1;
        } else if (metric == "replies" || metric == "reopens") && !is_hidden {
            let count = |i: &usize| match metric {
                "replies" => values[*i].n_replies as f64,
                _ => values[*i].n_reopens as f64,
            };
            let counts: Vec<f64> = own.iter().map(count).collect();
            check(row, "mean", Some(counts.iter().sum::<f64>() / counts.len() as f64));
            limits(row, student(&counts));
            told += vendor(row, &own.iter().map(|i| &tickets[*i]).collect::<Vec<_>>());
            compared += 1;
        }
    }
    assert!(compared > 500 && told > 500, "{compared} {told}");
    let mut metrics: BTreeMap<[&str; 3], Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        // The backlog is of a moment: its year is no sum of its months.
        let alone = if row["metric"] == "backlog" { row["period_grain"].as_str() } else { "" };
        metrics.entry([&row["metric"], &row["clock"], alone]).or_default().push(row);
    }
    let beside: usize = metrics.values().map(|rows| nothing_can_be_reckoned(rows)).sum();
    assert!(beside > 0, "a second cell is hidden somewhere");
}

fn backlog(row: &Row, tickets: &[Ticket], start: NaiveDate, horizon: DateTime<Utc>) {
    let grain = row["period_grain"].as_str();
    let mut next = start;
    while period(grain, next) == start {
        next += TimeDelta::days(1);
    }
    let midnight = next.and_hms_opt(0, 0, 0).expect("midnight").and_local_timezone(Copenhagen);
    let end = midnight.single().expect("an instant").with_timezone(&Utc).min(horizon);
    let mut ages = Vec::new();
    for ticket in tickets.iter().filter(|t| t.value(&row["dimension"]) == row["dimension_value"]) {
        for (from, to) in &ticket.waits {
            if *from < end && to.is_none_or(|to| to >= end) {
                ages.push((end - *from).num_seconds() as f64);
            }
        }
    }
    check(row, "n", Some(ages.len() as f64));
    if row["is_suppressed"] == "false" {
        check(row, "mean", Some(ages.iter().sum::<f64>() / ages.len() as f64));
    }
}
