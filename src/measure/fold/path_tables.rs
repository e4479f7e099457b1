//! `journey_transitions`, `journey_paths` and `touchpoint_attribution` of the paths counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use rustc_hash::FxHashMap;

use super::columns::{batch, counts, flags, money, share, shares, texts};
use super::paths::{Counted, Paths, Stood, Told};
use super::{FoldError, Terms};
use crate::measure::kernel::interval::wilson;
use crate::measure::kernel::markov::{Chain, Order, Passage, Place};
use crate::measure::kernel::quantile::quantile;

/// Touchpoints told by name, those met most; the others are one.
const TOUCHPOINTS_MAX: usize = 200;
/// Paths told one by one, the most frequent; the others are one row.
const PATHS_MAX: usize = 1_000;
const START: &str = "(start)";
const CONVERTED: &str = "(converted)";
const LOST: &str = "(lost)";
const OTHER: &str = "(other)";
const OTHER_PATHS: &str = "(other paths)";
/// Purchases that no touch came before.
const UNTOUCHED: &str = "(none)";
/// Touches before those shown.
const BEFORE: &str = "…";
/// Between two touches of a path.
const STEP: &str = " > ";
/// Names that say something else; systems give some of them to touchpoints.
const TAKEN: [&str; 7] = [START, CONVERTED, LOST, OTHER, OTHER_PATHS, UNTOUCHED, BEFORE];
/// Of the first and of the last touch in the position model; those between share the rest.
const END_SHARE: f64 = 0.4;

/// The tables of one level.
#[derive(Debug)]
pub struct Tables {
    pub transitions: RecordBatch,
    pub paths: RecordBatch,
    pub attribution: RecordBatch,
    pub touchpoints: Touchpoints,
}

/// Touchpoints by the order of their names, the rare ones as one.
#[derive(Debug)]
pub struct Touchpoints {
    names: Vec<String>,
    /// Place in `names` by the number that the walk gave.
    places: Vec<u32>,
}

/// A touchpoint's name as tables show it: none is taken for something else, nor one for two.
pub fn shown_name(name: &str) -> String {
    if TAKEN.contains(&name) { format!("\"{name}\"") } else { name.replace(STEP, " / ") }
}

impl Touchpoints {
    fn new(names: &[Box<str>], counted: &Counted) -> Self {
        let shown: Vec<String> = names.iter().map(|name| shown_name(name)).collect();
        let mut met: BTreeMap<&str, u64> = BTreeMap::new();
        for (passage, count) in &counted.passages {
            if let Place::At(number) = passage[2]
                && let Some(name) = shown.get(number as usize)
            {
                *met.entry(name).or_default() += count;
            }
        }
        let mut told: Vec<(&str, u64)> = met.into_iter().collect();
        told.sort_by_key(|(name, met)| (Reverse(*met), *name));
        let rest = told.split_off(told.len().min(TOUCHPOINTS_MAX));
        told.sort_by_key(|(name, _)| *name);
        let other = u32::try_from(told.len()).unwrap_or(u32::MAX);
        let by_name: BTreeMap<&str, u32> =
            told.iter().map(|(name, _)| *name).zip(0_u32..).collect();
        let place = |name: &String| by_name.get(name.as_str()).copied().unwrap_or(other);
        let places = shown.iter().map(place).collect();
        let mut names: Vec<String> = told.iter().map(|(name, _)| (*name).to_owned()).collect();
        if !rest.is_empty() {
            names.push(OTHER.to_owned());
        }
        Self { names, places }
    }

    fn place(&self, number: u32) -> u32 {
        self.places.get(number as usize).copied().unwrap_or(u32::MAX)
    }

    fn at(&self, place: Place) -> Place {
        if let Place::At(number) = place { Place::At(self.place(number)) } else { place }
    }

    /// The name in tables of a touchpoint by the number that the walk gave.
    pub(super) fn name_of_number(&self, number: u32) -> &str {
        self.name(self.place(number))
    }

    fn name(&self, place: u32) -> &str {
        self.names.get(place as usize).map_or(OTHER, String::as_str)
    }

    fn name_of(&self, place: Place) -> &str {
        match place {
            Place::Start => START,
            Place::At(place) => self.name(place),
            Place::Converted => CONVERTED,
            Place::Lost => LOST,
        }
    }
}

