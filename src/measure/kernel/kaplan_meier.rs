//! How long until it happens, when for some it has not happened yet.
//!
//! Kaplan & Meier 1958; Greenwood's variance; log–log intervals (Kalbfleisch & Prentice 1980,
//! eq. 1.13), which stay between 0 and 1; median by Brookmeyer & Crowley 1982.

use std::collections::BTreeMap;

use super::interval::Interval;
use super::special::two_sided_z;

/// Equal subjects: how long they were watched, whether it happened then, how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    pub time: i64,
    /// It happened at `time`; otherwise nothing is known after it (censored).
    pub event: bool,
    pub count: u64,
}

/// The curve from one observed time on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub time: i64,
    /// Still watched just before `time`.
    pub at_risk: u64,
    pub events: u64,
    pub censored: u64,
    /// Share for whom it has not happened after `time`.
    pub survival: f64,
    /// None while the curve is at 1, and at 0: the log–log interval is not defined there.
    pub interval: Option<Interval>,
}

/// A survival curve: one step for each time with an event or a censoring, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    pub n: u64,
    pub steps: Vec<Step>,
}

/// A time by which a share has gone, with its limits; a limit the data do not reach is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantile {
    pub time: Option<i64>,
    pub low: Option<i64>,
    pub high: Option<i64>,
}

/// A product of fractions that should be one half can miss it by rounding.
const TOLERANCE: f64 = 1e-12;

/// The curve of any number of subjects, in any order.
pub fn kaplan_meier(observed: &[Observed], confidence: f64) -> Curve {
    let mut times: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for subject in observed.iter().filter(|subject| subject.count > 0) {
        let (events, censored) = times.entry(subject.time).or_default();
        *(if subject.event { events } else { censored }) += subject.count;
    }
    let n = times.values().map(|(events, censored)| events + censored).sum();
    let z = two_sided_z(confidence);
    let (mut at_risk, mut left) = (n, Left::default());
    let mut steps = Vec::with_capacity(times.len());
    for (time, (events, censored)) in times {
        left.lose(at_risk, events);
        let (survival, interval) = (left.survival, left.interval(z));
        steps.push(Step { time, at_risk, events, censored, survival, interval });
        at_risk -= events + censored;
    }
    Curve { n, steps }
}

/// The median of single subjects, from the times of those whom it happened to and of those whom it
/// had not: [`kaplan_meier`]'s, to the last bit, without the curve. Both lists are sorted.
pub fn median_of(happened: &[i64], censored: &[i64], confidence: f64) -> Quantile {
    let z = two_sided_z(confidence);
    let least = 0.5 + TOLERANCE;
    let half = -least.ln();
    let n = (happened.len() + censored.len()) as u64;
    let mut left = Left::default();
    let (mut before, mut gone_before) = (0_usize, 0_u64);
    let mut found = Quantile { time: None, low: None, high: None };
    for together in happened.chunk_by(|one, other| one == other) {
        let Some(time) = together.first().copied() else { continue };
        while censored.get(before).is_some_and(|at| *at < time) {
            before += 1;
        }
        let (at_risk, events) = (n - gone_before - before as u64, together.len() as u64);
        gone_before += events;
        left.lose(at_risk, events);
        found.time = found.time.or((left.survival <= least).then_some(time));
        // Limits cost two powers a step: only steps near the half are asked for them. They are
        // where -ln S times exp(±x) passes `half`, and exp(x) ≤ 1 / (1 - x), exp(-x) ≤ 1 / (1 + x).
        let is_far = |lower: bool| {
            let gone = -left.survival.ln();
            let x = z * left.greenwood.sqrt() / gone;
            let most = if lower { gone / (1.0 - x) } else { gone / (1.0 + x) };
            (!lower || x < 1.0) && most < half * (1.0 - 1e-9)
        };
        let passes = |of: fn(Interval) -> f64| {
            limit(left.survival, left.interval(z), of).is_some_and(|limit| limit <= least)
        };
        if found.low.is_none() && !is_far(true) && passes(|interval| interval.low) {
            found.low = Some(time);
        }
        if found.time.is_some()
            && found.high.is_none()
            && !is_far(false)
            && passes(|interval| interval.high)
        {
            found.high = Some(time);
        }
        if found.time.is_some() && found.low.is_some() && found.high.is_some() {
            break;
        }
    }
    found
}

