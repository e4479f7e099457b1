//! Which records are the same person: identifiers in, stable customer ids out.
//!
//! Identifiers that stand in one record, or that a source states to be one person, are joined;
//! values that many people share are left out and told. The result depends on what was seen and
//! on nothing else: not on the order of rows, files or threads.

pub mod account;
mod answer;
mod beside;
pub mod cluster;
pub mod evidence;
pub mod intern;
pub mod lineage;
pub mod matching;
pub mod normalise;
pub mod overrides;
pub mod phone;
pub mod quality;
pub mod trace;

use cluster::{Clusters, Edge, LINK, Limits, Member, PROBABLE, SAME_RECORD};
use evidence::KeyFacts;
pub use evidence::{Evidence, Raw, Sight};
use lineage::History;
pub use lineage::{Ledger, Pin};
use normalise::Blocked;
pub use overrides::{Named, Override, Verb};

use std::collections::BTreeMap;
use std::ops::Range;

use crate::table::id::{self, Keyed};

/// Marks an identifier or a key without a customer.
const NOBODY: u32 = u32::MAX;
/// What keys of forgotten people begin with; each is the person, and has no identifiers.
const FORGOTTEN: &str = "x_";
/// From this strength on, an identifier says who a person is; below it, which device they use.
const PERSON_STRENGTH: i8 = 2;
/// Length of the id of a customer: `c_` and 160 bits in base32.
const CUSTOMER_BYTES: usize = 34;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    #[error("more than 4 GiB of identifiers, or more than 65,535 kinds or accounts of them")]
    TooMany,
    #[error(transparent)]
    Match(#[from] matching::MatchError),
}

/// What one person can have; the job's `identity` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// More distinct others than this, and an identifier is shared.
    pub max_degree: u32,
    pub max_emails: u32,
    pub max_cluster: u32,
    /// What comes out does not depend on them.
    pub threads: usize,
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
    pub evidence: &'a str,
    pub blocked: Option<Blocked>,
}

/// One row of `identity_former`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerRow<'a> {
    pub identity_key: &'a str,
    pub from: i32,
    /// First day on which it no longer was so.
    pub until: i32,
    pub customer_id: String,
}

/// One row of `identity_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    pub change_id: String,
    pub day: i32,
    pub kind: &'static str,
    pub from: Option<String>,
    /// Empty: nobody.
    pub to: String,
    pub cause: String,
    pub evidence: String,
}

impl ChangeRow {
    /// What is left of a person who is forgotten; `id` stands for them.
    pub fn erased(id: &str, day: i32) -> Self {
        Self {
            change_id: id::from_key("ic", &["erased", id]),
            day,
            kind: "erased",
            from: Some(id.to_owned()),
            to: String::new(),
            cause: "forget".to_owned(),
            evidence: String::new(),
        }
    }
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
    customers: Vec<[u8; CUSTOMER_BYTES]>,
    salt: Keyed,
    shared: Vec<(u32, u32)>,
    ledger: Ledger,
    causes: Vec<String>,
    origins: Vec<String>,
    /// Texts of the sets of origins.
    evidences: Vec<String>,
    /// Of probable edges: thousandths of the weight, by ends.
    weights: BTreeMap<(u32, u32), i64>,
}

/// Resolves all that was seen.
///
/// `salt` is the warehouse's secret: the same anchor gives the same id under it, and nobody
/// without it can tell an identifier from an id.
pub fn resolve(evidence: Evidence, options: Options, ledger: Ledger, salt: &[u8]) -> Resolution {
    with_edges(evidence, options, ledger, salt).0
}

