//! Funnels: how far customers get on a way that the job lays out, and how long they take.
//!
//! In each period a customer counts once a funnel, from the first time in it that they took the
//! first step. From there the steps are looked for in order, each as early as there is one, up to
//! `days` after the first. What happened at one instant has no order of its own: it is taken in the
//! order that brings the customer furthest, an event as one step only. Entering a stage is a step
//! of that stage, and beyond the first step of all before it: who skips a stage has passed it.
//! Stages are walked anyway, so this fold is theirs too.

use super::drop_offs::{self, DropOffs};
use super::funnel_tables::Counted;
use super::mark::Mark;
use super::paths::Trail;
use super::stages::{Journey, Stages, Stay, Walk};
use super::{Customer, Event, Fold, Grain, Kind};

const DAY_US: i64 = 86_400_000_000;

/// What takes a customer one step on; lists that are empty fit all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    /// Places of stages; where there are any, no event is this step.
    pub stages: Vec<u8>,
    pub kinds: Vec<Kind>,
    /// Names of behaviours.
    pub events: Vec<String>,
    pub touchpoints: Vec<String>,
    pub channels: Vec<String>,
}

impl Step {
    fn is(&self, event: &Event<'_>) -> bool {
        let fits = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|known| known == value))
        };
        self.stages.is_empty()
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.events.is_empty() || event.kind == Kind::Behaviour)
            && fits(&self.events, event.name)
            && fits(&self.touchpoints, event.touchpoint)
            && fits(&self.channels, event.channel)
    }

    /// Whether entering a stage is this step; `is_first` of its funnel.
    fn is_stage(&self, stage: u8, is_first: bool, stages: &Stages) -> bool {
        let passes = |wanted: &u8| {
            let is_later = !is_first && stage > *wanted;
            stage == *wanted || (is_later && !stages.is_lapsed(stage) && !stages.is_lapsed(*wanted))
        };
        self.stages.iter().any(passes)
    }
}

/// A way that customers are expected to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    pub name: String,
    /// At most 32.
    pub steps: Vec<Step>,
    pub days: i32,
    /// Another step between two ends the way.
    pub is_strict: bool,
}

/// Makes `funnels`, and what [`DropOffs`] makes.
#[derive(Debug)]
pub struct Funnels {
    pub drop_offs: DropOffs,
    pub funnels: Vec<Funnel>,
    /// Periods that are told, among those of the journey's calendar.
    pub grains: Vec<Grain>,
}

/// Something that is a step of a funnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    at: i64,
    day: i32,
    funnel: usize,
    /// A bit a step.
    steps: u32,
    /// A stage entered, which may be several steps.
    is_stage: bool,
}

/// Of one customer.
#[derive(Debug, Default)]
pub struct Going {
    walk: Walk,
    trail: Trail,
    taken: Vec<Taken>,
}

/// All of a bucket.
#[derive(Debug, Default)]
pub struct Rows {
    pub drop_offs: drop_offs::Rows,
    pub counted: Counted,
}

/// One way gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// When each step was taken, as far as they were.
    pub(super) reached: Vec<i64>,
    /// Days to take steps in are not over.
    pub(super) is_open: bool,
}

/// Bits of the steps that `is` holds for; places are asked beside the steps.
fn bits(funnel: &Funnel, is: impl Fn(usize, &Step) -> bool) -> u32 {
    let steps = funnel.steps.iter().enumerate().filter(|(place, step)| is(*place, step));
    steps.fold(0, |bits, (place, _)| bits | bit(place))
}

fn bit(place: usize) -> u32 {
    u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place)).unwrap_or(0)
}

/// The steps from `first` up to `end`.
fn bits_between(first: usize, end: usize) -> u32 {
    (first..end).fold(0, |bits, place| bits | bit(place))
}

/// Finds what is to be step `step` among the things of one instant; those that are a step already
/// make room where something else can be theirs.
fn give(group: &[Taken], step: usize, owners: &mut [Option<usize>], asked: &mut [bool]) -> bool {
    for (i, taken) in group.iter().enumerate() {
        let is_new = asked.get(i).is_some_and(|asked| !asked);
        if !is_new || taken.steps & bit(step) == 0 {
            continue;
        }
        if taken.is_stage {
            return true;
        }
        if let Some(asked) = asked.get_mut(i) {
            *asked = true;
        }
        let owner = owners.get(i).copied().flatten();
        if owner.is_none_or(|other| give(group, other, owners, asked)) {
            if let Some(owner) = owners.get_mut(i) {
                *owner = Some(step);
            }
            return true;
        }
    }
    false
}

/// How many steps, from the one of place `next` on, the things of one instant are.
fn advance(group: &[Taken], next: usize, n_steps: usize) -> usize {
    let mut n = 0;
    let mut owners = vec![None; group.len()];
    while next + n < n_steps && give(group, next + n, &mut owners, &mut vec![false; group.len()]) {
        n += 1;
    }
    n
}

