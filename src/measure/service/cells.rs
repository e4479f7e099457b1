//! Which cell of a table each request falls into, and the requests of cells in order of a value.
//!
//! A cell is a period with the values of a dimension. Cells are numbered as they are first met, and
//! a request names its cell by number: what is counted is counted in arrays.

use foldhash::fast::FixedState;
use std::collections::HashMap;

use super::measures::{Outcome, Said};

/// Numbers of the values that tell cells of a period apart; zeros where a dimension has fewer.
pub type Values = [u32; 2];

/// Requests by cell.
#[derive(Debug, Default)]
pub struct Cells {
    /// Of each request.
    of: Vec<u32>,
    /// First day of the period, and the values.
    pub keys: Vec<(i32, Values)>,
    /// Requests of each cell.
    sizes: Vec<u32>,
}

impl Cells {
    /// From the keys of requests, in their order.
    pub fn new(keys: impl Iterator<Item = (i32, Values)>) -> Self {
        let mut cells = Self::default();
        let mut known: HashMap<(i32, Values), u32, FixedState> = HashMap::default();
        for key in keys {
            let cell = *known.entry(key).or_insert_with(|| {
                cells.keys.push(key);
                cells.sizes.push(0);
                u32::try_from(cells.keys.len() - 1).unwrap_or(u32::MAX)
            });
            cells.of.push(cell);
            if let Some(size) = cells.sizes.get_mut(cell as usize) {
                *size += 1;
            }
        }
        cells
    }

    pub fn of(&self, request: u32) -> usize {
        self.of.get(request as usize).map_or(usize::MAX, |cell| *cell as usize)
    }

    /// How often an outcome is done and open, and what done ones add up to, by cell.
    pub fn counted(&self, outcomes: &[Outcome]) -> Vec<Counted> {
        let mut counted = vec![Counted::default(); self.keys.len()];
        for (cell, outcome) in self.of.iter().zip(outcomes) {
            let Some(counted) = counted.get_mut(*cell as usize) else { continue };
            match outcome.said() {
                Said::Done(value) => {
                    counted.done += 1;
                    counted.sum += i64::from(value);
                }
                Said::Open(_) => counted.open += 1,
                Said::Nothing => {}
            }
        }
        counted
    }

    /// The outcomes of each cell in order, from requests that stand in the order of their outcomes.
    pub fn ordered(&self, order: &Order) -> Ordered {
        let (done, ends_done) = self.spread(&order.done);
        let (open, ends_open) = self.spread(&order.open);
        Ordered { done, ends_done, open, ends_open }
    }

    /// Values cell by cell, and where each cell ends.
    fn spread(&self, sorted: &[(u32, u32)]) -> (Vec<i64>, Vec<usize>) {
        let mut ends = vec![0_usize; self.keys.len()];
        for (_, request) in sorted {
            if let Some(n) = ends.get_mut(self.of(*request)) {
                *n += 1;
            }
        }
        // From sizes to where cells begin; handing out moves each to its end.
        let mut begin = 0;
        for end in &mut ends {
            let n = *end;
            *end = begin;
            begin += n;
        }
        let mut values = vec![0_i64; begin];
        for (value, request) in sorted {
            let Some(at) = ends.get_mut(self.of(*request)) else { continue };
            if let Some(slot) = values.get_mut(*at) {
                *slot = i64::from(*value);
            }
            *at += 1;
        }
        (values, ends)
    }
}

/// What a measure comes to in one cell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    pub done: u64,
    pub open: u64,
    pub sum: i64,
}

/// Requests with an outcome in order of its value: sorted once, and then only handed out to cells.
#[derive(Debug, Default)]
pub struct Order {
    /// Value and request.
    done: Vec<(u32, u32)>,
    open: Vec<(u32, u32)>,
}

impl Order {
    pub fn new(outcomes: &[Outcome]) -> Self {
        let mut order = Self::default();
        for (request, outcome) in (0_u32..).zip(outcomes) {
            match outcome.said() {
                Said::Done(value) => order.done.push((value, request)),
                Said::Open(value) => order.open.push((value, request)),
                Said::Nothing => {}
            }
        }
        order.done.sort_unstable();
        order.open.sort_unstable();
        order
    }
}

/// Values of cells, each cell's in order.
#[derive(Debug)]
pub struct Ordered {
    done: Vec<i64>,
    ends_done: Vec<usize>,
    open: Vec<i64>,
    ends_open: Vec<usize>,
}

impl Ordered {
    /// Done and open values of a cell.
    pub fn of(&self, cell: usize) -> (&[i64], &[i64]) {
        (part(&self.done, &self.ends_done, cell), part(&self.open, &self.ends_open, cell))
    }
}

fn part<'a>(values: &'a [i64], ends: &[usize], cell: usize) -> &'a [i64] {
    let begin = cell.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let end = ends.get(cell).copied().unwrap_or(begin);
    values.get(begin..end).unwrap_or_default()
}