/// As [`resolve`], with the edges in the order they were applied in, for those who ask why.
pub fn with_edges(
    mut evidence: Evidence,
    options: Options,
    ledger: Ledger,
    salt: &[u8],
) -> (Resolution, Vec<Edge>) {
    evidence.join_hashes();
    let threads = options.threads;
    let salt = Keyed::new(salt);
    let order = evidence.ordered(threads);
    let mut rank = vec![0; order.len()];
    for (at, id) in order.iter().enumerate() {
        rank[*id as usize] = u32::try_from(at).unwrap_or(NOBODY);
    }
    let shared = block_shared(&mut evidence, options.max_degree);
    let (members, ledger) = pin(&evidence, ledger, (&salt, threads));
    let place = |id: u32| rank.get(id as usize).copied().unwrap_or(NOBODY);
    let apart: Vec<(u32, u32)> =
        evidence.apart.iter().map(|(left, right)| (place(*left), place(*right))).collect();
    let limits = Limits { emails_max: options.max_emails, identifiers_max: options.max_cluster };
    let member = |at: usize| members[order[at] as usize];
    let clusters = Clusters::new((order.len(), threads), member, &apart, limits);
    drop(members);
    let (causes, origins) = evidence.sorted_names();
    let mut edges = edges(&evidence, &rank, (&causes, &origins), threads);
    let (probable, weights) = probable(&evidence, &order, &rank);
    edges.push(probable);
    let edges = cluster::in_order(edges, threads);
    let history = lineage::replay(clusters, &edges, threads);
    let anchors: Vec<usize> =
        (0..order.len()).filter(|at| history.anchors[*at] as usize == *at).collect();
    let mut number = vec![NOBODY; order.len()];
    for (at, customer) in anchors.iter().zip(0_u32..) {
        number[*at] = customer;
    }
    let name = |customer: usize| {
        let (kind, namespace, value) = evidence.identifier(order[anchors[customer]]);
        customer_id(&salt, &[kind, namespace, value])
    };
    let customers = beside::map([0; CUSTOMER_BYTES], anchors.len(), threads, name);
    let of = |at: usize| number.get(history.anchors[at] as usize).copied().unwrap_or(NOBODY);
    let customer = beside::map(NOBODY, order.len(), threads, of);
    let (causes, origins) = (owned(&causes), owned(&origins));
    let evidences = evidence.origins.texts();
    let found = Resolution {
        evidence,
        order,
        rank,
        history,
        customer,
        customers,
        salt,
        shared,
        ledger,
        causes,
        origins,
        evidences,
        weights,
    };
    (found, edges)
}

