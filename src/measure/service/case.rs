//! One request: when it began, was answered, resolved, reopened, and what was promised.

use super::Terms;
use super::clock::Place;
use super::levels::COLUMNS;

/// Microseconds of a second and a day.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    FirstResponse,
    Resolution,
}

/// A time allowed by the job, for requests whose source tells none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub aim: Aim,
    pub source: Option<String>,
    pub channel: Option<String>,
    pub priority: Option<String>,
    /// Local days of creation, both within.
    pub since: Option<i32>,
    pub until: Option<i32>,
    pub seconds: i64,
    pub is_business_time: bool,
}

/// What is known of a request without its changes. Times are microseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Case<'a> {
    pub id: &'a str,
    pub customer_id: Option<&'a str>,
    pub source: &'a str,
    pub source_account: &'a str,
    pub source_id: &'a str,
    /// Values of [`super::DIMENSIONS`] but `all`.
    pub dimensions: [Option<&'a str>; COLUMNS],
    pub created_at: i64,
    /// Local days.
    pub created_date: i32,
    pub created_month: i32,
    /// None: an agent opened it and no customer ever wrote.
    pub started_at: Option<i64>,
    pub is_outbound: bool,
    pub n_messages: i64,
    pub first_human_at: Option<i64>,
    pub first_bot_at: Option<i64>,
    /// Internal notes among them.
    pub first_agent_at: Option<i64>,
    pub n_replies: i64,
    pub n_bot_messages: i64,
    pub n_customer_messages: i64,
    pub is_with_bot: bool,
    /// As the conversation itself says.
    pub resolved_at: Option<i64>,
    pub vendor: Vendor,
}

/// What the tool itself measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vendor {
    pub first_response: Option<i64>,
    pub first_bot_response: Option<i64>,
    pub resolution: Option<i64>,
    pub reopens: Option<i64>,
    pub replies: Option<i64>,
    pub is_sla_breached: Option<bool>,
}

/// Something that happened to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Open, pending, reopened: it waits for somebody.
    Open,
    /// Resolved or closed, and whether a bot did it.
    Resolved { by_bot: bool },
    /// It went to a team or agent.
    Assigned(String),
    /// A target was set, in seconds, counted in business hours or not.
    Target { aim: Aim, seconds: i64, is_business_time: bool },
    /// Of no weight here.
    Other,
}

/// A dated change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub at: i64,
    pub what: Happening,
}

/// A stretch of time that ended, or had not when last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    /// When it ended, or until when it is known not to have.
    pub to: i64,
    pub is_over: bool,
}

/// A span in whole seconds: by the wall clock, by one schedule, by all schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    pub seconds: [Option<i64>; 3],
    pub is_over: bool,
}

/// Whether a promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    pub seconds: i64,
    pub is_business_time: bool,
    /// None: not known yet.
    pub is_breached: Option<bool>,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    pub first_response: Option<Times>,
    pub first_bot_response: Option<Times>,
    pub first_resolution: Option<Times>,
    pub full_resolution: Option<Times>,
    pub n_reopens: i64,
    /// The source tells dated changes of status.
    pub is_followed: bool,
    pub is_resolved: bool,
    /// None: not decided yet.
    pub is_first_contact: Option<bool>,
    /// None: never resolved.
    pub is_one_touch: Option<bool>,
    pub is_reopened: Option<bool>,
    /// None: never resolved, or no bot took part.
    pub is_contained: Option<bool>,
    pub response_target: Option<Promise>,
    pub resolution_target: Option<Promise>,
    /// From and to; the last one may be open.
    pub waits: Vec<(i64, Option<i64>)>,
}

/// When a request was resolved and reopened.
struct Course {
    waits: Vec<(i64, Option<i64>)>,
    resolved: Vec<i64>,
    reopened: Vec<i64>,
    by_bot: bool,
    is_followed: bool,
}

fn course(case: &Case<'_>, changes: &[Change]) -> Course {
    let mut course = Course {
        waits: vec![(case.created_at, None)],
        resolved: Vec::new(),
        reopened: Vec::new(),
        by_bot: false,
        is_followed: false,
    };
    for change in changes {
        let is_open = course.waits.last().is_some_and(|(_, to)| to.is_none());
        let at = change.at.max(case.created_at);
        match &change.what {
            Happening::Resolved { by_bot } => {
                course.is_followed = true;
                if is_open {
                    course.end(at);
                    course.by_bot = *by_bot;
                }
            }
            Happening::Open if !is_open => {
                course.waits.push((at, None));
                course.reopened.push(at);
            }
            _ => {}
        }
    }
    // The conversation is newer than its changes, or the source tells none.
    let open_since = course.waits.last().filter(|(_, to)| to.is_none()).map(|(from, _)| *from);
    if let (Some(since), Some(at)) = (open_since, case.resolved_at)
        && (at >= since || !course.is_followed)
    {
        course.end(at.max(since));
    }
    course
}

