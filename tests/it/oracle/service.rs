//! Requests once more: every ticket from its messages and changes, business time minute by minute.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Europe::Copenhagen;

use super::world::{Keys, Row, Terms, World, is, time};

type At = DateTime<Utc>;

/// How many minutes before each were open: by the version in force (0), the first and the second.
pub struct Hours {
    from: At,
    second: Option<NaiveDate>,
    open: BTreeMap<(&'static str, usize), Vec<i64>>,
}

impl Hours {
    pub fn new(world: &World, from: At) -> Self {
        let terms = &world.terms;
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let second = terms.second_hours.map(day);
        let noon = |day: NaiveDate| day.and_hms_opt(12, 0, 0).expect("noon").and_utc();
        let versions = match second {
            None => vec![None],
            Some(day) => vec![None, Some(from), Some(noon(day))],
        };
        let from = from.with_second(0).expect("a minute") - TimeDelta::days(1);
        let mut open = BTreeMap::new();
        for name in terms.calendars {
            for (i, version) in versions.iter().enumerate() {
                let (mut before, mut counts) = (0, vec![0]);
                for minute in 0..=(world.horizon() - from).num_minutes() {
                    let at = from + TimeDelta::minutes(minute);
                    before += i64::from((terms.open_at)(name, at, *version));
                    counts.push(before);
                }
                open.insert((*name, i), counts);
            }
        }
        Self { from, second, open }
    }

    /// Open seconds up to an instant.
    fn before(&self, name: &'static str, version: usize, at: At) -> i64 {
        let counts = &self.open[&(name, version)];
        let seconds = (at - self.from).num_seconds();
        let minute = (seconds / 60) as usize;
        60 * counts[minute] + (counts[minute + 1] - counts[minute]) * (seconds % 60)
    }
}

pub struct Ticket {
    pub row: Row,
    pub customer: Option<String>,
    pub created: At,
    pub day: NaiveDate,
    pub started: Option<At>,
    pub replied: Option<At>,
    pub bot: Option<At>,
    /// First word of an agent, be it a note.
    pub agent: Option<At>,
    pub is_outbound: bool,
    pub n_messages: usize,
    pub n_replies: usize,
    pub n_bots: usize,
    pub n_customer: usize,
    /// From and to.
    pub waits: Vec<(At, Option<At>)>,
    pub by_bot: bool,
    /// Its changes of status are told.
    pub is_followed: bool,
    teams: Vec<(At, String)>,
    /// What was promised, since when, in how many seconds, in business time or not.
    targets: Vec<(At, String, i64, bool)>,
}

impl Ticket {
    fn team(&self, at: At) -> String {
        let known = |(since, _): &&(At, String)| *since <= at;
        match self.teams.iter().rev().find(known) {
            Some((_, team)) => team.clone(),
            None if self.teams.is_empty() => self.row.get("team").cloned().unwrap_or_default(),
            None => String::new(),
        }
    }

    fn calendar(&self, at: At) -> &'static str {
        if self.team(at) == "night" { "nights" } else { "office" }
    }

    pub fn business(&self, from: At, to: At, all: bool, hours: &Hours) -> i64 {
        let open = |name: &'static str, version: usize, from: At, to: At| {
            hours.before(name, version, to) - hours.before(name, version, from)
        };
        if !all {
            let day = to.with_timezone(&Copenhagen).date_naive();
            let version = hours.second.map_or(0, |second| if day >= second { 2 } else { 1 });
            return open(self.calendar(to), version, from, to);
        }
        let changes = self.teams.iter().map(|(at, _)| *at);
        let mut cuts: Vec<_> = changes.filter(|at| from < *at && *at < to).collect();
        cuts.extend([from, to]);
        cuts.sort();
        cuts.windows(2).map(|part| open(self.calendar(part[0]), 0, part[0], part[1])).sum()
    }

    pub fn resolved(&self) -> Option<At> {
        self.waits.last().expect("a wait").1
    }

    pub fn first_resolved(&self) -> Option<At> {
        self.waits[0].1
    }

    pub fn value(&self, dimension: &str) -> String {
        let one = |name: &str| match name {
            "all" => "all".to_owned(),
            name => self.row.get(name).cloned().unwrap_or("(none)".into()),
        };
        dimension.split('*').map(one).collect::<Vec<_>>().join("\u{1f}")
    }
}

/// Rows that belong to a conversation, by it, in order of time.
async fn of_conversations(world: &World, table: &str, at: &str) -> BTreeMap<[String; 3], Vec<Row>> {
    let mut found: BTreeMap<[String; 3], Vec<Row>> = BTreeMap::new();
    for row in world.current(table).await {
        if row.contains_key(at) {
            let names = ["source", "source_account", "conversation_source_id"];
            found.entry(names.map(|name| row[name].clone())).or_default().push(row);
        }
    }
    let id = |row: &Row| row.get("conversation_change_id").cloned();
    for rows in found.values_mut() {
        rows.sort_by_key(|row| (time(&row[at]), id(row)));
    }
    found
}

