//! When somebody is a customer: paid access where there is a contract, activity where there is none.
//!
//! Days are local. Without a contract a customer is active on the day of an activity and for
//! `inactive_days` from it on; the day that silence completes is the churn day, and it counts only
//! once it has come. With a contract the churn day is the end of paid access plus `grace_days`;
//! a pause is an end of paid access, and access that begins again within the grace was never lost.
//! Whoever ever had a subscription is judged by subscriptions alone.

use super::dimensions::Who;
use super::feedback::{Heard, Windows};
use super::{Customer, Event, Kind, Terms};

/// Behaviours that software shows as well as people: no sign of life.
const PASSIVE: [&str; 4] = ["email_delivered", "email_opened", "email_sent", "email_bounced"];

/// Whether an event shows that the customer is still there.
pub fn is_activity(event: &Event<'_>) -> bool {
    match event.kind {
        Kind::Order
        | Kind::SubscriptionStarted
        | Kind::SubscriptionChanged
        | Kind::SubscriptionResumed
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
    /// The last activity, or the day paid access ended; of a contract in force none.
    pub silent_since: Option<i32>,
}

impl Span {
    /// Whether the customer is active at the end of a day.
    pub fn holds(&self, day: i32) -> bool {
        self.start <= day && self.end.is_none_or(|end| day < end)
    }
}

/// An order or a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    pub at: i64,
    pub day: i32,
    /// In the job's currency; zero where nobody knows the day's rate.
    pub value: i128,
    pub is_order: bool,
}

/// One subscription of the customer, as far as it has been walked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subscription {
    id: Box<str>,
    has_started: bool,
    has_ended: bool,
    is_paused: bool,
    mrr: i128,
}

impl Subscription {
    fn pays(&self) -> bool {
        self.has_started && !self.has_ended && !self.is_paused
    }
}

/// What all subscriptions together are from a day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Access {
    day: i32,
    is_paid: bool,
    mrr: i128,
}

/// What is remembered of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    channel: Option<Box<str>>,
    first_source: Option<Box<str>>,
    source: Option<Box<str>>,
    first_contact: Option<(i64, i32)>,
    has_subscription: bool,
    subscriptions: Vec<Subscription>,
    /// In order of days, at most one a day.
    access: Vec<Access>,
    payments: Vec<Payment>,
    /// Start of the current active time without a contract, and the last activity in it.
    current: Option<(i32, i32)>,
    silences: Vec<Span>,
    heard: Heard,
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
    /// First record of the person: instant and day.
    pub first_contact: Option<(i64, i32)>,
    pub heard: Heard,
}

impl Lived {
    /// The span that holds the end of a day.
    pub fn span_at(&self, day: i32) -> Option<&Span> {
        self.spans.iter().find(|span| span.holds(day))
    }

    /// Still a customer, but silent for more than half of the time that ends it, or in the grace
    /// after paid access ended.
    pub fn is_at_risk(&self, terms: &Terms) -> bool {
        let Some(span) = self.span_at(terms.horizon_day) else { return false };
        let patience = if self.is_contractual { -1 } else { terms.inactive_days / 2 };
        span.silent_since.is_some_and(|since| terms.horizon_day - since > patience)
    }

    /// Monthly recurring revenue at the end of a day.
    pub fn mrr_at(&self, day: i32) -> i128 {
        let known = self.mrr.partition_point(|step| step.0 <= day);
        known.checked_sub(1).and_then(|i| self.mrr.get(i)).map_or(0, |step| step.1)
    }
}

