//! Paths: the touchpoints a customer passes before they buy, or stop coming.
//!
//! A path ends with a purchase (an order worth something, a subscription started), or is lost when
//! `conversion_days` pass without a touch; one that still runs at the horizon is neither. Of a path
//! is counted which touchpoint followed which and after how long, which of all paths it is, and at
//! which places its touchpoints stood. All of it are counts and money, so buckets add up in any
//! order; [`super::path_tables`] makes tables of them.

use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::{Customer, Event, Fold, Kind, Terms};
use crate::measure::kernel::markov::{Passage, Place};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// What the touches of a path are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Touchpoint,
    Channel,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Touchpoint => "touchpoint",
            Self::Channel => "channel",
        }
    }

    /// What the event is a touch of; none for what the company does or only its books know.
    fn touch<'a>(self, event: &Event<'a>) -> Option<&'a str> {
        let is_touch =
            matches!(event.kind, Kind::Behaviour | Kind::ConversationOpened | Kind::SurveyAnswered);
        let known = match self {
            Self::Touchpoint => event.touchpoint.or(event.name).or(event.channel),
            Self::Channel => event.channel,
        };
        is_touch.then(|| known.or(event.source)).flatten()
    }
}

/// How paths are cut and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub level: Level,
    /// Touches of a path that are told; of longer ones the last.
    pub touches_max: usize,
    /// The same touchpoint again at once is one touch.
    pub collapses: bool,
}

/// Makes paths of one level.
#[derive(Debug)]
pub struct Paths {
    pub terms: Terms,
    pub shape: Shape,
    names: Names,
}

/// Numbers of names, given as they come: they reach no result.
#[derive(Debug, Default)]
struct Names(RwLock<(FxHashMap<Box<str>, u32>, Vec<Box<str>>)>);

impl Names {
    fn number(&self, name: &str) -> u32 {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).0.get(name).copied();
        known.unwrap_or_else(|| {
            let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let (numbers, all) = &mut *names;
            *numbers.entry(name.into()).or_insert_with(|| {
                all.push(name.into());
                u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
            })
        })
    }

    fn all(&self) -> Vec<Box<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// How a path ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// With a purchase of this worth, in ten-thousandths of the job's currency.
    Converted(i128),
    Lost,
    /// Not yet.
    Running,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Touch(i64, u32),
    Bought(i64, i128),
}

/// Touches and purchases of one customer.
#[derive(Debug, Default)]
pub struct Trail(Vec<Step>);

/// Of all paths that are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub converted: i64,
    pub lost: i64,
    pub running: i64,
    pub value: i128,
    /// From the first touch to the end, of those that converted.
    pub seconds: i64,
}

impl Told {
    pub(super) fn add(&mut self, other: &Self) {
        self.converted += other.converted;
        self.lost += other.lost;
        self.running += other.running;
        self.value += other.value;
        self.seconds += other.seconds;
    }

    pub fn paths(&self) -> i64 {
        self.converted + self.lost + self.running
    }
}

/// Where a touchpoint stood in converted paths of one length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stood {
    pub first: i64,
    pub last: i64,
    /// At any other place; a path of one touch has a first and last only.
    pub between: i64,
    pub first_value: i128,
    pub last_value: i128,
    pub between_value: i128,
}

impl Stood {
    pub(super) fn add(&mut self, other: &Self) {
        self.first += other.first;
        self.last += other.last;
        self.between += other.between;
        self.first_value += other.first_value;
        self.last_value += other.last_value;
        self.between_value += other.between_value;
    }
}

/// What is counted of paths; touchpoints by number.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    pub passages: FxHashMap<Passage, u64>,
    /// Seconds between two touches, of each passage from one to another place.
    pub seconds: FxHashMap<(Place, Place), Vec<u32>>,
    /// By touchpoint and length of the path.
    pub stood: FxHashMap<(u32, u32), Stood>,
    /// By the touches told; one more than `touches_max` says that there were others before.
    pub variants: FxHashMap<Box<[u32]>, Told>,
    /// Purchases that no touch came before.
    pub untouched: Told,
}

impl Counted {
    pub fn merge(&mut self, other: Self) {
        for (passage, count) in other.passages {
            *self.passages.entry(passage).or_default() += count;
        }
        for (passage, mut seconds) in other.seconds {
            self.seconds.entry(passage).or_default().append(&mut seconds);
        }
        for (place, stood) in other.stood {
            self.stood.entry(place).or_default().add(&stood);
        }
        for (touches, told) in other.variants {
            self.variants.entry(touches).or_default().add(&told);
        }
        self.untouched.add(&other.untouched);
    }