/// Follows a way from its first step, which is among the first of `taken`, until a time.
fn follow(taken: &[Taken], n_steps: usize, is_strict: bool, until: i64) -> Vec<i64> {
    let mut reached: Vec<i64> = Vec::new();
    for group in taken.chunk_by(|a, b| a.at == b.at) {
        let Some(at) = group.first().map(|first| first.at).filter(|at| *at <= until) else { break };
        let next = reached.len();
        reached.extend(std::iter::repeat_n(at, advance(group, next, n_steps)));
        // The step they stand at may come again.
        let allowed = bits_between(next.saturating_sub(1), reached.len());
        let strays = group.iter().any(|taken| taken.steps & allowed == 0);
        if reached.len() == n_steps || (is_strict && strays) {
            break;
        }
    }
    reached
}

impl Funnels {
    /// The stages entered that are steps of a funnel.
    fn entered(&self, stays: &[Stay], taken: &mut Vec<Taken>) {
        let stages = &self.drop_offs.journey.stages;
        for (place, funnel) in self.funnels.iter().enumerate() {
            for stay in stays {
                let steps = bits(funnel, |i, step| step.is_stage(stay.stage, i == 0, stages));
                if steps != 0 {
                    let (at, day) = (stay.entered_at, stay.entered_day);
                    taken.push(Taken { at, day, funnel: place, steps, is_stage: true });
                }
            }
        }
    }

    /// Counts one funnel of one customer; `own` is what they did of it, in order of time.
    fn count(&self, place: usize, own: &[Taken], mut tell: impl FnMut((usize, usize), &Gone)) {
        let Some(funnel) = self.funnels.get(place) else { return };
        let calendar = &self.drop_offs.journey.calendar;
        let end = calendar.midnight(self.drop_offs.journey.terms.horizon_day + 1);
        let mut begun = vec![None; calendar.periods().len()];
        let mut first = 0;
        for group in own.chunk_by(|a, b| a.at == b.at) {
            let start = first;
            first += group.len();
            let Some(taken) = group.iter().find(|taken| taken.steps & bit(0) != 0) else {
                continue;
            };
            let periods = calendar.periods().iter().enumerate().zip(&mut begun);
            let told = periods.filter(|((_, own), _)| self.grains.contains(&own.grain));
            let fresh = told.filter_map(|((grain, own), begun)| {
                let period = own.of(taken.day);
                (begun.replace(period) != Some(period)).then_some((grain, period))
            });
            let fresh: Vec<(usize, usize)> = fresh.collect();
            if fresh.is_empty() {
                continue;
            }
            let until = taken.at.saturating_add(i64::from(funnel.days) * DAY_US);
            let way = own.get(start..).unwrap_or_default();
            let reached = follow(way, funnel.steps.len(), funnel.is_strict, until);
            let gone = Gone { reached, is_open: until >= end };
            for period in fresh {
                tell(period, &gone);
            }
        }
    }
}

impl Fold for Funnels {
    type State = Going;
    type Rows = Rows;

    fn init(&self) -> Going {
        let (walk, trail) = self.drop_offs.init();
        Going { walk, trail, taken: Vec::new() }
    }

    fn step(&self, going: &mut Going, event: &Event<'_>) {
        self.drop_offs.journey.step(&mut going.walk, event);
        self.drop_offs.paths.step(&mut going.trail, event);
        for (funnel, told) in self.funnels.iter().enumerate() {
            let steps = bits(told, |_, step| step.is(event));
            if steps != 0 {
                let (at, day) = (event.at, event.day);
                going.taken.push(Taken { at, day, funnel, steps, is_stage: false });
            }
        }
    }

    fn mark(&self, going: &mut Going, mark: &Mark<'_>) {
        self.drop_offs.journey.mark(&mut going.walk, mark);
    }

    fn emit(&self, going: Going, customer: Customer<'_>, rows: &mut Rows) {
        let Going { mut walk, trail, mut taken } = going;
        let journey = &self.drop_offs.journey;
        self.entered(journey.stays(&mut walk), &mut taken);
        taken.sort_by_key(|taken| (taken.funnel, taken.at));
        let mut ways = Vec::new();
        for own in taken.chunk_by(|a, b| a.funnel == b.funnel) {
            let Some(funnel) = own.first().map(|taken| taken.funnel) else { continue };
            self.count(funnel, own, |(grain, period), gone| {
                ways.push(((funnel, grain, period), gone.clone()));
            });
        }
        if !ways.is_empty() {
            rows.counted.add(&Journey::who(&walk, customer), &ways);
        }
        self.drop_offs.emit((walk, trail), customer, &mut rows.drop_offs);
    }
}
