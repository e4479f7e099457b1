//! Pain points: touchpoints where more paths break off, and lower scores are given, than expected.
//!
//! What is expected of paths is what the other touchpoints of the same stage do. What is expected of
//! answers is the mean of the same metric on the same scale, so that a touchpoint is not held for
//! worse because it is asked about in another way. Both are told in standard errors and put together
//! as independent tests are (Stouffer 1949); how large the differences are stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;

use super::fold::calendar::Grain;
use super::kernel::change::{Difference, Share, holm, proportions};
use super::kernel::interval::{self, Interval, wilson};
use super::kernel::sample::Sample;
use super::kernel::special::t_p_value;
use super::scores::Scale;
use super::suppression::{self, Cell, Rule};

/// What pain points read of their job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    pub confidence: f64,
    pub min_cell: u64,
}

/// Touches of one touchpoint in one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    pub stage: String,
    pub touchpoint: String,
    pub led_on: u64,
    pub dropped: u64,
}

/// Equal answers given in one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub stage: String,
    /// What they were about; none: they count into what is expected alone.
    pub touchpoint: Option<String>,
    pub metric: String,
    pub scale: Scale,
    /// In ten-thousandths, higher is better.
    pub score: i64,
    pub count: u64,
}

/// Of paths, one touchpoint in one stage against the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropOff {
    pub dropped: u64,
    pub rate: f64,
    pub interval: Interval,
    pub expected: Option<f64>,
    pub difference: Option<Difference>,
    pub p_value_holm: Option<f64>,
}

/// Of answers, one touchpoint in one stage against what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Low {
    pub mean: f64,
    pub expected: f64,
    pub interval: Option<Interval>,
    pub p_value: Option<f64>,
    pub p_value_holm: Option<f64>,
}

/// One row of `pain_points`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pain {
    pub stage: String,
    pub touchpoint: String,
    pub rank: Option<i64>,
    pub severity: Option<f64>,
    pub n_touches: u64,
    /// None: too few, or nothing.
    pub drop_off: Option<DropOff>,
    pub n_answers: u64,
    pub low: Option<Low>,
    /// In standard errors, higher is worse.
    drop_off_errors: Option<f64>,
    score_errors: Option<f64>,
}

/// How often each answer was given.
type Given<'a> = BTreeMap<(&'a str, Scale, i64), u64>;

#[derive(Debug, Default)]
struct Spot<'a> {
    touches: Ends,
    given: Given<'a>,
}

/// Touches that were the end of a path, of all.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    dropped: u64,
    all: u64,
}

impl Spot<'_> {
    fn answers(&self) -> u64 {
        self.given.values().sum()
    }
}

/// All touchpoints by stage, ranked; in order of stage and touchpoint.
pub fn pains(touched: &[Touched], answered: &[Answered], terms: Terms) -> Vec<Pain> {
    let mut spots: BTreeMap<(&str, &str), Spot<'_>> = BTreeMap::new();
    for one in touched {
        let touches =
            &mut spots.entry((one.stage.as_str(), one.touchpoint.as_str())).or_default().touches;
        touches.dropped += one.dropped;
        touches.all += one.dropped + one.led_on;
    }
    let mut usual: BTreeMap<(&str, Scale), (i128, u64)> = BTreeMap::new();
    for one in answered.iter().filter(|one| one.scale.holds(one.score)) {
        let known = usual.entry((one.metric.as_str(), one.scale)).or_default();
        known.0 += i128::from(one.score) * i128::from(one.count);
        known.1 += one.count;
        if let Some(touchpoint) = &one.touchpoint {
            let given =
                &mut spots.entry((one.stage.as_str(), touchpoint.as_str())).or_default().given;
            *given.entry((one.metric.as_str(), one.scale, one.score)).or_default() += one.count;
        }
    }
    let usual: BTreeMap<(&str, Scale), f64> = usual
        .into_iter()
        .map(|((metric, scale), (sum, n))| ((metric, scale), scale.norm(sum as f64 / n as f64)))
        .collect();
    let mut stages: BTreeMap<&str, Ends> = BTreeMap::new();
    for ((stage, _), spot) in &spots {
        let all = stages.entry(*stage).or_default();
        all.dropped += spot.touches.dropped;
        all.all += spot.touches.all;
    }
    let is_few = hidden(&spots, terms, |spot| spot.touches.all);
    let is_unheard = hidden(&spots, terms, |spot| spot.answers());
    let flags = is_few.into_iter().zip(is_unheard);
    let mut pains: Vec<Pain> = spots
        .iter()
        .zip(flags)
        .map(|(((stage, touchpoint), spot), (is_few, is_unheard))| {
            let mut pain = Pain {
                stage: (*stage).to_owned(),
                touchpoint: (*touchpoint).to_owned(),
                n_touches: spot.touches.all,
                n_answers: spot.answers(),
                ..Pain::default()
            };
            if !is_few {
                let all = stages.get(stage).copied().unwrap_or_default();
                (pain.drop_off, pain.drop_off_errors) = drop_off(spot.touches, all, terms);
            }
            if !is_unheard {
                (pain.low, pain.score_errors) = low(&spot.given, &usual, terms);
            }
            pain
        })
        .collect();
    correct(&mut pains);
    rank(&mut pains);
    pains
}

