//! Which records are the same person: identifiers in, stable customer ids out.
//!
//! Identifiers that stand in one record, or that a source states to be one person, are joined;
//! values that many people share are left out and told. The result depends on what was seen and
//! on nothing else: not on the order of rows, files or threads.

pub mod cluster;
pub mod evidence;
pub mod intern;
pub mod lineage;
pub mod normalise;
pub mod phone;

use cluster::{Edge, Guard, Limits, Member};
pub use evidence::{Evidence, Raw, Sight};
use lineage::{Change, History};
pub use lineage::{Ledger, Pin};
use normalise::Blocked;

use crate::table::id;

/// Marks an identifier or a key without a customer.
const NOBODY: u32 = u32::MAX;
/// From this strength on, an identifier says who a person is; below it, which device they use.
const PERSON_STRENGTH: i8 = 2;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    #[error("more than 4 GiB of identifiers, or more than 65,535 kinds or accounts of them")]
    TooMany,
}

/// What one person can have; the job's `identity` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// More distinct others than this, and an identifier is shared.
    pub max_degree: u32,
    pub max_emails: u32,
    pub max_cluster: u32,
}

/// One row of `customer_identifiers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierRow<'a> {
    pub kind: &'a str,
    pub namespace: &'a str,
    pub value: &'a str,
    pub customer_id: Option<&'a str>,
    pub strength: i8,
    pub first: i32,
    pub last: i32,
    pub evidence: String,
    pub blocked: Option<Blocked>,
}

/// One row of `identity_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    pub change_id: String,
    pub day: i32,
    pub kind: &'static str,
    pub from: Option<String>,
    pub to: String,
    pub cause: String,
    pub evidence: String,
}

/// One row of `identity_quarantine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow<'a> {
    pub quarantine_id: String,
    pub day: i32,
    pub rule: &'static str,
    pub left: (&'a str, &'a str, &'a str),
    pub right: Option<(&'a str, &'a str, &'a str)>,
    pub evidence: String,
}

/// Never shown.
struct Salt(Vec<u8>);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt")
    }
}

/// Who is who.
#[derive(Debug)]
pub struct Resolution {
    evidence: Evidence,
    /// Identifiers in order of (type, namespace, value), and the place of each in it.
    order: Vec<u32>,
    rank: Vec<u32>,
    history: History,
    /// Number of the customer of each identifier, by rank.
    customer: Vec<u32>,
    customers: Vec<Box<str>>,
    salt: Salt,
    shared: Vec<(u32, u32)>,
    ledger: Ledger,
    causes: Vec<String>,
    origins: Vec<String>,
}

