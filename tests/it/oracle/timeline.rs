//! The timeline once more, from the staged rows of each kind: what happened to whom, and when.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;

use super::money::{Rates, rates};
use super::world::{Keys, Row, World, is, time, units};

/// One event; money and scores in ten-thousandths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub customer: String,
    pub at: DateTime<Utc>,
    pub id: String,
    pub kind: &'static str,
    pub day: NaiveDate,
    pub name: Option<String>,
    pub source: String,
    pub channel: Option<String>,
    touchpoint: Option<String>,
    pub reference: Option<String>,
    amount: Option<i128>,
    currency: Option<String>,
    /// In the job's currency.
    pub home: Option<i128>,
    pub score: Option<i128>,
    pub scale_max: Option<i128>,
    pub is_favourable: Option<bool>,
}

struct Teller<'a> {
    keys: Keys,
    rates: Rates,
    horizon: DateTime<Utc>,
    home: &'a str,
    events: Vec<Event>,
}

impl Teller<'_> {
    /// Something that happened at the instant in a column of a row, to the person of the row.
    fn tell(&mut self, row: &Row, at: &str, id: &str, kind: &'static str) -> Option<&mut Event> {
        self.tell_at(row, time(row.get(at)?), id, kind)
    }

    fn tell_at(
        &mut self,
        row: &Row,
        at: DateTime<Utc>,
        id: &str,
        kind: &'static str,
    ) -> Option<&mut Event> {
        let customer = self.keys.get(row.get("identity_key")?)?.clone();
        if at >= self.horizon {
            return None;
        }
        self.events.push(Event {
            customer,
            at,
            id: id.to_owned(),
            kind,
            day: at.with_timezone(&Copenhagen).date_naive(),
            name: None,
            source: row["source"].clone(),
            channel: row.get("channel").cloned(),
            touchpoint: row.get("touchpoint").cloned(),
            reference: Some(id.to_owned()),
            amount: None,
            currency: None,
            home: None,
            score: None,
            scale_max: None,
            is_favourable: None,
        });
        self.events.last_mut()
    }

    /// Money of the event told last, at the rate of its day.
    fn paid(&mut self, amount: Option<i128>, currency: Option<&String>) {
        let Some(event) = self.events.last_mut() else { return };
        (event.amount, event.currency) = (amount, currency.cloned());
        event.home = match currency.filter(|currency| *currency != self.home) {
            None => amount,
            Some(currency) => {
                let rate = self.rates.get(&(currency.clone(), event.day));
                let value = amount.zip(rate).map(|(units, rate)| units as f64 / 1e4 * rate);
                value.map(|value| (value * 1e4).round() as i128)
            }
        };
    }
}

async fn orders(world: &World, teller: &mut Teller<'_>) {
    for row in world.current("orders").await {
        // Payments of the same sale come from other systems; here every sale is told once.
        assert_eq!(row.get("sale_kind").map_or("order", String::as_str), "order");
        let status = row.get("status").map_or("placed", String::as_str);
        if is(&row, "is_test") || ["cancelled", "voided", "pending"].contains(&status) {
            continue;
        }
        let (id, total) = (&row["order_id"], units(&row, "total"));
        let product = row.get("product").cloned();
        let is_back = total.is_some_and(|total| total < 0);
        let kind = if is_back { "refund" } else { "order" };
        if let Some(event) = teller.tell(&row, "placed_at", id, kind) {
            (event.name, event.touchpoint) = (row.get("status").cloned(), product.clone());
            teller.paid(total, row.get("currency"));
        }
        let refunded = units(&row, "refunded").filter(|refunded| *refunded > 0);
        if total.is_none() || is_back || !row.contains_key("placed_at") {
            continue;
        }
        let at = if row.contains_key("refunded_at") { "refunded_at" } else { "placed_at" };
        let Some(refunded) = refunded else { continue };
        if let Some(event) = teller.tell(&row, at, &format!("{id}:refunded"), "refund") {
            (event.name, event.touchpoint) = (row.get("status").cloned(), product);
            event.reference = Some(id.clone());
            teller.paid(Some(-refunded), row.get("currency"));
        }
    }
}

fn changed_at(version: &Row) -> DateTime<Utc> {
    let told = version.get("source_updated_at").or_else(|| version.get("extracted_at"));
    let day = || format!("{}T00:00:00Z", version["dt"]);
    told.map_or_else(|| time(&day()), |at| time(at))
}

fn state(row: &Row) -> &str {
    row.get("status").map_or("active", String::as_str)
}

/// A contract starts as it was told first, and what its versions say differently are changes.
async fn subscriptions(world: &World, teller: &mut Teller<'_>) {
    for versions in world.versions("subscriptions").await {
        let Some(newest) = versions.last().filter(|row| !is(row, "is_deleted")) else { continue };
        if is(newest, "is_test") || state(newest) == "incomplete" {
            continue;
        }
        let known = |row: &&Row| !is(row, "is_deleted") && state(row) != "incomplete";
        let versions: Vec<&Row> = versions.iter().filter(known).collect();
        let (id, first) = (&newest["subscription_id"], versions[0]);
        if !newest.contains_key("started_at") {
            continue;
        }
        let plain = |event: &mut Event, plan: &Row| {
            (event.channel, event.touchpoint) = (None, None);
            event.name = plan.get("plan").cloned();
            event.reference = Some(id.clone());
        };
        if let Some(event) = teller.tell(newest, "started_at", id, "subscription_started") {
            plain(event, first);
            teller.paid(units(first, "mrr"), first.get("currency"));
        }
        let ended = format!("{id}:ended");
        if let Some(event) = teller.tell(newest, "ended_at", &ended, "subscription_ended") {
            plain(event, newest);
            teller.paid(units(newest, "mrr"), newest.get("currency"));
        }
        let price = |row: &Row| (units(row, "mrr").unwrap_or(0), row.get("currency").cloned());
        for (place, version) in versions.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| versions[before]);
            let was_paused = before.is_some_and(|before| state(before) == "paused");
            let kind = match (state(version) == "paused", was_paused) {
                (true, true) => continue,
                (true, false) => "subscription_paused",
                (false, true) => "subscription_resumed",
                (false, false) if before.is_some_and(|row| price(row) != price(version)) => {
                    "subscription_changed"
                }
                (false, false) => continue,
            };
            let name = format!("{id}:v{}", place + 1);
            if let Some(event) = teller.tell_at(version, changed_at(version), &name, kind) {
                plain(event, version);
                teller.paid(units(version, "mrr"), version.get("currency"));
            }
        }
    }
}

