//! Which cells are hidden because they, or what can be reckoned from them, are of few people.
//!
//! A cell of fewer than `min_cell` is hidden. Sums would give it away, so where exactly one part of
//! a whole is hidden the next smallest part goes with it. Wholes are the values of a dimension, the
//! pairs and triples that share values, and the shorter periods of a longer one. A period that is still
//! running is small because it has just begun: then the longer period, which is not over either, is
//! hidden in its place, and what was told of periods that are over stays told.

use std::collections::BTreeMap;

use super::fold::calendar::Grain;
use super::scores::{ALL, PAIR};
use crate::table::day::{date, day_number};

/// One cell of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    pub grain: Grain,
    /// First day of the period.
    pub start: i32,
    /// As in `channel` or `channel*country`.
    pub dimension: &'a str,
    pub value: &'a str,
    pub n: u64,
}

/// What hides cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub min_cell: u64,
    /// Last day that counts.
    pub horizon_day: i32,
}

type Place<'a> = (Grain, i32, &'a str, &'a str);
/// Names of columns with their values, in order of the names.
type Values<'a> = Vec<(&'a str, &'a str)>;

/// Parts that add up to a whole.
#[derive(Debug)]
struct Sum {
    /// The cell of the whole, where there is one.
    whole: Option<usize>,
    /// Someone knows the whole even where no cell tells it.
    is_known: bool,
    /// Parts are periods.
    is_time: bool,
    parts: Vec<usize>,
}

/// Whether each of the cells of one metric is hidden, in their order.
pub fn hidden(cells: &[Cell<'_>], rule: Rule) -> Vec<bool> {
    let mut hidden: Vec<bool> = cells.iter().map(|cell| cell.n < rule.min_cell).collect();
    let sums = sums(cells);
    let is_running = |i: usize| cells.get(i).is_some_and(|cell| is_running(cell, rule));
    // What one sum hides may betray a part of another; each round hides more, or is the last.
    let mut is_done = false;
    while !is_done {
        is_done = true;
        for sum in &sums {
            let more = sum.betrays(&hidden, is_running);
            if let Some(flag) = more.and_then(|more| hidden.get_mut(more)) {
                (*flag, is_done) = (true, false);
            }
        }
    }
    hidden
}

impl Sum {
    /// The cell to hide so that the one hidden part is not the difference of what is shown; parts
    /// come in the order in which they are given up.
    fn betrays(&self, hidden: &[bool], is_running: impl Fn(usize) -> bool) -> Option<usize> {
        let is_hidden = |i: usize| hidden.get(i).copied().unwrap_or(true);
        let whole = self.whole.filter(|whole| !is_hidden(*whole));
        if !self.is_known && whole.is_none() {
            return None;
        }
        let mut few = self.parts.iter().copied().filter(|part| is_hidden(*part));
        let (only, None) = (few.next()?, few.next()) else { return None };
        if self.is_time && is_running(only) {
            return whole;
        }
        self.parts.iter().copied().find(|part| !is_hidden(*part)).or(whole)
    }
}

fn sums(cells: &[Cell<'_>]) -> Vec<Sum> {
    let places: BTreeMap<Place<'_>, usize> =
        cells.iter().enumerate().map(|(i, cell)| (place(cell), i)).collect();
    let at = |key: Place<'_>| places.get(&key).copied();
    let told = cells.iter().enumerate();
    let by_values: BTreeMap<(Grain, i32, Values<'_>), usize> =
        told.map(|(i, cell)| ((cell.grain, cell.start, values_of(cell)), i)).collect();
    let mut grains: Vec<Grain> = cells.iter().map(|cell| cell.grain).collect();
    grains.sort_unstable();
    grains.dedup();
    // By cell of the whole where there is one, else by period and dimension; the kind of parts
    // tells sums of one whole apart.
    let mut values: BTreeMap<(Grain, i32, &str), Vec<usize>> = BTreeMap::new();
    let mut parts: BTreeMap<(usize, Grain, &str), Vec<usize>> = BTreeMap::new();
    for (i, cell) in cells.iter().enumerate() {
        if cell.dimension != ALL {
            values.entry((cell.grain, cell.start, cell.dimension)).or_default().push(i);
        }
        let own = values_of(cell);
        // A column fewer, or two; of pairs the one and the other.
        for mask in 1..(1_usize << own.len()) - 1 {
            let fewer = own.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
            let fewer: Values<'_> = fewer.map(|(_, value)| *value).collect();
            if let Some(whole) = by_values.get(&(cell.grain, cell.start, fewer)) {
                parts.entry((*whole, cell.grain, cell.dimension)).or_default().push(i);
            }
        }
        for longer in grains.iter().filter(|longer| nests(cell.grain, **longer)) {
            let start = day_number(longer.start(date(cell.start)));
            if let Some(whole) = at((*longer, start, cell.dimension, cell.value)) {
                parts.entry((whole, cell.grain, "")).or_default().push(i);
            }
        }
    }
    let of_values = values.into_iter().map(|((grain, start, _), parts)| Sum {
        whole: at((grain, start, ALL, ALL)),
        is_known: true,
        is_time: false,
        parts,
    });
    let of_parts = parts.into_iter().map(|((whole, _, pair), parts)| Sum {
        whole: Some(whole),
        is_known: false,
        is_time: pair.is_empty(),
        parts,
    });
    let mut sums: Vec<Sum> = of_values.chain(of_parts).collect();
    for sum in &mut sums {
        // The smallest first; equals in order of value, then of time.
        sum.parts.sort_by_key(|i| cells.get(*i).map(|cell| (cell.n, cell.value, cell.start)));
    }
    sums
}

fn place<'a>(cell: &Cell<'a>) -> Place<'a> {
    (cell.grain, cell.start, cell.dimension, cell.value)
}

/// What a cell is of; of `all` nothing in particular.
fn values_of<'a>(cell: &Cell<'a>) -> Values<'a> {
    if cell.dimension == ALL {
        return Vec::new();
    }
    let names = cell.dimension.split('*').map(str::trim);
    let mut values: Values<'_> = names.zip(cell.value.split(PAIR)).collect();
    values.sort_unstable();
    values
}

/// Whether every period of the one length lies within one of the other.
fn nests(short: Grain, long: Grain) -> bool {
    match long {
        Grain::Day => false,
        Grain::Week | Grain::Month => short == Grain::Day,
        Grain::Quarter => matches!(short, Grain::Day | Grain::Month),
        Grain::Year => matches!(short, Grain::Day | Grain::Month | Grain::Quarter),
    }
}

/// Whether days of the cell's period are still to come.
fn is_running(cell: &Cell<'_>, rule: Rule) -> bool {
    let start = |day: i32| day_number(cell.grain.start(date(day)));
    cell.start == start(rule.horizon_day) && cell.start == start(rule.horizon_day + 1)
}
