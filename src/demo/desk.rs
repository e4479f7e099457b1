//! What is said in a ticket and what becomes of it, from streams of its own: a talkative desk
//! changes nobody's life.

use super::calendar::{in_range, moment};
use super::chance::{Chance, Purpose};
use super::event::{Entity, Event, Shape, change, comment};
use super::life::Life;

/// Parts that a ticket may have beside those it always has.
const REPLIES_MAX: u32 = 5;

/// Comments and changes of the ticket that was opened at `t` and solved `days` later.
pub(super) fn talk(life: &mut Life<'_>, t: f64, days: f64, ticket: u16) {
    let customer = u64::from(life.person.number);
    let mut chance = Chance::new(life.seed, customer, Purpose::Desk, (1 << 32) + u64::from(ticket));
    let mut parts: Vec<(Entity, f64, u8)> = vec![
        (Entity::Comment, t, comment::CUSTOMER),
        (Entity::Change, t, change::OPENED),
        (Entity::Change, t, change::PROMISED),
    ];
    let first = t + days * (0.05 + 0.6 * chance.unit());
    // Some are solved by a macro, without a word.
    if chance.happens(0.94) {
        parts.push((Entity::Comment, first, comment::AGENT));
        parts.push((Entity::Change, first, change::ANSWERED));
        if chance.happens(0.2) {
            parts.push((Entity::Comment, t + (first - t) * 0.5, comment::NOTE));
        }
        let more = chance.poisson(0.6).min(REPLIES_MAX);
        for reply in 0..more {
            let later = first + (t + days - first) * f64::from(reply + 1) / f64::from(more + 1);
            parts.push((Entity::Comment, later, comment::CUSTOMER));
            parts.push((Entity::Comment, later + 0.02 * days, comment::AGENT));
        }
    }
    if chance.happens(0.96) {
        parts.push((Entity::Change, t + days, change::SOLVED));
        if chance.happens(0.06) {
            parts.push((Entity::Change, t + days + 0.4, change::REOPENED));
            parts.push((Entity::Comment, t + days + 0.4, comment::CUSTOMER));
            parts.push((Entity::Change, t + days + 1.2, change::SOLVED));
        }
    }
    for (place, (entity, at, state)) in (0..change::OF_A_TICKET).zip(parts) {
        if !in_range(at) {
            continue;
        }
        let at = moment(at);
        let event = Event {
            export: life.exports.of(at),
            entity,
            at,
            customer: life.person.number,
            index: ticket * change::OF_A_TICKET + place,
            state,
            shape: Shape::Whole,
            begun: moment(t),
            topic: 0,
            score: 0,
        };
        life.write(event, true);
    }
}
