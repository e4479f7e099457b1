//! Sessions and funnels once more: from the run's current rows, event by event.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;

use super::slow::wilson;
use super::world::{Row, World, period, time};

/// An event of one customer on a web site or in an app.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: i64,
    /// System and account.
    pub stream: String,
    pub id: Option<String>,
    pub device: Option<String>,
}

/// The events of each session, by asking of every event all that came before it.
pub fn slow_sessions(seen: &[Seen], minutes: i64) -> Vec<Vec<usize>> {
    let mut sessions: Vec<Vec<usize>> = Vec::new();
    for (i, event) in seen.iter().enumerate() {
        let first = |session: &Vec<usize>, of: fn(&Seen) -> &Option<String>| {
            session.iter().find_map(|k| of(&seen[*k]).clone())
        };
        let is_here = |session: &Vec<usize>| seen[session[0]].stream == event.stream;
        let of_id = sessions.iter().rposition(|session| {
            let device = first(session, |seen| &seen.device);
            let fits = device.is_none() || event.device.is_none() || device == event.device;
            event.id.is_some() && first(session, |s| &s.id) == event.id && is_here(session) && fits
        });
        // The session of the newest event on the device, if nobody was silent for too long in it.
        let before = (0..i)
            .rev()
            .find(|k| seen[*k].stream == event.stream && seen[*k].device == event.device);
        let before = before.and_then(|k| sessions.iter().position(|s| s.contains(&k)));
        let under_way = before.filter(|place| {
            let last = sessions[*place].iter().map(|k| seen[*k].at).max().expect("an event");
            event.at - last <= minutes * 60_000_000
        });
        let place = if event.id.is_none() {
            under_way
        } else {
            let nameless = under_way.filter(|place| first(&sessions[*place], |s| &s.id).is_none());
            of_id.or(nameless)
        };
        match place {
            Some(place) => sessions[place].push(i),
            None => sessions.push(vec![i]),
        }
    }
    sessions
}

async fn people(world: &World) -> BTreeMap<String, String> {
    let keys = world.rows("identity_keys").await.into_iter();
    keys.map(|row| (row["identity_key"].clone(), row["customer_id"].clone())).collect()
}

/// Events by customer, in the order of the timeline.
async fn events(world: &World) -> BTreeMap<String, Vec<Row>> {
    let people = people(world).await;
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in world.rows("current_events").await {
        if row.get("is_test").is_some_and(|is| is == "true") {
            continue;
        }
        if let Some(who) = row.get("identity_key").and_then(|key| people.get(key)) {
            found.entry(who.clone()).or_default().push(row);
        }
    }
    for own in found.values_mut() {
        own.sort_by_key(|row| (time(&row["occurred_at"]), row["event_id"].clone()));
    }
    found
}