impl Course {
    fn end(&mut self, at: i64) {
        if let Some((_, to)) = self.waits.last_mut() {
            *to = Some(at);
        }
        self.resolved.push(at);
    }
}

/// Teams a request was with, each from an instant on, as far as a calendar asks for them.
fn stays<'a>(case: &Case<'a>, changes: &'a [Change], terms: &Terms) -> Vec<(i64, Place<'a>)> {
    let value = |name: &str| {
        let at = super::DIMENSIONS.iter().position(|known| *known == name)?.checked_sub(1)?;
        *case.dimensions.get(at)?
    };
    let place = Place { source: case.source, channel: value("channel"), team: value("team") };
    let assigned = changes.iter().filter_map(|change| match &change.what {
        Happening::Assigned(team) if terms.calendars.names_team(team) => {
            Some((change.at, Place { team: Some(team.as_str()), ..place }))
        }
        _ => None,
    });
    let mut stays: Vec<_> = assigned.collect();
    match stays.first() {
        // Before it first was given to a team it was with nobody.
        Some((at, _)) if *at > case.created_at => {
            stays.insert(0, (i64::MIN, Place { team: None, ..place }));
        }
        Some(_) => {}
        None => stays.push((i64::MIN, place)),
    }
    stays
}

fn times(span: Span, stays: &[(i64, Place<'_>)], terms: &Terms) -> Times {
    let seconds = |time: Option<i64>| time.map(|time| time.max(0) / SECOND);
    let business = |of: Option<i64>| if terms.calendars.is_empty() { None } else { of };
    let (from, to) = (span.from, span.to.max(span.from));
    Times {
        seconds: [
            seconds(Some(to - from)),
            seconds(business(terms.calendars.single(stays, from, to))),
            seconds(business(terms.calendars.all(stays, from, to))),
        ],
        is_over: span.is_over,
    }
}

/// The target in force when the span ended.
fn promise(
    case: &Case<'_>,
    changes: &[Change],
    aim: Aim,
    span: Span,
    of: Times,
    terms: &Terms,
) -> Option<Promise> {
    let mut told = changes.iter().filter(|change| change.at <= span.to).filter_map(|change| {
        match change.what {
            Happening::Target { aim: of, seconds, is_business_time } if of == aim => {
                Some((seconds, is_business_time))
            }
            _ => None,
        }
    });
    let (seconds, is_business_time) = told.next_back().or_else(|| own_target(case, aim, terms))?;
    let elapsed = match of.seconds {
        [_, Some(business), _] if is_business_time => Some(business),
        [calendar, _, _] if !is_business_time => calendar,
        // Promised in business time, and nobody says when business is.
        _ => None,
    };
    let is_breached = elapsed
        .and_then(|elapsed| (span.is_over || elapsed > seconds).then_some(elapsed > seconds));
    Some(Promise { seconds, is_business_time, is_breached })
}

fn own_target(case: &Case<'_>, aim: Aim, terms: &Terms) -> Option<(i64, bool)> {
    let value = |name: &str| {
        let at = super::DIMENSIONS.iter().position(|known| *known == name)?.checked_sub(1)?;
        *case.dimensions.get(at)?
    };
    let fits = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
    };
    let target = terms.targets.iter().find(|target| {
        target.aim == aim
            && fits(&target.source, Some(case.source))
            && fits(&target.channel, value("channel"))
            && fits(&target.priority, value("priority"))
            && target.since.is_none_or(|since| case.created_date >= since)
            && target.until.is_none_or(|until| case.created_date <= until)
    })?;
    Some((target.seconds, target.is_business_time))
}

/// What a request came to, from its changes in order of time.
pub fn facts(case: &Case<'_>, changes: &[Change], terms: &Terms) -> Facts {
    let course = course(case, changes);
    let stays = stays(case, changes, terms);
    let times = |span: Span| times(span, &stays, terms);
    let first = course.resolved.first().copied();
    let last = course.waits.last().and_then(|(_, to)| *to);
    let from = case.created_at;
    let span = |end: Option<i64>, from: i64, known: i64| Span {
        from,
        to: end.unwrap_or(known),
        is_over: end.is_some(),
    };
    // After it was closed nobody could answer any more.
    let response = case
        .started_at
        .map(|started| span(case.first_human_at, started, last.unwrap_or(terms.horizon)));
    let full = span(last, from, terms.horizon);
    let bot = case.started_at.filter(|_| case.n_bot_messages > 0 || case.is_with_bot);
    let bot = bot.map(|started| span(case.first_bot_at, started, last.unwrap_or(terms.horizon)));
    let by_bot = course.by_bot || case.is_with_bot || case.n_bot_messages > 0;
    let promised = |aim, span: Option<Span>| {
        span.and_then(|span| promise(case, changes, aim, span, times(span), terms))
    };
    Facts {
        first_response: response.map(times),
        first_bot_response: bot.map(times),
        first_resolution: Some(times(span(first, from, terms.horizon))),
        full_resolution: Some(times(full)),
        n_reopens: i64::try_from(course.reopened.len()).unwrap_or(i64::MAX),
        is_followed: course.is_followed,
        is_resolved: last.is_some(),
        is_first_contact: first_contact(case, &course, terms),
        is_one_touch: first
            .map(|_| last.is_some() && case.n_replies == 1 && course.reopened.is_empty()),
        is_reopened: first.map(|_| !course.reopened.is_empty()),
        is_contained: first.filter(|_| by_bot).map(|_| last.is_some() && case.n_replies == 0),
        response_target: promised(Aim::FirstResponse, response),
        resolution_target: promised(Aim::Resolution, Some(full)),
        waits: course.waits,
    }
}

/// Solved with one public reply at most, and not reopened within the window.
fn first_contact(case: &Case<'_>, course: &Course, terms: &Terms) -> Option<bool> {
    let first = course.resolved.first()?;
    let window = first + i64::from(terms.reopen_days) * DAY;
    let is_back = course.reopened.first().is_some_and(|at| *at < window);
    if is_back || case.n_replies > 1 {
        return Some(false);
    }
    (window <= terms.horizon).then_some(true)
}

impl Facts {
    /// Why our first response differs from the tool's.
    pub fn response_cause(&self, case: &Case<'_>) -> Option<&'static str> {
        let (ours, vendor) = (over(self.first_response), case.vendor.first_response);
        let since = |from: i64, at: Option<i64>| at.map(|at| (at - from).max(0) / SECOND);
        let started = case.started_at.unwrap_or(case.created_at);
        cause(
            ours,
            vendor,
            &[
                ("bot_reply", since(started, case.first_bot_at)),
                ("internal_note", since(started, case.first_agent_at)),
                ("business_time", business(self.first_response, 1)),
                ("business_time", business(self.first_response, 2)),
                (
                    "outbound",
                    since(case.created_at, case.first_human_at).filter(|_| case.is_outbound),
                ),
            ],
        )
        .map(|found| match found {
            "not_over" if case.n_messages == 0 => "no_messages",
            found => found,
        })
    }

    /// Why our resolution differs from the tool's.
    pub fn resolution_cause(&self, case: &Case<'_>) -> Option<&'static str> {
        let (ours, vendor) = (over(self.full_resolution), case.vendor.resolution);
        let first = over(self.first_resolution);
        cause(
            ours,
            vendor,
            &[
                ("first_resolution", first),
                ("business_time", business(self.full_resolution, 1)),
                ("business_time", business(self.full_resolution, 2)),
            ],
        )
    }

    /// Why our first response by a bot differs from the tool's.
    pub fn bot_cause(&self, case: &Case<'_>) -> Option<&'static str> {
        cause(
            over(self.first_bot_response),
            case.vendor.first_bot_response,
            &[("business_time", business(self.first_bot_response, 1))],
        )
    }

    /// Why a count differs from the tool's.
    pub fn count_cause(ours: i64, vendor: Option<i64>, is_known: bool) -> Option<&'static str> {
        vendor.map(|vendor| match vendor {
            vendor if vendor == ours => "equal",
            _ if !is_known => "not_exported",
            _ => "other",
        })
    }
}

/// Seconds by the wall clock of what is over.
pub fn over(times: Option<Times>) -> Option<i64> {
    times.filter(|times| times.is_over).and_then(|times| times.seconds[0])
}

fn business(times: Option<Times>, clock: usize) -> Option<i64> {
    times.filter(|times| times.is_over).and_then(|times| *times.seconds.get(clock)?)
}

/// The cause of a difference in seconds: the first other reading that gives the vendor's value.
/// Tools tell minutes, so less than one apart is the same.
fn cause(
    ours: Option<i64>,
    vendor: Option<i64>,
    readings: &[(&'static str, Option<i64>)],
) -> Option<&'static str> {
    const MINUTE: i64 = 60;
    let near = |one: i64, other: i64| (one - other).abs() < MINUTE;
    let vendor = match (ours, vendor) {
        (None, None) => return None,
        (Some(_), None) => return Some("vendor_silent"),
        (Some(ours), Some(vendor)) if ours == vendor => return Some("equal"),
        (Some(ours), Some(vendor)) if near(ours, vendor) => return Some("rounding"),
        (_, Some(vendor)) => vendor,
    };
    let found = readings.iter().find(|(_, value)| value.is_some_and(|value| near(value, vendor)));
    let otherwise = if ours.is_none() { "not_over" } else { "other" };
    Some(found.map_or(otherwise, |(name, _)| name))
}
