//! What people say about who is who: stronger than all that sources say, and undone by taking the
//! words away.

use super::evidence::{Evidence, Statement};
use super::normalise::Blocked;

/// The kind of a statement that an override makes.
pub(super) const LINKED: &str = "link";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Both are one person.
    Link,
    /// Both are never one person: what would join them is refused.
    NeverLink,
    /// The identifier names nobody.
    Block,
}

/// An identifier as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub kind: String,
    pub namespace: String,
    pub value: String,
}

/// One word of a person about who is who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub verb: Verb,
    pub left: Named,
    pub right: Option<Named>,
    pub reason: String,
    pub author: String,
    /// First day of a link, in days since 1970; without it both were always one.
    pub since: Option<i32>,
}

impl Evidence {
    /// Takes in overrides, after all records: an identifier that nobody has seen says nothing.
    /// Gives how many said nothing.
    pub fn overrule(&mut self, overrides: &[Override]) -> usize {
        let mut unheard = 0;
        for said in overrides {
            let left = self.named(&said.left);
            let right = said.right.as_ref().and_then(|right| self.named(right));
            match (said.verb, left, right) {
                (Verb::Block, Some(left), _) => {
                    if let Some(facts) = self.facts.get_mut(left as usize) {
                        facts.blocked = facts.blocked.or(Some(Blocked::Listed));
                    }
                }
                (Verb::Link, Some(left), Some(right)) => {
                    let words = format!("overrides: {} ({})", said.reason, said.author);
                    let origin = self.origin(&words);
                    let kind = self.statement_kind(LINKED);
                    let first = said.since.unwrap_or(i32::MIN);
                    self.statements.push(Statement { kind, left, right, first, origin });
                }
                (Verb::NeverLink, Some(left), Some(right)) if left != right => {
                    self.apart.push((left, right));
                }
                _ => unheard += 1,
            }
        }
        unheard
    }

    fn named(&self, named: &Named) -> Option<u32> {
        let source = named.namespace.split(':').next().unwrap_or_default();
        let normal = self.normaliser.normalise(&named.kind, source, &named.value)?;
        self.find(&named.kind, &named.namespace, &normal.value)
    }
}
