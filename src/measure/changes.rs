//! What changed with a change: metrics before, during and after it, inside its scope and outside.
//!
//! A difference between two stretches of time is not an effect: everything else went on as well. So
//! the same difference of all that the change did not concern stands beside, and is taken off; what
//! is left is an effect as far as both sides would have gone the same way without the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::error::ArrowError;

use super::kernel::change::{self, Difference, holm, of_difference};
use super::kernel::interval::{self, Interval, wilson};
use super::kernel::sample::Sample;
use super::scores::{Answer, DEFINITIONS, Statistic};

pub use super::kernel::change::Share;

/// Text of a scale or clock of metrics that have none.
pub const NONE: &str = "(none)";

/// What effects of changes read of their job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    pub confidence: f64,
    pub min_cell: u64,
    /// Last day that counts.
    pub horizon_day: i32,
}

/// A stretch of time relative to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Before,
    During,
    After,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// When a change came, in days since 1970-01-01, local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// First day of the change.
    pub from: i32,
    /// Last day on which it was under way; none: it came at once.
    pub until: Option<i32>,
    /// Length of the stretches before and after.
    pub days: i32,
}

impl When {
    /// First and last day of a phase; none where the change has no such phase.
    pub fn phase(&self, phase: Phase) -> Option<(i32, i32)> {
        match phase {
            Phase::Before => Some((self.from.saturating_sub(self.days), self.from - 1)),
            Phase::During => self.until.map(|until| (self.from, until)),
            Phase::After => {
                let first = self.until.map_or(self.from, |until| until.saturating_add(1));
                Some((first, first.saturating_add(self.days - 1)))
            }
        }
    }

    /// The phases that have begun by a day.
    fn phases(&self, horizon: i32) -> impl Iterator<Item = (Phase, (i32, i32))> {
        let all = [Phase::Before, Phase::During, Phase::After];
        let all = all.map(|phase| Some((phase, self.phase(phase)?)));
        all.into_iter().flatten().filter(move |(_, (first, _))| *first <= horizon)
    }

    /// First and last day of all phases.
    pub fn whole(&self) -> (i32, i32) {
        let last = self.phase(Phase::After).map_or(self.from, |(_, last)| last);
        (self.from.saturating_sub(self.days), last)
    }
}

/// What is told apart: a metric on one scale.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    pub name: String,
    pub scale: String,
}

/// One thing that was observed, so many times.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// An answer; its dimension is the scope's.
    Answer(Answer),
    /// A number of a metric that is a mean, on its day.
    Number { metric: String, day: i32, is_inside: bool, value: i64, count: u64 },
    /// Hits of a metric that is a share, over days of which all must lie in a phase.
    Hits { metric: String, days: (i32, i32), is_inside: bool, share: Share },
}

/// A metric over one phase and side.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Score(Statistic),
    Share(Share),
    Mean(Sample),
}

impl Told {
    fn n(&self) -> u64 {
        match self {
            Self::Score(statistic) => statistic.n(),
            Self::Share(share) => share.n,
            Self::Mean(sample) => sample.n,
        }
    }

    fn value(&self) -> f64 {
        match self {
            Self::Score(statistic) => statistic.score(),
            Self::Share(share) => share.k as f64 / share.n as f64,
            Self::Mean(sample) => sample.mean,
        }
    }

    fn interval(&self, confidence: f64) -> Option<Interval> {
        match self {
            Self::Score(statistic) => statistic.interval(confidence),
            Self::Share(share) => Some(wilson(share.k, share.n, confidence)),
            Self::Mean(sample) => interval::mean(sample, confidence),
        }
    }

    fn minus(&self, other: &Self, confidence: f64) -> Option<Difference> {
        match (self, other) {
            (Self::Score(one), Self::Score(two)) => one.minus(two, confidence),
            (Self::Share(one), Self::Share(two)) => change::proportions(*one, *two, confidence),
            (Self::Mean(one), Self::Mean(two)) => change::means(one, two, confidence),
            _ => None,
        }
    }
}

/// One row of `change_effects`.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    pub change: String,
    pub scope: String,
    pub metric: Metric,
    pub phase: Phase,
    pub first_day: i32,
    pub last_day: i32,
    pub is_complete: bool,
    pub n: u64,
    pub is_suppressed: bool,
    pub value: Option<f64>,
    pub interval: Option<Interval>,
    pub difference: Option<Difference>,
    pub p_value_holm: Option<f64>,
    pub n_rest: u64,
    pub rest_value: Option<f64>,
    pub rest_difference: Option<f64>,
    pub net: Option<(f64, Interval)>,
}

