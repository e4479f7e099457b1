//! Can a hidden cell be reckoned from what is shown? Asked of every sum of published cells.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::world::{Row, period};

/// Shorter periods first.
const GRAINS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

/// Whether a period of one length lies within the other, whichever it is.
fn nests(short: &str, long: &str) -> bool {
    let length = |grain: &str| GRAINS.iter().position(|known| *known == grain);
    length(short) < length(long) && short != "week"
}

struct Cell<'a> {
    grain: &'a str,
    start: NaiveDate,
    dimension: &'a str,
    value: &'a str,
    n: i64,
    is_hidden: bool,
}

impl<'a> Cell<'a> {
    fn new(row: &'a Row) -> Self {
        Self {
            grain: &row["period_grain"],
            start: row["period_start"].parse().expect("a day"),
            dimension: &row["dimension"],
            value: &row["dimension_value"],
            n: row["n"].parse().expect("a count"),
            is_hidden: row["is_suppressed"] == "true",
        }
    }
}

type Cells<'a> = Vec<&'a Cell<'a>>;

/// The cells of one metric, by what they are compared with.
struct Table<'a> {
    /// By dimension and value.
    lines: BTreeMap<(&'a str, &'a str), Cells<'a>>,
    /// By period.
    periods: BTreeMap<(&'a str, NaiveDate), Cells<'a>>,
}

impl Table<'_> {
    /// All parts that the cell is the sum of, in every way there is.
    fn sums(&self, of: &Cell<'_>) -> Vec<Cells<'_>> {
        let mut sums = Vec::new();
        for short in GRAINS.into_iter().filter(|short| nests(short, of.grain)) {
            let line = self.lines[&(of.dimension, of.value)].iter().copied();
            let within =
                |part: &&Cell<'_>| part.grain == short && period(of.grain, part.start) == of.start;
            sums.push(line.filter(within).collect());
        }
        let here = &self.periods[&(of.grain, of.start)];
        let mut names: Vec<&str> = here.iter().map(|cell| cell.dimension).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| *name != of.dimension) {
            let parts = here.iter().copied().filter(|part| part.dimension == name);
            let side = name.split('*').position(|part| part == of.dimension);
            match side.filter(|_| name.contains('*')) {
                _ if of.dimension == "all" => sums.push(parts.collect()),
                Some(side) => {
                    let own =
                        |part: &&Cell<'_>| part.value.split('\u{1f}').nth(side) == Some(of.value);
                    sums.push(parts.filter(own).collect());
                }
                None => {}
            }
        }
        sums.retain(|parts: &Cells<'_>| !parts.is_empty());
        sums
    }
}

/// How many of the cells are hidden although they are large enough: the cells of one metric.
///
/// Every small cell must be hidden, no shown whole may have exactly one hidden part, and no large
/// cell is hidden without another hidden one in its line or its period.
pub fn nothing_can_be_reckoned(rows: &[&Row], min_cell: i64) -> usize {
    let cells: Vec<Cell<'_>> = rows.iter().map(|row| Cell::new(row)).collect();
    let mut table = Table { lines: BTreeMap::new(), periods: BTreeMap::new() };
    for cell in &cells {
        table.lines.entry((cell.dimension, cell.value)).or_default().push(cell);
        table.periods.entry((cell.grain, cell.start)).or_default().push(cell);
    }
    let mut beside = 0;
    for cell in &cells {
        let what = (cell.grain, cell.start, cell.dimension, cell.value);
        assert!(cell.is_hidden || cell.n >= min_cell, "small: {what:?}");
        for parts in table.sums(cell) {
            let hidden = parts.iter().filter(|part| part.is_hidden).count();
            assert_eq!(parts.iter().map(|part| part.n).sum::<i64>(), cell.n, "{what:?}");
            assert!(cell.is_hidden || hidden != 1, "one hidden part of {what:?}");
        }
        if cell.is_hidden && cell.n >= min_cell {
            beside += 1;
            let line = table.lines[&(cell.dimension, cell.value)].iter();
            let mut others = line.chain(&table.periods[&(cell.grain, cell.start)]);
            let is_beside = |other: &&Cell<'_>| other.is_hidden && !std::ptr::eq(*other, cell);
            assert!(others.any(is_beside), "hidden for nothing: {what:?}");
        }
    }
    beside
}
