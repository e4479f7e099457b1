//! What service levels measure, and what one request counts as in each.

use super::case::{Case, Facts, Promise, Times};

/// What a measure's cells hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Seconds until something; open ones are censored.
    Time,
    /// Share of those for which it is so.
    Share,
    /// Mean count.
    Count,
}

/// A measure: its metric, which is also its definition, and the clock it is read by.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    pub metric: &'static str,
    pub clock: &'static str,
    pub kind: Kind,
}

/// The wall clock, one schedule, all schedules.
pub const CLOCKS: [&str; 3] = ["calendar", "business", "business_all"];

const fn time(metric: &'static str, clock: usize) -> Measure {
    Measure { metric, clock: CLOCKS[clock], kind: Kind::Time }
}

const fn share(metric: &'static str) -> Measure {
    Measure { metric, clock: CLOCKS[0], kind: Kind::Share }
}

const fn count(metric: &'static str) -> Measure {
    Measure { metric, clock: CLOCKS[0], kind: Kind::Count }
}

/// How many there are.
pub const COUNT: usize = 21;

/// All measures but the backlog, which is of a moment and not of requests.
pub const MEASURES: [Measure; COUNT] = [
    time("first_response", 0),
    time("first_response", 1),
    time("first_response", 2),
    time("first_bot_response", 0),
    time("first_bot_response", 1),
    time("first_bot_response", 2),
    time("first_resolution", 0),
    time("first_resolution", 1),
    time("first_resolution", 2),
    time("full_resolution", 0),
    time("full_resolution", 1),
    time("full_resolution", 2),
    share("first_contact_resolution"),
    share("one_touch"),
    share("reopen_rate"),
    share("containment"),
    share("sla_first_response_breached"),
    share("sla_resolution_breached"),
    share("sla_breached"),
    count("replies"),
    count("reopens"),
];

/// What a request counts as in one measure, in four bytes: there are many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome(u32);

/// What an outcome says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is not asked of this request.
    Nothing,
    /// Seconds or a count; shares have 1 and 0.
    Done(u32),
    /// Not decided, or not over after so many seconds.
    Open(u32),
}

impl Outcome {
    pub const NOTHING: Self = Self(0);
    const DONE: u32 = 1 << 30;
    const OPEN: u32 = 2 << 30;
    /// 34 years in seconds; longer ones count as this.
    const MOST: u32 = (1 << 30) - 1;

    fn cut(value: i64) -> u32 {
        u32::try_from(value.max(0)).unwrap_or(Self::MOST).min(Self::MOST)
    }

    pub fn done(value: i64) -> Self {
        Self(Self::DONE | Self::cut(value))
    }

    pub fn open(value: i64) -> Self {
        Self(Self::OPEN | Self::cut(value))
    }

    pub fn said(self) -> Said {
        match self.0 >> 30 {
            1 => Said::Done(self.0 & Self::MOST),
            2 => Said::Open(self.0 & Self::MOST),
            _ => Said::Nothing,
        }
    }

    fn time(times: Option<Times>, clock: usize) -> Self {
        let Some(times) = times else { return Self::NOTHING };
        match times.seconds.get(clock).copied().flatten() {
            Some(seconds) if times.is_over => Self::done(seconds),
            Some(seconds) => Self::open(seconds),
            None => Self::NOTHING,
        }
    }

    fn flag(flag: Option<bool>) -> Self {
        flag.map_or(Self::NOTHING, |flag| Self::done(i64::from(flag)))
    }

    fn promise(promise: Option<Promise>) -> Self {
        match promise {
            None => Self::NOTHING,
            Some(Promise { is_breached: Some(is_breached), .. }) => {
                Self::done(i64::from(is_breached))
            }
            Some(_) => Self::open(0),
        }
    }
}

/// Whether any promise was broken; undecided while none is and one still can be.
fn any_promise(facts: &Facts) -> Outcome {
    let both = [facts.response_target, facts.resolution_target].into_iter().flatten();
    let told: Vec<Option<bool>> = both.map(|promise| promise.is_breached).collect();
    match (told.contains(&Some(true)), told.contains(&None)) {
        (true, _) => Outcome::done(1),
        (false, true) => Outcome::open(0),
        (false, false) if told.is_empty() => Outcome::NOTHING,
        (false, false) => Outcome::done(0),
    }
}

/// What one request counts as in every measure, in their order.
pub fn outcomes(case: &Case<'_>, facts: &Facts) -> [Outcome; COUNT] {
    let times = [
        facts.first_response,
        facts.first_bot_response,
        facts.first_resolution,
        facts.full_resolution,
    ];
    let undecided = |flag: Option<bool>| match flag {
        // Resolved, and the window is not over.
        None if facts.is_resolved => Outcome::open(0),
        flag => Outcome::flag(flag),
    };
    let others = [
        undecided(facts.is_first_contact),
        Outcome::flag(facts.is_one_touch),
        Outcome::flag(facts.is_reopened),
        Outcome::flag(facts.is_contained),
        Outcome::promise(facts.response_target),
        Outcome::promise(facts.resolution_target),
        any_promise(facts),
        Outcome::done(case.n_replies),
        Outcome::done(facts.n_reopens),
    ];
    let mut outcomes = [Outcome::NOTHING; COUNT];
    let times = times.into_iter().flat_map(|times| (0..3).map(move |i| Outcome::time(times, i)));
    for (slot, outcome) in outcomes.iter_mut().zip(times.chain(others)) {
        *slot = outcome;
    }
    outcomes
}

/// What the tool says of the same, in order of the measures.
pub fn vendor_outcomes(case: &Case<'_>) -> [Outcome; COUNT] {
    let vendor = &case.vendor;
    let told = |value: Option<i64>| value.map_or(Outcome::NOTHING, Outcome::done);
    let mut outcomes = [Outcome::NOTHING; COUNT];
    for (metric, outcome) in [
        ("first_response", told(vendor.first_response)),
        ("first_bot_response", told(vendor.first_bot_response)),
        ("full_resolution", told(vendor.resolution)),
        ("reopen_rate", told(vendor.reopens.map(|count| i64::from(count > 0)))),
        ("sla_breached", Outcome::flag(vendor.is_sla_breached)),
        ("replies", told(vendor.replies)),
        ("reopens", told(vendor.reopens)),
    ] {
        let at = MEASURES.iter().position(|measure| measure.metric == metric);
        if let Some(slot) = at.and_then(|at| outcomes.get_mut(at)) {
            *slot = outcome;
        }
    }
    outcomes
}

/// The cause of the difference, in order of the measures.
pub fn causes(case: &Case<'_>, facts: &Facts) -> [Option<&'static str>; COUNT] {
    let vendor = &case.vendor;
    let mut causes = [None; COUNT];
    let replies = Facts::count_cause(case.n_replies, vendor.replies, case.n_messages > 0);
    let reopens = Facts::count_cause(facts.n_reopens, vendor.reopens, facts.is_followed);
    for (metric, cause) in [
        ("first_response", facts.response_cause(case)),
        ("first_bot_response", facts.bot_cause(case)),
        ("full_resolution", facts.resolution_cause(case)),
        ("replies", replies),
        ("reopens", reopens),
    ] {
        let at = MEASURES.iter().position(|measure| measure.metric == metric);
        if let Some(slot) = at.and_then(|at| causes.get_mut(at)) {
            *slot = cause;
        }
    }
    causes
}