/// Goal: sessions are what their definition says. Method: those of every customer are put together
/// again, each event asking all before it; times, ids, counts and campaigns are compared.
pub async fn sessions_are_what_their_definition_says(world: &World) {
    let mut wanted: Vec<Vec<String>> = Vec::new();
    let (mut n_events, mut n_named) = (0, 0);
    for (who, rows) in events(world).await {
        let is_visit = |row: &&Row| {
            let channel = row.get("channel").map(String::as_str);
            row.contains_key("session_source_id")
                || ["web", "app"].contains(&channel.unwrap_or_default())
                || (channel.is_none() && row.contains_key("page_url"))
        };
        let rows: Vec<&Row> = rows.iter().filter(is_visit).collect();
        let seen: Vec<Seen> = rows
            .iter()
            .map(|row| Seen {
                at: time(&row["occurred_at"]).timestamp_micros(),
                stream: row["source"].clone() + &row["source_account"],
                id: row.get("session_source_id").cloned(),
                device: row.get("anonymous_id").cloned(),
            })
            .collect();
        n_events += rows.len();
        for session in slow_sessions(&seen, 30) {
            let own: Vec<&Row> = session.iter().map(|i| rows[*i]).collect();
            let first = |column: &str| own.iter().find_map(|row| row.get(column)).cloned();
            let (start, end) =
                (time(&own[0]["occurred_at"]), time(&own[own.len() - 1]["occurred_at"]));
            let pages = own.iter().filter(|row| row["name"] == "page_view").count();
            let is_engaged = pages > 1 || end - start > TimeDelta::seconds(10);
            let local = start.with_timezone(&Copenhagen).date_naive();
            let id = first("session_source_id").unwrap_or_default();
            n_named += usize::from(!id.is_empty());
            wanted.push(vec![
                who.clone(),
                start.timestamp().to_string(),
                end.timestamp().to_string(),
                id,
                own.len().to_string(),
                pages.to_string(),
                is_engaged.to_string(),
                first("utm_campaign").or(first("campaign")).unwrap_or_default(),
                local.to_string(),
                period("month", local).to_string(),
            ]);
        }
    }
    let rows = world.rows("sessions").await;
    let told = |row: &Row| {
        let word = |column: &str| row.get(column).cloned().unwrap_or_default();
        let at = |column: &str| time(&row[column]).timestamp().to_string();
        let mut cells = vec![word("customer_id"), at("started_at"), at("ended_at")];
        let columns = ["session_source_id", "n_events", "n_pages", "is_engaged", "utm_campaign"];
        cells.extend(columns.iter().map(|column| word(column)));
        cells.extend(["started_date", "month"].iter().map(|column| word(column)));
        cells
    };
    let mut got: Vec<Vec<String>> = rows.iter().map(told).collect();
    got.sort();
    wanted.sort();
    assert_eq!(got, wanted);
    let held: usize =
        rows.iter().map(|row| row["n_events"].parse::<usize>().expect("a count")).sum();
    assert_eq!(held, n_events);
    assert!(n_named > 50 && wanted.len() - n_named > 50, "{n_named} of {}", wanted.len());
}

/// The steps of the funnel `basket` of the world's job.
const STEPS: [&str; 3] = ["page_view", "product_view", "add_to_cart"];
const DAYS: i64 = 20;

/// When each step was taken at the earliest: of all ways to pick an event a step, in order.
fn ways(own: &[(DateTime<Utc>, String)], start: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut best: Vec<DateTime<Utc>> = Vec::new();
    // Ends of all ways that come as far as the step before.
    let mut ends = vec![start];
    for step in STEPS {
        let is_first = best.is_empty();
        let follows = |(at, name): &&(DateTime<Utc>, String)| {
            let in_time = *at - start <= TimeDelta::days(DAYS);
            let place = if is_first { *at == start } else { ends.iter().any(|end| at >= end) };
            name == step && in_time && place
        };
        ends = own.iter().filter(follows).map(|(at, _)| *at).collect();
        let Some(least) = ends.iter().min() else { break };
        best.push(*least);
    }
    best
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row.get(column).map(|text| text.parse().expect("a number"))
}

#[track_caller]
fn check(row: &Row, column: &str, wanted: Option<f64>) {
    let got = number(row, column);
    let is_same = match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        (got, wanted) => got == wanted,
    };
    assert!(is_same, "{column}: got {got:?}, wanted {wanted:?} in {row:?}");
}

fn quantile(times: &[f64], share: f64) -> Option<f64> {
    let last = times.len().checked_sub(1)? as f64;
    let (low, high) = ((last * share).floor() as usize, (last * share).ceil() as usize);
    Some(times[low] + (last * share - low as f64) * (times[high] - times[low]))
}

/// Whole minutes, of a day and more whole hours.
fn minutes(took: TimeDelta) -> f64 {
    let minutes = took.num_minutes();
    (if minutes < 24 * 60 { minutes } else { took.num_hours() * 60 }) as f64
}