/// Which spots show nothing but how many there are; those without any count as hidden.
fn hidden(
    spots: &BTreeMap<(&str, &str), Spot<'_>>,
    terms: Terms,
    n: impl Fn(&Spot<'_>) -> u64,
) -> Vec<bool> {
    // No stage is taken for the total of all.
    let stages: Vec<String> = spots.keys().map(|(stage, _)| format!("stage {stage}")).collect();
    let cells = spots.iter().zip(&stages).map(|(((_, touchpoint), spot), stage)| Cell {
        grain: Grain::Year,
        start: 0,
        dimension: stage,
        value: touchpoint,
        n: n(spot),
    });
    let (some, places): (Vec<Cell<'_>>, Vec<usize>) =
        cells.zip(0..).filter(|(cell, _)| cell.n > 0).unzip();
    let rule = Rule { min_cell: terms.min_cell, horizon_day: i32::MAX / 2 };
    let mut flags = vec![true; spots.len()];
    for (place, is_hidden) in places.into_iter().zip(suppression::hidden(&some, rule)) {
        if let Some(flag) = flags.get_mut(place) {
            *flag = is_hidden;
        }
    }
    flags
}

fn drop_off(own: Ends, all: Ends, terms: Terms) -> (Option<DropOff>, Option<f64>) {
    let rest = Share { k: all.dropped - own.dropped, n: all.all - own.all };
    let share = Share { k: own.dropped, n: own.all };
    let rate = |share: Share| share.k as f64 / share.n as f64;
    let difference = proportions(share, rest, terms.confidence);
    let pooled = all.dropped as f64 / all.all as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / share.n as f64 + 1.0 / rest.n as f64)).sqrt();
    let errors = |d: Difference| if error > 0.0 { d.difference / error } else { 0.0 };
    let told = DropOff {
        dropped: own.dropped,
        rate: rate(share),
        interval: wilson(share.k, share.n, terms.confidence),
        expected: (rest.n > 0).then(|| rate(rest)),
        difference,
        p_value_holm: None,
    };
    (Some(told), difference.map(errors))
}

fn low(
    given: &Given<'_>,
    usual: &BTreeMap<(&str, Scale), f64>,
    terms: Terms,
) -> (Option<Low>, Option<f64>) {
    let told = |((metric, scale, score), count): (&(&str, Scale, i64), &u64)| {
        let norm = scale.norm(*score as f64);
        let expected = usual.get(&(*metric, *scale)).copied().unwrap_or(norm);
        (norm, norm - expected, *count)
    };
    let norms = given.iter().map(|given| (told(given).0, told(given).2));
    let off = given.iter().map(|given| (told(given).1, told(given).2));
    let (Some(norms), Some(off)) = (Sample::of(norms), Sample::of(off)) else {
        return (None, None);
    };
    let error = off.mean_variance().sqrt();
    let errors = (off.n > 1 && error > 0.0).then(|| off.mean / error);
    let low = Low {
        mean: norms.mean,
        expected: norms.mean - off.mean,
        interval: interval::mean(&off, terms.confidence),
        p_value: errors.map(|errors| t_p_value(errors, (off.n - 1) as f64)),
        p_value_holm: None,
    };
    (Some(low), errors.map(|errors| -errors))
}