/// Makes the tables of a level.
///
/// # Errors
/// Money that no decimal holds.
pub fn tables(paths: &Paths, mut counted: Counted) -> Result<Tables, FoldError> {
    let touchpoints = Touchpoints::new(&paths.names(), &counted);
    let mut passages: BTreeMap<Passage, u64> = BTreeMap::new();
    for (passage, count) in std::mem::take(&mut counted.passages) {
        *passages.entry(passage.map(|place| touchpoints.at(place))).or_default() += count;
    }
    let transitions = transitions(paths, &touchpoints, &passages, &mut counted.seconds)?;
    let attribution = attribution(paths, &touchpoints, &passages, &counted)?;
    let paths = variants(paths, &touchpoints, counted)?;
    Ok(Tables { transitions, paths, attribution, touchpoints })
}

fn transitions(
    paths: &Paths,
    touchpoints: &Touchpoints,
    passages: &BTreeMap<Passage, u64>,
    seconds: &mut FxHashMap<(Place, Place), Vec<u32>>,
) -> Result<RecordBatch, FoldError> {
    let mut edges: BTreeMap<(Place, Place), i64> = BTreeMap::new();
    let mut leaving: BTreeMap<Place, i64> = BTreeMap::new();
    for ([_, from, to], count) in passages {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        *edges.entry((*from, *to)).or_default() += count;
        *leaving.entry(*from).or_default() += count;
    }
    let mut took: BTreeMap<(Place, Place), Vec<i64>> = BTreeMap::new();
    for ((from, to), mut seconds) in seconds.drain() {
        let edge = took.entry((touchpoints.at(from), touchpoints.at(to))).or_default();
        edge.extend(seconds.drain(..).map(i64::from));
    }
    for seconds in took.values_mut() {
        seconds.sort_unstable();
    }
    let took = |edge: &(Place, Place), at: f64| took.get(edge).and_then(|s| quantile(s, at));
    let rows = || edges.keys();
    batch(
        "journey_transitions",
        vec![
            ("level", texts(rows().map(|_| Some(paths.shape.level.name())))),
            ("from_touchpoint", texts(rows().map(|(from, _)| Some(touchpoints.name_of(*from))))),
            ("to_touchpoint", texts(rows().map(|(_, to)| Some(touchpoints.name_of(*to))))),
            ("definition_id", texts(rows().map(|_| Some("journey_transition")))),
            ("definition_version", counts(rows().map(|_| Some(1)))),
            ("n", counts(edges.values().map(|n| Some(*n)))),
            (
                "probability",
                shares(
                    edges
                        .iter()
                        .map(|((from, _), n)| share(*n, leaving.get(from).copied().unwrap_or(0))),
                ),
            ),
            ("median_seconds", shares(rows().map(|edge| took(edge, 0.5)))),
            ("p90_seconds", shares(rows().map(|edge| took(edge, 0.9)))),
        ],
    )
}

/// A path as it is shown.
struct Shown {
    rank: Option<i64>,
    path: String,
    touches: Option<i64>,
    is_shortened: bool,
    told: Told,
}

fn shown(paths: &Paths, touchpoints: &Touchpoints, counted: Counted) -> Vec<Shown> {
    let mut merged: FxHashMap<Box<[u32]>, Told> = FxHashMap::default();
    for (mut touches, told) in counted.variants {
        for touchpoint in &mut touches {
            *touchpoint = touchpoints.place(*touchpoint);
        }
        // That there were others before is told, and not which.
        let is_shortened = touches.len() > paths.shape.touches_max;
        if let Some(before) = touches.first_mut().filter(|_| is_shortened) {
            *before = 0;
        }
        merged.entry(touches).or_default().add(&told);
    }
    let mut all: Vec<_> = merged.into_iter().collect();
    // Places are in the order of names, so ties are told in the order of their texts.
    all.sort_unstable_by(|(a, x), (b, y)| y.paths().cmp(&x.paths()).then_with(|| a.cmp(b)));
    let mut rest = Told::default();
    for (_, told) in all.iter().skip(PATHS_MAX) {
        rest.add(told);
    }
    let is_cut = all.len() > PATHS_MAX;
    all.truncate(PATHS_MAX);
    let mut rows: Vec<Shown> = (1..)
        .zip(all)
        .map(|(rank, (touches, told))| {
            let is_shortened = touches.len() > paths.shape.touches_max;
            let names = touches.iter().skip(usize::from(is_shortened));
            let names = names.map(|place| touchpoints.name(*place));
            let path = is_shortened.then_some(BEFORE).into_iter().chain(names);
            let path = path.collect::<Vec<_>>().join(STEP);
            let touches = (!is_shortened).then(|| i64::try_from(touches.len()).unwrap_or(i64::MAX));
            Shown { rank: Some(rank), path, touches, is_shortened, told }
        })
        .collect();
    let single = |path: &str, touches, told| Shown {
        rank: None,
        path: path.to_owned(),
        touches,
        is_shortened: false,
        told,
    };
    if is_cut {
        rows.push(single(OTHER_PATHS, None, rest));
    }
    if counted.untouched.converted > 0 {
        rows.push(single(UNTOUCHED, Some(0), counted.untouched));
    }
    rows
}

