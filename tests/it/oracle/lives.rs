//! Lives of customers, day by day: who is active, what recurs, and what one period changes.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::timeline::{Event, timeline};
use super::world::{Row, Terms, World, next_period, period};

/// Days are counted from here; nothing that makes a customer is older.
const FIRST: i32 = 19_700;

pub fn number_of(day: NaiveDate) -> i32 {
    (day - NaiveDate::default()).num_days() as i32
}

pub fn date(number: i32) -> NaiveDate {
    NaiveDate::default() + Days::new(u64::try_from(number).expect("a day after 1970"))
}

pub fn start(grain: &str, day: i32) -> i32 {
    number_of(period(grain, date(day)))
}

pub fn next(grain: &str, day: i32) -> i32 {
    number_of(next_period(grain, date(day)))
}

/// The day of a column.
pub fn day_in(row: &Row, column: &str) -> i32 {
    number_of(row[column].parse().expect("a day"))
}

pub const DIMENSIONS: [&str; 5] =
    ["all", "acquisition_channel", "country", "relationship", "source"];

/// One customer, day by day.
pub struct Life {
    pub id: String,
    pub values: BTreeMap<&'static str, String>,
    pub is_contractual: bool,
    /// Access is paid for, or there was a sign of life.
    is_alive: Vec<bool>,
    active: Vec<bool>,
    mrr: Vec<i128>,
    pub events: Vec<Event>,
}

fn is_sign_of_life(event: &Event) -> bool {
    const SOFTWARE: [&str; 4] = ["email_delivered", "email_opened", "email_sent", "email_bounced"];
    match event.kind {
        "order"
        | "subscription_started"
        | "subscription_changed"
        | "subscription_resumed"
        | "conversation_opened"
        | "survey_answered" => true,
        "event" => event.name.as_ref().is_none_or(|name| !SOFTWARE.contains(&name.as_str())),
        _ => false,
    }
}

/// Whether any subscription is paid for when the day is over, and what they come to a month.
fn paid(events: &[Event], today: i32) -> (bool, i128) {
    #[derive(Default)]
    struct State {
        is_on: bool,
        is_paused: bool,
        mrr: i128,
    }
    let mut all: BTreeMap<Option<&String>, State> = BTreeMap::new();
    for event in events.iter().filter(|event| number_of(event.day) <= today) {
        if !event.kind.starts_with("subscription") {
            continue;
        }
        let state = all.entry(event.reference.as_ref()).or_default();
        let home = event.home.unwrap_or(0).max(0);
        match event.kind {
            "subscription_started" => (state.is_on, state.mrr) = (true, home),
            "subscription_ended" => state.is_on = false,
            "subscription_paused" => state.is_paused = true,
            "subscription_resumed" => {
                state.is_paused = false;
                state.mrr = event.home.map_or(state.mrr, |home| home.max(0));
            }
            _ => state.mrr = home,
        }
    }
    let paid: Vec<&State> = all.values().filter(|state| state.is_on && !state.is_paused).collect();
    (!paid.is_empty(), paid.iter().map(|state| state.mrr).sum())
}

fn life(id: String, events: Vec<Event>, country: Option<String>, world: &World) -> Life {
    let (terms, horizon) = (&world.terms, number_of(world.last_day()));
    let is_contractual = events.iter().any(|event| event.kind == "subscription_started");
    let first_order = events.iter().position(|event| event.kind == "order");
    let begins = |event: &&Event| event.kind == "order" || event.kind == "subscription_started";
    assert!(events.iter().filter(begins).all(|event| number_of(event.day) >= FIRST));
    let (mut is_alive, mut active, mut mrr) = (Vec::new(), Vec::<bool>::new(), Vec::new());
    for today in FIRST..=horizon {
        if is_contractual {
            let (is_paid, money) = paid(&events, today);
            is_alive.push(is_paid);
            // Grace: nobody is gone as long as access was paid for so few days ago.
            let grace = terms.grace_days as usize;
            let is_active = is_alive.iter().rev().take(grace + 1).any(|paid| *paid);
            let before = mrr.last().copied().unwrap_or(0);
            active.push(is_active);
            mrr.push(if is_paid {
                money
            } else if is_active {
                before
            } else {
                0
            });
        } else {
            let since = events.iter().skip(first_order.unwrap_or(events.len()));
            let mut signs = since.filter(|event| is_sign_of_life(event));
            let (first, last) = (today - terms.inactive_days, today);
            active.push(signs.clone().any(|event| {
                let day = number_of(event.day);
                first < day && day <= last
            }));
            is_alive.push(signs.any(|event| number_of(event.day) == today));
            mrr.push(0);
        }
    }
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
    Life { id, values, is_contractual, is_alive, active, mrr, events }
}

