//! Who is who: the true person of every record, for judging identity resolution.
//!
//! It lies beside the exports and no run reads it.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::calendar::Exports;
use super::event::{Entity, Event, Shape};
use super::life::live;
use super::person::Person;
use super::tally::Tally;
use super::{DemoError, asknicely, behaviour, files, shopify, stripe, zendesk};

/// Beyond this many customers nobody reads it.
pub const CUSTOMERS_MAX: u64 = 10_000;

pub fn path(dir: &Path) -> PathBuf {
    dir.join("truth").join("people.csv")
}

/// A line per thing: `source,entity,source_id,person`.
pub fn write(dir: &Path, customers: u64, seed: u64, exports: &Exports) -> Result<(), DemoError> {
    let window: Range<u16> = 0..exports.dates.len() as u16;
    files::create(&path(dir), |out| {
        out.write_all(b"source,entity,source_id,person\n")?;
        let mut text = String::new();
        for number in 0..customers as u32 {
            let (mut events, mut tally) = (Vec::new(), Tally::default());
            live(seed, number, exports, &window, &mut events, &mut tally);
            let person = Person::new(seed, number);
            let mut keys: Vec<_> = events
                .iter()
                // What is said in a ticket is as its requester.
                .filter(|event| !matches!(event.entity, Entity::Comment | Entity::Change))
                .filter(|event| event.shape == Shape::Whole)
                .map(|event| (event.entity, key(&person, event)))
                .collect();
            keys.sort();
            keys.dedup();
            text.clear();
            for (entity, key) in keys {
                let _ = writeln!(text, "{},{key},{number}", entity.key().replace('/', ","));
            }
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    })
}

/// The id a record has in its source.
fn key(person: &Person, event: &Event) -> String {
    match event.entity {
        Entity::Contact => person.contact_id(event.index).to_string(),
        Entity::Ticket => zendesk::ticket_id(event).to_string(),
        Entity::Rating => zendesk::rating_id(event).to_string(),
        Entity::Comment | Entity::Change => zendesk::part_id(event).to_string(),
        Entity::Response => asknicely::response_id(event).to_string(),
        Entity::Order | Entity::OrderLines => shopify::order_id(event).to_string(),
        Entity::Payer => stripe::payer_id(person, event),
        Entity::Subscription => stripe::subscription_id(event),
        Entity::Web => behaviour::event_id(event),
        Entity::Visit => behaviour::visit_id(event).to_string(),
    }
}
