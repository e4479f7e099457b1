//! Who a cluster is over time: pinned anchors, and when people were created and merged.
//!
//! A customer's id is made from the anchor of the cluster. What decides between anchors is pinned
//! in the ledger when it is first released, so a late object that shows an identifier earlier than
//! thought renames nobody.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use super::cluster::{Clusters, Edge, Guard, Joined, STANDS, ascending};
use super::{NOBODY, beside};
use crate::table::id::{Keyed, Packed};

/// Edges whose ends are looked at before they are joined.
const AHEAD: usize = 64;

/// First day and strength of an identifier, as first released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Keyed hash of the identifier.
    pub key: Packed,
    pub day: i32,
    pub strength: i8,
}

impl Pin {
    /// The keyed hash as text.
    pub fn text(&self) -> String {
        self.key.text()
    }

    /// A pin read back; `None` when `text` is no such hash.
    pub fn read(text: &str, day: i32, strength: i8) -> Option<Self> {
        Some(Self { key: Packed::read(text)?, day, strength })
    }

    /// The hash of an identifier that nobody can guess back without the salt.
    pub(super) fn key(salt: &Keyed, identifier: (&str, &str, &str)) -> Packed {
        let (kind, namespace, value) = identifier;
        salt.packed(&["ledger", kind, namespace, value])
    }

    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.key.head().cmp(&other.key.head()).then_with(|| self.cmp(other))
    }
}

/// Pins in order of their hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(Vec<Pin>);

impl Ledger {
    /// Takes pins in any order; of two for one identifier the earlier counts.
    pub fn new(mut pins: Vec<Pin>) -> Self {
        pins.sort_unstable_by(Pin::order);
        pins.dedup_by_key(|pin| pin.key);
        Self(pins)
    }

    pub fn pins(&self) -> &[Pin] {
        &self.0
    }

    pub(super) fn find(&self, key: &Packed) -> Option<&Pin> {
        let pins = self.0.as_slice();
        // Hashes are spread evenly, so where one stands is almost known; a search that begins in
        // the middle would look all over memory.
        let share = u128::from(key.head()) * pins.len() as u128;
        let guess = (share >> u64::BITS) as usize;
        let is_before = |at: usize| pins.get(at).is_some_and(|pin| pin.key < *key);
        let (mut low, mut high, mut step) = (guess, guess, NEAR);
        while low > 0 && !is_before(low - 1) {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = NEAR;
        while is_before(high) {
            low = high + 1;
            high = high.saturating_add(step);
            step *= 2;
        }
        let high = high.min(pins.len());
        let near = pins.get(low.min(high)..high).unwrap_or_default();
        let at = low + near.partition_point(|pin| pin.key < *key);
        pins.get(at).filter(|pin| pin.key == *key)
    }

    /// Takes in pins of identifiers that it does not know yet, in lists that are in order.
    pub(super) fn extend(&mut self, mut fresh: Vec<Vec<Pin>>) {
        fresh.push(std::mem::take(&mut self.0));
        self.0 = beside::merge(fresh, Pin::order);
    }
}

/// How far from the guess a pin is looked for first.
const NEAR: usize = 16;

/// Something that happened to people; identifiers are anchors, by rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created {
        day: i32,
        customer: u32,
    },
    Merged(Meeting),
    /// Would be one, were it not for an override.
    Split(Meeting),
}

/// Two people, and the edge between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meeting {
    pub from: u32,
    pub to: u32,
    pub by: Edge,
}

/// An edge that a guard refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub edge: Edge,
    pub guard: Guard,
}

/// What became of the edges.
#[derive(Debug, Default)]
pub struct History {
    /// Anchor of each identifier, by rank; [`NOBODY`] for one that is no part of the graph.
    pub anchors: Vec<u32>,
    /// Of each identifier, the day on which it ceased to stand for its cluster, and what stood for
    /// it then; [`STANDS`] while it does.
    pub moves: Vec<(i32, u32)>,
    /// Days on which people were first seen, and their anchors, in order.
    created: Vec<(i32, u32)>,
    /// In the order they happened in.
    merged: Vec<Meeting>,
    splits: Vec<Meeting>,
    pub refusals: Vec<Refusal>,
}

