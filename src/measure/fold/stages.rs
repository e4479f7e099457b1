//! Which stage of the journey a customer is in, from the rules that fired and from silence.
//!
//! A rule moves a customer forward, over as many stages as it skips; it moves them back only as far
//! as it says, or out of `lapsed`. `lapsed` is entered on the local day that `inactive_days` of
//! silence complete; a rule that fires is a sign of life like any activity, and so is paid access.
//! Out of `lapsed` leads only a rule: an activity that none fits says nothing about a stage.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::calendar::{Calendar, Grain};
use super::columns::{batch, counts, days, flags, texts, times};
use super::dimensions::Who;
use super::mark::{Mark, Rule};
use super::membership::is_activity;
use super::stage_metrics::{Answers, StageMetrics};
use super::{Customer, Event, Fold, FoldError, Kind, Terms};

const TABLE: &str = "journey_stage_history";
/// The stage that tells before from after.
const PURCHASE: &str = "purchase";

/// The job's stages, in the order customers are expected to pass them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages {
    pub names: Vec<String>,
    lapsed: Option<u8>,
    purchase: Option<u8>,
}

impl Stages {
    /// Silence leads to `lapsed`, where it is one of them.
    pub fn new(names: &[String], lapsed: &str) -> Self {
        let mut stages = Self { names: names.to_vec(), lapsed: None, purchase: None };
        (stages.lapsed, stages.purchase) = (stages.place(lapsed), stages.place(PURCHASE));
        stages
    }

    /// Place of a stage in the job's order.
    pub fn place(&self, wanted: &str) -> Option<u8> {
        let place = self.names.iter().position(|name| name == wanted);
        place.and_then(|at| u8::try_from(at).ok())
    }

    pub fn name(&self, stage: u8) -> &str {
        self.names.get(usize::from(stage)).map_or("", String::as_str)
    }

    /// `before`, `during` or `after` the purchase, where the job has such a stage.
    pub fn phase(&self, stage: u8) -> Option<&'static str> {
        Some(match stage.cmp(&self.purchase?) {
            std::cmp::Ordering::Less => "before",
            std::cmp::Ordering::Equal => "during",
            std::cmp::Ordering::Greater => "after",
        })
    }

    pub fn is_lapsed(&self, stage: u8) -> bool {
        self.lapsed == Some(stage)
    }

    /// Whether a customer can still move forward from here.
    pub fn has_next(&self, stage: u8) -> bool {
        let after = stage.saturating_add(1)..u8::try_from(self.names.len()).unwrap_or(u8::MAX);
        !self.is_lapsed(stage) && after.into_iter().any(|later| !self.is_lapsed(later))
    }
}

/// What brought a customer into a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Place of the rule in [`super::Marks::rules`].
    Rule(u16),
    Silence,
}

/// The time a customer is in one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    pub stage: u8,
    pub entered_at: i64,
    pub entered_day: i32,
    pub left_at: Option<i64>,
    pub by: By,
    pub is_reversal: bool,
    /// Stages between the one before and this that were not passed.
    pub skipped: u8,
    pub answers: Answers,
}

/// Makes `journey_stage_history` and `journey_stage_metrics`.
#[derive(Debug, Clone)]
pub struct Journey {
    pub terms: Terms,
    pub stages: Stages,
    /// With months, and the other periods of the metrics.
    pub calendar: Arc<Calendar>,
}

/// Of one customer.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    stays: Vec<Stay>,
    /// Last sign of life.
    alive: i32,
    /// Local day of the event before, and its time.
    today: (i64, i32),
    /// Orders and subscriptions started.
    purchases: i64,
    /// When a rule last counted: of one instant only one does.
    ruled_at: Option<i64>,
    subscriptions: i32,
    has_subscription: bool,
    has_bought: bool,
    channel: Option<Box<str>>,
    source: Option<Box<str>>,
}

/// Stays of the customers of a bucket, and what is counted of them.
#[derive(Debug, Default)]
pub struct Rows {
    customers: Vec<String>,
    /// Customer (a place in `customers`) and stay.
    stays: Vec<(usize, Stay)>,
    pub metrics: StageMetrics,
}

impl Journey {
    /// Enters `lapsed` if silence completed before `today`.
    fn lapse(&self, walk: &mut Walk, today: i32) {
        let (Some(lapsed), Some(current)) = (self.stages.lapsed, walk.stays.last()) else { return };
        let silent = walk.alive.saturating_add(self.terms.inactive_days.max(1));
        if current.stage == lapsed || walk.subscriptions > 0 || silent >= today {
            return;
        }
        let at = self.calendar.midnight(silent);
        enter(walk, Stay { by: By::Silence, ..stay(lapsed, at, silent) });
    }

    /// All stays of a life that is over, as far as the horizon knows.
    pub(super) fn stays<'a>(&self, walk: &'a mut Walk) -> &'a [Stay] {
        self.lapse(walk, self.terms.horizon_day + 1);
        &walk.stays
    }

    /// What is known of a customer whose life is over.
    pub(super) fn who<'a>(walk: &'a Walk, customer: Customer<'a>) -> Who<'a> {
        let relationship = match (walk.has_subscription, walk.has_bought) {
            (true, _) => "contractual",
            (false, true) => "non_contractual",
            (false, false) => "prospect",
        };
        Who {
            acquisition_channel: walk.channel.as_deref(),
            country: customer.country,
            relationship,
            source: walk.source.as_deref(),
        }
    }
}