/// Resolves all that was seen.
///
/// `salt` is the warehouse's secret: the same anchor gives the same id under it, and nobody
/// without it can tell an identifier from an id.
pub fn resolve(
    mut evidence: Evidence,
    options: Options,
    ledger: Ledger,
    salt: &[u8],
) -> Resolution {
    let order = evidence.ordered();
    let mut rank = vec![0; order.len()];
    for (at, id) in order.iter().enumerate() {
        rank[*id as usize] = u32::try_from(at).unwrap_or(NOBODY);
    }
    let shared = block_shared(&mut evidence, options.max_degree);
    let (members, ledger) = pin(&evidence, &order, ledger, salt);
    let alive: Vec<bool> = order.iter().map(|id| is_alive(&evidence, *id)).collect();
    let (causes, origins) = evidence.sorted_names();
    let mut edges = edges(&evidence, &rank, &members, (&causes, &origins));
    cluster::in_order(&mut edges, &members);
    let limits = Limits { emails_max: options.max_emails, identifiers_max: options.max_cluster };
    let history = lineage::replay(&members, &alive, &edges, limits);
    let name = |at: usize| -> Box<str> {
        let (kind, namespace, value) = evidence.identifier(order[at]);
        id::keyed("c", salt, &[kind, namespace, value]).into()
    };
    let is_anchor = |at: usize| alive[at] && history.anchors[at] as usize == at;
    let mut number = vec![NOBODY; order.len()];
    let mut customers: Vec<Box<str>> = Vec::new();
    for at in (0..order.len()).filter(|at| is_anchor(*at)) {
        number[at] = u32::try_from(customers.len()).unwrap_or(NOBODY);
        customers.push(name(at));
    }
    let of = |at: usize| if alive[at] { number[history.anchors[at] as usize] } else { NOBODY };
    let customer = (0..order.len()).map(of).collect();
    let (causes, origins) = (owned(&causes), owned(&origins));
    Resolution {
        evidence,
        order,
        rank,
        history,
        customer,
        customers,
        salt: Salt(salt.to_owned()),
        shared,
        ledger,
        causes,
        origins,
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn is_alive(evidence: &Evidence, id: u32) -> bool {
    let facts = evidence.facts.get(id as usize);
    facts.is_some_and(|facts| facts.is_live && facts.blocked.is_none())
}

/// Blocks identifiers that stand in records with too many distinct others; gives each with how
/// many. Cookies do not count: one person may use many devices.
fn block_shared(evidence: &mut Evidence, max_degree: u32) -> Vec<(u32, u32)> {
    let counts = |id: &&u32| {
        let facts = evidence.facts.get(**id as usize);
        facts.is_some_and(|f| f.blocked.is_none() && f.strength >= PERSON_STRENGTH)
    };
    let live = || evidence.key_facts.iter().filter(|key| key.is_live);
    let members = |key: &evidence::KeyFacts| {
        let start = key.start as usize;
        evidence.members.get(start..start + usize::from(key.count)).unwrap_or_default()
    };
    // An upper bound first: few identifiers come near the limit, and only they are counted.
    let mut bound = vec![0_u32; evidence.facts.len()];
    for key in live() {
        let others = u32::try_from(members(key).iter().filter(counts).count()).unwrap_or(0);
        for id in members(key) {
            bound[*id as usize] = bound[*id as usize].saturating_add(others);
        }
    }
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for key in live() {
        for id in members(key).iter().filter(|id| bound[**id as usize] > max_degree) {
            let others = members(key).iter().filter(counts).filter(|other| *other != id);
            pairs.extend(others.map(|other| (*id, *other)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut shared = Vec::new();
    for group in pairs.chunk_by(|a, b| a.0 == b.0) {
        let degree = u32::try_from(group.len()).unwrap_or(u32::MAX);
        if let (Some((id, _)), true) = (group.first(), degree > max_degree) {
            shared.push((*id, degree));
        }
    }
    shared.retain(|(id, _)| {
        let Some(facts) = evidence.facts.get_mut(*id as usize) else { return false };
        let fresh = facts.blocked.is_none();
        facts.blocked = facts.blocked.or(Some(Blocked::Shared));
        fresh
    });
    shared
}

/// What decides between anchors, from the ledger where it knows, and the ledger with what is new.
fn pin(
    evidence: &Evidence,
    order: &[u32],
    mut ledger: Ledger,
    salt: &[u8],
) -> (Vec<Member>, Ledger) {
    let mut members = Vec::with_capacity(order.len());
    let mut fresh = Vec::with_capacity(order.len().saturating_sub(ledger.pins().len()));
    for id in order {
        let Some(facts) = evidence.facts.get(*id as usize) else { continue };
        let (mut day, mut day_strength) = (facts.first, facts.first_strength);
        let mut is_pinned = false;
        let identifier = evidence.identifier(*id);
        if is_alive(evidence, *id) {
            let key = Pin::key(salt, identifier);
            match ledger.find(&key) {
                Some(pin) => (is_pinned, day, day_strength) = (true, pin.day, pin.strength),
                None => fresh.push(Pin { key, day, strength: day_strength }),
            }
        }
        let is_email = identifier.0 == "email";
        let born = facts.first;
        members.push(Member {
            born,
            is_pinned,
            day,
            day_strength,
            strength: facts.strength,
            is_email,
        });
    }
    ledger.extend(fresh);
    (members, ledger)
}

/// All edges; `names` are causes and origins in order, so that their numbers do not depend on the
/// order in which they were seen.
fn edges(
    evidence: &Evidence,
    rank: &[u32],
    members: &[Member],
    names: (&[&str], &[&str]),
) -> Vec<Edge> {
    let day_of = |at: u32| members.get(at as usize).map_or(0, |member| member.born);
    let place = |names: &[&str], name: &str| names.binary_search(&name).unwrap_or_default();
    let origin_of = |origin: u32| place(names.1, evidence.origins.name(origin));
    let cause_of = |kind: u16| {
        let name = evidence.statement_kinds.get(usize::from(kind)).map_or("", String::as_str);
        u16::try_from(1 + place(names.0, name)).unwrap_or(u16::MAX)
    };
    let edge = |first: i32, cause: u16, left: u32, right: u32, origin: u32| {
        let day = first.max(day_of(left)).max(day_of(right));
        let origin = u16::try_from(origin_of(origin)).unwrap_or(u16::MAX);
        Edge { day, cause, left, right, origin }
    };
    // Counted first: a vector that grows by doubling would take twice the memory of the largest.
    let live = evidence.key_facts.iter().filter(|key| key.is_live);
    let within: usize = live.map(|key| usize::from(key.count).saturating_sub(1)).sum();
    let mut edges = Vec::with_capacity(within + evidence.statements.len());
    for key in evidence.key_facts.iter().filter(|key| key.is_live) {
        let ids = usable(evidence, rank, *key);
        if let Some((center, others)) = ids.split_first() {
            edges.extend(others.iter().map(|at| edge(key.first, 0, *center, *at, key.origin)));
        }
    }
    for said in &evidence.statements {
        if is_alive(evidence, said.left) && is_alive(evidence, said.right) {
            let (left, right) = (rank[said.left as usize], rank[said.right as usize]);
            edges.push(edge(said.first, cause_of(said.kind), left, right, said.origin));
        }
    }
    edges.retain(|edge| edge.left != edge.right);
    edges
}

/// The identifiers of a record that count, by rank, strongest first.
fn usable(evidence: &Evidence, rank: &[u32], key: evidence::KeyFacts) -> Vec<u32> {
    let start = key.start as usize;
    let members = evidence.members.get(start..start + usize::from(key.count));
    let alive = members.unwrap_or_default().iter().filter(|id| is_alive(evidence, **id));
    let strength = |id: u32| evidence.facts.get(id as usize).map_or(0, |facts| facts.strength);
    let mut ids: Vec<(i8, u32)> = alive.map(|id| (-strength(*id), rank[*id as usize])).collect();
    ids.sort_unstable();
    ids.into_iter().map(|(_, at)| at).collect()
}

impl Resolution {
    /// Distinct customers.
    pub fn customers(&self) -> usize {
        self.customers.len()
    }

    /// Ledger to keep: what was pinned before, and what is new.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn customer_at(&self, at: u32) -> Option<&str> {
        let number = self.customer.get(at as usize).copied().filter(|n| *n != NOBODY)?;
        self.customers.get(number as usize).map(AsRef::as_ref)
    }

    /// The id that an anchor gives or once gave.
    fn name_of(&self, anchor: u32) -> Option<String> {
        let now = self.history.anchors.get(anchor as usize)?;
        if *now == anchor {
            return self.customer_at(anchor).map(str::to_owned);
        }
        let (kind, namespace, value) = self.at(anchor);
        Some(id::keyed("c", &self.salt.0, &[kind, namespace, value]))
    }

    fn cause(&self, edge: &Edge) -> String {
        let said = usize::from(edge.cause).checked_sub(1).and_then(|at| self.causes.get(at));
        said.map_or_else(|| "same_record".to_owned(), String::clone)
    }

    /// Which kinds of identifiers were joined, and where that was seen; no values.
    fn witness(&self, edge: &Edge) -> String {
        let side = |at: u32| match self.at(at) {
            (kind, "", _) => kind.to_owned(),
            (kind, namespace, _) => format!("{kind}[{namespace}]"),
        };
        let origin = self.origins.get(usize::from(edge.origin)).map_or("", String::as_str);
        format!("{} = {} in {origin}", side(edge.left), side(edge.right))
    }

    fn at(&self, rank: u32) -> (&str, &str, &str) {
        self.order.get(rank as usize).map_or(("", "", ""), |id| self.evidence.identifier(*id))
    }

    /// `(identity_key, customer_id)` of every key that has a customer, in no special order.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let keys = self.evidence.key_facts.iter().zip(0_u32..);
        keys.filter_map(|(facts, key)| {
            let ids = usable(&self.evidence, &self.rank, *facts);
            let customer = self.customer_at(*ids.first()?)?;
            let text = std::str::from_utf8(self.evidence.keys.get(key)).ok()?;
            Some((text, customer))
        })
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
                evidence: self.evidence.origins.text(facts.origins),
                blocked: facts.blocked,
            })
        })
    }

    /// Rows of `identity_changes`.
    pub fn changes(&self) -> impl Iterator<Item = ChangeRow> {
        self.history.changes.iter().filter_map(|change| {
            let (kind, day, from, to, by) = match *change {
                Change::Created { day, customer } => ("created", day, None, customer, None),
                Change::Merged { day, from, to, by } => ("merged", day, Some(from), to, Some(by)),
            };
            let to = self.name_of(to)?;
            let from = from.and_then(|from| self.name_of(from));
            let parts = [kind, from.as_deref().unwrap_or_default(), &to];
            Some(ChangeRow {
                change_id: id::from_key("ic", &parts),
                day,
                kind,
                cause: by.map_or_else(|| "first_seen".to_owned(), |edge| self.cause(&edge)),
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