async fn surveys(world: &World, teller: &mut Teller<'_>) {
    for row in world.current("survey_responses").await {
        if is(&row, "is_test") {
            continue;
        }
        let id = &row["feedback_id"];
        let (metric, most) = (row.get("metric").cloned(), units(&row, "scale_max"));
        if let Some(event) = teller.tell(&row, "asked_at", &format!("{id}:asked"), "survey_asked") {
            (event.name, event.scale_max) = (metric.clone(), most);
            event.reference = Some(id.clone());
        }
        let Some(score) = units(&row, "score") else { continue };
        if let Some(event) = teller.tell(&row, "answered_at", id, "survey_answered") {
            let is_promoter = metric.as_ref().is_some_and(|name| name == "nps" || name == "enps");
            event.name = metric;
            event.scale_max = most.or(is_promoter.then_some(100_000));
            event.is_favourable = row.get("is_favourable").map(|is| is == "true");
            event.score = if is(&row, "is_effort") {
                units(&row, "scale_min").zip(most).map(|(least, most)| least + most - score)
            } else {
                Some(score)
            };
        }
    }
}

async fn others(world: &World, teller: &mut Teller<'_>) {
    for row in world.current("contacts").await.iter().filter(|row| !is(row, "is_test")) {
        let told = teller.tell(row, "created_at", &row["contact_id"], "contact_created");
        if let Some(event) = told {
            event.name = row.get("lifecycle_stage").cloned();
            event.channel = row.get("acquisition_channel").cloned();
            (event.touchpoint, event.reference) = (None, None);
        }
    }
    for row in world.current("conversations").await.iter().filter(|row| !is(row, "is_test")) {
        assert!(!row.contains_key("linked_source"), "none stands for another");
        if row.get("status").is_some_and(|status| status == "deleted") {
            continue;
        }
        let id = &row["conversation_id"];
        let resolved = format!("{id}:resolved");
        for (at, name, kind) in [
            ("created_at", id, "conversation_opened"),
            ("resolved_at", &resolved, "conversation_resolved"),
        ] {
            if let Some(event) = teller.tell(row, at, name, kind) {
                event.name = row.get("kind").cloned();
                event.reference = Some(id.clone());
            }
        }
    }
    for row in world.current("events").await.iter().filter(|row| !is(row, "is_test")) {
        if let Some(event) = teller.tell(row, "occurred_at", &row["event_id"], "event") {
            event.name = row.get("name").cloned();
            event.reference = row.get("session_source_id").cloned();
            teller.paid(units(row, "amount"), row.get("currency"));
        }
    }
}

/// All events of everybody, in order of time.
pub async fn timeline(world: &World) -> BTreeMap<String, Vec<Event>> {
    let mut teller = Teller {
        keys: world.keys().await,
        rates: rates(world).await,
        horizon: world.horizon(),
        home: world.terms.currency,
        events: Vec::new(),
    };
    orders(world, &mut teller).await;
    subscriptions(world, &mut teller).await;
    surveys(world, &mut teller).await;
    others(world, &mut teller).await;
    let mut lives: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in teller.events {
        lives.entry(event.customer.clone()).or_default().push(event);
    }
    for events in lives.values_mut() {
        events.sort();
    }
    lives
}

/// Goal: lives are told of all that was staged, and money at the rate of its day. Method: as for
/// scores; how much money is in another currency.
pub async fn lives_are_what_was_staged(world: &World) -> usize {
    let lives = timeline(world).await;
    let mut wanted: BTreeMap<&String, &Event> = BTreeMap::new();
    for event in lives.values().flatten() {
        assert!(wanted.insert(&event.id, event).is_none(), "{event:?}");
    }
    let rows = world.rows("timeline").await;
    assert_eq!(rows.len(), wanted.len());
    let mut changed = 0;
    for row in &rows {
        let event = wanted.get(&row["event_id"]).unwrap_or_else(|| panic!("{row:?}"));
        let told = Event {
            customer: row["customer_id"].clone(),
            at: time(&row["occurred_at"]),
            id: row["event_id"].clone(),
            kind: event.kind,
            day: row["occurred_date"].parse().expect("a day"),
            name: row.get("name").cloned(),
            source: row["source"].clone(),
            channel: row.get("channel").cloned(),
            touchpoint: row.get("touchpoint").cloned(),
            reference: row.get("reference").cloned(),
            amount: units(row, "amount"),
            currency: row.get("currency").cloned(),
            home: units(row, "home_amount"),
            score: units(row, "score"),
            scale_max: units(row, "scale_max"),
            is_favourable: row.get("is_favourable").map(|is| is == "true"),
        };
        assert_eq!(row["kind"], event.kind);
        assert_eq!(told, **event);
        changed += usize::from(told.home.is_some() && told.home != told.amount);
    }
    changed
}