impl Life {
    fn on<T: Copy + Default>(values: &[T], day: i32) -> T {
        usize::try_from(day - FIRST).ok().and_then(|i| values.get(i)).copied().unwrap_or_default()
    }

    pub fn at(&self, day: i32) -> bool {
        Self::on(&self.active, day)
    }

    pub fn mrr_at(&self, day: i32) -> i128 {
        Self::on(&self.mrr, day)
    }

    pub fn first_day(&self) -> Option<i32> {
        self.active.iter().position(|active| *active).map(|i| FIRST + i as i32)
    }

    pub fn first_churn(&self, horizon: i32) -> Option<i32> {
        (self.first_day()?..=horizon).find(|day| !self.at(*day))
    }

    pub fn orders(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.kind == "order")
    }

    /// The last day before this one on which access was paid for, or there was a sign of life.
    fn last_alive(&self, day: i32) -> Option<i32> {
        (FIRST..=day).rev().find(|day| Self::on(&self.is_alive, *day))
    }

    /// Active, but silent for more than half of the time, or in the grace of a contract; since when.
    pub fn at_risk(&self, horizon: i32, terms: &Terms) -> Option<i32> {
        let last = self.last_alive(horizon).filter(|_| self.at(horizon))?;
        if self.is_contractual {
            return (last < horizon).then_some(last + 1);
        }
        (horizon - last > terms.inactive_days / 2).then_some(last)
    }

    /// Of a churn on this day: the last sign of life, or the first day that was not paid for.
    pub fn silent_since(&self, churn: i32) -> Option<i32> {
        self.last_alive(churn).map(|last| last + i32::from(self.is_contractual))
    }
}

/// Everybody, with or without a purchase.
pub async fn lives(world: &World) -> Vec<Life> {
    let mut country: BTreeMap<String, Option<String>> = BTreeMap::new();
    for mut row in world.rows("golden_customers").await {
        country.insert(row["customer_id"].clone(), row.remove("country"));
    }
    let lives = timeline(world).await.into_iter();
    lives
        .map(|(id, events)| {
            let country = country.get(&id).cloned().flatten();
            life(id, events, country, world)
        })
        .collect()
}

/// What one life, or many, did in one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    pub start: i64,
    pub new: i64,
    pub resurrected: i64,
    pub churned: i64,
    pub churned_of_start: i64,
    pub end: i64,
    pub at_risk: i64,
    pub has_contract: bool,
    /// At the start, new, expansion, contraction, churned, reactivated, at the end.
    pub mrr: [i128; 7],
}

pub const MRR: [&str; 7] = [
    "mrr_start",
    "mrr_new",
    "mrr_expansion",
    "mrr_contraction",
    "mrr_churned",
    "mrr_reactivated",
    "mrr_end",
];

impl Moves {
    pub fn add(&mut self, other: Self) {
        self.start += other.start;
        self.new += other.new;
        self.resurrected += other.resurrected;
        self.churned += other.churned;
        self.churned_of_start += other.churned_of_start;
        self.end += other.end;
        self.at_risk += other.at_risk;
        self.has_contract |= other.has_contract;
        for (sum, more) in self.mrr.iter_mut().zip(other.mrr) {
            *sum += more;
        }
    }

    pub fn is_idle(&self) -> bool {
        *self == Self { has_contract: self.has_contract, ..Self::default() }
    }
}

/// From one day up to the day before the other; the last period is the horizon's.
pub fn moves(life: &Life, from: i32, to: i32, is_last: bool, terms: &Terms) -> Moves {
    let mut moves = Moves::default();
    let first = life.first_day();
    for today in from..to {
        match (life.at(today - 1), life.at(today)) {
            (false, true) if first == Some(today) => moves.new += 1,
            (false, true) => moves.resurrected += 1,
            (true, false) => {
                moves.churned += 1;
                let all_along = life.at(from - 1) && (from..today).all(|day| life.at(day));
                moves.churned_of_start += i64::from(all_along);
            }
            _ => {}
        }
    }
    moves.start = i64::from(life.at(from - 1));
    moves.end = i64::from(life.at(to - 1));
    moves.at_risk = i64::from(is_last && life.at_risk(to - 1, terms).is_some());
    moves.has_contract = life.is_contractual && first.is_some_and(|first| first < to);
    let (before, after) = (life.mrr_at(from - 1), life.mrr_at(to - 1));
    (moves.mrr[0], moves.mrr[6]) = (before, after);
    let had = (FIRST..from).any(|day| life.mrr_at(day) > 0);
    let class = match (before, after) {
        (0, 0) => return moves,
        (0, _) => {
            if had {
                5
            } else {
                1
            }
        }
        (_, 0) => 4,
        _ if after > before => 2,
        _ => 3,
    };
    moves.mrr[class] = (after - before).abs();
    moves
}
