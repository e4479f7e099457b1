//! Stages in numbers: who entered, who moved on, how long it took, what they said meanwhile.
//!
//! A stay counts in the period it was entered in. Quarters and years are put together from months,
//! so that a stay is counted once for all three.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::{Grain, Periods};
use super::columns::{batch, counts, days, flags, share, shares, texts};
use super::dimensions::{Split, Who};
use super::stages::{Journey, Stages, Stay};
use super::{Event, FoldError, Terms};
use crate::measure::kernel::interval::{Interval, wilson};
use crate::measure::kernel::kaplan_meier::{Observed, kaplan_meier};
use crate::measure::suppression::{self, Rule, hidden};

const TABLE: &str = "journey_stage_metrics";
const DAY_US: i64 = 86_400_000_000;
/// One whole point of a score.
const POINT: i128 = 10_000;

/// Answers given during a stay; those on scales without an agreed reading are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    nps: i64,
    promoters: i64,
    detractors: i64,
    csat: i64,
    csat_favourable: i64,
    ces: i64,
    ces_favourable: i64,
}

impl Answers {
    /// Takes one answer; its name is the metric.
    pub fn take(&mut self, event: &Event<'_>) {
        if let (Some(metric @ ("csat" | "ces")), Some(is)) = (event.name, event.is_favourable) {
            let (n, favourable) = match metric {
                "csat" => (&mut self.csat, &mut self.csat_favourable),
                _ => (&mut self.ces, &mut self.ces_favourable),
            };
            *n += 1;
            *favourable += i64::from(is);
            return;
        }
        let (Some(name), Some(score), Some(max)) = (event.name, event.score, event.scale_max)
        else {
            return;
        };
        let count = |n: &mut i64, favourable: &mut i64, from: Option<i128>| {
            if let Some(from) = from {
                *n += 1;
                *favourable += i64::from(score >= from * POINT);
            }
        };
        match (name, max / POINT) {
            ("nps", 10) => {
                self.nps += 1;
                self.promoters += i64::from(score >= 9 * POINT);
                // Anything above six is passive, also where a source gives halves.
                self.detractors += i64::from(score <= 6 * POINT);
            }
            ("csat", max) => {
                let from = match max {
                    1 => Some(1),
                    3 => Some(3),
                    5 => Some(4),
                    7 => Some(6),
                    10 => Some(9),
                    _ => None,
                };
                count(&mut self.csat, &mut self.csat_favourable, from);
            }
            ("ces", max) => {
                let from = match max {
                    5 => Some(4),
                    7 => Some(5),
                    _ => None,
                };
                count(&mut self.ces, &mut self.ces_favourable, from);
            }
            _ => {}
        }
    }

    fn add(&mut self, other: &Self) {
        self.nps += other.nps;
        self.promoters += other.promoters;
        self.detractors += other.detractors;
        self.csat += other.csat;
        self.csat_favourable += other.csat_favourable;
        self.ces += other.ces;
        self.ces_favourable += other.ces_favourable;
    }
}

/// Stays of one stage that were entered in one period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cell {
    entered: i64,
    reversals: i64,
    lapsed: i64,
    /// Entered so long ago that the conversion window is over.
    whole: i64,
    /// Of `whole`, moved to a later stage within the window.
    converted: i64,
    /// By whole days: stays that ended, stays that go on.
    days: Vec<(i64, i64)>,
    answers: Answers,
}

/// One stay, as it counts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    day: i32,
    stage: u8,
    is_reversal: bool,
    has_lapsed: bool,
    is_whole: bool,
    has_converted: bool,
    /// Whole days.
    length: usize,
    has_ended: bool,
    answers: Answers,
}

impl Cell {
    fn days_mut(&mut self, length: usize) -> Option<&mut (i64, i64)> {
        if self.days.len() <= length {
            self.days.resize(length + 1, (0, 0));
        }
        self.days.get_mut(length)
    }

    fn count(&mut self, stay: &Counted) {
        self.entered += 1;
        self.reversals += i64::from(stay.is_reversal);
        self.lapsed += i64::from(stay.has_lapsed);
        self.whole += i64::from(stay.is_whole);
        self.converted += i64::from(stay.has_converted);
        if let Some(day) = self.days_mut(stay.length) {
            *(if stay.has_ended { &mut day.0 } else { &mut day.1 }) += 1;
        }
        self.answers.add(&stay.answers);
    }

    fn add(&mut self, other: &Self) {
        self.entered += other.entered;
        self.reversals += other.reversals;
        self.lapsed += other.lapsed;
        self.whole += other.whole;
        self.converted += other.converted;
        for (length, (ended, open)) in other.days.iter().enumerate() {
            if let Some(known) = self.days_mut(length) {
                *known = (known.0 + ended, known.1 + open);
            }
        }
        self.answers.add(&other.answers);
    }

    fn left(&self) -> i64 {
        self.days.iter().map(|(ended, _)| ended).sum()
    }