/// Who is left after some steps.
#[derive(Debug, Clone, Copy)]
struct Left {
    survival: f64,
    /// Greenwood's sum.
    greenwood: f64,
}

impl Default for Left {
    fn default() -> Self {
        Self { survival: 1.0, greenwood: 0.0 }
    }
}

impl Left {
    fn lose(&mut self, at_risk: u64, events: u64) {
        let (risk, gone) = (at_risk as f64, events as f64);
        self.survival *= (at_risk - events) as f64 / risk;
        self.greenwood += gone / (risk * (risk - gone));
    }

    fn interval(&self, z: f64) -> Option<Interval> {
        let Self { survival, greenwood } = *self;
        if survival <= 0.0 || survival >= 1.0 {
            return None;
        }
        let half = z * greenwood.sqrt() / survival.ln();
        // `half` is negative: the larger power is the lower limit.
        Some(Interval::new(survival.powf((-half).exp()), survival.powf(half.exp())))
    }
}

/// A limit of a share; at zero no interval is defined, and both limits are taken to be zero as well.
fn limit(survival: f64, interval: Option<Interval>, of: fn(Interval) -> f64) -> Option<f64> {
    interval.map(of).or((survival <= 0.0).then_some(0.0))
}

impl Curve {
    /// Share for whom it has not happened after `time`.
    pub fn at(&self, time: i64) -> f64 {
        let before = self.steps.partition_point(|step| step.time <= time);
        before.checked_sub(1).and_then(|i| self.steps.get(i)).map_or(1.0, |step| step.survival)
    }

    /// First time at which at most `1 - share` is left.
    pub fn quantile(&self, share: f64) -> Quantile {
        let left = 1.0 - share + TOLERANCE;
        let first = |value: &dyn Fn(&Step) -> Option<f64>| {
            let reached = |step: &&Step| value(step).is_some_and(|value| value <= left);
            self.steps.iter().find(reached).map(|step| step.time)
        };
        let limit = |step: &Step, of| limit(step.survival, step.interval, of);
        Quantile {
            time: first(&|step| Some(step.survival)),
            low: first(&|step| limit(step, |interval| interval.low)),
            high: first(&|step| limit(step, |interval| interval.high)),
        }
    }

    /// Time by which half have gone.
    pub fn median(&self) -> Quantile {
        self.quantile(0.5)
    }

    /// Area under the curve from 0 to `until`: mean time lived within it.
    pub fn restricted_mean(&self, until: i64) -> f64 {
        let (mut area, mut from, mut level) = (0.0, 0, 1.0);
        for step in self.steps.iter().take_while(|step| step.time < until) {
            area += level * (step.time - from) as f64;
            (from, level) = (step.time, step.survival);
        }
        area + level * (until - from) as f64
    }

    /// The same with its interval: its variance is Σ A(t)² d / (n (n − d)) over the event times
    /// before `until`, where A(t) is the area from t on (Klein & Moeschberger 2003, eq. 4.5.2).
    pub fn restricted_mean_interval(&self, until: i64, confidence: f64) -> Interval {
        let mean = self.restricted_mean(until);
        let (mut after, mut from, mut level, mut variance) = (mean, 0, 1.0, 0.0);
        for step in self.steps.iter().take_while(|step| step.time < until) {
            after -= level * (step.time - from) as f64;
            (from, level) = (step.time, step.survival);
            let (risk, gone) = (step.at_risk as f64, step.events as f64);
            if gone > 0.0 && risk > gone {
                variance += after * after * gone / (risk * (risk - gone));
            }
        }
        let half = two_sided_z(confidence) * variance.sqrt();
        Interval::new(mean - half, mean + half).clamp(0.0, until as f64)
    }
}
