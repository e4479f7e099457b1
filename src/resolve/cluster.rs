//! Edges between identifiers to clusters of identifiers: one cluster, one person.
//!
//! Edges are applied in an order that depends on nothing but the edges: by the day they were first
//! seen, statements of sources before shared records, strong before weak, then by identifier. An
//! edge that would pass a guard is refused and told; it is never tried again, so a cluster only
//! grows as days go by, and the people it would have joined stay apart.

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

    /// Orders edges by their ends, then by cause, day and origin. One number is compared without
    /// a branch, as five fields are not.
    fn by_pair(&self) -> u128 {
        let said = u64::from(self.cause) << 48
            | u64::from(ascending(self.day)) << 16
            | u64::from(self.origin);
        u128::from(self.ends()) << 64 | u128::from(said)
    }

    /// Orders edges by the turn they are applied in: by day, class, strongest first, ends, cause.
    fn by_turn(&self) -> u128 {
        let weakness = !(self.weakest.cast_unsigned() ^ SIGN_OF_BYTE);
        let when = u64::from(ascending(self.day)) << 16
            | u64::from(self.class()) << 8
            | u64::from(weakness);
        u128::from(when) << 80 | u128::from(self.ends()) << 16 | u128::from(self.cause)
    }

    fn ends(&self) -> u64 {
        u64::from(self.left) << 32 | u64::from(self.right)
    }
}

const SIGN_OF_BYTE: u8 = 1 << 7;

/// A day as a number without a sign, in the same order.
pub(super) fn ascending(day: i32) -> u32 {
    day.cast_unsigned() ^ 1 << 31
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

/// All that joining asks about an identifier and changes of it. Half a cache line: where the next
/// edge leads is never in the cache, so each look costs as much as all else.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// Itself, for an anchor.
    parent: u32,
    /// Identifiers of the cluster; right at anchors only, as all below. None: no part of the graph.
    size: u32,
    emails: u32,
    born: i32,
    day: i32,
    /// Day on which it ceased to stand for its cluster, and what stood for it then; [`STANDS`]
    /// while it does.
    moved: (i32, u32),
    day_strength: i8,
    is_pinned: bool,
    /// The cluster holds a key.
    has_key: bool,
    /// The cluster holds a side of a pair that is never one person.
    has_apart: bool,
}

/// The day of a move that never came.
pub const STANDS: i32 = i32::MAX;

