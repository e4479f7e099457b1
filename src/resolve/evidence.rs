//! What the sources say about people: identifiers, which records carry them together, and what
//! sources state about them. Taken in row by row, in any order.

use std::collections::BTreeMap;

use md5::Md5;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::intern::Interner;
use super::normalise::{Blocked, Normaliser};
use super::{ResolveError, beside};

/// Length of the type and namespace numbers in front of an interned identifier.
const PREFIX_BYTES: usize = 4;

/// Bytes of a value that are looked at first when values are put in order.
const HEAD_BYTES: usize = 12;

/// Kinds of identifiers that are hashes of an e-mail address in its one spelling, in hex.
const MD5: &str = "email_md5";
const SHA256: &str = "email_sha256";

/// When and where something was seen.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Days since 1970 of the first and last batch.
    pub first: i32,
    pub last: i32,
    /// `<source>:<table>`.
    pub origin: &'a str,
    /// The newest version of a record says so; otherwise only a former one did.
    pub is_live: bool,
}

/// An identifier as a record gives it.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    pub kind: &'a str,
    /// `<source>:<account>`, or empty.
    pub namespace: &'a str,
    pub value: &'a str,
    /// 3 unique by contract · 2 e-mail, phone · 1 cookie, device · 0 never joins.
    pub strength: i8,
}

/// What is known about one identifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub first: i32,
    pub last: i32,
    /// Greatest among the sightings of the first day.
    pub first_strength: i8,
    pub strength: i8,
    pub blocked: Option<Blocked>,
    pub is_live: bool,
    pub origins: u32,
}

impl Facts {
    /// Whether the identifier is part of the graph.
    pub(super) fn is_alive(&self) -> bool {
        self.is_live && self.blocked.is_none()
    }
}

/// A statement that two identifiers are one person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    pub kind: u16,
    pub left: u32,
    pub right: u32,
    pub first: i32,
    pub origin: u32,
}

/// Sets of origins, each distinct set once.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins {
    names: Vec<String>,
    sets: Vec<Vec<u32>>,
    known: BTreeMap<Vec<u32>, u32>,
    grown: FxHashMap<(u32, u32), u32>,
}

impl Origins {
    fn origin(&mut self, name: &str) -> u32 {
        number_of(&mut self.names, name)
    }

    fn single(&mut self, origin: u32) -> u32 {
        self.set(vec![origin])
    }

    fn with(&mut self, set: u32, origin: u32) -> u32 {
        if let Some(grown) = self.grown.get(&(set, origin)) {
            return *grown;
        }
        let mut all = self.sets.get(set as usize).cloned().unwrap_or_default();
        if !all.contains(&origin) {
            all.push(origin);
            all.sort_unstable();
        }
        let grown = self.set(all);
        self.grown.insert((set, origin), grown);
        grown
    }

    fn set(&mut self, set: Vec<u32>) -> u32 {
        let sets = &mut self.sets;
        *self.known.entry(set.clone()).or_insert_with(|| {
            sets.push(set);
            u32::try_from(sets.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn name(&self, origin: u32) -> &str {
        self.names.get(origin as usize).map_or("", String::as_str)
    }

    /// Names of each set, in order, joined by `, `.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |set: &Vec<u32>| {
            let mut names: Vec<&str> = set.iter().map(|origin| self.name(*origin)).collect();
            names.sort_unstable();
            names.join(", ")
        };
        self.sets.iter().map(text).collect()
    }
}

fn number_of(names: &mut Vec<String>, name: &str) -> u32 {
    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub(super) normaliser: Normaliser,
    pub(super) kinds: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) statement_kinds: Vec<String>,
    pub(super) origins: Origins,
    identifiers: Interner,
    pub(super) facts: Vec<Facts>,
    pub(super) keys: Interner,
    pub(super) key_facts: Vec<KeyFacts>,
    pub(super) members: Vec<u32>,
    pub(super) statements: Vec<Statement>,
    pub(super) alike: Vec<Alike>,
    /// Pairs of identifiers that are never one person.
    pub(super) apart: Vec<(u32, u32)>,
    scratch: Vec<u8>,
}

/// Two sets of identifiers whose records are probably of one person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alike {
    pub left: u32,
    pub right: u32,
    /// Thousandths of the weight.
    pub weight: i64,
}

