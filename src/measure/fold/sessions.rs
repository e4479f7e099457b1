//! Sessions: the events of one visit of a web site or app, together.
//!
//! Where the source says which session an event is of, it is believed: events of one session id,
//! system, account and device are one session. All others are of the session under way on their
//! device, until nothing was done for longer than `inactive_minutes`; a session that began without
//! an id takes the first one that comes while it is under way. As GA4 has it, neither midnight nor
//! another campaign ends a session; as its forerunner had it, both do, where the job says so.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use rustc_hash::FxHashMap;

use super::calendar::{Calendar, Grain};
use super::columns::{batch, counts, days, flags, texts, times};
use super::event::{LedBy, Visit};
use super::{Customer, Event, Fold, FoldError, Kind};
use crate::table::id::Maker;

const TABLE: &str = "sessions";
const MINUTE_US: i64 = 60_000_000;
/// A session longer than this is an engaged one (GA4).
const ENGAGED_US: i64 = 10_000_000;
/// One of so many pages, too.
const ENGAGED_PAGES: i64 = 2;
/// Between the parts of a key; none of them has it.
const APART: char = '\u{1f}';

/// How visits are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub inactive_minutes: i64,
    pub cuts_at_midnight: bool,
    pub cuts_at_campaign: bool,
    pub page_events: Vec<String>,
    pub key_events: Vec<String>,
}

/// Makes `sessions`.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub rules: Rules,
    /// With months.
    pub calendar: Arc<Calendar>,
}

/// [`LedBy`], kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Led {
    source: Option<Box<str>>,
    medium: Option<Box<str>>,
    campaign: Option<Box<str>>,
}

impl Led {
    fn is(&self, by: LedBy<'_>) -> bool {
        (self.source.as_deref(), self.medium.as_deref(), self.campaign.as_deref())
            == (by.source, by.medium, by.campaign)
    }
}

impl From<LedBy<'_>> for Led {
    fn from(by: LedBy<'_>) -> Self {
        Self {
            source: by.source.map(Box::from),
            medium: by.medium.map(Box::from),
            campaign: by.campaign.map(Box::from),
        }
    }
}

/// One session, as far as it has been walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    first_event: Box<str>,
    began_at: i64,
    began_day: i32,
    last_at: i64,
    last_day: i32,
    source: Option<Box<str>>,
    account: Option<Box<str>>,
    device: Option<Box<str>>,
    channel: Option<Box<str>>,
    /// As the source calls it; none: only silence ends it.
    id: Option<Box<str>>,
    events: i64,
    pages: i64,
    /// The source says so, or something was done that counts.
    is_engaged: bool,
    engagement: Option<i64>,
    led: Led,
    landing: Option<Box<str>>,
}

/// Of one customer.
#[derive(Debug, Clone, Default)]
pub struct Visits {
    sessions: Vec<Session>,
    /// Places of the sessions of an id, by system, account and id: one a device.
    by_id: FxHashMap<String, Vec<usize>>,
    /// Place of the session under way, by system, account and device.
    under_way: FxHashMap<String, usize>,
    /// Room for keys of both kinds.
    by: (String, String),
}

/// Sessions of the customers of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<(String, Session)>);

/// Writes the parts of a key into the room for it.
fn write_key(key: &mut String, source: Option<&str>, account: Option<&str>, last: &str) {
    key.clear();
    for part in [source.unwrap_or_default(), account.unwrap_or_default()] {
        key.push_str(part);
        key.push(APART);
    }
    key.push_str(last);
}

impl Session {
    fn new(event: &Event<'_>, visit: &Visit<'_>) -> Self {
        Self {
            first_event: visit.event_id.into(),
            began_at: event.at,
            began_day: event.day,
            last_at: event.at,
            last_day: event.day,
            source: event.source.map(Box::from),
            account: visit.account.map(Box::from),
            device: None,
            channel: None,
            id: None,
            events: 0,
            pages: 0,
            is_engaged: false,
            engagement: None,
            led: Led::default(),
            landing: None,
        }
    }

    /// Whether the event comes while the session is under way, ids aside.
    fn holds(&self, event: &Event<'_>, visit: &Visit<'_>, rules: &Rules) -> bool {
        let is_silent = event.at - self.last_at > rules.inactive_minutes * MINUTE_US;
        let is_cut = self.id.is_none()
            && (rules.cuts_at_midnight && event.day != self.last_day
                || rules.cuts_at_campaign
                    && visit.led_by != LedBy::default()
                    && !self.led.is(visit.led_by));
        !is_silent && !is_cut
    }

    fn take(&mut self, event: &Event<'_>, visit: &Visit<'_>, rules: &Rules) {
        let is_one_of = |names: &[String]| {
            event.name.is_some_and(|name| names.iter().any(|known| known == name))
        };
        self.last_at = event.at;
        self.last_day = event.day;
        self.events += 1;
        self.pages += i64::from(is_one_of(&rules.page_events));
        self.is_engaged |= visit.is_engaged || is_one_of(&rules.key_events);
        if let Some(more) = visit.engagement {
            self.engagement = Some(self.engagement.unwrap_or(0).saturating_add(more));
        }
        let first = |known: &mut Option<Box<str>>, told: Option<&str>| {
            if known.is_none() {
                *known = told.map(Box::from);
            }
        };
        first(&mut self.device, visit.device);
        first(&mut self.channel, event.channel);
        first(&mut self.landing, visit.page_path);
        if self.led == Led::default() {
            self.led = visit.led_by.into();
        }
    }

