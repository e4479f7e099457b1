//! A life: visits, a first order, mails, tickets, answers, and one day silence.
//!
//! Buying follows BG/NBD: orders at a personal rate, and after each a personal chance to leave.
//! What happens on the way moves the mood, the mood moves the answers and the chance to leave, so
//! that scores and churn belong together in the tables as they do in life.

use super::calendar::{DAY, Exports, in_range, moment};
use super::chance::{Chance, Purpose};
use super::desk;
use super::event::{
    Entity, Event, KNOWN, SECOND_DEVICE, Shape, contact, order, payer, rating, subscription,
    survey, ticket, web,
};
use super::person::{Person, Traits};
use super::shopify::{self, Basket};
use super::tally::Tally;

/// Parcels went astray in the winter of the first year, and support got better in the second.
const TROUBLE: std::ops::Range<f64> = 319.0..380.0;
const BETTER_SUPPORT: f64 = 456.0;
/// Orders of this month reach the warehouse as line items from the shop's own export.
pub const LINES_MONTH: std::ops::Range<f64> = 517.0..547.0;

/// From this customer on, one in so many brings unusable records.
const MESSY_FROM: u32 = 199;
const MESSY_ONE_IN: u32 = 50;
const ORDERS_MAX: u16 = 90;
const WEB_MAX: u16 = 900;
/// Indexes from here on are no part of a life: tests, and answers off their scale.
pub const EXTRA: u16 = 100;

/// Tells one customer's life to `out`, as far as it falls into the exports `window`.
pub fn live(
    seed: u64,
    number: u32,
    exports: &Exports,
    window: &std::ops::Range<u16>,
    out: &mut Vec<Event>,
    tally: &mut Tally,
) {
    let (person, traits) = (Person::new(seed, number), Traits::new(seed, number));
    let of = |purpose| Chance::new(seed, u64::from(number), purpose, 0);
    let mood = traits.mood;
    let mut life = Life {
        seed,
        person,
        traits,
        chance: of(Purpose::Life),
        mess: of(Purpose::Mess),
        exports,
        window,
        out,
        tally,
        mood,
        known_from: f64::MAX,
        contact_from: None,
        merged_from: f64::MAX,
        opted_out_from: f64::MAX,
        webs: 0,
        tickets: 0,
        asked: 0,
        spoilt: 0,
    };
    life.tell();
}

pub(super) struct Life<'a> {
    pub(super) seed: u64,
    pub(super) person: Person,
    traits: Traits,
    chance: Chance,
    mess: Chance,
    pub(super) exports: &'a Exports,
    window: &'a std::ops::Range<u16>,
    out: &'a mut Vec<Event>,
    tally: &'a mut Tally,
    mood: f64,
    /// From here on the web shop knows who it is.
    known_from: f64,
    contact_from: Option<f64>,
    merged_from: f64,
    opted_out_from: f64,
    webs: u16,
    tickets: u16,
    asked: u16,
    /// Entities that have had their unusable record.
    spoilt: u32,
}

