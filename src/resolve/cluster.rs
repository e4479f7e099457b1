//! Edges between identifiers to clusters of identifiers: one cluster, one person.
//!
//! Edges are applied in an order that depends on nothing but the edges: by the day they were first
//! seen, statements of sources before shared records, strong before weak, then by identifier. An
//! edge that would pass a guard is refused and told; it is never tried again, so a cluster only
//! grows as days go by, and the people it would have joined stay apart.

use std::cmp::Reverse;

use super::beside;

/// Why an edge was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    MaxEmails,
    MaxCluster,
    /// A cookie or device between two people who both have a key of their own.
    SharedDevice,
    /// The job's overrides say so.
    NeverLink,
}

impl Guard {
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxEmails => "max_emails",
            Self::MaxCluster => "max_cluster",
            Self::SharedDevice => "shared_device",
            Self::NeverLink => "never_link",
        }
    }
}

/// Two identifiers, by rank in order of (type, namespace, value), that are one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Days since 1970.
    pub day: i32,
    /// [`SAME_RECORD`], [`LINK`], [`PROBABLE`], else 1 + the statement's kind.
    pub cause: u16,
    pub left: u32,
    pub right: u32,
    pub origin: u16,
    /// Strength of its weaker end.
    pub weakest: i8,
}

/// Two identifiers of one record.
pub const SAME_RECORD: u16 = 0;
/// Somebody said so in the job's overrides: no guard but their own applies.
pub const LINK: u16 = u16::MAX - 1;
/// Two records that are probably one person.
pub const PROBABLE: u16 = u16::MAX;

impl Edge {
    /// Of one day, what people said comes before what sources said, records, and likeness.
    fn class(&self) -> u8 {
        match self.cause {
            LINK => 0,
            SAME_RECORD => 2,
            PROBABLE => 3,
            _ => 1,
        }
    }
}

/// What guards ask about an identifier.
#[derive(Debug, Clone, Copy, Default)]
pub struct Member {
    /// First day that any record shows it.
    pub born: i32,
    /// A former release knows it.
    pub is_pinned: bool,
    /// It may stand for its cluster: the least (day, −strength) does, ties by rank. Pinned at the
    /// first release, so it may differ from `born`.
    pub day: i32,
    pub day_strength: i8,
    pub strength: i8,
    pub is_email: bool,
}

/// Limits of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub emails_max: u32,
    pub identifiers_max: u32,
}

/// Strength of an identifier that is unique by contract.
const KEY_STRENGTH: i8 = 3;
/// Strength of cookies and devices.
const DEVICE_STRENGTH: i8 = 1;

/// Disjoint clusters; each is named by its anchor.
#[derive(Debug)]
pub struct Clusters<'a> {
    members: &'a [Member],
    parent: Vec<u32>,
    /// Identifiers, e-mail addresses, and whether a key is among them; right at anchors only.
    size: Vec<u32>,
    emails: Vec<u32>,
    has_key: Vec<bool>,
    /// Pairs that are never one person, and whether a cluster holds one of them.
    apart: &'a [(u32, u32)],
    has_apart: Vec<bool>,
    limits: Limits,
}

/// What an edge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Already,
    /// The former anchor that now belongs to the other.
    Anchor(u32),
    Refused(Guard),
}

impl<'a> Clusters<'a> {
    pub fn new(members: &'a [Member], apart: &'a [(u32, u32)], limits: Limits) -> Self {
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let mut has_apart = vec![false; members.len()];
        for end in apart.iter().flat_map(|(left, right)| [*left, *right]) {
            if let Some(has) = has_apart.get_mut(end as usize) {
                *has = true;
            }
        }
        Self {
            apart,
            has_apart,
            members,
            parent: (0..count).collect(),
            size: vec![1; members.len()],
            emails: members.iter().map(|member| u32::from(member.is_email)).collect(),
            has_key: members.iter().map(|member| member.strength >= KEY_STRENGTH).collect(),
            limits,
        }
    }

    /// The anchor of an identifier's cluster.
    pub fn anchor(&mut self, of: u32) -> u32 {
        let mut at = of;
        while self.parent[at as usize] != at {
            let above = self.parent[at as usize];
            self.parent[at as usize] = self.parent[above as usize];
            at = above;
        }
        at
    }

    /// Orders anchors: the older stands for both, then the stronger, then the lesser. One that no
    /// release knows never displaces one that readers have seen, however old it claims to be.
    pub fn seniority(&self, of: u32) -> (bool, i32, i8, u32) {
        let member = self.members.get(of as usize).copied().unwrap_or_default();
        (!member.is_pinned, member.day, -member.day_strength, of)
    }

    /// Applies one edge.
    pub fn join(&mut self, edge: &Edge) -> Joined {
        let (left, right) = (self.anchor(edge.left), self.anchor(edge.right));
        if left == right {
            return Joined::Already;
        }
        let (a, b) = (left as usize, right as usize);
        if let Some(guard) = self.guard(edge, a, b) {
            return Joined::Refused(guard);
        }
        let (stays, goes) =
            if self.seniority(left) < self.seniority(right) { (a, b) } else { (b, a) };
        self.size[stays] += self.size[goes];
        self.emails[stays] += self.emails[goes];
        self.has_key[stays] |= self.has_key[goes];
        self.has_apart[stays] |= self.has_apart[goes];
        self.parent[goes] = self.parent[stays];
        Joined::Anchor(if goes == a { left } else { right })
    }

    /// Whether some pair that is never one person has a side in each.
    fn is_forbidden(&mut self, a: u32, b: u32) -> bool {
        if !self.has_apart[a as usize] || !self.has_apart[b as usize] {
            return false;
        }
        self.apart.iter().any(|(left, right)| {
            let ends = (self.anchor(*left), self.anchor(*right));
            ends == (a, b) || ends == (b, a)
        })
    }

    fn guard(&mut self, edge: &Edge, a: usize, b: usize) -> Option<Guard> {
        let roots = (u32::try_from(a).unwrap_or(0), u32::try_from(b).unwrap_or(0));
        if self.is_forbidden(roots.0, roots.1) {
            return Some(Guard::NeverLink);
        }
        if edge.cause == LINK {
            return None;
        }
        if edge.weakest <= DEVICE_STRENGTH && self.has_key[a] && self.has_key[b] {
            return Some(Guard::SharedDevice);
        }
        if self.size[a].saturating_add(self.size[b]) > self.limits.identifiers_max {
            return Some(Guard::MaxCluster);
        }
        let emails = self.emails[a].saturating_add(self.emails[b]);
        let grows = self.emails[a] > 0 && self.emails[b] > 0;
        (grows && emails > self.limits.emails_max).then_some(Guard::MaxEmails)
    }
}

/// Puts edges in the order they are applied in, each pair and cause once, by its first day.
pub fn in_order(edges: &mut Vec<Edge>, threads: usize) {
    for edge in edges.iter_mut() {
        if edge.left > edge.right {
            std::mem::swap(&mut edge.left, &mut edge.right);
        }
    }
    let pair = |edge: &Edge| (edge.left, edge.right, edge.cause, edge.day, edge.origin);
    beside::sort(edges, threads, |a, b| pair(a).cmp(&pair(b)));
    edges.dedup_by_key(|edge| (edge.left, edge.right, edge.cause));
    let turn = |edge: &Edge| {
        let ends = (edge.left, edge.right, edge.cause, edge.origin);
        (edge.day, edge.class(), Reverse(edge.weakest), ends)
    };
    beside::sort(edges, threads, |a, b| turn(a).cmp(&turn(b)));
}
