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

use std::collections::BTreeMap;

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

/// Sweeps after which a chain counts as unsolvable; one that mostly leads back to itself needs
/// some thousands.
const SWEEPS_MAX: usize = 200_000;
/// A solution is exact when no state moves by more than this.
const STILL: f64 = 1e-15;

#[derive(Debug, Clone, Default)]
struct State {
    /// The touchpoints it stands for; one that is gone loses the path.
    at: Vec<u32>,
    /// Share of passages that lead to other states, and to which.
    next: Vec<(usize, f64)>,
    converts: f64,
}

/// A chain of states, the first of which is the start.
#[derive(Debug, Clone)]
pub struct Chain {
    states: Vec<State>,
}

impl Chain {
    /// The chain whose shares are those of the passages counted.
    pub fn new(order: Order, passages: &BTreeMap<Passage, u64>) -> Self {
        let depth = usize::from(order == Order::One);
        let mut counts: BTreeMap<&[Place], BTreeMap<&[Place], u64>> = BTreeMap::new();
        for (passage, count) in passages {
            let (from, to) = (&passage[depth..2], &passage[depth + 1..]);
            *counts.entry(from).or_default().entry(to).or_default() += count;
        }
        // Starts sort first.
        let places: BTreeMap<&[Place], usize> =
            counts.keys().enumerate().map(|(at, key)| (*key, at)).collect();
        let state = |(from, leads): (&&[Place], &BTreeMap<&[Place], u64>)| {
            let all: u64 = leads.values().sum();
            let mut state = State { at: touchpoints(from), ..State::default() };
            for (to, count) in leads {
                let share = *count as f64 / all as f64;
                match to.last() {
                    Some(Place::Converted) => state.converts += share,
                    Some(Place::Lost) | None => {}
                    Some(_) => state.next.extend(places.get(to).map(|place| (*place, share))),
                }
            }
            state
        };
        Self { states: counts.iter().map(state).collect() }
    }

    /// Probability that a path converts, or would `without` a touchpoint; `None` where the
    /// equations do not settle.
    pub fn converts(&self, without: Option<u32>) -> Option<f64> {
        let is_gone = |state: &State| without.is_some_and(|gone| state.at.contains(&gone));
        let gone: Vec<bool> = self.states.iter().map(is_gone).collect();
        let mut chance = vec![0.0_f64; self.states.len()];
        // Gauss-Seidel: every state takes what its followers have by now. Shares leading on sum to
        // at most one and paths end, so the sweeps settle.
        for _ in 0..SWEEPS_MAX {
            let mut moved = 0.0_f64;
            for (at, state) in self.states.iter().enumerate().rev() {
                if gone.get(at).copied().unwrap_or(true) {
                    continue;
                }
                let mut own = 0.0;
                let mut now = state.converts;
                for (next, share) in &state.next {
                    if *next == at {
                        own += share;
                    } else {
                        now += share * chance.get(*next).copied().unwrap_or(0.0);
                    }
                }
                // A state that leads back to itself waits there until it leaves.
                let now = if own < 1.0 { now / (1.0 - own) } else { 0.0 };
                if let Some(before) = chance.get_mut(at) {
                    moved = moved.max((now - *before).abs());
                    *before = now;
                }
            }
            if moved <= STILL {
                return Some(chance.first().copied().unwrap_or(0.0));
            }
        }
        None
    }

    /// By touchpoint the share of conversions that is lost without it; `None` where no path
    /// converts, or the equations do not settle.
    pub fn removal_effects(&self) -> Option<BTreeMap<u32, f64>> {
        let all = self.converts(None).filter(|all| *all > 0.0)?;
        let touchpoints: std::collections::BTreeSet<u32> =
            self.states.iter().flat_map(|state| state.at.iter().copied()).collect();
        let effect = |at: u32| Some((at, 1.0 - self.converts(Some(at))? / all));
        touchpoints.into_iter().map(effect).collect()
    }
}

fn touchpoints(places: &[Place]) -> Vec<u32> {
    let at =
        |place: &Place| if let Place::At(touchpoint) = place { Some(*touchpoint) } else { None };
    places.iter().filter_map(at).collect()
}