impl Life<'_> {
    fn tell(&mut self) {
        let mut t = self.traits.arrival;
        for _ in 0..=self.chance.poisson(0.7) {
            self.browse(t);
            t += 0.2 + self.chance.wait(4.0);
        }
        if self.traits.signs_up {
            self.known_from = t;
            self.session(t, &[(web::PAGE, 5), (web::SIGNUP, 0)]);
            let stage = u8::from(self.chance.happens(0.5));
            self.contact(t, stage);
            if self.chance.happens(0.3) {
                self.ask(t + 7.0, survey::CSAT, 0, 0.1);
            }
        } else if self.chance.happens(0.3) {
            self.session(t, &[(web::PAGE, 3), (web::FORM, 0)]);
            self.contact(t, 0);
        }
        if self.person.consents && self.contact_from.is_some() {
            for _ in 0..self.chance.poisson(0.8) {
                let at = t + self.chance.wait(90.0);
                self.session(at, &[(web::NEWSLETTER, 0)]);
            }
        }
        if self.traits.buys {
            let first = t + 0.1 + self.chance.wait(9.0);
            let last = self.orders(first);
            if self.traits.subscribes {
                let start = first + 1.0 + self.chance.wait(20.0);
                self.subscribe(start);
            }
            self.checkups(first, last);
        }
        if self.traits.visits_shops {
            let mut at = self.traits.arrival;
            for index in 0..self.chance.poisson(2.5) as u16 {
                at += 1.0 + self.chance.wait(80.0);
                self.push(Entity::Visit, at, index, 0, (at, 0, 0), true);
            }
        }
        self.extras();
    }

    fn orders(&mut self, first: f64) -> f64 {
        let (mut t, mut n) = (first, 0);
        loop {
            self.buy(t, n);
            n += 1;
            let leave = self.traits.drop * libm::exp(-0.7 * self.mood);
            if n == ORDERS_MAX || !in_range(t) || self.chance.happens(leave.min(0.97)) {
                return t;
            }
            t += 0.6 + self.chance.wait(self.traits.gap);
        }
    }

    /// An order with what leads to it and what comes of it.
    fn buy(&mut self, t: f64, n: u16) {
        let product = self.chance.below(12) as u8;
        let steps = [
            (web::PRODUCT, product),
            (web::CART, product),
            (web::CHECKOUT, product),
            (web::PURCHASE, product),
        ];
        let skipped = usize::from(self.chance.happens(0.5));
        self.session(t - 0.01, steps.get(skipped..).unwrap_or_default());
        let basket = Basket::new(self.seed, self.person.number, n, self.traits.spend);
        let fate = match self.chance.below(100) {
            0..3 => order::CANCELLED,
            3..9 => order::PARTLY_REFUNDED,
            9..12 => order::REFUNDED,
            _ => order::PAID,
        };
        let by_lines = LINES_MONTH.contains(&t);
        let entity = if by_lines { Entity::OrderLines } else { Entity::Order };
        self.order(entity, t, n, order::PAID, t, &basket);
        if fate != order::PAID {
            let late = t + 0.5 + self.chance.wait(6.0);
            let late = if by_lines { late.max(LINES_MONTH.end + 0.1) } else { late };
            self.order(Entity::Order, late, n, fate, t, &basket);
        }
        if n == 0 {
            self.contact(t, contact::CUSTOMER);
        } else if n == 2 && self.mood > 0.3 {
            self.contact(t, contact::EVANGELIST);
            self.session(t + 3.0, &[(web::REFERRAL, 0)]);
        }
        self.mood = 0.75 * self.mood + 0.25 * self.traits.mood;
        let trouble = TROUBLE.contains(&t);
        if trouble {
            self.mood -= 0.35;
        }
        if self.chance.happens(0.4) {
            let kinds = [(survey::NPS, 1), (survey::STARS, 2), (survey::CSAT, 2)];
            let (kind, touchpoint) = self.chance.pick(&kinds);
            let effect = if trouble && touchpoint == 2 { -0.8 } else { 0.0 };
            self.ask(t + 5.0, kind, touchpoint, effect);
        }
        if self.chance.happens(self.traits.talks * if trouble { 0.6 } else { 0.35 }) {
            let late = t + 1.0 + self.chance.wait(4.0);
            self.complain(late);
        }
        if self.chance.happens(0.05) {
            self.session(t + 12.0, &[(web::REVIEW, product)]);
        }
    }

    fn order(&mut self, entity: Entity, at: f64, n: u16, state: u8, placed: f64, basket: &Basket) {
        let first = matches!(state, order::PAID | order::TEST);
        if self.push(entity, at, n, state, (placed, 0, 0), first) {
            self.tally.order(state, basket);
            if entity == Entity::OrderLines {
                self.tally.lines(basket.lines.len() as u64);
            }
        }
    }

    /// A ticket from the first word to the rating.
    fn complain(&mut self, t: f64) {
        let index = self.tickets;
        self.tickets += 1;
        let topic = self.chance.below(5) as u8;
        let slow = if TROUBLE.contains(&t) { 2.5 } else { 1.0 };
        let fast = if t > BETTER_SUPPORT { 0.6 } else { 1.0 };
        let days = 0.5 * slow * fast * libm::exp(0.9 * self.chance.normal());
        let quality = self.mood + 0.8 * self.chance.normal() - 0.5 * libm::log(days / 0.4);
        self.push(Entity::Ticket, t, index, ticket::OPEN, (t, topic, 0), true);
        let solved = t + days;
        desk::talk(self, t, days, index);
        if self.chance.happens(0.02) {
            self.push(Entity::Ticket, solved, index, ticket::DELETED, (t, topic, 0), false);
            return;
        }
        if self.chance.happens(0.04) {
            return;
        }
        self.push(Entity::Ticket, solved, index, ticket::SOLVED, (t, topic, 0), false);
        if self.chance.happens(0.4) {
            self.push(Entity::Ticket, solved + 4.0, index, ticket::CLOSED, (t, topic, 0), false);
        }
        self.push(Entity::Rating, solved, index, rating::OFFERED, (solved, topic, 0), true);
        if self.chance.happens(0.42) {
            let state = if quality > -0.4 { rating::GOOD } else { rating::BAD };
            let at = solved + 0.05 + 2.0 * self.chance.unit();
            self.push(Entity::Rating, at, index, state, (solved, topic, 0), false);
        }
        self.mood += if quality < -0.5 { -0.8 } else { 0.15 };
        if self.chance.happens(0.15) {
            self.ask(solved + 1.0, survey::NPS, 3, (quality - self.mood) * 0.5);
        }
    }

    /// An invitation and, for some, the answer.
    fn ask(&mut self, t: f64, kind: u8, touchpoint: u8, effect: f64) {
        let (index, topic) = (self.asked, kind * 16 + touchpoint);
        self.asked += 1;
        let m = self.mood + effect;
        let (normal, replies) = (self.chance.normal(), self.chance.unit());
        let delay = 0.02 + self.chance.wait(1.5);
        self.push(Entity::Response, t, index, survey::ASKED, (t, topic, 0), true);
        if replies < 0.34 + 0.07 * m.abs() {
            let score = if kind == survey::NPS {
                (8.0 + 1.6 * m + 1.2 * normal).clamp(0.0, 10.0)
            } else {
                (4.0 + 0.9 * m + 0.6 * normal).clamp(1.0, 5.0)
            };
            let score = libm::round(score) as i8;
            let state = survey::ANSWERED;
            self.push(Entity::Response, t + delay, index, state, (t, topic, score), false);
        }
        if m < -1.2 && self.opted_out_from > t && self.chance.happens(0.3) {
            self.opted_out_from = t + delay;
            self.contact(t + delay, contact::CUSTOMER);
        }
    }

    /// The relationship survey, some times a year while they buy and half a year after.
    fn checkups(&mut self, first: f64, last: f64) {
        let mut t = first + 60.0 + self.chance.wait(40.0);
        while in_range(t) && t < last + 180.0 && t < self.opted_out_from {
            self.mood = 0.6 * self.mood + 0.4 * self.traits.mood;
            self.ask(t, survey::NPS, 4, 0.0);
            t += 150.0;
        }
    }

    /// Months or years of a plan until it is stopped; some come back.
    fn subscribe(&mut self, t: f64) {
        let mut start = t;
        for index in 0..2_u16 {
            let plan = self.chance.weighted(&[5, 3, 1]) as u8;
            let yearly = self.chance.happens(0.15);
            let trial = index == 0 && self.chance.happens(0.25);
            let topic = plan + 4 * u8::from(yearly) + 8 * u8::from(trial);
            let cycle = subscription_days(topic);
            let state = if trial { subscription::TRIAL } else { subscription::ACTIVE };
            if index == 0 {
                self.push(Entity::Payer, start, 0, payer::LIVE, (start, 0, 0), true);
            }
            self.push(Entity::Subscription, start, index, state, (start, topic, 0), true);
            if trial {
                let state = subscription::ACTIVE;
                self.push(
                    Entity::Subscription,
                    start + 14.0,
                    index,
                    state,
                    (start, topic, 0),
                    false,
                );
            }
            let hazard = if yearly { 0.35 } else { 0.045 } * libm::exp(-0.6 * self.mood);
            let mut due = start + f64::from(cycle);
            loop {
                if !in_range(due) {
                    return;
                }
                if self.chance.happens(hazard.min(0.9)) {
                    break;
                }
                let state = subscription::ACTIVE;
                self.push(Entity::Subscription, due, index, state, (start, topic, 0), false);
                if self.chance.happens(0.35) {
                    self.session(due - 5.0, &[(web::FEATURE, plan)]);
                }
                due += f64::from(cycle);
            }
            let notice = notice_days(self.seed, self.person.number, index);
            let asked = due - f64::from(notice);
            for (at, state) in [(asked, subscription::STOPPING), (due, subscription::ENDED)] {
                self.push(Entity::Subscription, at, index, state, (start, topic, 0), false);
            }
            start = due + 5.0 + self.chance.wait(60.0);
            if !self.chance.happens(0.15) {
                return;
            }
        }
    }

    fn browse(&mut self, t: f64) {
        let page = self.chance.below(6) as u8;
        let product = self.chance.below(12) as u8;
        let steps = [(web::PAGE, page), (web::PRODUCT, product), (web::CART, product)];
        let n = 1 + self.chance.weighted(&[6, 3, 1]);
        self.session(t, steps.get(..n).unwrap_or_default());
    }

    fn session(&mut self, t: f64, steps: &[(u8, u8)]) {
        let mut marks = if t >= self.known_from { KNOWN } else { 0 };
        if marks == KNOWN && self.chance.happens(0.3) {
            marks |= SECOND_DEVICE;
        }
        for (i, (name, topic)) in steps.iter().enumerate() {
            if self.webs < WEB_MAX {
                let at = t + 0.002 * i as f64;
                self.push(Entity::Web, at, self.webs, *name, (t, *topic, marks), true);
                self.webs += 1;
            }
        }
    }

    /// The contact as the CRM has it now; the first time also makes it.
    fn contact(&mut self, t: f64, stage: u8) {
        let Some(made) = self.contact_from else {
            self.contact_from = Some(t);
            self.push(Entity::Contact, t, 0, stage, (t, 0, 0), true);
            if self.person.doubled {
                let twin = t + self.chance.wait(30.0);
                self.push(Entity::Contact, twin, 1, 1, (twin, 0, 0), true);
                self.merged_from = twin + 3.0 + self.chance.wait(20.0);
                self.contact(self.merged_from, stage.max(1));
            }
            return;
        };
        let mut topic = if t >= self.merged_from { contact::MERGED } else { 0 };
        if t >= self.opted_out_from {
            topic |= contact::OPTED_OUT;
        }
        self.push(Entity::Contact, t, 0, stage, (made, topic, 0), false);
    }

    /// What is in every export and belongs to nobody's life.
    fn extras(&mut self) {
        let t = self.traits.arrival;
        if self.chance.happens(0.005) {
            let (number, n) = (self.person.number, EXTRA);
            let basket = Basket::new(self.seed, number, n, shopify::TEST_SPEND);
            self.order(Entity::Order, t, n, order::TEST, t, &basket);
            self.push(Entity::Payer, t, n, payer::TEST, (t, 0, 0), true);
        }
        if self.traits.subscribes && self.chance.happens(0.1) {
            let at = t + 40.0 + self.chance.wait(100.0);
            let state = if self.chance.happens(0.1) { payer::DELETED } else { payer::LATE };
            self.push(Entity::Payer, at, 0, state, (t, 0, 0), false);
        }
    }

    /// Writes an event down, and now and then something that goes wrong with it. Whether it falls
    /// into the window.
    fn push(
        &mut self,
        entity: Entity,
        at: f64,
        index: u16,
        state: u8,
        (begun, topic, score): (f64, u8, i8),
        is_first: bool,
    ) -> bool {
        let mess = self.mess.unit();
        if !in_range(at) {
            return false;
        }
        let at = moment(at);
        let export = match entity {
            // The shop's own export was taken once, when the month was over.
            Entity::OrderLines => self.exports.of(moment(LINES_MONTH.end - 0.5)),
            _ => self.exports.of(at),
        };
        let (customer, shape) = (self.person.number, Shape::Whole);
        let begun = moment(begun);
        let event =
            Event { export, entity, at, customer, index, state, shape, begun, topic, score };
        self.write(event, is_first);
        match (entity, mess) {
            (Entity::Ticket, ..0.012) if usize::from(export) + 1 < self.exports.dates.len() => {
                let export = export + 1;
                self.write(Event { shape: Shape::Resent, export, ..event }, false);
            }
            (Entity::OrderLines | Entity::Visit, _) => {}
            (_, 0.012..0.017) => self.write(Event { shape: Shape::Again, ..event }, false),
            _ => {}
        }
        self.spoil(event, is_first);
        self.window.contains(&export)
    }

    /// A few customers bring one unusable record an export. Never more: it must not depend on luck
    /// whether a small demo passes `rejects_max`.
    fn spoil(&mut self, event: Event, is_first: bool) {
        let mark = 1 << event.entity as u32;
        let number = self.person.number;
        let is_messy = number >= MESSY_FROM && number % MESSY_ONE_IN == MESSY_ONE_IN - 1;
        if !is_messy || !is_first || self.spoilt & mark != 0 {
            return;
        }
        let extra = Event { index: EXTRA + event.index, ..event };
        let spoilt = match event.entity {
            Entity::Ticket => Event { shape: Shape::BadDate, ..extra },
            Entity::Response => Event { shape: Shape::OffScale, state: survey::ANSWERED, ..extra },
            Entity::Visit if number % (2 * MESSY_ONE_IN) < MESSY_ONE_IN => {
                Event { shape: Shape::Ragged, ..extra }
            }
            Entity::Visit => Event { shape: Shape::BadDate, ..extra },
            Entity::Contact | Entity::Order | Entity::Web => Event { shape: Shape::Cut, ..event },
            _ => return,
        };
        self.spoilt |= mark;
        self.write(spoilt, false);
    }

    pub(super) fn write(&mut self, event: Event, is_first: bool) {
        if self.window.contains(&event.export) {
            self.tally.count(&event, is_first);
            self.out.push(event);
        }
    }
}

/// Days that one bill of a plan covers.
pub fn subscription_days(topic: u8) -> u32 {
    if topic & 4 == 0 { 30 } else { 365 }
}

/// Days between the wish to stop and the end of what is paid.
pub fn notice_days(seed: u64, customer: u32, index: u16) -> u32 {
    let of = Purpose::Subscription;
    let mut chance = Chance::new(seed, u64::from(customer), of, u64::from(index));
    1 + chance.below(20) as u32
}

/// Seconds of the notice.
pub fn notice(seed: u64, customer: u32, index: u16) -> u32 {
    notice_days(seed, customer, index) * DAY
}