/// What is known about one set of identifiers.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyFacts {
    pub first: i32,
    pub origin: u32,
    pub is_live: bool,
    /// Its identifiers are `members[start..start + count]`.
    pub start: u32,
    pub count: u8,
}

impl Evidence {
    pub fn new(normaliser: Normaliser) -> Self {
        Self { normaliser, ..Self::default() }
    }

    /// Distinct identifiers, blocked ones too.
    pub fn len(&self) -> usize {
        self.identifiers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
    }

    /// Takes in the records that share an `identity_key`: they carry the same identifiers.
    ///
    /// # Errors
    /// More identifiers than numbers.
    pub fn record(
        &mut self,
        key: &str,
        sight: Sight<'_>,
        identifiers: &[Raw<'_>],
    ) -> Result<(), ResolveError> {
        let origin = self.origins.origin(sight.origin);
        let (id, new) = self.keys.intern(key.as_bytes()).ok_or(ResolveError::TooMany)?;
        let start = u32::try_from(self.members.len()).map_err(|_| ResolveError::TooMany)?;
        let mut count = 0_u8;
        for raw in identifiers {
            if let Some(identifier) = self.observe(*raw, sight, origin)?
                && new
                && !self.members[start as usize..].contains(&identifier)
            {
                self.members.push(identifier);
                count += 1;
            }
        }
        if new {
            let is_live = sight.is_live;
            self.key_facts.push(KeyFacts { first: sight.first, origin, is_live, start, count });
        } else if let Some(facts) = self.key_facts.get_mut(id as usize) {
            let name = |origin| self.origins.name(origin);
            if (sight.first, name(origin)) < (facts.first, name(facts.origin)) {
                (facts.first, facts.origin) = (sight.first, origin);
            }
            facts.is_live |= sight.is_live;
        }
        Ok(())
    }

    /// Takes in what a source states: these two identifiers are one person.
    ///
    /// # Errors
    /// More identifiers than numbers.
    pub fn statement(
        &mut self,
        kind: &str,
        sight: Sight<'_>,
        left: Raw<'_>,
        right: Raw<'_>,
    ) -> Result<(), ResolveError> {
        let origin = self.origins.origin(sight.origin);
        let left = self.observe(left, sight, origin)?;
        let right = self.observe(right, sight, origin)?;
        if let (Some(left), Some(right), true) = (left, right, sight.is_live) {
            let kind = self.statement_kind(kind);
            self.statements.push(Statement { kind, left, right, first: sight.first, origin });
        }
        Ok(())
    }

    /// Takes in that the records of two keys are probably of one person; keys that no record has
    /// are passed over.
    pub fn probable(&mut self, left: &str, right: &str, weight: f64) {
        let ends = (self.keys.find(left.as_bytes()), self.keys.find(right.as_bytes()));
        if let (Some(left), Some(right)) = ends {
            let weight = (weight * 1000.0).round() as i64;
            self.alike.push(Alike { left, right, weight });
        }
    }

    /// Joins e-mail addresses with hashes of them, which exports for advertisers carry instead.
    pub(super) fn join_hashes(&mut self) {
        let is_known = |kind: &str| self.kinds.iter().any(|known| known == kind);
        let (md5, sha256) = (is_known(MD5), is_known(SHA256));
        if !md5 && !sha256 {
            return;
        }
        let mut found = Vec::new();
        for id in 0..u32::try_from(self.identifiers.len()).unwrap_or(u32::MAX) {
            let (kind, namespace, value) = self.identifier(id);
            let live =
                self.facts.get(id as usize).is_some_and(|f| f.is_live && f.blocked.is_none());
            if kind != "email" || !live {
                continue;
            }
            let hash = |of: &'static str, hash: String| {
                self.find(of, namespace, &hash).map(|other| (of, id, other))
            };
            let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
            found.extend(md5.then(|| hash(MD5, hex(&Md5::digest(value)))).flatten());
            found.extend(sha256.then(|| hash(SHA256, hex(&Sha256::digest(value)))).flatten());
        }
        for (hash, left, right) in found {
            let (kind, origin) = (self.statement_kind(hash), self.origin("hash of the address"));
            self.statements.push(Statement { kind, left, right, first: i32::MIN, origin });
        }
    }