    fn is_engaged(&self) -> bool {
        self.is_engaged || self.pages >= ENGAGED_PAGES || self.last_at - self.began_at > ENGAGED_US
    }
}

/// Puts a place under a key, which is written anew only where it is new.
fn put(places: &mut FxHashMap<String, usize>, key: &str, place: usize) {
    match places.get_mut(key) {
        Some(known) => *known = place,
        None => drop(places.insert(key.to_owned(), place)),
    }
}

impl Visits {
    /// The newest session of the id that the event names, on its device; none known fits all.
    fn of_id(&self, visit: &Visit<'_>) -> Option<usize> {
        let places = self.by_id.get(&self.by.1)?;
        let fits = |place: &&usize| {
            let known = self.sessions.get(**place).and_then(|session| session.device.as_deref());
            visit.device.is_none() || known.is_none() || known == visit.device
        };
        places.iter().filter(fits).max().copied()
    }

    /// Place of the event's session; a new one where there is none.
    fn place(&mut self, event: &Event<'_>, visit: &Visit<'_>, rules: &Rules) -> usize {
        let (source, account) = (event.source, visit.account);
        write_key(&mut self.by.0, source, account, visit.device.unwrap_or_default());
        let holds = |place: &usize| {
            let session = self.sessions.get(*place);
            session.is_some_and(|session| session.holds(event, visit, rules))
        };
        let running = self.under_way.get(&self.by.0).copied().filter(holds);
        let fresh = self.sessions.len();
        let place = if let Some(id) = event.reference {
            let is_nameless =
                |at: &usize| self.sessions.get(*at).is_some_and(|session| session.id.is_none());
            let adopted = running.filter(is_nameless);
            write_key(&mut self.by.1, source, account, id);
            let known = self.of_id(visit);
            let place = known.or(adopted).unwrap_or(fresh);
            if known.is_none() {
                self.by_id.entry(self.by.1.clone()).or_default().push(place);
            }
            place
        } else {
            running.unwrap_or(fresh)
        };
        put(&mut self.under_way, &self.by.0, place);
        place
    }
}

impl Fold for Sessions {
    type State = Visits;
    type Rows = Rows;

    fn init(&self) -> Visits {
        Visits::default()
    }

    fn step(&self, visits: &mut Visits, event: &Event<'_>) {
        let Some(visit) = event.visit.filter(|_| event.kind == Kind::Behaviour) else { return };
        let place = visits.place(event, &visit, &self.rules);
        if place == visits.sessions.len() {
            visits.sessions.push(Session::new(event, &visit));
        }
        if let Some(session) = visits.sessions.get_mut(place) {
            if session.id.is_none() {
                session.id = event.reference.map(Box::from);
            }
            session.take(event, &visit, &self.rules);
        }
    }

    fn emit(&self, visits: Visits, customer: Customer<'_>, rows: &mut Rows) {
        let own = visits.sessions.into_iter().map(|session| (customer.id.to_owned(), session));
        rows.0.extend(own);
    }
}

impl Rows {
    /// Rows of `sessions`.
    ///
    /// # Errors
    /// None in practice: the columns are of one length.
    pub fn batch(&self, sessions: &Sessions) -> Result<RecordBatch, FoldError> {
        let all = || self.0.iter().map(|(_, session)| session);
        let text = |of: fn(&Session) -> Option<&str>| -> ArrayRef { texts(all().map(of)) };
        let months = sessions.calendar.periods().iter().find(|own| own.grain == Grain::Month);
        let month = |day: i32| months.map_or(day, |months| months.start(months.of(day)));
        let mut ids = Maker::default();
        let keys = all().map(|session| Some(ids.make("se", &[&session.first_event]).to_owned()));
        let told_by = |session: &Session| {
            if session.id.is_some() { "source" } else { "inactivity" }
        };
        batch(
            TABLE,
            vec![
                ("session_key", texts(keys.collect::<Vec<_>>())),
                ("customer_id", texts(self.0.iter().map(|(id, _)| Some(id.as_str())))),
                ("started_at", times(all().map(|session| Some(session.began_at)))),
                ("ended_at", times(all().map(|session| Some(session.last_at)))),
                ("started_date", days(all().map(|session| session.began_day))),
                ("source", text(|session| session.source.as_deref())),
                ("source_account", text(|session| session.account.as_deref())),
                ("session_source_id", text(|session| session.id.as_deref())),
                ("delimited_by", texts(all().map(|session| Some(told_by(session))))),
                ("definition_id", texts(all().map(|_| Some("session")))),
                ("definition_version", counts(all().map(|_| Some(1)))),
                ("channel", text(|session| session.channel.as_deref())),
                ("n_events", counts(all().map(|session| Some(session.events)))),
                ("n_pages", counts(all().map(|session| Some(session.pages)))),
                ("is_engaged", flags(all().map(Session::is_engaged))),
                ("engagement_ms", counts(all().map(|session| session.engagement))),
                ("utm_source", text(|session| session.led.source.as_deref())),
                ("utm_medium", text(|session| session.led.medium.as_deref())),
                ("utm_campaign", text(|session| session.led.campaign.as_deref())),
                ("landing_page", text(|session| session.landing.as_deref())),
                ("month", days(all().map(|session| month(session.began_day)))),
            ],
        )
    }
}