fn variants(
    paths: &Paths,
    touchpoints: &Touchpoints,
    counted: Counted,
) -> Result<RecordBatch, FoldError> {
    const TABLE: &str = "journey_paths";
    let Terms { currency, confidence, .. } = &paths.terms;
    let rows = shown(paths, touchpoints, counted);
    let all: i64 = rows.iter().map(|row| row.told.paths()).sum();
    let ended = |told: &Told| told.converted + told.lost;
    let interval = |told: &Told| {
        let n = u64::try_from(ended(told)).ok().filter(|n| *n > 0)?;
        Some(wilson(u64::try_from(told.converted).unwrap_or(0), n, *confidence))
    };
    let told = || rows.iter().map(|row| &row.told);
    batch(
        TABLE,
        vec![
            ("level", texts(told().map(|_| Some(paths.shape.level.name())))),
            ("path", texts(rows.iter().map(|row| Some(row.path.as_str())))),
            ("definition_id", texts(told().map(|_| Some("journey_path")))),
            ("definition_version", counts(told().map(|_| Some(1)))),
            ("rank", counts(rows.iter().map(|row| row.rank))),
            ("n_touches", counts(rows.iter().map(|row| row.touches))),
            ("is_shortened", flags(rows.iter().map(|row| row.is_shortened))),
            ("n_paths", counts(told().map(|t| Some(t.paths())))),
            ("n_converted", counts(told().map(|t| Some(t.converted)))),
            ("n_lost", counts(told().map(|t| Some(t.lost)))),
            ("n_running", counts(told().map(|t| Some(t.running)))),
            ("share", shares(told().map(|t| share(t.paths(), all)))),
            ("conversion_rate", shares(told().map(|t| share(t.converted, ended(t))))),
            ("ci_low", shares(told().map(|t| Some(interval(t)?.low)))),
            ("ci_high", shares(told().map(|t| Some(interval(t)?.high)))),
            ("currency", texts(told().map(|_| Some(currency.as_str())))),
            ("value", money(TABLE, told().map(|t| Some(t.value)))?),
            ("mean_seconds", shares(told().map(|t| share(t.seconds, t.converted)))),
        ],
    )
}

/// What a touchpoint is given by one model.
struct Credit {
    model: &'static str,
    touchpoint: Option<u32>,
    conversions: f64,
    /// Ten-thousandths of the job's currency.
    value: f64,
    removal_effect: Option<f64>,
}

/// What a path of `length` touches gives to each kind of place, by model.
fn shares_of(model: &str, length: u32, stood: &Stood) -> (f64, f64) {
    let n = f64::from(length);
    // (share of the first, of the last, of one between); a single touch has everything.
    let (first, last, between) = match (model, length) {
        ("first", _) => (1.0, 0.0, 0.0),
        ("last", _) => (0.0, 1.0, 0.0),
        (_, 1) => (1.0, 0.0, 0.0),
        ("position", 2) => (0.5, 0.5, 0.0),
        ("position", _) => (END_SHARE, END_SHARE, (1.0 - 2.0 * END_SHARE) / (n - 2.0)),
        _ => (1.0 / n, 1.0 / n, 1.0 / n),
    };
    let weigh = |a: f64, b: f64, c: f64| first * a + last * b + between * c;
    (
        weigh(stood.first as f64, stood.last as f64, stood.between as f64),
        weigh(stood.first_value as f64, stood.last_value as f64, stood.between_value as f64),
    )
}