    /// Days by which these shares of customers have left, open stays taken as not yet left.
    fn quantiles(&self, shares: [f64; 2], confidence: f64) -> [Option<i64>; 2] {
        let counted = |event, count: i64, time| Observed {
            time,
            event,
            count: u64::try_from(count).unwrap_or(0),
        };
        let observed: Vec<_> = self
            .days
            .iter()
            .zip(0..)
            .flat_map(|((ended, open), day)| {
                [counted(true, *ended, day), counted(false, *open, day)]
            })
            .collect();
        let curve = kaplan_meier(&observed, confidence);
        shares.map(|share| curve.quantile(share).time)
    }
}

/// Cells by grain (its place in the calendar), period and stage.
type Cells = BTreeMap<(usize, usize, u8), Cell>;

/// The stages of any number of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageMetrics(Split<Cells>);

/// Grains that are counted; the others are put together from months.
fn is_counted(grain: Grain) -> bool {
    matches!(grain, Grain::Day | Grain::Week | Grain::Month)
}

impl StageMetrics {
    pub(super) fn add(&mut self, journey: &Journey, who: &Who<'_>, stays: &[Stay]) {
        let stays: Vec<Counted> = (0..stays.len())
            .filter_map(|i| stays.get(i..).and_then(|stays| counted(journey, stays)))
            .collect();
        let grains = || journey.calendar.periods().iter().enumerate();
        self.0.each(who, |cells| {
            for stay in &stays {
                for (grain, periods) in grains().filter(|(_, own)| is_counted(own.grain)) {
                    let key = (grain, periods.of(stay.day), stay.stage);
                    cells.entry(key).or_default().count(stay);
                }
            }
        });
    }

    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0, |mine, theirs| {
            for (key, cell) in theirs {
                mine.entry(key).or_default().add(&cell);
            }
        });
    }

    /// Rows of `journey_stage_metrics` for these periods.
    ///
    /// # Errors
    /// None in practice: the columns are of one length.
    pub fn batch(&self, journey: &Journey, grains: &[Grain]) -> Result<RecordBatch, FoldError> {
        let terms = &journey.terms;
        let mut rows = Vec::new();
        for (dimension, value, cells) in self.0.iter() {
            for periods in journey.calendar.periods() {
                if !grains.contains(&periods.grain) {
                    continue;
                }
                for ((period, stage), cell) in by_period(journey, periods, cells) {
                    rows.push(Row {
                        grain: periods.grain,
                        is_hidden: false,
                        start_day: periods.start(period),
                        is_complete: periods.end(period) <= terms.horizon_day + 1,
                        stage,
                        dimension,
                        value,
                        days: cell.quantiles([0.5, 0.9], terms.confidence),
                        cell,
                    });
                }
            }
        }
        hide(&mut rows, terms);
        columns(&rows, &journey.stages, terms)
    }
}

/// The first of these stays as it counts; the others follow it.
fn counted(journey: &Journey, stays: &[Stay]) -> Option<Counted> {
    let (stay, later) = stays.split_first()?;
    let stages = &journey.stages;
    let end = journey.calendar.midnight(journey.terms.horizon_day + 1);
    let until = stay.entered_at + i64::from(journey.terms.conversion_days) * DAY_US;
    let mut in_window = later.iter().take_while(|other| other.entered_at <= until);
    let forward = |other: &Stay| other.stage > stay.stage && !stages.is_lapsed(other.stage);
    let is_whole = stages.has_next(stay.stage) && until < end;
    let length = (stay.left_at.unwrap_or(end) - stay.entered_at).max(0) / DAY_US;
    Some(Counted {
        day: stay.entered_day,
        stage: stay.stage,
        is_reversal: stay.is_reversal,
        has_lapsed: later.first().is_some_and(|next| stages.is_lapsed(next.stage)),
        is_whole,
        has_converted: is_whole && in_window.any(forward),
        length: usize::try_from(length).unwrap_or(0),
        has_ended: stay.left_at.is_some(),
        answers: stay.answers,
    })
}

fn by_period(journey: &Journey, periods: &Periods, cells: &Cells) -> BTreeMap<(usize, u8), Cell> {
    let wanted = if is_counted(periods.grain) { periods.grain } else { Grain::Month };
    let counted = journey.calendar.periods().iter().enumerate();
    let mut found: BTreeMap<(usize, u8), Cell> = BTreeMap::new();
    for (grain, from) in counted.filter(|(_, from)| from.grain == wanted) {
        for ((_, period, stage), cell) in cells.range((grain, 0, 0)..(grain + 1, 0, 0)) {
            let period = periods.of(from.start(*period));
            found.entry((period, *stage)).or_default().add(cell);
        }
    }
    found
}

struct Row<'a> {
    grain: Grain,
    is_hidden: bool,
    start_day: i32,
    is_complete: bool,
    stage: u8,
    dimension: &'static str,
    value: &'a str,
    /// Median and ninth decile.
    days: [Option<i64>; 2],
    cell: Cell,
}

impl Row<'_> {
    /// A conversion of the last stage is no number, not zero.
    fn moves(&self, stages: &Stages) -> Option<&Cell> {
        stages.has_next(self.stage).then_some(&self.cell)
    }

    fn conversion_interval(&self, confidence: f64) -> Option<Interval> {
        let part = u64::try_from(self.cell.converted).ok()?;
        let whole = u64::try_from(self.cell.whole).ok().filter(|n| *n > 0)?;
        Some(wilson(part, whole, confidence))
    }
}

