//! What a touchpoint is worth by what is lost without it: absorbing Markov chains, solved exactly.
//!
//! Anderl, Becker, von Wangenheim & Schumann (2016), "Mapping the customer journey: Lessons learned
//! from graph-based online attribution modeling", International Journal of Research in Marketing
//! 33(3): paths are runs of a chain from a start to one of two absorbing states, converted and
//! lost; the removal effect of a touchpoint is the share of conversions that is lost when every
//! passage into it leads to the lost state. Packages estimate it by simulating paths; here
//! the linear equations of the chain (Kemeny & Snell 1960, theorem 3.3.7) are solved.
//!
//! It says what goes together with conversions, not what causes them.

use std::collections::{BTreeMap, BTreeSet};

use super::krylov::{self, Equations};

/// Where a path can be: before its first touchpoint, at one, or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Start,
    At(u32),
    Converted,
    Lost,
}

/// Three places a path passed one after the other; its first touchpoint comes after two starts.
pub type Passage = [Place; 3];

/// Places behind that the next one depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    One,
    Two,
}

/// A chain of states, the first of which is the start.
#[derive(Debug, Clone)]
pub struct Chain {
    /// All that paths met, also those that no state stands for.
    touchpoints: BTreeSet<u32>,
    /// The touchpoints each state stands for; one that is gone loses the path.
    at: Vec<[Option<u32>; 2]>,
    /// Where the followers of each state begin in `next`; one more than there are states.
    begins: Vec<usize>,
    /// Followers of all states, with the share of passages out of the state that lead there.
    next: Vec<(u32, f64)>,
    /// Share of passages out of a state that convert at once.
    converts: Vec<f64>,
}

/// States by the places behind them, with counts of where they lead.
type Leads<'a> = BTreeMap<&'a [Place], BTreeMap<&'a [Place], u64>>;

impl Chain {
    /// The chain whose shares are those of the passages counted.
    ///
    /// A passage that leads back to the same state only takes time, so shares are of the others.
    /// States from which no path converts are left out: what leads there is lost.
    pub fn new(order: Order, passages: &BTreeMap<Passage, u64>) -> Self {
        let depth = usize::from(order == Order::One);
        let mut leads: Leads<'_> = BTreeMap::new();
        for (passage, count) in passages {
            let (from, to) = (&passage[depth..2], &passage[depth + 1..]);
            *leads.entry(from).or_default().entry(to).or_default() += count;
        }
        let hopeful = hopeful(&leads);
        // Starts sort first.
        let states = || leads.iter().filter(|(from, _)| hopeful.contains(*from));
        let places: BTreeMap<&[Place], u32> = states().map(|(from, _)| *from).zip(0..).collect();
        let met = passages.keys().flatten().filter_map(|place| touchpoint(*place));
        let mut chain = Self {
            touchpoints: met.collect(),
            at: Vec::new(),
            begins: vec![0],
            next: Vec::new(),
            converts: Vec::new(),
        };
        for (from, to) in states() {
            let leaving = to.iter().filter(|(to, _)| *to != from);
            let all: u64 = leaving.clone().map(|(_, count)| count).sum();
            let share = |count: &u64| *count as f64 / all as f64;
            let mut converts = 0.0;
            for (to, count) in leaving {
                if to.last() == Some(&Place::Converted) {
                    converts += share(count);
                } else if let Some(place) = places.get(to) {
                    chain.next.push((*place, share(count)));
                }
            }
            chain.at.push(touchpoints(from));
            chain.begins.push(chain.next.len());
            chain.converts.push(converts);
        }
        chain
    }

    /// States and passages between them.
    pub fn size(&self) -> (usize, usize) {
        (self.at.len(), self.next.len())
    }

    /// Probability that a path converts, or would `without` a touchpoint; `None` where the
    /// equations do not settle.
    pub fn converts(&self, without: Option<u32>) -> Option<f64> {
        let chances = self.chances(without, None)?;
        Some(chances.first().copied().unwrap_or(0.0))
    }

