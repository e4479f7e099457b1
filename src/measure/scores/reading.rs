//! What an answer counts as: scales, favourable sets, and the readings of each metric.

use std::fmt;

use super::Counts;
use crate::measure::kernel::change::{self, Difference, Share};
use crate::measure::kernel::interval::{self, Interval, Nps, wilson};
use crate::measure::kernel::sample::Sample;

/// Ten-thousandths of one point.
const POINT: i64 = 10_000;

/// Least and greatest answer, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale {
    pub min: i64,
    pub max: i64,
}

impl Scale {
    /// Of whole points.
    pub const fn points(min: i64, max: i64) -> Self {
        Self { min: min * POINT, max: max * POINT }
    }

    pub fn holds(self, score: i64) -> bool {
        self.min < self.max && self.min <= score && score <= self.max
    }

    /// Where a score lies between the least and the greatest answer, 0 to 1.
    pub fn norm(self, score: f64) -> f64 {
        (score - self.min as f64) / (self.max - self.min) as f64
    }

    /// The answer as if the scale ran the other way.
    pub fn inverted(self, score: i64) -> i64 {
        self.min + self.max - score
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = |value: i64| value as f64 / POINT as f64;
        write!(f, "{}-{}", points(self.min), points(self.max))
    }
}

/// How answers become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Promoters from, detractors up to.
    Nps { promoters: i64, detractors: i64 },
    /// Share of answers from this one on; none: the field agrees on no set, and only answers for
    /// which the job names one are counted.
    Share { favourable: Option<i64> },
    /// Mean answer, with the answers from `favourable` on counted beside it.
    Mean { favourable: Option<i64> },
    /// Mean of (answer − min) / (max − min).
    Norm(Scale),
}

/// A published metric: what is asked, and how its answers are read.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    pub id: &'static str,
    pub version: i64,
    /// Metric of the answers it is computed from.
    pub asks: &'static str,
    on: fn(Scale) -> Option<Reading>,
}

impl Definition {
    /// How answers on a scale are read; none where the metric is not defined.
    pub fn reading(&self, scale: Scale) -> Option<Reading> {
        (self.on)(scale)
    }
}

const fn definition(
    id: &'static str,
    asks: &'static str,
    on: fn(Scale) -> Option<Reading>,
) -> Definition {
    Definition { id, version: 1, asks, on }
}

/// All scores; `metric_definitions` says the same in words.
pub const DEFINITIONS: [Definition; 11] = [
    definition("nps", "nps", |scale| nps(scale, 6)),
    definition("nps_strict5", "nps", |scale| nps(scale, 5)),
    definition("ltr_mean", "nps", |scale| {
        nps(scale, 6).and(Some(Reading::Mean { favourable: None }))
    }),
    definition("enps", "enps", |scale| nps(scale, 6)),
    definition("csat", "csat", |scale| share(csat(scale))),
    definition("csat_mean", "csat", |scale| mean(csat(scale))),
    definition("ces", "ces", |scale| share(ces(scale))),
    definition("ces_mean", "ces", |scale| mean(ces(scale))),
    definition("ces_norm", "ces", |scale| Some(Reading::Norm(scale))),
    definition("star", "star", |scale| mean(star(scale))),
    definition("star_share", "star", |scale| share(star(scale))),
];

/// An answer: its score in ten-thousandths, and whether the job counts it as favourable.
pub type Given = (i64, Option<bool>);

impl Reading {
    /// Whether every answer on the scale counts.
    pub(super) fn counts_all(self) -> bool {
        !matches!(self, Self::Share { favourable: None })
    }

    /// Whether an answer counts.
    pub fn counts(self, (_, favourable): Given) -> bool {
        self.counts_all() || favourable.is_some()
    }

    /// An answer as a number whose mean is the score, as a fraction: 1, 0, −1 for NPS, 1 and 0 for
    /// shares, the answer for means.
    pub(super) fn value(self, (score, favourable): Given) -> f64 {
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        match self {
            Self::Nps { promoters, detractors } => {
                flag(score >= promoters) - flag(score <= detractors)
            }
            Self::Share { favourable: first } => flag(is_favourable((score, favourable), first)),
            Self::Mean { .. } => score as f64 / POINT as f64,
            Self::Norm(Scale { min, max }) => (score - min) as f64 / (max - min) as f64,
        }
    }
}

fn is_favourable((score, named): Given, first: Option<i64>) -> bool {
    named.unwrap_or_else(|| first.is_some_and(|first| score >= first))
}

fn nps(scale: Scale, detractors: i64) -> Option<Reading> {
    let is_standard = scale == Scale::points(0, 10);
    is_standard.then_some(Reading::Nps { promoters: 9 * POINT, detractors: detractors * POINT })
}

