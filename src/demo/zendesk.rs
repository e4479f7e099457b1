//! Zendesk tickets and satisfaction ratings, as its incremental exports give them.

use super::calendar::{self, DAY};
use super::chance::{Chance, Purpose};
use super::event::{Event, Shape, change, comment, rating, ticket};
use super::json::Json;
use super::person::Person;
use super::words::{COMMENTS, SUBJECTS};

const TICKETS_A_CUSTOMER: u64 = 256;
const AGENTS: u64 = 12;

pub fn ticket_id(event: &Event) -> u64 {
    1_000 + u64::from(event.customer) * TICKETS_A_CUSTOMER + u64::from(event.index)
}

pub fn rating_id(event: &Event) -> u64 {
    9_000_000_000 + ticket_id(event)
}

fn draw(seed: u64, event: &Event) -> Chance {
    let index = u64::from(event.index);
    Chance::new(seed, u64::from(event.customer), Purpose::Ticket, index)
}

pub fn ticket(seed: u64, person: &Person, event: &Event, json: &mut Json) {
    let mut chance = draw(seed, event);
    let id = ticket_id(event);
    let (subject, topic) = SUBJECTS[usize::from(event.topic) % SUBJECTS.len()];
    let first = event.index == 0;
    let channel = match chance.below(10) {
        0..2 if !first => "web",
        2..4 if !first && person.phone.is_some() => "voice",
        _ => "email",
    };
    let created = match event.shape {
        Shape::BadDate => "2024-02-31T25:61:00Z".to_owned(),
        _ => calendar::iso(event.begun, "Z"),
    };
    let status = match event.state {
        ticket::SOLVED => "solved",
        ticket::CLOSED => "closed",
        ticket::DELETED => "deleted",
        _ => "open",
    };
    let is_deleted = event.state == ticket::DELETED;
    let subject = if is_deleted { "SCRUBBED" } else { subject };
    let address = person.email_typed(&person.email, chance.happens(0.2));
    let agent = chance.below(AGENTS);
    json.object(|o| {
        o.shown("url", format_args!("https://example.zendesk.com/api/v2/tickets/{id}.json"));
        o.plain("id", id);
        o.plain("external_id", "null");
        o.member("via", |via| {
            via.text("channel", channel);
            via.member("source", |source| via_source(person, channel, &address, source));
        });
        o.text("created_at", &created);
        o.text("updated_at", &calendar::iso(event.at, "Z"));
        o.plain("generated_timestamp", event.at + 3);
        o.text("type", if topic == "product" { "incident" } else { "question" });
        o.text("subject", subject);
        o.text("raw_subject", subject);
        o.text("description", if is_deleted { "SCRUBBED" } else { "…" });
        o.text("priority", chance.pick(&["low", "normal", "normal", "high"]));
        o.text("status", status);
        o.plain("requester_id", person.requester_id());
        o.plain("assignee_id", 403_969_141_000 + agent);
        o.plain("group_id", 360_006_965_000 + agent % 3);
        o.list("tags", |list| list.text.push_str(&format!("\"{topic}\"")));
        o.list("custom_fields", |list| {
            list.object(|field| {
                field.plain("id", 360_000_001);
                field.text("value", topic);
            });
        });
        // Closed four days after it was solved.
        let solved = match event.state {
            ticket::SOLVED => Some(event.at),
            ticket::CLOSED => Some(event.at - 4 * DAY),
            _ => None,
        };
        o.member("metric_set", |set| {
            set.plain("ticket_id", id);
            set.maybe("solved_at", solved.map(|at| calendar::iso(at, "Z")).as_deref());
        });
        o.member("satisfaction_rating", |r| {
            let offered = matches!(event.state, ticket::SOLVED | ticket::CLOSED);
            r.text("score", if offered { "offered" } else { "unoffered" });
        });
    });
}