    /// Takes a path of (time in microseconds, touchpoint) that ended at `end_at`.
    pub fn path(&mut self, shape: Shape, touches: &[(i64, u32)], end_at: i64, end: End) {
        let (Some(first), Some(last)) = (touches.first(), touches.last()) else {
            if let End::Converted(value) = end {
                self.untouched.add(&Told { converted: 1, value, ..Told::default() });
            }
            return;
        };
        let mut behind = [Place::Start, Place::Start];
        let mut before = first.0;
        for (at, touchpoint) in touches {
            let place = Place::At(*touchpoint);
            self.pass([behind[0], behind[1], place], Some(at - before));
            (behind, before) = ([behind[1], place], *at);
        }
        let mut told = Told::default();
        match end {
            End::Converted(value) => {
                let took = (end_at - first.0).max(0) / SECOND_US;
                told = Told { converted: 1, value, seconds: took, ..told };
                self.pass([behind[0], behind[1], Place::Converted], Some(end_at - last.0));
                self.stand(touches, value);
            }
            End::Lost => {
                told.lost = 1;
                self.pass([behind[0], behind[1], Place::Lost], None);
            }
            End::Running => told.running = 1,
        }
        // One more than are shown tells that there are more.
        let shown = touches.len().saturating_sub(shape.touches_max.saturating_add(1));
        let shown = touches.iter().skip(shown).map(|(_, touchpoint)| *touchpoint);
        self.variants.entry(shown.collect()).or_default().add(&told);
    }

    fn pass(&mut self, passage: Passage, took_us: Option<i64>) {
        *self.passages.entry(passage).or_default() += 1;
        if let Some(took) = took_us.filter(|_| passage[1] != Place::Start) {
            let seconds = u32::try_from(took.max(0) / SECOND_US).unwrap_or(u32::MAX);
            self.seconds.entry((passage[1], passage[2])).or_default().push(seconds);
        }
    }

    fn stand(&mut self, touches: &[(i64, u32)], value: i128) {
        let length = u32::try_from(touches.len()).unwrap_or(u32::MAX);
        for (at, (_, touchpoint)) in touches.iter().enumerate() {
            let stood = self.stood.entry((*touchpoint, length)).or_default();
            let (is_first, is_last) = (at == 0, at + 1 == touches.len());
            if is_first {
                stood.first += 1;
                stood.first_value += value;
            }
            if is_last {
                stood.last += 1;
                stood.last_value += value;
            }
            if !is_first && !is_last {
                stood.between += 1;
                stood.between_value += value;
            }
        }
    }
}

impl Paths {
    pub fn new(terms: Terms, shape: Shape) -> Self {
        Self { terms, shape, names: Names::default() }
    }

    /// Touchpoints by number.
    pub fn names(&self) -> Vec<Box<str>> {
        self.names.all()
    }

    /// Cuts what a customer did into paths: touches as (time, number), the time the path ended, and
    /// how. A purchase that no touch came before is a path without touches.
    pub(super) fn each(&self, trail: &Trail, mut take: impl FnMut(&[(i64, u32)], i64, End)) {
        let window = self.window_us();
        let mut touches: Vec<(i64, u32)> = Vec::new();
        // When the customer was last there, which a touch that was collapsed says as well.
        let mut seen = i64::MIN;
        let is_over = |seen: i64, now: i64| now.saturating_sub(seen) > window;
        for step in &trail.0 {
            let (Step::Touch(at, _) | Step::Bought(at, _)) = *step;
            if !touches.is_empty() && is_over(seen, at) {
                take(&touches, seen, End::Lost);
                touches.clear();
            }
            seen = at;
            match *step {
                Step::Touch(_, touchpoint) => {
                    let again = touches.last().is_some_and(|(_, last)| *last == touchpoint);
                    if !(again && self.shape.collapses) {
                        touches.push((at, touchpoint));
                    }
                }
                Step::Bought(_, value) => {
                    take(&touches, at, End::Converted(value));
                    touches.clear();
                }
            }
        }
        if !touches.is_empty() {
            let horizon = (i64::from(self.terms.horizon_day) + 1) * DAY_US;
            let end = if is_over(seen, horizon) { End::Lost } else { End::Running };
            take(&touches, seen, end);
        }
    }

    /// Days without a touch lose a path.
    fn window_us(&self) -> i64 {
        i64::from(self.terms.conversion_days.max(1)) * DAY_US
    }
}

impl Fold for Paths {
    type State = Trail;
    type Rows = Counted;

    fn init(&self) -> Trail {
        Trail::default()
    }

    fn step(&self, trail: &mut Trail, event: &Event<'_>) {
        match event.kind {
            Kind::Order if event.amount.is_none_or(|amount| amount > 0) => {
                trail.0.push(Step::Bought(event.at, event.home_amount.unwrap_or(0)));
            }
            Kind::SubscriptionStarted => {
                trail.0.push(Step::Bought(event.at, event.home_amount.unwrap_or(0)));
            }
            _ => {
                let touch = self.shape.level.touch(event);
                trail.0.extend(touch.map(|name| Step::Touch(event.at, self.names.number(name))));
            }
        }
    }

    fn emit(&self, trail: Trail, _customer: Customer<'_>, rows: &mut Counted) {
        self.each(&trail, |touches, end_at, end| rows.path(self.shape, touches, end_at, end));
    }
}