/// Disjoint clusters; each is named by its anchor.
#[derive(Debug)]
pub struct Clusters<'a> {
    nodes: Vec<Node>,
    /// Pairs that are never one person.
    apart: &'a [(u32, u32)],
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
    /// `member` says what is known of each of `count` identifiers; none for those that are no part
    /// of the graph.
    pub fn new(
        (count, threads): (usize, usize),
        member: impl Fn(usize) -> Option<Member> + Sync,
        apart: &'a [(u32, u32)],
        limits: Limits,
    ) -> Self {
        let node = |at: usize| {
            let parent = u32::try_from(at).unwrap_or(u32::MAX);
            let moved = (STANDS, parent);
            let Some(member) = member(at) else {
                return Node { parent, moved, ..Node::default() };
            };
            Node {
                parent,
                size: 1,
                emails: u32::from(member.is_email),
                born: member.born,
                day: member.day,
                moved,
                day_strength: member.day_strength,
                is_pinned: member.is_pinned,
                has_key: member.strength >= KEY_STRENGTH,
                has_apart: false,
            }
        };
        let mut nodes = beside::map(Node::default(), count, threads, node);
        for end in apart.iter().flat_map(|(left, right)| [*left, *right]) {
            if let Some(node) = nodes.get_mut(end as usize) {
                node.has_apart = true;
            }
        }
        Self { nodes, apart, limits }
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The anchor of an identifier's cluster.
    pub fn anchor(&mut self, of: u32) -> u32 {
        let mut at = of;
        loop {
            let above = self.nodes[at as usize].parent;
            if above == at {
                return at;
            }
            let next = self.nodes[above as usize].parent;
            self.nodes[at as usize].parent = next;
            at = above;
        }
    }

    /// As [`Self::anchor`], for those who only read; none for what is no part of the graph.
    pub fn anchor_of(&self, of: usize) -> Option<u32> {
        let mut node = self.nodes.get(of).filter(|node| node.size > 0)?;
        let mut at = of;
        while node.parent as usize != at {
            at = node.parent as usize;
            node = self.nodes.get(at)?;
        }
        Some(node.parent)
    }

    /// First day of an identifier that stood for its cluster at the end of that day.
    pub fn stood(&self, of: usize) -> Option<i32> {
        let node = self.nodes.get(of).filter(|node| node.size > 0)?;
        (node.moved.0 > node.born).then_some(node.born)
    }

    /// First day that any record shows an identifier.
    pub fn born(&self, of: u32) -> i32 {
        self.nodes.get(of as usize).map_or(STANDS, |node| node.born)
    }

    /// Day on which an identifier ceased to stand for its cluster, and what stood for it then.
    pub fn moved(&self, of: usize) -> (i32, u32) {
        self.nodes.get(of).map(|node| node.moved).unwrap_or_default()
    }

    /// Orders anchors: the older stands for both, then the stronger, then the lesser. One that no
    /// release knows never displaces one that readers have seen, however old it claims to be.
    pub fn seniority(&self, of: u32) -> (bool, i32, i8, u32) {
        let node = self.nodes.get(of as usize).copied().unwrap_or_default();
        (!node.is_pinned, node.day, -node.day_strength, of)
    }

    /// Looks at the ends of edges that come next. The processor does so for many at a time, where
    /// joining would wait for each.
    pub fn warm(&self, next: &[Edge]) {
        let parent = |of: u32| self.nodes.get(of as usize).map_or(0, |node| node.parent);
        let ends = || next.iter().flat_map(|edge| [edge.left, edge.right]);
        let seen = ends().fold(0, |seen, end| seen ^ parent(end));
        std::hint::black_box(seen);
        let seen = ends().fold(0, |seen, end| seen ^ parent(parent(end)));
        std::hint::black_box(seen);
    }

    /// Applies one edge.
    pub fn join(&mut self, edge: &Edge) -> Joined {
        let (left, right) = (self.anchor(edge.left), self.anchor(edge.right));
        if left == right {
            return Joined::Already;
        }
        if let Some(guard) = self.guard(edge, left, right) {
            return Joined::Refused(guard);
        }
        let is_left = self.seniority(left) < self.seniority(right);
        let (stays, goes) = if is_left { (left, right) } else { (right, left) };
        let gone = &mut self.nodes[goes as usize];
        gone.parent = stays;
        gone.moved = (edge.day, stays);
        let gone = *gone;
        let node = &mut self.nodes[stays as usize];
        node.size += gone.size;
        node.emails += gone.emails;
        node.has_key |= gone.has_key;
        node.has_apart |= gone.has_apart;
        Joined::Anchor(goes)
    }

    /// Whether some pair that is never one person has a side in each.
    fn is_forbidden(&mut self, a: u32, b: u32) -> bool {
        if !self.nodes[a as usize].has_apart || !self.nodes[b as usize].has_apart {
            return false;
        }
        self.apart.iter().any(|(left, right)| {
            let ends = (self.anchor(*left), self.anchor(*right));
            ends == (a, b) || ends == (b, a)
        })
    }

    fn guard(&mut self, edge: &Edge, a: u32, b: u32) -> Option<Guard> {
        if self.is_forbidden(a, b) {
            return Some(Guard::NeverLink);
        }
        if edge.cause == LINK {
            return None;
        }
        let (a, b) = (&self.nodes[a as usize], &self.nodes[b as usize]);
        if edge.weakest <= DEVICE_STRENGTH && a.has_key && b.has_key {
            return Some(Guard::SharedDevice);
        }
        if a.size.saturating_add(b.size) > self.limits.identifiers_max {
            return Some(Guard::MaxCluster);
        }
        let emails = a.emails.saturating_add(b.emails);
        let grows = a.emails > 0 && b.emails > 0;
        (grows && emails > self.limits.emails_max).then_some(Guard::MaxEmails)
    }
}

/// Puts edges in order of their ends, each pair and cause once, by its first day.
pub fn one_each(edges: &mut Vec<Edge>) {
    edges.sort_unstable_by_key(Edge::by_pair);
    edges.dedup_by_key(|edge| (edge.left, edge.right, edge.cause));
}

/// Puts edges in the order they are applied in, each pair and cause once, by its first day.
pub fn in_order(mut edges: Vec<Vec<Edge>>, threads: usize) -> Vec<Edge> {
    // Those that are in order already are seen to be so at once.
    edges.iter_mut().for_each(one_each);
    let mut edges = beside::merge(edges, |a, b| a.by_pair().cmp(&b.by_pair()));
    edges.dedup_by_key(|edge| (edge.left, edge.right, edge.cause));
    beside::sort(&mut edges, threads, |a, b| a.by_turn().cmp(&b.by_turn()));
    edges
}