fn via_source(person: &Person, channel: &str, address: &str, source: &mut Json) {
    source.member("from", |from| match channel {
        "email" => {
            from.text("address", address);
            from.text("name", &person.full_name());
        }
        "voice" => from.maybe("phone", person.phone_plain().as_deref()),
        _ => {}
    });
    source.member("to", |to| {
        to.text("address", "support@example.com");
        to.text("name", "Support");
    });
    source.plain("rel", "null");
}

pub fn rating(seed: u64, person: &Person, event: &Event, json: &mut Json) {
    let mut chance = draw(seed, event);
    let (id, ticket) = (rating_id(event), ticket_id(event));
    let agent = chance.below(AGENTS);
    let score = match event.state {
        rating::GOOD => "good",
        rating::BAD => "bad",
        _ => "offered",
    };
    let answered = event.state != rating::OFFERED;
    let tone = if event.state == rating::GOOD { 2 } else { 0 };
    let comment = chance.pick(COMMENTS[person.home][tone]);
    let comment = (answered && chance.happens(0.35)).then_some(comment);
    json.object(|o| {
        o.plain("id", id);
        let url = format!("https://example.zendesk.com/api/v2/satisfaction_ratings/{id}.json");
        o.text("url", &url);
        o.plain("ticket_id", ticket);
        o.plain("requester_id", person.requester_id());
        o.plain("assignee_id", 403_969_141_000 + agent);
        o.plain("group_id", 360_006_965_000 + agent % 3);
        o.text("score", score);
        o.maybe("comment", comment);
        o.text("created_at", &calendar::iso(event.begun, "Z"));
        o.text("updated_at", &calendar::iso(event.at, "Z"));
    });
}

/// Id of a comment or change.
pub fn part_id(event: &Event) -> u64 {
    let parts = u64::from(change::OF_A_TICKET) * TICKETS_A_CUSTOMER;
    20_000_000_000 + u64::from(event.customer) * parts + u64::from(event.index)
}

fn ticket_of(event: &Event) -> u64 {
    let index = event.index / change::OF_A_TICKET;
    1_000 + u64::from(event.customer) * TICKETS_A_CUSTOMER + u64::from(index)
}

pub fn comment(seed: u64, person: &Person, event: &Event, json: &mut Json) {
    let index = u64::from(event.index);
    let mut chance = Chance::new(seed, u64::from(event.customer), Purpose::Desk, 1 + index);
    let by_customer = event.state == comment::CUSTOMER;
    let agent = 403_969_141_000 + chance.below(AGENTS);
    json.object(|o| {
        o.plain("id", part_id(event));
        o.plain("ticket_id", ticket_of(event));
        o.plain("requester_id", person.requester_id());
        o.plain("author_id", if by_customer { person.requester_id() } else { agent });
        o.text("author_role", if by_customer { "end-user" } else { "agent" });
        o.text("body", "…");
        o.plain("public", event.state != comment::NOTE);
        o.text("created_at", &calendar::iso(event.at, "Z"));
    });
}

/// An answer is promised within eight hours.
pub fn change(event: &Event, json: &mut Json) {
    let (metric, instance, kind) = match event.state {
        change::PROMISED => ("reply_time", 1, "apply_sla"),
        change::ANSWERED => ("reply_time", 1, "fulfill"),
        change::SOLVED => ("resolution_time", 1, "fulfill"),
        change::REOPENED => ("resolution_time", 2, "activate"),
        _ => ("resolution_time", 1, "activate"),
    };
    json.object(|o| {
        o.plain("id", part_id(event));
        o.plain("ticket_id", ticket_of(event));
        o.text("metric", metric);
        o.plain("instance_id", instance);
        o.text("type", kind);
        o.text("time", &calendar::iso(event.at, "Z"));
        if event.state == change::PROMISED {
            o.member("sla", |sla| {
                sla.plain("target", 480);
                sla.plain("business_hours", false);
                sla.member("policy", |policy| policy.text("title", "Standard"));
            });
        }
    });
}
