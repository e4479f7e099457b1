//! What an object has beyond its spec: members and cells that no column reads are kept as one text
//! a record, and all names are told, so that a change of the export is seen.

use std::collections::BTreeMap;

use super::json::{Json, Tree};

/// Records of an object whose names are all looked at; of the later ones every so many.
const SAMPLED: u64 = 1_024;
const SAMPLED_EVERY: u64 = 64;

/// A header or member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// A column of the spec reads it.
    pub is_read: bool,
    /// Bits of [`KINDS`].
    pub kinds: u8,
}

/// What a value can be.
pub const KINDS: [&str; 6] = ["text", "number", "truth", "object", "list", "other"];

impl Seen {
    pub fn merge(&mut self, other: Self) {
        self.is_read |= other.is_read;
        self.kinds |= other.kinds;
    }

    /// The kinds by name: `number|text`.
    pub fn kinds(self) -> String {
        let mut names: Vec<&str> = KINDS
            .iter()
            .enumerate()
            .filter(|(i, _)| self.kinds >> i & 1 == 1)
            .map(|(_, n)| *n)
            .collect();
        names.sort_unstable();
        names.join("|")
    }

    fn of(raw: &str) -> u8 {
        match raw.as_bytes().first() {
            Some(b'"') => 1,
            Some(b'0'..=b'9' | b'-') => 1 << 1,
            Some(b't' | b'f') => 1 << 2,
            Some(b'{') => 1 << 3,
            Some(b'[') => 1 << 4,
            _ => 0,
        }
    }
}

/// Gathers what lies beside the columns.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Names since the last chunk.
    seen: BTreeMap<String, Seen>,
    names_max: usize,
    /// Bytes of text that are kept of a record; none if they are not wanted.
    keeps: Option<usize>,
    /// Of the record at hand; empty for none.
    text: String,
}

impl Survey {
    pub(super) fn new(names_max: usize, keeps: Option<usize>) -> Self {
        Self { names_max, keeps, ..Self::default() }
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps.is_some()
    }

    /// The attributes of the record at hand.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn begin(&mut self) {
        self.text.clear();
    }

    pub(super) fn take(&mut self) -> BTreeMap<String, Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Tells of a header or member.
    pub(super) fn see(&mut self, name: &str, seen: Seen) {
        if let Some(known) = self.seen.get_mut(name) {
            known.merge(seen);
        } else if self.seen.len() < self.names_max {
            self.seen.insert(name.to_owned(), seen);
        }
    }

    pub(super) fn see_kind(&mut self, name: &str, is_read: bool, kind: &str) {
        let bit = KINDS.iter().position(|known| *known == kind).map_or(0, |bit| 1 << bit);
        self.see(name, Seen { is_read, kinds: bit });
    }

    /// Looks at a record that its tree has walked; `unread` says that it met unknown members.
    pub(super) fn record(&mut self, number: u64, tree: &Tree, value: Json<'_>, unread: bool) {
        let sampled = number <= SAMPLED || number.is_multiple_of(SAMPLED_EVERY);
        let keeps = unread && self.keeps();
        if !sampled && !keeps {
            return;
        }
        let mut kept = Vec::new();
        tree.survey(value, &mut |name, raw, is_read| {
            if sampled {
                self.see(name, Seen { is_read, kinds: Seen::of(raw) });
            }
            if keeps && !is_read && raw != "null" {
                kept.push((name.to_owned(), raw));
            }
        });
        self.keep(kept);
    }

    /// Keeps what no column reads: names with JSON values.
    fn keep(&mut self, mut kept: Vec<(String, &str)>) {
        kept.sort_by(|left, right| left.0.cmp(&right.0));
        for (name, raw) in &kept {
            self.push(name, raw);
        }
        self.close();
    }

    /// Adds a cell, in the order of the names; `close` ends a record.
    pub(super) fn cell(&mut self, name: &str, text: &str) {
        let holds = text.starts_with(['{', '[']) && Json::parse(text).is_some();
        if holds {
            self.push(name, text);
        } else {
            self.push(name, &sonic_rs::to_string(text).unwrap_or_default());
        }
    }

    /// What does not fit is left out, and what follows may fit again.
    fn push(&mut self, name: &str, json: &str) {
        let name = sonic_rs::to_string(name).unwrap_or_default();
        let fits = self.text.len() + name.len() + json.len() + 3 <= self.keeps.unwrap_or(0);
        if fits {
            self.text.push(if self.text.is_empty() { '{' } else { ',' });
            self.text.push_str(&name);
            self.text.push(':');
            self.text.push_str(json);
        }
    }

    pub(super) fn close(&mut self) {
        if !self.text.is_empty() {
            self.text.push('}');
        }
    }
}