fn author(message: &Row) -> Option<&str> {
    let told = message.get("author_kind").map(String::as_str);
    told.or(match message.get("direction").map(String::as_str) {
        Some("in") => Some("customer"),
        Some("out") => Some("agent"),
        _ => None,
    })
}

/// What was said, by whom, whether everybody could read it, and when.
type Said<'a> = Vec<(Option<&'a str>, bool, At)>;

fn said(messages: &[Row]) -> Said<'_> {
    let kind = |message: &Row| message.get("kind").cloned().unwrap_or_else(|| "comment".into());
    let told = messages.iter().filter(|m| ["comment", "note"].contains(&kind(m).as_str()));
    let read = |m: &Row| m.get("is_public").map_or_else(|| kind(m) == "comment", |is| is == "true");
    told.map(|m| (author(m), read(m), time(&m["sent_at"]))).collect()
}

/// When it waited, who ended that, teams, and targets.
fn follow(ticket: &mut Ticket, changes: &[Row]) {
    let created = ticket.created;
    for change in changes {
        let at = time(&change["changed_at"]);
        let word = |name: &str| change.get(name).cloned().unwrap_or_default();
        let is_open = ticket.waits.last().is_some_and(|(_, to)| to.is_none());
        match change["kind"].as_str() {
            "resolved" | "closed" => {
                ticket.is_followed = true;
                if is_open {
                    ticket.waits.last_mut().expect("a wait").1 = Some(at.max(created));
                    ticket.by_bot = word("author_kind") == "bot";
                }
            }
            "opened" | "pending" | "reopened" if !is_open => {
                ticket.waits.push((at.max(created), None));
            }
            // Of other teams no calendar speaks.
            "assigned" if word("value_text") == "night" => ticket.teams.push((at, "night".into())),
            "target_applied" => {
                if let Some(seconds) = change.get("target_seconds") {
                    let seconds = seconds.parse().expect("seconds");
                    let is_business = is(change, "is_business_time");
                    ticket.targets.push((at, word("metric"), seconds, is_business));
                }
            }
            _ => {}
        }
    }
    let status = ticket.row.get("status").map_or("open", String::as_str);
    let ended = ticket.row.get("resolved_at").or_else(|| ticket.row.get("closed_at"));
    let ended = ended.filter(|_| !["open", "pending"].contains(&status)).map(|at| time(at));
    let is_followed = ticket.is_followed;
    let last = ticket.waits.last_mut().expect("a wait");
    if last.1.is_none() && ended.is_some_and(|at| at >= last.0 || !is_followed) {
        last.1 = ended.map(|at| at.max(last.0));
    }
}

fn ticket(row: Row, messages: &[Row], changes: &[Row], keys: &Keys) -> Ticket {
    let created = time(&row["created_at"]);
    let said = said(messages);
    let opened = |who: &str, public: bool| {
        let first = said.iter().filter(|(_, _, at)| *at <= created);
        first
            .filter(|(author, is_public, _)| *author == Some(who) && (*is_public || !public))
            .count()
            > 0
    };
    let is_outbound = opened("agent", true) && !opened("customer", false);
    let customer = said.iter().find(|(author, ..)| *author == Some("customer"));
    let started = if is_outbound { customer.map(|(.., at)| *at) } else { Some(created) };
    let after = |who: &str, public: bool| -> Vec<At> {
        let own = said.iter().filter(|(author, is_public, at)| {
            *author == Some(who) && (*is_public || !public) && started.is_some_and(|s| *at > s)
        });
        own.map(|(.., at)| *at).collect()
    };
    let (replies, bots) = (after("agent", true), after("bot", true));
    let mut ticket = Ticket {
        customer: row.get("identity_key").and_then(|key| keys.get(key)).cloned(),
        day: created.with_timezone(&Copenhagen).date_naive(),
        created,
        started,
        replied: replies.first().copied(),
        bot: bots.first().copied(),
        agent: after("agent", false).first().copied(),
        is_outbound,
        n_messages: said.len(),
        n_replies: replies.len(),
        n_bots: bots.len(),
        n_customer: said.iter().filter(|(author, ..)| *author == Some("customer")).count(),
        waits: vec![(created, None)],
        by_bot: false,
        is_followed: false,
        teams: Vec::new(),
        targets: Vec::new(),
        row,
    };
    follow(&mut ticket, changes);
    ticket
}

