//! When somebody is a customer: paid access where there is a contract, activity where there is none.
//!
//! Days are local. Without a contract a customer is active on the day of an activity and for
//! `inactive_days` from it on; the day that silence completes is the churn day, and it counts only
//! once it has come. With a contract the churn day is the end of paid access plus `grace_days`.
//! Whoever ever had a subscription is judged by subscriptions alone.

use super::dimensions::Who;
use super::{Customer, Event, Kind, Terms};

/// Behaviours that software shows as well as people: no sign of life.
const PASSIVE: [&str; 4] = ["email_delivered", "email_opened", "email_sent", "email_bounced"];

/// Whether an event shows that the customer is still there.
pub fn is_activity(event: &Event<'_>) -> bool {
    match event.kind {
        Kind::Order
        | Kind::SubscriptionStarted
        | Kind::ConversationOpened
        | Kind::SurveyAnswered => true,
        Kind::Behaviour => event.name.is_none_or(|name| !PASSIVE.contains(&name)),
        _ => false,
    }
}

/// Days a customer is active: from `start` to the day before `end`; for good without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: i32,
    pub end: Option<i32>,
}

/// An order or a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    pub at: i64,
    pub day: i32,
    /// Zero in a currency that is not the job's.
    pub value: i128,
    pub is_order: bool,
}

/// One day's effect of subscriptions that start or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    day: i32,
    subscriptions: i32,
    mrr: i128,
}

/// What is remembered of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    channel: Option<Box<str>>,
    first_source: Option<Box<str>>,
    source: Option<Box<str>>,
    has_subscription: bool,
    changes: Vec<Change>,
    payments: Vec<Payment>,
    /// Start of the current active time without a contract, and the last activity in it.
    current: Option<(i32, i32)>,
    silences: Vec<Span>,
}

/// A life as retention counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lived {
    pub is_contractual: bool,
    /// In order, not touching.
    pub spans: Vec<Span>,
    /// Monthly recurring revenue from these days on.
    pub mrr: Vec<(i32, i128)>,
    pub payments: Vec<Payment>,
}

impl Membership {
    pub fn step(&mut self, terms: &Terms, event: &Event<'_>) {
        if self.first_source.is_none() {
            self.first_source = event.source.map(Box::from);
        }
        match event.kind {
            Kind::ContactCreated if self.channel.is_none() => {
                self.channel = event.channel.map(Box::from);
            }
            Kind::Order | Kind::Refund => self.payments.push(Payment {
                at: event.at,
                day: event.day,
                value: event.amount.filter(|_| terms.is_own(event.currency)).unwrap_or(0),
                is_order: event.kind == Kind::Order,
            }),
            Kind::SubscriptionStarted => self.change(terms, event, 1, event.day),
            Kind::SubscriptionEnded => {
                self.change(terms, event, -1, event.day.saturating_add(terms.grace_days));
            }
            _ => {}
        }
        let begins = matches!(event.kind, Kind::Order | Kind::SubscriptionStarted);
        if begins && self.source.is_none() {
            self.source = event.source.map(Box::from);
        }
        if begins || (self.current.is_some() && is_activity(event)) {
            self.active(terms, event.day);
        }
    }

    fn active(&mut self, terms: &Terms, day: i32) {
        let silent = |last: i32| last.saturating_add(terms.inactive_days.max(1));
        self.current = Some(match self.current {
            Some((start, last)) if day > silent(last) => {
                self.silences.push(Span { start, end: Some(silent(last)) });
                (day, day)
            }
            Some((start, _)) => (start, day),
            None => (day, day),
        });
    }

    fn change(&mut self, terms: &Terms, event: &Event<'_>, sign: i32, day: i32) {
        self.has_subscription |= sign > 0;
        let mrr = event.amount.filter(|_| terms.is_own(event.currency)).unwrap_or(0);
        self.changes.push(Change { day, subscriptions: sign, mrr: mrr * i128::from(sign) });
    }

    pub fn who<'a>(&'a self, customer: Customer<'a>) -> Who<'a> {
        let relationship = match (self.has_subscription, self.current.is_some()) {
            (true, _) => "contractual",
            (false, true) => "non_contractual",
            (false, false) => "prospect",
        };
        Who {
            acquisition_channel: self.channel.as_deref(),
            country: customer.country,
            relationship,
            source: self.source.as_deref().or(self.first_source.as_deref()),
        }
    }

    /// The life up to the horizon.
    pub fn lived(&mut self, terms: &Terms) -> Lived {
        let payments = std::mem::take(&mut self.payments);
        if self.has_subscription {
            let (spans, mrr) = self.contract(terms);
            return Lived { is_contractual: true, spans, mrr, payments };
        }
        let mut spans = std::mem::take(&mut self.silences);
        if let Some((start, last)) = self.current {
            let end = last.saturating_add(terms.inactive_days.max(1));
            spans.push(Span { start, end: (end <= terms.horizon_day).then_some(end) });
        }
        Lived { is_contractual: false, spans, mrr: Vec::new(), payments }
    }

    fn contract(&mut self, terms: &Terms) -> (Vec<Span>, Vec<(i32, i128)>) {
        // Ends come later by the grace, so they may pass the next start.
        self.changes.sort_unstable();
        let (mut spans, mut steps) = (Vec::<Span>::new(), Vec::new());
        let (mut count, mut mrr, mut before) = (0, 0_i128, 0_i128);
        for day in self.changes.chunk_by(|a, b| a.day == b.day) {
            let Some(today) = day.first().map(|change| change.day) else { continue };
            if today > terms.horizon_day {
                break;
            }
            let was_active = count > 0;
            count += day.iter().map(|change| change.subscriptions).sum::<i32>();
            mrr += day.iter().map(|change| change.mrr).sum::<i128>();
            match (was_active, count > 0) {
                (false, true) => spans.push(Span { start: today, end: None }),
                (true, false) => {
                    if let Some(span) = spans.last_mut() {
                        span.end = Some(today);
                    }
                }
                _ => {}
            }
            let now = if count > 0 { mrr.max(0) } else { 0 };
            if now != before {
                steps.push((today, now));
                before = now;
            }
        }
        (spans, steps)
    }
}
