//! What the generator knows it wrote, so that a run over it can be held against the truth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Entity, Event, Shape, order, payer};
use super::shopify::Basket;

/// Records of one export, as its reader should count them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub objects: u64,
    /// Records: lines, list elements, rows.
    pub read: u64,
    /// The same record twice in one object.
    pub duplicate: u64,
    /// The same record again in the next object.
    pub resent: u64,
    /// Lines that are no record, in whole objects.
    pub malformed: u64,
    /// The one broken off with its object.
    pub truncated: u64,
    /// Whole records of the object that broke off; all came again.
    pub before_truncation: u64,
    pub off_scale: u64,
    pub bad_date: u64,
    pub ragged: u64,
    pub test: u64,
    /// Distinct things that the well-formed records, tests among them, are about.
    pub things: u64,
}

/// Money over all exports: newest state of every order that is no test, in cents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub orders: u64,
    pub orders_cancelled: u64,
    pub total_cents: i64,
    pub refunded_cents: i64,
}

/// Everything the generator knows about what it wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// By `<source>/<entity>`.
    pub exports: BTreeMap<String, Expected>,
    pub money: Money,
}

impl Tally {
    pub fn of(&mut self, entity: Entity) -> &mut Expected {
        self.exports.entry(entity.key().to_owned()).or_default()
    }

    pub fn count(&mut self, event: &Event, is_first: bool) {
        let is_test = match event.entity {
            Entity::Order => event.state == order::TEST,
            Entity::Payer => event.state == payer::TEST,
            _ => false,
        };
        let expected = self.of(event.entity);
        // Of the shop's own export every line item is a record, counted with the order's basket.
        if event.entity != Entity::OrderLines {
            expected.read += 1;
        }
        expected.things += u64::from(is_first);
        match event.shape {
            Shape::Whole => expected.test += u64::from(is_test),
            Shape::Again => expected.duplicate += 1,
            Shape::Resent => expected.resent += 1,
            Shape::Cut => expected.malformed += 1,
            Shape::OffScale => expected.off_scale += 1,
            Shape::BadDate => expected.bad_date += 1,
            Shape::Ragged => expected.ragged += 1,
        }
    }

    /// A state of an order that falls into the window.
    pub fn order(&mut self, state: u8, basket: &Basket) {
        let money = &mut self.money;
        match state {
            order::PAID => {
                money.orders += 1;
                money.total_cents += basket.total;
            }
            order::PARTLY_REFUNDED => money.refunded_cents += basket.partial_refund(),
            order::REFUNDED => money.refunded_cents += basket.total,
            order::CANCELLED => money.orders_cancelled += 1,
            _ => {}
        }
    }

    pub fn lines(&mut self, lines: u64) {
        self.of(Entity::OrderLines).read += lines;
    }

    pub fn add(&mut self, other: &Self) {
        for (key, more) in &other.exports {
            let sum = self.exports.entry(key.clone()).or_default();
            sum.objects += more.objects;
            sum.read += more.read;
            sum.duplicate += more.duplicate;
            sum.resent += more.resent;
            sum.malformed += more.malformed;
            sum.truncated += more.truncated;
            sum.before_truncation += more.before_truncation;
            sum.off_scale += more.off_scale;
            sum.bad_date += more.bad_date;
            sum.ragged += more.ragged;
            sum.test += more.test;
            sum.things += more.things;
        }
        self.money.orders += other.money.orders;
        self.money.orders_cancelled += other.money.orders_cancelled;
        self.money.total_cents += other.money.total_cents;
        self.money.refunded_cents += other.money.refunded_cents;
    }

    pub fn records(&self) -> u64 {
        self.exports.values().map(|expected| expected.read).sum()
    }
}