/// Goal: funnels are what their definition says. Method: each row of all customers is counted again
/// from all ways each of them could have gone; other dimensions add up to it.
pub async fn funnels_are_what_their_definition_says(world: &World) {
    let events = events(world).await;
    let horizon = time("2024-09-01T22:00:00Z");
    let rows = world.rows("funnels").await;
    let (mut shown, mut open) = (0, 0.0);
    for row in rows.iter().filter(|row| row["dimension"] == "all" && row["funnel"] == "basket") {
        let start: NaiveDate = row["period_start"].parse().expect("a day");
        let place: usize = row["step_position"].parse().expect("a place");
        assert_eq!(row["step"], STEPS[place - 1]);
        let mut gone: Vec<(bool, Vec<DateTime<Utc>>)> = Vec::new();
        for own in events.values() {
            let own: Vec<(DateTime<Utc>, String)> =
                own.iter().map(|row| (time(&row["occurred_at"]), row["name"].clone())).collect();
            let is_start = |(at, name): &&(DateTime<Utc>, String)| {
                let day = at.with_timezone(&Copenhagen).date_naive();
                name == STEPS[0] && period(&row["period_grain"], day) == start
            };
            if let Some((at, _)) = own.iter().find(is_start) {
                gone.push((*at + TimeDelta::days(DAYS) >= horizon, ways(&own, *at)));
            }
        }
        check(row, "n_entered", Some(gone.len() as f64));
        if row["is_suppressed"] == "true" {
            assert!(!row.contains_key("n_reached") && !row.contains_key("step_rate"));
            continue;
        }
        assert!(gone.len() >= 10);
        shown += 1;
        let over: Vec<_> = gone.iter().filter(|gone| !gone.0).map(|gone| &gone.1).collect();
        let took = |n: usize| over.iter().filter(|way| way.len() >= n).count() as f64;
        let (before, reached) = (took(place - 1), took(place));
        open += (gone.len() - over.len()) as f64;
        check(row, "n_open", Some((gone.len() - over.len()) as f64));
        check(row, "n_before", Some(before));
        check(row, "n_reached", Some(reached));
        check(row, "n_dropped", Some(before - reached));
        for (prefix, rate, whole) in
            [("step", "step_rate", before), ("conversion", "conversion_rate", over.len() as f64)]
        {
            let is_known = whole > 0.0;
            check(row, rate, is_known.then(|| reached / whole));
            let limits = is_known.then(|| wilson(reached, whole));
            check(row, &format!("{prefix}_low"), limits.map(|limits| limits.0));
            check(row, &format!("{prefix}_high"), limits.map(|limits| limits.1));
        }
        check(row, "drop_off_rate", (before > 0.0).then(|| (before - reached) / before));
        for (prefix, from) in [("", 0), ("step_", place.saturating_sub(2))] {
            let way = over.iter().filter(|way| way.len() >= place);
            let mut times: Vec<f64> = way.map(|way| minutes(way[place - 1] - way[from])).collect();
            times.sort_by(f64::total_cmp);
            let is_told = place > 1 && times.len() >= 10;
            for (name, share) in [("median", 0.5), ("p90", 0.9)] {
                let wanted = quantile(&times, share).filter(|_| is_told);
                check(row, &format!("{prefix}{name}_minutes"), wanted);
            }
        }
    }
    assert!(shown > 20 && open > 0.0, "{shown} {open}");
    let mut entered: BTreeMap<[&str; 5], f64> = BTreeMap::new();
    for row in &rows {
        let key = ["period_grain", "period_start", "funnel", "step_position", "dimension"];
        let key = key.map(|column| row[column].as_str());
        *entered.entry(key).or_default() += number(row, "n_entered").expect("a count");
    }
    for (key, n) in &entered {
        let [grain, start, funnel, step, _] = *key;
        assert_eq!(*n, entered[&[grain, start, funnel, step, "all"]], "{key:?}");
    }
}