/// A metric in all phases, inside the scope and outside.
type Sides = BTreeMap<(Metric, Phase, bool), Told>;

/// Effects of one change on what was observed; `scope` is its value of the answers' dimension.
pub fn effects(
    name: &str,
    when: When,
    (scope, scope_text): (&str, &str),
    facts: &[Fact],
    metrics: &[&str],
    terms: Terms,
) -> Vec<Effect> {
    let phases: Vec<_> = when.phases(terms.horizon_day).collect();
    let mut sides = Sides::new();
    scores(&mut sides, &phases, scope, facts, metrics);
    others(&mut sides, &phases, facts);
    let mut asked: Vec<&Metric> = sides.keys().map(|(metric, _, _)| metric).collect();
    asked.dedup();
    let mut effects = Vec::new();
    for metric in asked {
        for (phase, days) in &phases {
            let mut effect = effect(&sides, metric, *phase, terms);
            name.clone_into(&mut effect.change);
            scope_text.clone_into(&mut effect.scope);
            (effect.first_day, effect.last_day) = *days;
            effect.is_complete = days.1 <= terms.horizon_day;
            effects.push(effect);
        }
    }
    let p_values: Vec<_> =
        effects.iter().map(|effect: &Effect| effect.difference?.p_value).collect();
    for (effect, p_value) in effects.iter_mut().zip(holm(&p_values)) {
        effect.p_value_holm = p_value;
    }
    effects
}

fn within(days: (i32, i32), phase: (i32, i32)) -> bool {
    phase.0 <= days.0 && days.1 <= phase.1
}

/// Answers by all readings of the metrics asked for.
fn scores(
    sides: &mut Sides,
    phases: &[(Phase, (i32, i32))],
    scope: &str,
    facts: &[Fact],
    metrics: &[&str],
) {
    for definition in DEFINITIONS.iter().filter(|definition| metrics.contains(&definition.id)) {
        let mut counts: BTreeMap<_, BTreeMap<(i64, Option<bool>), u64>> = BTreeMap::new();
        for fact in facts {
            let Fact::Answer(answer) = fact else { continue };
            let Some(reading) = definition.reading(answer.scale) else { continue };
            let score =
                if answer.is_effort { answer.scale.inverted(answer.score) } else { answer.score };
            let given = (score, answer.favourable);
            let is_asked = answer.metric == definition.asks && answer.scale.holds(answer.score);
            if !is_asked || !reading.counts(given) {
                continue;
            }
            for (phase, days) in phases {
                if within((answer.day, answer.day), *days) {
                    let side = (answer.scale, *phase, answer.value == scope);
                    *counts.entry(side).or_default().entry(given).or_default() += answer.count;
                }
            }
        }
        for ((scale, phase, is_inside), counts) in counts {
            let metric = Metric { name: definition.id.to_owned(), scale: scale.to_string() };
            let told = definition.reading(scale).and_then(|reading| reading.statistic(&counts));
            sides.extend(told.map(|told| ((metric, phase, is_inside), Told::Score(told))));
        }
    }
}

/// Shares and means of everything that is no answer.
fn others(sides: &mut Sides, phases: &[(Phase, (i32, i32))], facts: &[Fact]) {
    let mut shares: BTreeMap<(&str, Phase, bool), Share> = BTreeMap::new();
    let mut numbers: BTreeMap<(&str, Phase, bool), BTreeMap<i64, u64>> = BTreeMap::new();
    for fact in facts {
        for (phase, days) in phases {
            match fact {
                Fact::Hits { metric, days: own, is_inside, share } if within(*own, *days) => {
                    let sum =
                        shares.entry((metric, *phase, *is_inside)).or_insert(Share { k: 0, n: 0 });
                    (sum.k, sum.n) = (sum.k + share.k, sum.n + share.n);
                }
                Fact::Number { metric, day, is_inside, value, count }
                    if within((*day, *day), *days) =>
                {
                    let known = numbers.entry((metric, *phase, *is_inside)).or_default();
                    *known.entry(*value).or_default() += count;
                }
                _ => {}
            }
        }
    }
    let metric = |name: &str| Metric { name: name.to_owned(), scale: NONE.to_owned() };
    for ((name, phase, is_inside), share) in shares {
        if share.n > 0 {
            sides.insert((metric(name), phase, is_inside), Told::Share(share));
        }
    }
    for ((name, phase, is_inside), counts) in numbers {
        let sample = Sample::of(counts.iter().map(|(value, count)| (*value as f64, *count)));
        sides.extend(sample.map(|sample| ((metric(name), phase, is_inside), Told::Mean(sample))));
    }
}