/// Holm's correction among all rows, of drop-offs and of scores.
fn correct(pains: &mut [Pain]) {
    let drop_offs = |pain: &Pain| pain.drop_off?.difference?.p_value;
    let scores = |pain: &Pain| pain.low?.p_value;
    let of_paths = holm(&pains.iter().map(drop_offs).collect::<Vec<_>>());
    let of_answers = holm(&pains.iter().map(scores).collect::<Vec<_>>());
    for ((pain, of_path), of_answer) in pains.iter_mut().zip(of_paths).zip(of_answers) {
        if let Some(drop_off) = &mut pain.drop_off {
            drop_off.p_value_holm = of_path;
        }
        if let Some(low) = &mut pain.low {
            low.p_value_holm = of_answer;
        }
    }
}

/// The most severe first; equals in order of stage and touchpoint.
fn rank(pains: &mut [Pain]) {
    for pain in pains.iter_mut() {
        let known: Vec<f64> =
            [pain.drop_off_errors, pain.score_errors].into_iter().flatten().collect();
        let sum: f64 = known.iter().sum();
        pain.severity = (!known.is_empty()).then(|| sum / (known.len() as f64).sqrt());
    }
    let severity = |i: &usize| pains.get(*i).and_then(|pain| pain.severity);
    let mut order: Vec<usize> = (0..pains.len()).filter(|i| severity(i).is_some()).collect();
    order.sort_by(|a, b| {
        let worse = severity(b).partial_cmp(&severity(a));
        worse.unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(b))
    });
    for (rank, i) in (1..).zip(order) {
        if let Some(pain) = pains.get_mut(i) {
            pain.rank = Some(rank);
        }
    }
}

/// Rows of `pain_points`.
///
/// # Errors
/// None in practice: the columns are of one length.
pub fn batch(pains: &[Pain]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Pain) -> Option<&str>| -> ArrayRef {
        Arc::new(pains.iter().map(of).collect::<StringArray>())
    };
    let whole = |of: fn(&Pain) -> Option<i64>| -> ArrayRef {
        Arc::new(pains.iter().map(of).collect::<Int64Array>())
    };
    let float = |of: fn(&Pain) -> Option<f64>| -> ArrayRef {
        Arc::new(pains.iter().map(of).collect::<Float64Array>())
    };
    let flag = |of: fn(&Pain) -> bool| -> ArrayRef {
        Arc::new(pains.iter().map(|pain| Some(of(pain))).collect::<BooleanArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("stage", text(|pain| Some(&pain.stage))),
        ("touchpoint", text(|pain| Some(&pain.touchpoint))),
        ("definition_id", text(|_| Some("pain_point"))),
        ("definition_version", whole(|_| Some(1))),
        ("rank", whole(|pain| pain.rank)),
        ("severity", float(|pain| pain.severity)),
        ("n_touches", whole(|pain| i64::try_from(pain.n_touches).ok())),
        ("n_dropped", whole(|pain| i64::try_from(pain.drop_off?.dropped).ok())),
        ("drop_off_rate", float(|pain| Some(pain.drop_off?.rate))),
        ("drop_off_low", float(|pain| Some(pain.drop_off?.interval.low))),
        ("drop_off_high", float(|pain| Some(pain.drop_off?.interval.high))),
        ("expected_drop_off_rate", float(|pain| pain.drop_off?.expected)),
        ("drop_off_difference", float(|pain| Some(pain.drop_off?.difference?.difference))),
        ("difference_low", float(|pain| Some(pain.drop_off?.difference?.interval.low))),
        ("difference_high", float(|pain| Some(pain.drop_off?.difference?.interval.high))),
        ("drop_off_p_value", float(|pain| pain.drop_off?.difference?.p_value)),
        ("drop_off_p_value_holm", float(|pain| pain.drop_off?.p_value_holm)),
        ("is_suppressed", flag(|pain| pain.drop_off.is_none())),
        ("n_answers", whole(|pain| i64::try_from(pain.n_answers).ok())),
        ("score_norm", float(|pain| Some(pain.low?.mean))),
        ("expected_score_norm", float(|pain| Some(pain.low?.expected))),
        ("score_difference", float(|pain| Some(pain.low?.mean - pain.low?.expected))),
        ("score_low", float(|pain| Some(pain.low?.interval?.low))),
        ("score_high", float(|pain| Some(pain.low?.interval?.high))),
        ("score_p_value", float(|pain| pain.low?.p_value)),
        ("score_p_value_holm", float(|pain| pain.low?.p_value_holm)),
        ("is_score_suppressed", flag(|pain| pain.low.is_none())),
        // Comments are analysed in a later step than paths are walked.
        ("top_themes", text(|_| None)),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns)
}
