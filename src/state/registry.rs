//! Who is to be forgotten: keyed hashes, and nothing that names anybody.
//!
//! The registry is an input of every run, as the salt is: a release names the one it was made
//! under, and the next release has at least the same subjects.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// One person who is forgotten; all hashes are keyed with the warehouse's salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What stands for the person where events are kept: `x_…`.
    pub id: String,
    /// The events go too; otherwise they stay under [`Subject::id`].
    pub deletes: bool,
    /// Horizon of the release that was the newest when it was done.
    pub as_of: NaiveDate,
    /// Of type, namespace and value of each identifier of the person then.
    pub identifiers: BTreeSet<String>,
    /// Of the values alone, where they are long enough to be nobody else's.
    pub values: BTreeSet<String>,
    /// Of the customer ids that the person had or could have had.
    pub customers: BTreeSet<String>,
    /// Of the natural keys of the person's records; those of later records are added by the run
    /// that reads them.
    pub records: BTreeSet<String>,
    /// Of what other records refer to these by.
    pub links: BTreeSet<String>,
}

/// All of them, in order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    pub subjects: Vec<Subject>,
}

impl Registry {
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    pub fn subject(&self, id: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.id == id)
    }

    /// Adds a subject, or what is new of one that is there; says whether anything was.
    pub fn add(&mut self, subject: Subject) -> bool {
        let Some(known) = self.subjects.iter_mut().find(|known| known.id == subject.id) else {
            self.subjects.push(subject);
            self.subjects.sort_by(|a, b| a.id.cmp(&b.id));
            return true;
        };
        let before = known.clone();
        known.deletes |= subject.deletes;
        known.identifiers.extend(subject.identifiers);
        known.values.extend(subject.values);
        known.customers.extend(subject.customers);
        known.records.extend(subject.records);
        known.links.extend(subject.links);
        *known != before
    }
}