/// Hides stages of few entries, and those that would give them away, stage by stage.
fn hide(rows: &mut [Row<'_>], terms: &Terms) {
    let min_cell = u64::try_from(terms.min_cell).unwrap_or(0);
    let rule = Rule { min_cell, horizon_day: terms.horizon_day };
    let mut stages: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        stages.entry(row.stage).or_default().push(i);
    }
    for members in stages.into_values() {
        let cells = members.iter().filter_map(|i| rows.get(*i)).map(|row| suppression::Cell {
            grain: row.grain,
            start: row.start_day,
            dimension: row.dimension,
            value: row.value,
            n: u64::try_from(row.cell.entered).unwrap_or(0),
        });
        let flags = hidden(&cells.collect::<Vec<_>>(), rule);
        for (i, is_hidden) in members.into_iter().zip(flags) {
            if let Some(row) = rows.get_mut(i) {
                row.is_hidden = is_hidden;
            }
        }
    }
}

fn columns(rows: &[Row<'_>], stages: &Stages, terms: &Terms) -> Result<RecordBatch, FoldError> {
    let few = |row: &Row<'_>| row.is_hidden;
    let count = |of: &dyn Fn(&Row<'_>) -> Option<i64>| {
        counts(rows.iter().map(|row| if few(row) { None } else { of(row) }))
    };
    let rate = |of: &dyn Fn(&Row<'_>) -> Option<f64>| {
        shares(rows.iter().map(|row| if few(row) { None } else { of(row) }))
    };
    let converted = |row: &Row<'_>| share(row.moves(stages)?.converted, row.cell.whole);
    let limits = |row: &Row<'_>| row.conversion_interval(terms.confidence);
    let answers = |of: &dyn Fn(&Answers) -> (i64, i64)| {
        let enough =
            |row: &Row<'_>| Some(of(&row.cell.answers)).filter(|(n, _)| *n >= terms.min_cell);
        (
            count(&|row| Some(of(&row.cell.answers).0)),
            count(&|row| Some(enough(row)?.1)),
            rate(&|row| enough(row).and_then(|(n, good)| Some(100.0 * share(good, n)?))),
        )
    };
    let (n_nps, n_promoters, _) = answers(&|a| (a.nps, a.promoters));
    let (_, n_detractors, _) = answers(&|a| (a.nps, a.detractors));
    let (_, _, nps) = answers(&|a| (a.nps, a.promoters - a.detractors));
    let (n_csat, n_csat_favourable, csat) = answers(&|a| (a.csat, a.csat_favourable));
    let (n_ces, n_ces_favourable, ces) = answers(&|a| (a.ces, a.ces_favourable));
    let text = |of: &dyn Fn(&Row<'_>) -> String| texts(rows.iter().map(|row| Some(of(row))));
    batch(
        TABLE,
        vec![
            ("period_grain", texts(rows.iter().map(|row| Some(row.grain.name())))),
            ("period_start", days(rows.iter().map(|row| row.start_day))),
            ("stage", text(&|row| stages.name(row.stage).to_owned())),
            ("dimension", texts(rows.iter().map(|row| Some(row.dimension)))),
            ("dimension_value", texts(rows.iter().map(|row| Some(row.value)))),
            ("definition_id", texts(rows.iter().map(|_| Some("journey_stage")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("stage_position", counts(rows.iter().map(|row| Some(i64::from(row.stage))))),
            ("phase", texts(rows.iter().map(|row| stages.phase(row.stage)))),
            ("is_complete", flags(rows.iter().map(|row| row.is_complete))),
            ("is_suppressed", flags(rows.iter().map(few))),
            ("n_entered", counts(rows.iter().map(|row| Some(row.cell.entered)))),
            ("n_left", count(&|row| Some(row.cell.left()))),
            ("n_current", count(&|row| Some(row.cell.entered - row.cell.left()))),
            ("n_lapsed", count(&|row| Some(row.cell.lapsed))),
            ("n_reversals", count(&|row| Some(row.cell.reversals))),
            ("n_window_complete", count(&|row| Some(row.moves(stages)?.whole))),
            ("n_converted", count(&|row| Some(row.moves(stages)?.converted))),
            ("conversion_rate", rate(&converted)),
            ("conversion_low", rate(&|row| Some(limits(row)?.low))),
            ("conversion_high", rate(&|row| Some(limits(row)?.high))),
            ("drop_off_rate", rate(&|row| Some(1.0 - converted(row)?))),
            ("median_days", count(&|row| row.days[0])),
            ("p90_days", count(&|row| row.days[1])),
            ("n_nps", n_nps),
            ("n_promoters", n_promoters),
            ("n_detractors", n_detractors),
            ("nps", nps),
            ("n_csat", n_csat),
            ("n_csat_favourable", n_csat_favourable),
            ("csat", csat),
            ("n_ces", n_ces),
            ("n_ces_favourable", n_ces_favourable),
            ("ces", ces),
        ],
    )
}
