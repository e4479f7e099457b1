//! Who a cluster is over time: pinned anchors, and when people were created and merged.
//!
//! A customer's id is made from the anchor of the cluster. What decides between anchors is pinned
//! in the ledger when it is first released, so a late object that shows an identifier earlier than
//! thought renames nobody.

use std::collections::BTreeSet;

use super::beside;
use super::cluster::{Clusters, Edge, Guard, Joined, Limits, Member};
use crate::table::id::Keyed;

/// First day and strength of an identifier, as first released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Keyed hash of the identifier, 160 bits in base32.
    pub key: [u8; PIN_BYTES],
    pub day: i32,
    pub strength: i8,
}

/// Characters of 160 bits in base32.
pub const PIN_BYTES: usize = 32;

impl Pin {
    /// The keyed hash as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.key).unwrap_or_default()
    }

    /// A pin read back; `None` when `text` is no such hash.
    pub fn read(text: &str, day: i32, strength: i8) -> Option<Self> {
        Some(Self { key: text.as_bytes().try_into().ok()?, day, strength })
    }

    /// The hash of an identifier that nobody can guess back without the salt.
    pub(super) fn key(salt: &Keyed, identifier: (&str, &str, &str)) -> [u8; PIN_BYTES] {
        let (kind, namespace, value) = identifier;
        let text = salt.text(&["ledger", kind, namespace, value]);
        text.as_bytes().try_into().unwrap_or([b'a'; PIN_BYTES])
    }
}

/// Pins by hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger(Vec<Pin>);

impl Ledger {
    /// Takes pins in any order; of two for one identifier the earlier counts.
    pub fn new(mut pins: Vec<Pin>) -> Self {
        pins.sort_unstable();
        pins.dedup_by_key(|pin| pin.key);
        Self(pins)
    }

    pub fn pins(&self) -> &[Pin] {
        &self.0
    }

    pub(super) fn find(&self, key: &[u8; PIN_BYTES]) -> Option<&Pin> {
        self.0.binary_search_by(|pin| pin.key.cmp(key)).ok().and_then(|at| self.0.get(at))
    }

    pub(super) fn extend(&mut self, pins: Vec<Pin>, threads: usize) {
        // The first run of a warehouse pins all there is; no second copy then.
        if self.0.is_empty() {
            self.0 = pins;
        } else {
            self.0.extend(pins);
        }
        beside::sort(&mut self.0, threads, Ord::cmp);
    }
}

/// Something that happened to people; identifiers are anchors, by rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created {
        day: i32,
        customer: u32,
    },
    Merged {
        day: i32,
        from: u32,
        to: u32,
        by: Edge,
    },
    /// Would be one, were it not for an override.
    Split {
        day: i32,
        from: u32,
        to: u32,
        by: Edge,
    },
}

/// An edge that a guard refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub edge: Edge,
    pub guard: Guard,
}

/// The day of a move that never came.
pub const STANDS: i32 = i32::MAX;

/// What became of the edges.
#[derive(Debug, Default)]
pub struct History {
    /// Anchor of each identifier, by rank.
    pub anchors: Vec<u32>,
    /// Of each identifier, the day on which it ceased to stand for its cluster, and what stood for
    /// it then; [`STANDS`] while it does.
    pub moves: Vec<(i32, u32)>,
    pub changes: Vec<Change>,
    pub refusals: Vec<Refusal>,
}

/// Applies edges day by day. `alive` says which identifiers are part of the graph.
///
/// The days are those of the records, not the pinned ones: when something happened does not
/// depend on when it was released. A person that appears and is merged on one day was never seen by anybody and leaves no trace.
pub fn replay(
    members: &[Member],
    alive: &[bool],
    edges: &[Edge],
    apart: &[(u32, u32)],
    limits: Limits,
) -> History {
    let mut clusters = Clusters::new(members, apart, limits);
    let mut history = History::default();
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    history.moves = (0..count).map(|i| (STANDS, i)).collect();
    let births = (0..count).filter(|i| alive[*i as usize]).map(|i| (members[i as usize].born, i));
    let mut births: Vec<(i32, u32)> = births.collect();
    births.sort_unstable();
    let mut births = births.into_iter().peekable();
    let mut edges = edges.iter().peekable();
    loop {
        let birth = births.peek().map(|(day, _)| *day);
        let joined = edges.peek().map(|edge| edge.day);
        let Some(day) = birth.into_iter().chain(joined).min() else { break };
        let mut merged = Vec::new();
        while let Some(edge) = edges.next_if(|edge| edge.day == day) {
            match clusters.join(edge) {
                Joined::Already => {}
                Joined::Anchor(gone) => {
                    history.moves[gone as usize] = (day, clusters.anchor(gone));
                    if members[gone as usize].born < day {
                        merged.push((gone, *edge));
                    }
                }
                Joined::Refused(guard) => history.refusals.push(Refusal { edge: *edge, guard }),
            }
        }
        for (from, by) in merged {
            let to = clusters.anchor(from);
            history.changes.push(Change::Merged { day, from, to, by });
        }
        while let Some((_, customer)) = births.next_if(|(born, _)| *born == day) {
            if clusters.anchor(customer) == customer {
                history.changes.push(Change::Created { day, customer });
            }
        }
    }
    history.anchors = (0..count).map(|i| clusters.anchor(i)).collect();
    history.changes.extend(splits(&history.refusals, &mut clusters));
    history
}

impl History {
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
fn splits(refusals: &[Refusal], clusters: &mut Clusters<'_>) -> Vec<Change> {
    let mut seen = BTreeSet::new();
    let mut splits = Vec::new();
    for Refusal { edge, .. } in refusals.iter().filter(|r| r.guard == Guard::NeverLink) {
        let (left, right) = (clusters.anchor(edge.left), clusters.anchor(edge.right));
        let older = clusters.seniority(left) < clusters.seniority(right);
        let (from, to) = if older { (left, right) } else { (right, left) };
        if from != to && seen.insert((from, to)) {
            splits.push(Change::Split { day: edge.day, from, to, by: *edge });
        }
    }
    splits
}