/// Applies edges, which come day by day.
///
/// The days are those of the records, not the pinned ones: when something happened does not
/// depend on when it was released. A person that appears and is merged on one day was never seen
/// by anybody and leaves no trace.
pub fn replay(mut clusters: Clusters<'_>, edges: &[Edge], threads: usize) -> History {
    let mut history = History::default();
    for today in edges.chunk_by(|a, b| a.day == b.day) {
        let earlier = history.merged.len();
        for next in today.chunks(AHEAD) {
            clusters.warm(next);
            for edge in next {
                match clusters.join(edge) {
                    Joined::Already => {}
                    Joined::Anchor(from) if clusters.born(from) < edge.day => {
                        history.merged.push(Meeting { from, to: from, by: *edge });
                    }
                    Joined::Anchor(_) => {}
                    Joined::Refused(guard) => {
                        history.refusals.push(Refusal { edge: *edge, guard });
                    }
                }
            }
        }
        for merged in history.merged.iter_mut().skip(earlier) {
            merged.to = clusters.anchor(merged.from);
        }
    }
    history.splits = splits(&history.refusals, &mut clusters);
    let count = clusters.len();
    let anchor = |at: usize| clusters.anchor_of(at).unwrap_or(NOBODY);
    history.anchors = beside::map(NOBODY, count, threads, anchor);
    history.moves = beside::map((0, 0), count, threads, |at| clusters.moved(at));
    let born = |at: usize| Some((clusters.stood(at)?, u32::try_from(at).unwrap_or(NOBODY)));
    let born = |part: Range<usize>| part.filter_map(born).collect();
    history.created = beside::concat(beside::parts(count, threads, born));
    let order =
        |(day, customer): &(i32, u32)| u64::from(ascending(*day)) << 32 | u64::from(*customer);
    beside::sort(&mut history.created, threads, |a, b| order(a).cmp(&order(b)));
    history
}

impl History {
    /// What happened to people, day by day, and who is kept apart.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let mut created = self.created.iter().copied().peekable();
        let mut merged = self.merged.iter().copied().peekable();
        let told = std::iter::from_fn(move || {
            let first = created.peek().map_or(STANDS, |(day, _)| *day);
            if let Some(meeting) = merged.next_if(|meeting| meeting.by.day <= first) {
                return Some(Change::Merged(meeting));
            }
            created.next().map(|(day, customer)| Change::Created { day, customer })
        });
        told.chain(self.splits.iter().copied().map(Change::Split))
    }

    /// What stood for an identifier's cluster at the end of a day.
    pub fn anchor_on(&self, of: u32, day: i32) -> u32 {
        let mut at = of;
        while let Some((moved, to)) = self.moves.get(at as usize).filter(|(moved, _)| *moved <= day)
            && *moved != STANDS
        {
            at = *to;
        }
        at
    }
}

/// People whom an override keeps apart: the first edge refused between each two of them tells.
fn splits(refusals: &[Refusal], clusters: &mut Clusters<'_>) -> Vec<Meeting> {
    let mut seen = BTreeSet::new();
    let mut splits = Vec::new();
    for Refusal { edge, .. } in refusals.iter().filter(|r| r.guard == Guard::NeverLink) {
        let (left, right) = (clusters.anchor(edge.left), clusters.anchor(edge.right));
        let older = clusters.seniority(left) < clusters.seniority(right);
        let (from, to) = if older { (left, right) } else { (right, left) };
        if from != to && seen.insert((from, to)) {
            splits.push(Meeting { from, to, by: *edge });
        }
    }
    splits
}