impl Membership {
    pub fn step(&mut self, terms: &Terms, windows: &Windows, event: &Event<'_>) {
        if self.first_source.is_none() {
            self.first_source = event.source.map(Box::from);
        }
        match event.kind {
            Kind::ContactCreated => {
                self.first_contact.get_or_insert((event.at, event.day));
                if self.channel.is_none() {
                    self.channel = event.channel.map(Box::from);
                }
            }
            Kind::Order | Kind::Refund => self.payments.push(Payment {
                at: event.at,
                day: event.day,
                value: event.home_amount.unwrap_or(0),
                is_order: event.kind == Kind::Order,
            }),
            Kind::SubscriptionStarted
            | Kind::SubscriptionChanged
            | Kind::SubscriptionPaused
            | Kind::SubscriptionResumed
            | Kind::SubscriptionEnded => self.subscribe(event),
            Kind::SurveyAnswered => self.heard.take(windows, event),
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
                self.silences.push(Span {
                    start,
                    end: Some(silent(last)),
                    silent_since: Some(last),
                });
                (day, day)
            }
            Some((start, _)) => (start, day),
            None => (day, day),
        });
    }

    fn subscribe(&mut self, event: &Event<'_>) {
        let id = event.reference.unwrap_or("");
        let known = self.subscriptions.iter().position(|one| &*one.id == id);
        let place = known.unwrap_or_else(|| {
            self.subscriptions.push(Subscription {
                id: Box::from(id),
                has_started: false,
                has_ended: false,
                is_paused: false,
                mrr: 0,
            });
            self.subscriptions.len() - 1
        });
        let Some(one) = self.subscriptions.get_mut(place) else { return };
        match event.kind {
            Kind::SubscriptionStarted => {
                // One that had ended and starts again under its old id is paid again.
                (one.has_started, one.has_ended) = (true, false);
                one.mrr = event.home_amount.unwrap_or(0).max(0);
            }
            Kind::SubscriptionEnded => one.has_ended = one.has_started,
            Kind::SubscriptionPaused => one.is_paused = true,
            Kind::SubscriptionResumed => {
                one.is_paused = false;
                one.mrr = event.home_amount.unwrap_or(one.mrr).max(0);
            }
            _ => one.mrr = event.home_amount.unwrap_or(0).max(0),
        }
        self.has_subscription |= one.has_started;
        let paying = || self.subscriptions.iter().filter(|one| one.pays());
        let (is_paid, mrr) = (paying().next().is_some(), paying().map(|one| one.mrr).sum());
        // What a day comes to counts, not what it passes through.
        match self.access.last_mut().filter(|access| access.day == event.day) {
            Some(today) => (today.is_paid, today.mrr) = (is_paid, mrr),
            None => self.access.push(Access { day: event.day, is_paid, mrr }),
        }
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
        let (first_contact, heard) = (self.first_contact, self.heard);
        let lived = Lived {
            is_contractual: self.has_subscription,
            spans: Vec::new(),
            mrr: Vec::new(),
            payments,
            first_contact,
            heard,
        };
        if self.has_subscription {
            let (spans, mrr) = self.contract(terms);
            return Lived { spans, mrr, ..lived };
        }
        let mut spans = std::mem::take(&mut self.silences);
        if let Some((start, last)) = self.current {
            let end = last.saturating_add(terms.inactive_days.max(1));
            let end = (end <= terms.horizon_day).then_some(end);
            spans.push(Span { start, end, silent_since: Some(last) });
        }
        Lived { spans, ..lived }
    }

    /// Spans of paid access with its grace, and the recurring revenue: kept up through the grace,
    /// gone with the customer.
    pub(super) fn contract(&self, terms: &Terms) -> (Vec<Span>, Vec<(i32, i128)>) {
        let (mut spans, mut steps) = (Vec::<Span>::new(), Vec::<(i32, i128)>::new());
        let grace_end = |since: i32| since.saturating_add(terms.grace_days.max(0));
        // Access that has ended, and whose grace is not over.
        let mut waiting = None;
        let known = self.access.iter().take_while(|access| access.day <= terms.horizon_day);
        for access in known {
            if let Some(since) = waiting.filter(|since| grace_end(*since) < access.day) {
                leave(&mut spans, &mut steps, grace_end(since));
                waiting = None;
            }
            let is_active = spans.last().is_some_and(|span| span.end.is_none());
            match (access.is_paid, is_active) {
                (true, false) => {
                    spans.push(Span { start: access.day, end: None, silent_since: None });
                }
                (true, true) => {
                    waiting = None;
                    if let Some(span) = spans.last_mut() {
                        span.silent_since = None;
                    }
                }
                (false, true) => {
                    waiting = Some(waiting.unwrap_or(access.day));
                    if let Some(span) = spans.last_mut() {
                        span.silent_since = waiting;
                    }
                }
                (false, false) => {}
            }
            if access.is_paid {
                step(&mut steps, access.day, access.mrr);
            }
        }
        if let Some(since) = waiting.filter(|since| grace_end(*since) <= terms.horizon_day) {
            leave(&mut spans, &mut steps, grace_end(since));
        }
        (spans, steps)
    }
}

fn step(steps: &mut Vec<(i32, i128)>, day: i32, mrr: i128) {
    if steps.last().map_or(0, |step| step.1) != mrr {
        steps.push((day, mrr));
    }
}

fn leave(spans: &mut [Span], steps: &mut Vec<(i32, i128)>, day: i32) {
    if let Some(span) = spans.last_mut() {
        span.end = Some(day);
    }
    step(steps, day, 0);
}