    /// By touchpoint the share of conversions that is lost without it; `None` where no path
    /// converts, or the equations do not settle.
    pub fn removal_effects(&self) -> Option<BTreeMap<u32, f64>> {
        let whole = self.chances(None, None)?;
        let all = whole.first().copied().filter(|all| *all > 0.0)?;
        let effect = |at: &u32| {
            // No path that meets it converts.
            if !self.at.iter().any(|places| places.contains(&Some(*at))) {
                return Some((*at, 0.0));
            }
            let left = self.chances(Some(*at), Some(&whole))?.first().copied().unwrap_or(0.0);
            Some((*at, 1.0 - left / all))
        };
        self.touchpoints.iter().map(effect).collect()
    }

    /// Probability to convert from each state; near a solution that is known it is found sooner.
    fn chances(&self, without: Option<u32>, near: Option<&[f64]>) -> Option<Vec<f64>> {
        let is_left = |at: &[Option<u32>; 2]| without.is_none_or(|gone| !at.contains(&Some(gone)));
        let left: Vec<bool> = self.at.iter().map(is_left).collect();
        let right = self.converts.iter().zip(&left).map(|(share, left)| masked(*share, *left));
        let guess = near.unwrap_or_default().iter().zip(&left);
        let mut guess: Vec<f64> = guess.map(|(chance, left)| masked(*chance, *left)).collect();
        guess.resize(self.at.len(), 0.0);
        krylov::solve(&Without { chain: self, left: &left }, &right.collect::<Vec<_>>(), guess)
    }
}

/// The equations of a chain of which some states are left.
struct Without<'a> {
    chain: &'a Chain,
    left: &'a [bool],
}

impl Equations for Without<'_> {
    /// A state's chance less what its followers have.
    fn apply(&self, chances: &[f64], out: &mut [f64]) {
        for (at, (slot, chance)) in out.iter_mut().zip(chances).enumerate() {
            *slot = if self.left[at] { chance - self.ahead(at, chances) } else { 0.0 };
        }
    }

    fn sweep(&self, right: &[f64], chances: &mut [f64]) -> f64 {
        let mut moved = 0.0_f64;
        for at in (0..chances.len()).rev() {
            if self.left[at] {
                let now = right[at] + self.ahead(at, chances);
                moved = moved.max((now - chances[at]).abs());
                chances[at] = now;
            }
        }
        moved
    }
}

impl Without<'_> {
    /// What the followers of a state have; those that are gone have nothing.
    fn ahead(&self, at: usize, chances: &[f64]) -> f64 {
        let followers = &self.chain.next[self.chain.begins[at]..self.chain.begins[at + 1]];
        followers.iter().map(|(next, share)| share * chances[*next as usize]).sum()
    }
}

fn masked(value: f64, is_left: bool) -> f64 {
    if is_left { value } else { 0.0 }
}

/// States from which a path can still convert, and the start.
fn hopeful<'a>(leads: &Leads<'a>) -> BTreeSet<&'a [Place]> {
    let mut before: BTreeMap<&[Place], Vec<&'a [Place]>> = BTreeMap::new();
    let mut found: BTreeSet<&'a [Place]> = BTreeSet::new();
    let mut open: Vec<&'a [Place]> = Vec::new();
    for (from, to) in leads {
        for to in to.keys() {
            if to.last() == Some(&Place::Converted) {
                open.push(*from);
            } else {
                before.entry(*to).or_default().push(*from);
            }
        }
    }
    while let Some(state) = open.pop() {
        if found.insert(state) {
            open.extend(before.get(state).into_iter().flatten());
        }
    }
    found.extend(leads.keys().next());
    found
}

fn touchpoint(place: Place) -> Option<u32> {
    if let Place::At(touchpoint) = place { Some(touchpoint) } else { None }
}

fn touchpoints(places: &[Place]) -> [Option<u32>; 2] {
    let mut at = [None; 2];
    for (slot, place) in at.iter_mut().zip(places) {
        *slot = touchpoint(*place);
    }
    at
}
