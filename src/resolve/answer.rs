//! What a resolution says, as rows of the tables that tell it.

use super::cluster::{Edge, Guard, LINK, PROBABLE, SAME_RECORD, STANDS};
use super::evidence::KeyFacts;
use super::lineage::{Change, Ledger};
use super::{
    ChangeRow, FORGOTTEN, FormerRow, IdentifierRow, NOBODY, QuarantineRow, Resolution, strongest,
};
use crate::table::id;

impl Resolution {
    /// Distinct customers.
    pub fn customers(&self) -> usize {
        self.customers.len()
    }

    /// Ledger to keep: what was pinned before, and what is new.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn customer_at(&self, at: u32) -> Option<&str> {
        let number = self.customer.get(at as usize).copied().filter(|n| *n != NOBODY)?;
        self.customers.get(number as usize).and_then(|id| std::str::from_utf8(id).ok())
    }

    /// The id that an anchor gives or once gave.
    fn name_of(&self, anchor: u32) -> Option<String> {
        let now = self.history.anchors.get(anchor as usize)?;
        if *now == anchor {
            return self.customer_at(anchor).map(str::to_owned);
        }
        let (kind, namespace, value) = self.at(anchor);
        Some(self.salt.id("c", &[kind, namespace, value]))
    }

    pub(super) fn cause(&self, edge: &Edge) -> String {
        match edge.cause {
            SAME_RECORD => return "same_record".to_owned(),
            LINK => return "link".to_owned(),
            PROBABLE => return "probabilistic".to_owned(),
            _ => {}
        }
        let said = usize::from(edge.cause).checked_sub(1).and_then(|at| self.causes.get(at));
        said.map_or_else(|| "same_record".to_owned(), String::clone)
    }

    /// Which kinds of identifiers were joined, and where that was seen; no values.
    pub(super) fn witness(&self, edge: &Edge) -> String {
        let side = |at: u32| match self.at(at) {
            (kind, "", _) => kind.to_owned(),
            (kind, namespace, _) => format!("{kind}[{namespace}]"),
        };
        if let (PROBABLE, Some(weight)) = (edge.cause, self.weights.get(&(edge.left, edge.right))) {
            let weight = *weight as f64 / 1000.0;
            return format!("{} ~ {}, weight {weight:.3}", side(edge.left), side(edge.right));
        }
        let origin = self.origins.get(usize::from(edge.origin)).map_or("", String::as_str);
        format!("{} = {} in {origin}", side(edge.left), side(edge.right))
    }

    pub(super) fn at(&self, rank: u32) -> (&str, &str, &str) {
        self.order.get(rank as usize).map_or(("", "", ""), |id| self.evidence.identifier(*id))
    }

    /// `(identity_key, customer_id)` of every key that has a customer, in no special order.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let keys = self.evidence.key_facts.iter().zip(0_u32..);
        keys.filter_map(|(facts, key)| {
            let text = std::str::from_utf8(self.evidence.keys.get(key)).ok()?;
            if text.starts_with(FORGOTTEN) {
                return Some((text, text));
            }
            let at = strongest(&self.evidence, &self.rank, *facts)?;
            let customer = self.customer_at(at)?;
            Some((text, customer))
        })
    }

    /// Whom keys named before they named their customer of today, in no special order: what a row
    /// of a batch date within the days would have said, knowing only what was seen by then.
    pub fn former(&self) -> impl Iterator<Item = FormerRow<'_>> {
        let keys = self.evidence.key_facts.iter().zip(0_u32..);
        keys.flat_map(move |(facts, key)| {
            let rows = self.former_of(*facts);
            let text = std::str::from_utf8(self.evidence.keys.get(key)).unwrap_or_default();
            rows.into_iter().map(move |(from, until, anchor)| FormerRow {
                identity_key: text,
                from,
                until,
                customer_id: self.name_of(anchor).unwrap_or_default(),
            })
        })
    }

    /// First day, first day no longer, and anchor of each customer that a key once named.
    fn former_of(&self, facts: KeyFacts) -> Vec<(i32, i32, u32)> {
        let Some(strongest) = strongest(&self.evidence, &self.rank, facts) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        let mut from = facts.first;
        let mut at = self.history.anchor_on(strongest, from);
        while let Some((until, _)) = self.history.moves.get(at as usize).copied()
            && until != STANDS
        {
            rows.push((from, until, at));
            at = self.history.anchor_on(at, until);
            from = until;
        }
        rows
    }

    /// Rows of `customer_identifiers` in order of (type, namespace, value).
    pub fn identifiers(&self) -> impl Iterator<Item = IdentifierRow<'_>> {
        self.order.iter().zip(0_u32..).filter_map(|(id, at)| {
            let facts = self.evidence.facts.get(*id as usize).filter(|facts| facts.is_live)?;
            let (kind, namespace, value) = self.evidence.identifier(*id);
            Some(IdentifierRow {
                kind,
                namespace,
                value,
                customer_id: self.customer_at(at),
                strength: facts.strength,
                first: facts.first,
                last: facts.last,
                evidence: self.evidences.get(facts.origins as usize).map_or("", String::as_str),
                blocked: facts.blocked,
            })
        })
    }

    /// Rows of `identity_changes`.
    pub fn changes(&self) -> impl Iterator<Item = ChangeRow> {
        self.history.changes().filter_map(|change| {
            let (kind, day, from, to, by) = match change {
                Change::Created { day, customer } => ("created", day, None, customer, None),
                Change::Merged(m) => ("merged", m.by.day, Some(m.from), m.to, Some(m.by)),
                Change::Split(m) => ("split", m.by.day, Some(m.from), m.to, Some(m.by)),
            };
            let cause = |edge: Edge| match change {
                Change::Split { .. } => Guard::NeverLink.name().to_owned(),
                _ => self.cause(&edge),
            };
            let to = self.name_of(to)?;
            let from = from.and_then(|from| self.name_of(from));
            let parts = [kind, from.as_deref().unwrap_or_default(), &to];
            Some(ChangeRow {
                change_id: id::from_key("ic", &parts),
                day,
                kind,
                cause: by.map_or_else(|| "first_seen".to_owned(), cause),
                evidence: by.map_or_else(String::new, |edge| self.witness(&edge)),
                from,
                to,
            })
        })
    }

    /// Rows of `identity_quarantine`: refused edges, and identifiers found to be shared.
    pub fn quarantine(&self) -> impl Iterator<Item = QuarantineRow<'_>> {
        let row = |day, rule: &'static str, left: u32, right: Option<u32>, evidence: String| {
            let (left, right) = (self.at(left), right.map(|at| self.at(at)));
            let other = right.unwrap_or_default();
            let parts = [rule, left.0, left.1, left.2, other.0, other.1, other.2];
            let quarantine_id = id::from_key("iq", &parts);
            QuarantineRow { quarantine_id, day, rule, left, right, evidence }
        };
        let refused = self.history.refusals.iter().map(move |refusal| {
            let edge = &refusal.edge;
            let rule = Guard::name(refusal.guard);
            row(edge.day, rule, edge.left, Some(edge.right), self.witness(edge))
        });
        let shared = self.shared.iter().filter_map(move |(id, degree)| {
            let facts = self.evidence.facts.get(*id as usize)?;
            let words = format!("seen with {degree} distinct others");
            Some(row(facts.first, "max_degree", self.rank[*id as usize], None, words))
        });
        refused.chain(shared)
    }
}