/// All requests; none of these worlds links a chat to a ticket.
pub async fn tickets(world: &World) -> Vec<Ticket> {
    let messages = of_conversations(world, "messages", "sent_at").await;
    let changes = of_conversations(world, "conversation_changes", "changed_at").await;
    let keys = world.keys().await;
    let mut found = Vec::new();
    for row in world.current("conversations").await {
        assert!(!row.contains_key("linked_source"), "{row:?}");
        let is_deleted = row.get("status").is_some_and(|status| status == "deleted");
        let is_other = row.contains_key("merged_into") || is(&row, "is_internal");
        if !row.contains_key("created_at") || is_deleted || is_other || is(&row, "is_test") {
            continue;
        }
        let id = ["source", "source_account", "source_id"].map(|name| row[name].clone());
        let own = |rows: &BTreeMap<[String; 3], Vec<Row>>| -> Vec<Row> {
            let of_it = |part: &&Row| {
                part.get("conversation_entity").is_none_or(|entity| *entity == row["entity"])
            };
            rows.get(&id).into_iter().flatten().filter(of_it).cloned().collect()
        };
        let (messages, changes) = (own(&messages), own(&changes));
        found.push(ticket(row, &messages, &changes, &keys));
    }
    found
}

/// Seconds, or the seconds so far.
pub type Time = (i64, bool);

/// Seconds allowed, in business time or not, and whether it took longer, as far as that is known.
pub type Promise = (i64, bool, Option<bool>);

pub struct Values {
    pub times: BTreeMap<(&'static str, &'static str), Option<Time>>,
    /// What the request is not asked about; not decided yet; decided.
    pub shares: BTreeMap<&'static str, Option<Option<bool>>>,
    pub promises: [Option<Promise>; 2],
    pub n_replies: i64,
    pub n_reopens: i64,
}

pub fn values(ticket: &Ticket, world: &World, hours: &Hours) -> Values {
    let (ends, horizon) = (ticket.resolved(), world.horizon());
    let with_bot = ticket.n_bots > 0
        || ["bot", "mixed"].map(Some).contains(&ticket.row.get("handled_by").map(String::as_str));
    let mut times = BTreeMap::new();
    let spans = [
        ("first_response", ticket.started, ticket.replied, ends.unwrap_or(horizon)),
        (
            "first_bot_response",
            ticket.started.filter(|_| with_bot),
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
    let with_bot = with_bot || ticket.by_bot;
    let alone = first.filter(|_| with_bot).map(|_| Some(ends.is_some() && ticket.n_replies == 0));
    let response = ticket.started.and_then(|started| {
        let known = ticket.replied.unwrap_or(ends.unwrap_or(horizon)).max(started);
        promise(ticket, "first_response", (started, known, ticket.replied.is_some()), world, hours)
    });
    let span = (ticket.created, ends.unwrap_or(horizon), ends.is_some());
    let resolution = promise(ticket, "resolution", span, world, hours);
    let broken = |promise: Option<Promise>| promise.map(|(.., is_breached)| is_breached);
    let both = [broken(response), broken(resolution)];
    let any = both.iter().flatten().copied().reduce(|one, other| match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    });
    let shares = BTreeMap::from([
        ("first_contact_resolution", contact),
        ("one_touch", one),
        ("reopen_rate", first.map(|_| Some(reopened.is_some()))),
        ("containment", alone),
        ("sla_first_response_breached", both[0]),
        ("sla_resolution_breached", both[1]),
        ("sla_breached", any),
    ]);
    Values {
        times,
        shares,
        promises: [response, resolution],
        n_replies: ticket.n_replies as i64,
        n_reopens: ticket.waits.len() as i64 - 1,
    }
}

/// By the target that the source told last before the end, else the first of the job's that fits.
fn promise(
    ticket: &Ticket,
    metric: &str,
    (from, to, is_over): (At, At, bool),
    world: &World,
    hours: &Hours,
) -> Option<Promise> {
    let Terms { targets, .. } = &world.terms;
    let told = ticket.targets.iter().rev().find(|(at, of, ..)| *at <= to && of == metric);
    let told = told.map(|(.., seconds, is_business)| (*seconds, *is_business));
    let fits = |of: &Option<(&str, &str)>| {
        of.is_none_or(|(column, value)| ticket.row.get(column).is_some_and(|own| own == value))
    };
    let own = targets.iter().find(|(of, which, ..)| *of == metric && fits(which));
    let (allowed, is_business) =
        told.or(own.map(|(.., seconds, business)| (*seconds, *business)))?;
    let elapsed = if is_business {
        ticket.business(from, to, false, hours)
    } else {
        (to - from).num_seconds()
    };
    let is_breached = (is_over || elapsed > allowed).then_some(elapsed > allowed);
    Some((allowed, is_business, is_breached))
}