/// Credits of the models that go by where a touchpoint stands.
fn by_place(touchpoints: &Touchpoints, counted: &Counted) -> Vec<Credit> {
    let mut stood: BTreeMap<(u32, u32), Stood> = BTreeMap::new();
    for ((number, length), more) in &counted.stood {
        stood.entry((touchpoints.place(*number), *length)).or_default().add(more);
    }
    let mut credits = Vec::new();
    for model in ["first", "last", "linear", "position"] {
        let mut given: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        // In the order of lengths, so that floats add up the same.
        for ((touchpoint, length), stood) in &stood {
            let (conversions, value) = shares_of(model, *length, stood);
            let sum = given.entry(*touchpoint).or_default();
            (sum.0, sum.1) = (sum.0 + conversions, sum.1 + value);
        }
        credits.extend(given.into_iter().map(|(touchpoint, (conversions, value))| Credit {
            model,
            touchpoint: Some(touchpoint),
            conversions,
            value,
            removal_effect: None,
        }));
    }
    credits
}

/// Credits in proportion to removal effects, so that they sum to all touched conversions.
fn by_removal(
    model: &'static str,
    order: Order,
    passages: &BTreeMap<Passage, u64>,
    (conversions, value): (f64, f64),
) -> Vec<Credit> {
    let effects = Chain::new(order, passages).removal_effects().unwrap_or_default();
    let all: f64 = effects.values().sum();
    let credit = |(touchpoint, effect): (u32, f64)| Credit {
        model,
        touchpoint: Some(touchpoint),
        conversions: conversions * effect / all,
        value: value * effect / all,
        removal_effect: Some(effect),
    };
    effects.into_iter().filter(|_| all > 0.0).map(credit).collect()
}

fn attribution(
    paths: &Paths,
    touchpoints: &Touchpoints,
    passages: &BTreeMap<Passage, u64>,
    counted: &Counted,
) -> Result<RecordBatch, FoldError> {
    const TABLE: &str = "touchpoint_attribution";
    let (mut touched, mut worth) = (0, 0);
    for stood in counted.stood.values() {
        touched += stood.first;
        worth += stood.first_value;
    }
    let all = (touched as f64, worth as f64);
    let mut credits = by_place(touchpoints, counted);
    credits.extend(by_removal("markov_1", Order::One, passages, all));
    credits.extend(by_removal("markov_2", Order::Two, passages, all));
    let untouched = &counted.untouched;
    let models: Vec<&'static str> = {
        let mut models: Vec<_> = credits.iter().map(|credit| credit.model).collect();
        models.dedup();
        models
    };
    if untouched.converted > 0 {
        credits.extend(models.into_iter().map(|model| Credit {
            model,
            touchpoint: None,
            conversions: untouched.converted as f64,
            value: untouched.value as f64,
            removal_effect: None,
        }));
    }
    let mut met: BTreeMap<u32, i64> = BTreeMap::new();
    for (passage, count) in passages {
        if let Place::At(touchpoint) = passage[2] {
            *met.entry(touchpoint).or_default() += i64::try_from(*count).unwrap_or(i64::MAX);
        }
    }
    let whole = (touched + untouched.converted) as f64;
    let rows = || credits.iter();
    let n_met = |credit: &Credit| met.get(&credit.touchpoint?).copied();
    let name = |credit: &Credit| credit.touchpoint.map_or(UNTOUCHED, |at| touchpoints.name(at));
    batch(
        TABLE,
        vec![
            ("level", texts(rows().map(|_| Some(paths.shape.level.name())))),
            ("model", texts(rows().map(|credit| Some(credit.model)))),
            ("touchpoint", texts(credits.iter().map(|credit| Some(name(credit))))),
            ("definition_id", texts(rows().map(|_| Some("touchpoint_attribution")))),
            ("definition_version", counts(rows().map(|_| Some(1)))),
            ("n_touches", counts(rows().map(|credit| Some(n_met(credit).unwrap_or(0))))),
            ("conversions", shares(rows().map(|credit| Some(credit.conversions)))),
            ("share", shares(rows().map(|c| (whole > 0.0).then(|| c.conversions / whole)))),
            ("currency", texts(rows().map(|_| Some(paths.terms.currency.as_str())))),
            ("value", money(TABLE, rows().map(|credit| Some(credit.value.round() as i128)))?),
            ("removal_effect", shares(rows().map(|credit| credit.removal_effect))),
        ],
    )
}