/// Where the field agrees on no favourable set, the job may name one.
#[expect(clippy::unnecessary_wraps, reason = "one shape for all readings")]
fn share(favourable: Option<i64>) -> Option<Reading> {
    Some(Reading::Share { favourable })
}

/// A mean can be read off any scale.
#[expect(clippy::unnecessary_wraps, reason = "one shape for all readings")]
fn mean(favourable: Option<i64>) -> Option<Reading> {
    Some(Reading::Mean { favourable })
}

/// First favourable answer, of the scales for which the field agrees on one.
fn from(scale: Scale, agreed: &[(i64, i64, i64)]) -> Option<i64> {
    let found = agreed.iter().find(|(min, max, _)| scale == Scale::points(*min, *max));
    found.map(|(_, _, first)| first * POINT)
}

fn csat(scale: Scale) -> Option<i64> {
    from(scale, &[(1, 5, 4), (1, 7, 6), (1, 10, 9), (1, 3, 3), (0, 1, 1)])
}

fn ces(scale: Scale) -> Option<i64> {
    from(scale, &[(1, 7, 5), (1, 5, 4)])
}

fn star(scale: Scale) -> Option<i64> {
    from(scale, &[(1, 5, 4)])
}

/// A reading of some answers, before it is a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    Nps(Nps),
    Share(Share),
    Mean { sample: Sample, favourable: Option<u64> },
}

impl Reading {
    /// None of no answers.
    pub fn statistic(self, counts: &Counts) -> Option<Statistic> {
        let n: u64 = counts.values().sum();
        if n == 0 {
            return None;
        }
        let of = |is: &dyn Fn(Given) -> bool| -> u64 {
            counts.iter().filter(|(given, _)| is(**given)).map(|(_, count)| count).sum()
        };
        let values = || counts.iter().map(|(given, count)| (self.value(*given), *count));
        Some(match self {
            Self::Nps { promoters, detractors } => Statistic::Nps(Nps {
                promoters: of(&|(score, _)| score >= promoters),
                detractors: of(&|(score, _)| score <= detractors),
                n,
            }),
            Self::Share { favourable } => {
                Statistic::Share(Share { k: of(&|given| is_favourable(given, favourable)), n })
            }
            Self::Mean { favourable } => {
                let is_named = counts.keys().any(|(_, named)| named.is_some());
                let k = of(&|given| is_favourable(given, favourable));
                let favourable = (is_named || favourable.is_some()).then_some(k);
                Statistic::Mean { sample: Sample::of(values())?, favourable }
            }
            Self::Norm(_) => Statistic::Mean { sample: Sample::of(values())?, favourable: None },
        })
    }
}

impl Statistic {
    /// Answers counted.
    pub fn n(&self) -> u64 {
        match self {
            Self::Nps(nps) => nps.n,
            Self::Share(share) => share.n,
            Self::Mean { sample, .. } => sample.n,
        }
    }

    /// In the unit that is published.
    pub fn score(&self) -> f64 {
        match self {
            Self::Nps(nps) => 100.0 * nps.fraction(),
            Self::Share(share) => 100.0 * share.k as f64 / share.n as f64,
            Self::Mean { sample, .. } => sample.mean,
        }
    }

    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let interval = match self {
            Self::Nps(nps) => nps.adjusted_wald(confidence).times(100.0),
            Self::Share(share) => wilson(share.k, share.n, confidence).times(100.0),
            Self::Mean { sample, .. } => interval::mean(sample, confidence)?,
        };
        Some(interval.around(self.score()))
    }

    /// Promoters, all between, detractors.
    pub fn nps(&self) -> Option<[u64; 3]> {
        let Self::Nps(nps) = self else { return None };
        Some([nps.promoters, nps.n - nps.promoters - nps.detractors, nps.detractors])
    }

    pub fn favourable(&self) -> Option<u64> {
        match self {
            Self::Nps(_) => None,
            Self::Share(share) => Some(share.k),
            Self::Mean { favourable, .. } => *favourable,
        }
    }

    /// This minus that, in the unit that is published; none where no test can be made.
    pub fn minus(&self, other: &Self, confidence: f64) -> Option<Difference> {
        let difference = match (self, other) {
            (Self::Nps(one), Self::Nps(two)) => {
                change::means(&one.sample()?, &two.sample()?, confidence)?.times(100.0)
            }
            (Self::Share(one), Self::Share(two)) => {
                change::proportions(*one, *two, confidence)?.times(100.0)
            }
            (Self::Mean { sample: one, .. }, Self::Mean { sample: two, .. }) => {
                change::means(one, two, confidence)?
            }
            _ => return None,
        };
        // The column is the difference of the columns beside it, to the last digit.
        let exact = self.score() - other.score();
        let interval = difference.interval.around(exact);
        Some(Difference { difference: exact, interval, ..difference })
    }
}