    pub(super) fn origin(&mut self, name: &str) -> u32 {
        self.origins.origin(name)
    }

    pub(super) fn statement_kind(&mut self, kind: &str) -> u16 {
        u16::try_from(number_of(&mut self.statement_kinds, kind)).unwrap_or(0)
    }

    /// An identifier in its one spelling, if it was seen.
    pub(super) fn find(&self, kind: &str, namespace: &str, value: &str) -> Option<u32> {
        let number = |names: &[String], name: &str| {
            let at = names.iter().position(|known| known == name)?;
            u16::try_from(at).ok()
        };
        let mut bytes = number(&self.kinds, kind)?.to_be_bytes().to_vec();
        bytes.extend(number(&self.namespaces, namespace)?.to_be_bytes());
        bytes.extend(value.as_bytes());
        self.identifiers.find(&bytes)
    }

    fn observe(
        &mut self,
        raw: Raw<'_>,
        sight: Sight<'_>,
        origin: u32,
    ) -> Result<Option<u32>, ResolveError> {
        let source = raw.namespace.split(':').next().unwrap_or_default();
        let Some(normal) = self.normaliser.normalise(raw.kind, source, raw.value) else {
            return Ok(None);
        };
        let kind = number_of(&mut self.kinds, raw.kind);
        let namespace = number_of(&mut self.namespaces, raw.namespace);
        let short = |number: u32| u16::try_from(number).map_err(|_| ResolveError::TooMany);
        self.scratch.clear();
        self.scratch.extend(short(kind)?.to_be_bytes());
        self.scratch.extend(short(namespace)?.to_be_bytes());
        self.scratch.extend(normal.value.as_bytes());
        let interned = self.identifiers.intern(&self.scratch).ok_or(ResolveError::TooMany)?;
        let (id, new) = interned;
        if new {
            let never = (raw.strength <= 0).then_some(Blocked::NeverJoins);
            self.facts.push(Facts {
                first: sight.first,
                last: sight.last,
                first_strength: raw.strength,
                strength: raw.strength,
                blocked: normal.blocked.or(never),
                is_live: sight.is_live,
                origins: self.origins.single(origin),
            });
        } else if let Some(facts) = self.facts.get_mut(id as usize) {
            if sight.first < facts.first {
                (facts.first, facts.first_strength) = (sight.first, raw.strength);
            } else if sight.first == facts.first {
                facts.first_strength = facts.first_strength.max(raw.strength);
            }
            facts.strength = facts.strength.max(raw.strength);
            facts.last = facts.last.max(sight.last);
            facts.is_live |= sight.is_live;
            facts.origins = self.origins.with(facts.origins, origin);
        }
        Ok(Some(id))
    }

    /// Identifiers of a set.
    pub(super) fn members_of(&self, key: KeyFacts) -> &[u32] {
        let start = key.start as usize;
        self.members.get(start..start + usize::from(key.count)).unwrap_or_default()
    }

    /// Kinds of statements and origins, each in order.
    pub(super) fn sorted_names(&self) -> (Vec<&str>, Vec<&str>) {
        (sorted(&self.statement_kinds), sorted(&self.origins.names))
    }

    /// Type, namespace and value of an identifier.
    pub(super) fn identifier(&self, id: u32) -> (&str, &str, &str) {
        let bytes = self.identifiers.get(id);
        let (prefix, value) = bytes.split_at(PREFIX_BYTES.min(bytes.len()));
        let name = |names: &[String], at: usize| -> usize {
            let number = prefix.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
            usize::from(number).min(names.len().saturating_sub(1))
        };
        let kind = self.kinds.get(name(&self.kinds, 0)).map_or("", String::as_str);
        let space = self.namespaces.get(name(&self.namespaces, 2)).map_or("", String::as_str);
        (kind, space, std::str::from_utf8(value).unwrap_or_default())
    }

