//! Why a person is one: identifiers, what joined them, what was refused, and which single edges
//! hold the person together.

use std::collections::BTreeMap;

use super::Resolution;
use super::cluster::{Edge, Guard};

/// One edge of a person's graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// `type[namespace]:value`.
    pub left: String,
    pub right: String,
    pub day: i32,
    pub cause: String,
    pub evidence: String,
    /// Without it the person would be two.
    pub is_bridge: bool,
}

/// An edge that would have joined the person with another, and was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub left: String,
    pub right: String,
    pub day: i32,
    pub rule: &'static str,
    pub evidence: String,
}

/// A person's graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    pub identifiers: Vec<String>,
    pub ties: Vec<Tie>,
    pub refused: Vec<Refused>,
}

impl Resolution {
    /// The graph of a customer; empty for one that is not there. `edges` are those of the
    /// resolution.
    pub fn trace(&self, customer_id: &str, edges: &[Edge]) -> Trace {
        let own = |at: u32| self.customer_at(at) == Some(customer_id);
        let count = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        let members: Vec<u32> = (0..count).filter(|at| own(*at)).collect();
        let refused_here =
            |edge: &Edge| self.history.refusals.iter().any(|refusal| refusal.edge == *edge);
        let inner: Vec<&Edge> = edges
            .iter()
            .filter(|edge| own(edge.left) && own(edge.right) && !refused_here(edge))
            .collect();
        let bridges = bridges(&members, &inner);
        let tie = |(edge, is_bridge): (&&Edge, &bool)| Tie {
            left: self.named(edge.left),
            right: self.named(edge.right),
            day: edge.day,
            cause: self.cause(edge),
            evidence: self.witness(edge),
            is_bridge: *is_bridge,
        };
        let refusals = self.history.refusals.iter();
        let touching = refusals.filter(|r| own(r.edge.left) || own(r.edge.right));
        let refused = touching.map(|refusal| Refused {
            left: self.named(refusal.edge.left),
            right: self.named(refusal.edge.right),
            day: refusal.edge.day,
            rule: Guard::name(refusal.guard),
            evidence: self.witness(&refusal.edge),
        });
        Trace {
            identifiers: members.iter().map(|at| self.named(*at)).collect(),
            ties: inner.iter().zip(&bridges).map(tie).collect(),
            refused: refused.collect(),
        }
    }

    fn named(&self, at: u32) -> String {
        match self.at(at) {
            (kind, "", value) => format!("{kind}:{value}"),
            (kind, namespace, value) => format!("{kind}[{namespace}]:{value}"),
        }
    }
}

/// Which edges are the only way between their ends (Tarjan 1974), without recursion: a chain of
/// identifiers may be long.
fn bridges(members: &[u32], edges: &[&Edge]) -> Vec<bool> {
    let number: BTreeMap<u32, usize> = members.iter().zip(0..).map(|(m, i)| (*m, i)).collect();
    let mut next: Vec<Vec<(usize, usize)>> = vec![Vec::new(); members.len()];
    for (at, edge) in edges.iter().enumerate() {
        if let (Some(a), Some(b)) = (number.get(&edge.left), number.get(&edge.right)) {
            next[*a].push((*b, at));
            next[*b].push((*a, at));
        }
    }
    let mut found = vec![false; edges.len()];
    let mut seen = vec![0_usize; members.len()];
    let mut low = vec![0_usize; members.len()];
    let mut clock = 0;
    for start in 0..members.len() {
        if seen[start] > 0 {
            continue;
        }
        clock += 1;
        (seen[start], low[start]) = (clock, clock);
        // Member, the edge it was reached by, and how many of its edges were walked.
        let mut path = vec![(start, usize::MAX, 0)];
        while let Some((at, by, walked)) = path.last_mut() {
            if let Some((to, edge)) = next[*at].get(*walked).copied() {
                *walked += 1;
                if edge == *by {
                    continue;
                }
                if seen[to] > 0 {
                    low[*at] = low[*at].min(seen[to]);
                } else {
                    clock += 1;
                    (seen[to], low[to]) = (clock, clock);
                    path.push((to, edge, 0));
                }
                continue;
            }
            let (at, by) = (*at, *by);
            path.pop();
            if let Some((above, ..)) = path.last() {
                low[*above] = low[*above].min(low[at]);
                if low[at] > seen[*above] {
                    found[by] = true;
                }
            }
        }
    }
    found
}