fn effect(sides: &Sides, metric: &Metric, phase: Phase, terms: Terms) -> Effect {
    let told = |phase: Phase, is_inside: bool| sides.get(&(metric.clone(), phase, is_inside));
    let shown = |phase: Phase, is_inside: bool| {
        told(phase, is_inside).filter(|told| told.n() >= terms.min_cell)
    };
    // What was before is held against nothing.
    let since = |is_inside: bool| {
        let before = shown(Phase::Before, is_inside).filter(|_| phase != Phase::Before)?;
        shown(phase, is_inside)?.minus(before, terms.confidence)
    };
    let n = |is_inside: bool| told(phase, is_inside).map_or(0, Told::n);
    let now = shown(phase, true);
    let difference = since(true);
    let rest = if now.is_some() { since(false) } else { None };
    let net = difference.zip(rest).map(|(own, rest)| {
        let limits =
            of_difference((own.difference, own.interval), (rest.difference, rest.interval));
        (own.difference - rest.difference, limits)
    });
    Effect {
        change: String::new(),
        scope: String::new(),
        metric: metric.clone(),
        phase,
        first_day: 0,
        last_day: 0,
        is_complete: false,
        n: n(true),
        is_suppressed: now.is_none(),
        value: now.map(Told::value),
        interval: now.and_then(|now| Some(now.interval(terms.confidence)?.around(now.value()))),
        difference,
        p_value_holm: None,
        n_rest: n(false),
        rest_value: now.and(shown(phase, false)).map(Told::value),
        rest_difference: rest.map(|rest| rest.difference),
        net,
    }
}

/// Rows of `change_effects`.
///
/// # Errors
/// None in practice: the columns are of one length.
pub fn batch(effects: &[Effect]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Effect) -> &str| -> ArrayRef {
        Arc::new(effects.iter().map(|effect| Some(of(effect))).collect::<StringArray>())
    };
    let whole = |of: fn(&Effect) -> u64| -> ArrayRef {
        Arc::new(effects.iter().map(|e| i64::try_from(of(e)).ok()).collect::<Int64Array>())
    };
    let float = |of: fn(&Effect) -> Option<f64>| -> ArrayRef {
        let finite = |effect| of(effect).filter(|value: &f64| value.is_finite());
        Arc::new(effects.iter().map(finite).collect::<Float64Array>())
    };
    let day = |of: fn(&Effect) -> i32| -> ArrayRef {
        Arc::new(effects.iter().map(|effect| Some(of(effect))).collect::<Date32Array>())
    };
    let flag = |of: fn(&Effect) -> bool| -> ArrayRef {
        Arc::new(effects.iter().map(|effect| Some(of(effect))).collect::<BooleanArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("change_name", text(|effect| &effect.change)),
        ("metric", text(|effect| &effect.metric.name)),
        ("scale", text(|effect| &effect.metric.scale)),
        ("phase", text(|effect| effect.phase.name())),
        ("definition_id", text(|_| "change_effect")),
        ("definition_version", whole(|_| 1)),
        ("scope", text(|effect| &effect.scope)),
        ("first_date", day(|effect| effect.first_day)),
        ("last_date", day(|effect| effect.last_day)),
        ("is_complete", flag(|effect| effect.is_complete)),
        ("n", whole(|effect| effect.n)),
        ("is_suppressed", flag(|effect| effect.is_suppressed)),
        ("value", float(|effect| effect.value)),
        ("ci_low", float(|effect| effect.interval.map(|interval| interval.low))),
        ("ci_high", float(|effect| effect.interval.map(|interval| interval.high))),
        ("difference", float(|effect| Some(effect.difference?.difference))),
        ("difference_low", float(|effect| Some(effect.difference?.interval.low))),
        ("difference_high", float(|effect| Some(effect.difference?.interval.high))),
        ("p_value", float(|effect| effect.difference?.p_value)),
        ("p_value_holm", float(|effect| effect.p_value_holm)),
        ("n_rest", whole(|effect| effect.n_rest)),
        ("rest_value", float(|effect| effect.rest_value)),
        ("rest_difference", float(|effect| effect.rest_difference)),
        ("net_difference", float(|effect| Some(effect.net?.0))),
        ("net_low", float(|effect| Some(effect.net?.1.low))),
        ("net_high", float(|effect| Some(effect.net?.1.high))),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns)
}