    /// Ids in order of (type, namespace, value); what only taking in needs is freed.
    pub(super) fn ordered(&mut self, threads: usize) -> Vec<u32> {
        self.identifiers.freeze();
        self.keys.freeze();
        let mut groups: BTreeMap<(&str, &str), Group> = BTreeMap::new();
        for (prefix, group) in self.groups() {
            let (kind, space) = (prefix >> 16, prefix & u32::from(u16::MAX));
            let kind = self.kinds.get(kind as usize).map_or("", String::as_str);
            let space = self.namespaces.get(space as usize).map_or("", String::as_str);
            groups.insert((kind, space), group);
        }
        let mut order = Vec::with_capacity(self.identifiers.len());
        for group in groups.into_values() {
            let from = order.len();
            order.extend(group.ids);
            let ids = order.get_mut(from..).unwrap_or_default();
            self.sort_values(ids, group.shared, threads);
        }
        order
    }

    /// Identifiers of each type and namespace, by the numbers of both.
    fn groups(&self) -> FxHashMap<u32, Group> {
        let mut groups: FxHashMap<u32, Group> = FxHashMap::default();
        for id in 0..u32::try_from(self.identifiers.len()).unwrap_or(u32::MAX) {
            let (prefix, value) = self.split(id);
            let group = groups.entry(prefix).or_default();
            group.shared = match group.ids.first() {
                None => value.len(),
                Some(first) => common(self.split(*first).1, value, group.shared),
            };
            group.ids.push(id);
        }
        groups
    }

    /// Puts identifiers of one type and namespace in order of their values, which begin with the
    /// same `shared` bytes.
    fn sort_values(&self, ids: &mut [u32], shared: usize, threads: usize) {
        let value = |id: u32| self.split(id).1;
        // Almost all comparisons are decided by the first bytes that differ, without a look-up;
        // the number stands behind them in the same word.
        let key = |at: usize| {
            let mut head = [0_u8; HEAD_BYTES + size_of::<u32>()];
            let rest = value(ids[at]).get(shared..).unwrap_or_default();
            match rest.first_chunk::<HEAD_BYTES>() {
                Some(whole) => head[..HEAD_BYTES].copy_from_slice(whole),
                None => head[..rest.len()].copy_from_slice(rest),
            }
            head[HEAD_BYTES..].copy_from_slice(&ids[at].to_be_bytes());
            u128::from_be_bytes(head)
        };
        let mut keys = beside::map(0, ids.len(), threads, key);
        beside::sort(&mut keys, threads, Ord::cmp);
        let mut at = 0;
        for alike in keys.chunk_by(|a, b| a >> u32::BITS == b >> u32::BITS) {
            let run = ids.get_mut(at..at + alike.len()).unwrap_or_default();
            for (id, key) in run.iter_mut().zip(alike) {
                *id = (key & u128::from(u32::MAX)) as u32;
            }
            if run.len() > 1 {
                beside::sort(run, threads, |a, b| value(*a).cmp(value(*b)));
            }
            at += alike.len();
        }
    }

    /// Numbers of type and namespace in one, and the value.
    fn split(&self, id: u32) -> (u32, &[u8]) {
        let bytes = self.identifiers.get(id);
        let (prefix, value) = bytes.split_first_chunk().unwrap_or((&[0; PREFIX_BYTES], bytes));
        (u32::from_be_bytes(*prefix), value)
    }
}

/// Identifiers of one type and namespace.
#[derive(Debug, Default)]
struct Group {
    ids: Vec<u32>,
    /// How many bytes all their values begin with.
    shared: usize,
}

/// With how many same bytes both begin, of the first `most`.
fn common(a: &[u8], b: &[u8], most: usize) -> usize {
    a.iter().zip(b).take(most).take_while(|(a, b)| a == b).count()
}