/// The id of the person that an identifier stands for.
fn customer_id(salt: &Keyed, identifier: &[&str]) -> [u8; CUSTOMER_BYTES] {
    salt.id("c", identifier).as_bytes().try_into().unwrap_or([b'c'; CUSTOMER_BYTES])
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Blocks identifiers that stand in records with too many distinct others; gives each with how
/// many. Cookies do not count: one person may use many devices.
fn block_shared(evidence: &mut Evidence, max_degree: u32) -> Vec<(u32, u32)> {
    let counts = |id: &&u32| {
        let facts = evidence.facts.get(**id as usize);
        facts.is_some_and(|f| f.blocked.is_none() && f.strength >= PERSON_STRENGTH)
    };
    let live = || evidence.key_facts.iter().filter(|key| key.is_live);
    let members = |key: &KeyFacts| evidence.members_of(*key);
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

/// What decides between anchors, by id, from the ledger where it knows, and the ledger with what
/// is new. None for what is no part of the graph.
fn pin(
    evidence: &Evidence,
    mut ledger: Ledger,
    (salt, threads): (&Keyed, usize),
) -> (Vec<Option<Member>>, Ledger) {
    // In order of ids, as identifiers lie in memory.
    let pinned = |ids: Range<usize>| {
        let mut members = Vec::with_capacity(ids.len());
        let mut fresh = Vec::with_capacity(if ledger.pins().is_empty() { ids.len() } else { 0 });
        for id in ids {
            let id = u32::try_from(id).unwrap_or(NOBODY);
            let Some(facts) = evidence.facts.get(id as usize).filter(|facts| facts.is_alive())
            else {
                members.push(None);
                continue;
            };
            let identifier = evidence.identifier(id);
            let key = Pin::key(salt, identifier);
            let known = ledger.find(&key).copied();
            let pin =
                known.unwrap_or(Pin { key, day: facts.first, strength: facts.first_strength });
            if known.is_none() {
                fresh.push(pin);
            }
            members.push(Some(Member {
                born: facts.first,
                is_pinned: known.is_some(),
                day: pin.day,
                day_strength: pin.strength,
                strength: facts.strength,
                is_email: identifier.0 == "email",
            }));
        }
        fresh.sort_unstable_by(Pin::order);
        (members, fresh)
    };
    let made = beside::parts(evidence.facts.len(), threads, pinned);
    let (members, fresh): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let members = beside::concat(members);
    ledger.extend(fresh);
    (members, ledger)
}

/// All edges, in lists; `names` are causes and origins in order, so that their numbers do not
/// depend on the order in which they were seen.
fn edges(
    evidence: &Evidence,
    rank: &[u32],
    names: (&[&str], &[&str]),
    threads: usize,
) -> Vec<Vec<Edge>> {
    let place = |names: &[&str], name: &str| names.binary_search(&name).unwrap_or_default();
    let origins = evidence.origins.names().iter().map(|name| place(names.1, name));
    let origins: Vec<u16> = origins.map(|at| u16::try_from(at).unwrap_or(u16::MAX)).collect();
    let cause_of = |kind: u16| {
        let name = evidence.statement_kinds.get(usize::from(kind)).map_or("", String::as_str);
        if name == overrides::LINKED {
            return LINK;
        }
        u16::try_from(1 + place(names.0, name)).unwrap_or(LINK - 1)
    };
    // Ends by id: facts of identifiers that were seen together lie together.
    let edge = |first: i32, cause: u16, left: u32, right: u32, origin: u32| {
        let (a, b) = (evidence.facts.get(left as usize)?, evidence.facts.get(right as usize)?);
        if left == right || !a.is_alive() || !b.is_alive() {
            return None;
        }
        let day = first.max(a.first).max(b.first);
        let origin = origins.get(origin as usize).copied().unwrap_or(u16::MAX);
        let (left, right) = (rank[left as usize], rank[right as usize]);
        let weakest = a.strength.min(b.strength);
        Some(Edge { day, cause, left: left.min(right), right: left.max(right), origin, weakest })
    };
    let within = |keys: Range<usize>| {
        let keys = evidence.key_facts.get(keys).unwrap_or_default();
        let live = || keys.iter().filter(|key| key.is_live);
        // Counted first: a vector that grows by doubling would take twice the memory.
        let most = live().map(|key| usize::from(key.count).saturating_sub(1)).sum();
        let mut edges = Vec::with_capacity(most);
        for key in live() {
            let Some((_, _, center)) = usable(evidence, rank, *key).min() else { continue };
            let members = evidence.members_of(*key).iter();
            let of = |other: &u32| edge(key.first, SAME_RECORD, center, *other, key.origin);
            edges.extend(members.filter_map(of));
        }
        cluster::one_each(&mut edges);
        edges
    };
    let mut edges = beside::parts(evidence.key_facts.len(), threads, within);
    let said = evidence.statements.iter();
    edges.push(
        said.filter_map(|said| {
            edge(said.first, cause_of(said.kind), said.left, said.right, said.origin)
        })
        .collect(),
    );
    edges
}

/// Edges between records that are probably one person, each from the strongest identifier of one
/// to that of the other, and their weights.
fn probable(
    evidence: &Evidence,
    order: &[u32],
    rank: &[u32],
) -> (Vec<Edge>, BTreeMap<(u32, u32), i64>) {
    let of = |at: u32| evidence.facts.get(*order.get(at as usize)? as usize);
    let mut edges = Vec::with_capacity(evidence.alike.len());
    let mut weights: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    for alike in &evidence.alike {
        let facts = [alike.left, alike.right].map(|key| evidence.key_facts.get(key as usize));
        let [Some(a), Some(b)] = facts else { continue };
        let ends = (strongest(evidence, rank, *a), strongest(evidence, rank, *b));
        let (Some(left), Some(right)) = ends else { continue };
        if left == right || !a.is_live || !b.is_live {
            continue;
        }
        let (left, right) = (left.min(right), left.max(right));
        let (Some(one), Some(other)) = (of(left), of(right)) else { continue };
        let day = a.first.max(b.first).max(one.first).max(other.first);
        let weakest = one.strength.min(other.strength);
        edges.push(Edge { day, cause: PROBABLE, left, right, origin: 0, weakest });
        let weight = weights.entry((left, right)).or_insert(i64::MIN);
        *weight = (*weight).max(alike.weight);
    }
    (edges, weights)
}

/// The identifier of a record that says most, by rank.
fn strongest(evidence: &Evidence, rank: &[u32], key: KeyFacts) -> Option<u32> {
    usable(evidence, rank, key).min().map(|(_, at, _)| at)
}

/// The identifiers of a record that count: weakness, rank and id.
fn usable(
    evidence: &Evidence,
    rank: &[u32],
    key: KeyFacts,
) -> impl Iterator<Item = (i8, u32, u32)> {
    evidence.members_of(key).iter().filter_map(|id| {
        let facts = evidence.facts.get(*id as usize).filter(|facts| facts.is_alive())?;
        Some((-facts.strength, rank[*id as usize], *id))
    })
}