fn stay(stage: u8, at: i64, day: i32) -> Stay {
    Stay {
        stage,
        entered_at: at,
        entered_day: day,
        left_at: None,
        by: By::Silence,
        is_reversal: false,
        skipped: 0,
        answers: Answers::default(),
    }
}

fn enter(walk: &mut Walk, stay: Stay) {
    if let Some(before) = walk.stays.last_mut() {
        before.left_at = Some(stay.entered_at);
    }
    walk.stays.push(stay);
}

impl Fold for Journey {
    type State = Walk;
    type Rows = Rows;

    fn init(&self) -> Walk {
        Walk::default()
    }

    fn step(&self, walk: &mut Walk, event: &Event<'_>) {
        self.lapse(walk, event.day);
        walk.today = (event.at, event.day);
        if is_activity(event) {
            walk.alive = walk.alive.max(event.day);
        }
        if walk.source.is_none() || (!walk.has_bought && event.kind == Kind::Order) {
            walk.source = event.source.map(Box::from);
        }
        match event.kind {
            Kind::ContactCreated if walk.channel.is_none() => {
                walk.channel = event.channel.map(Box::from);
            }
            Kind::Order => {
                walk.has_bought = true;
                walk.purchases += 1;
            }
            Kind::SubscriptionStarted => {
                walk.purchases += 1;
                walk.subscriptions += 1;
                walk.has_subscription = true;
            }
            Kind::SubscriptionEnded => {
                walk.subscriptions -= 1;
                walk.alive = walk.alive.max(event.day);
            }
            Kind::SurveyAnswered => {
                if let Some(stay) = walk.stays.last_mut() {
                    stay.answers.take(event);
                }
            }
            _ => {}
        }
    }

    fn mark(&self, walk: &mut Walk, mark: &Mark<'_>) {
        let rule = mark.rule;
        if walk.ruled_at == Some(mark.at) || walk.purchases < rule.min_purchases {
            return;
        }
        walk.ruled_at = Some(mark.at);
        let day = if walk.today.0 == mark.at { walk.today.1 } else { self.calendar.day(mark.at) };
        self.lapse(walk, day);
        walk.alive = walk.alive.max(day);
        let (is_reversal, skipped) = match walk.stays.last().map(|stay| stay.stage) {
            None => (false, rule.stage),
            Some(current) if current == rule.stage => return,
            Some(current) if self.stages.is_lapsed(current) => (true, 0),
            Some(current) if rule.stage > current => (false, rule.stage - current - 1),
            Some(current) if i64::from(current - rule.stage) <= rule.steps_back => (true, 0),
            Some(_) => return,
        };
        let by = By::Rule(mark.place);
        enter(walk, Stay { by, is_reversal, skipped, ..stay(rule.stage, mark.at, day) });
    }

    fn emit(&self, mut walk: Walk, customer: Customer<'_>, rows: &mut Rows) {
        if self.stays(&mut walk).is_empty() {
            return;
        }
        let who = Self::who(&walk, customer);
        rows.metrics.add(self, &who, &walk.stays);
        let place = rows.customers.len();
        rows.customers.push(customer.id.to_owned());
        rows.stays.extend(walk.stays.into_iter().map(|stay| (place, stay)));
    }
}

impl Rows {
    /// Rows of `journey_stage_history`; `rules` are those of the bucket's marks.
    ///
    /// # Errors
    /// None in practice: the columns are of one length.
    pub fn history(&self, journey: &Journey, rules: &[Rule]) -> Result<RecordBatch, FoldError> {
        let stays = || self.stays.iter().map(|(_, stay)| stay);
        let rule = |stay: &Stay| match stay.by {
            By::Rule(place) => rules.get(usize::from(place)),
            By::Silence => None,
        };
        let customer = |(place, _): &(usize, Stay)| self.customers.get(*place);
        let months = journey.calendar.periods().iter().find(|p| p.grain == Grain::Month);
        let month = |stay: &Stay| {
            months.map_or(stay.entered_day, |months| months.start(months.of(stay.entered_day)))
        };
        let stage = |stay: &Stay| journey.stages.name(stay.stage);
        batch(
            TABLE,
            vec![
                ("customer_id", texts(self.stays.iter().map(customer))),
                ("entered_at", times(stays().map(|stay| Some(stay.entered_at)))),
                ("stage_position", counts(stays().map(|stay| Some(i64::from(stay.stage))))),
                ("stage", texts(stays().map(|stay| Some(stage(stay))))),
                ("phase", texts(stays().map(|stay| journey.stages.phase(stay.stage)))),
                (
                    "entered_by",
                    texts(stays().map(|s| Some(rule(s).map_or("silence", |r| r.name.as_str())))),
                ),
                (
                    "stage_version",
                    counts(stays().map(|s| Some(rule(s).map_or(1, |rule| rule.version)))),
                ),
                ("left_at", times(stays().map(|stay| stay.left_at))),
                ("is_current", flags(stays().map(|stay| stay.left_at.is_none()))),
                ("is_reversal", flags(stays().map(|stay| stay.is_reversal))),
                ("n_skipped", counts(stays().map(|stay| Some(i64::from(stay.skipped))))),
                ("month", days(stays().map(month))),
            ],
        )
    }
}
