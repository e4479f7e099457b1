//! From names on a list to registry entries: the person's whole cluster, and what their records
//! say beyond it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::Forgotten;
use super::scrub::staged_files;
use crate::forget::{Codes, Eraser, Named};
use crate::job::identity::Said;
use crate::run::native::resolve::why;
use crate::run::{Context, RunError};
use crate::state::{Registry, Release, Subject};
use crate::storage::parquet;

/// Characters of a customer id.
const CUSTOMER_CHARS: usize = 34;

/// Somebody who is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// As they were asked for.
    pub name: String,
    /// `None`: the warehouse knows nobody called so.
    pub customer_id: Option<String>,
    pub is_forgotten: bool,
    pub identifiers: BTreeSet<Named>,
    /// Customers whom former versions of the person's records name: perhaps the same person.
    pub others: BTreeSet<String>,
}

impl Person {
    /// The registry's entry; records and links are found when rows are rewritten.
    pub fn subject(&self, salt: &[u8], deletes: bool, as_of: NaiveDate) -> Subject {
        let codes = Codes::new(salt);
        let mut all = self.identifiers.clone();
        for named in self.identifiers.iter().filter(|named| named.kind == "email") {
            all.extend(hashes(&named.value));
        }
        let code = |of: &Named| codes.identifier(&of.kind, &of.namespace, &of.value);
        let identifiers: BTreeSet<String> = all.iter().map(code).collect();
        let anybody = |of: &&Named| !matches!(of.kind.as_str(), "email" | "phone");
        let values = all.iter().filter(anybody).filter_map(|of| codes.value(&of.value));
        let mut customers: BTreeSet<String> = all.iter().map(|of| codes.customer_of(of)).collect();
        customers.extend(self.customer_id.iter().map(|id| codes.customer(id)));
        Subject {
            id: codes.subject(identifiers.iter()),
            deletes,
            as_of,
            values: values.collect(),
            customers,
            identifiers,
            records: BTreeSet::new(),
            links: BTreeSet::new(),
        }
    }
}

/// What exports for advertisers carry in the place of an address.
fn hashes(address: &str) -> [Named; 2] {
    use md5::Digest;
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let of = |kind: &str, value: String| Named {
        kind: kind.to_owned(),
        namespace: String::new(),
        value,
    };
    [
        of("email_md5", hex(&md5::Md5::digest(address))),
        of("email_sha256", hex(&sha2::Sha256::digest(address))),
    ]
}

/// The people that names mean, each once, and the places of names, from 1, that mean nobody here.
///
/// # Errors
/// The release cannot be read.
pub async fn named(
    context: &Arc<Context>,
    release: &Release,
    known: &Forgotten,
    names: &[String],
) -> Result<(Vec<Person>, BTreeSet<usize>), RunError> {
    let mut nobodies = BTreeSet::new();
    let (mut people, owners) = why::people(context, names).await?;
    let normaliser = context.normaliser();
    let nameless = people.iter_mut().zip(1..).filter(|(person, _)| person.customer_id.is_none());
    for (person, place) in nameless {
        let eraser = known.eraser.as_deref();
        if is_customer_id(&person.name) {
            person.is_forgotten = eraser.is_some_and(|e| e.customer(&person.name).is_some());
            if !person.is_forgotten {
                nobodies.insert(place);
            }
            continue;
        }
        let (kind, namespace, raw) =
            Said::side(&person.name).unwrap_or(("email", "", &person.name));
        let source = namespace.split(':').next().unwrap_or_default();
        let normal = normaliser.normalise(kind, source, raw);
        let Some(normal) = normal.filter(|normal| normal.blocked.is_none()) else {
            nobodies.insert(place);
            continue;
        };
        person.is_forgotten = eraser.is_some_and(|e| e.identifier(kind, namespace, raw).is_some());
        let (kind, namespace) = (kind.to_owned(), namespace.to_owned());
        person.identifiers.insert(Named { kind, namespace, value: normal.value });
    }
    let mut seen = BTreeSet::new();
    people.retain(|p| p.is_forgotten || !p.identifiers.is_empty());
    people.retain(|p| p.customer_id.as_ref().is_none_or(|id| seen.insert(id.clone())));
    complete(context, release, &owners, &mut people).await?;
    Ok((people, nobodies))
}

/// Whether a name is an id of a customer, of today or of any time.
pub fn is_customer_id(name: &str) -> bool {
    name.len() == CUSTOMER_CHARS && name.starts_with("c_")
}

/// Adds identifiers that only former versions of the people's records carry: they name nobody any
/// more, but they did.
async fn complete(
    context: &Context,
    release: &Release,
    owners: &BTreeMap<Named, String>,
    people: &mut [Person],
) -> Result<(), RunError> {
    let salt = context.salt().await?;
    loop {
        let mut registry = Registry::default();
        let mut ids = BTreeMap::new();
        for (at, person) in people.iter().enumerate().filter(|(_, p)| !p.is_forgotten) {
            let subject = person.subject(&salt, false, release.horizon);
            ids.insert(subject.id.clone(), at);
            registry.add(subject);
        }
        let mut forgotten = Forgotten::new(context, registry, salt.clone());
        let more = named_in_records(context, release, &mut forgotten).await?;
        let mut is_new = false;
        for (id, named) in more {
            let Some(person) = ids.get(&id).and_then(|at| people.get_mut(*at)) else { continue };
            match owners.get(&named).filter(|owner| Some(*owner) != person.customer_id.as_ref()) {
                Some(other) => {
                    person.others.insert(other.clone());
                }
                None => is_new |= person.identifiers.insert(named),
            }
        }
        if !is_new {
            return Ok(());
        }
    }
}

/// Identifiers in the records of people, and in later and earlier versions of these.
async fn named_in_records(
    context: &Context,
    release: &Release,
    forgotten: &mut Forgotten,
) -> Result<BTreeSet<(String, Named)>, RunError> {
    let mut all = BTreeSet::new();
    loop {
        let Some(eraser) = forgotten.eraser.clone() else { return Ok(all) };
        let mut found = crate::forget::rows::Found::default();
        for (shape, files) in staged_files(context, &release.state) {
            for file in files {
                let store = &context.store;
                for rows in parquet::open(store, &file.path, &file.file_hash).await? {
                    let rows = rows?;
                    let eraser: &Eraser = &eraser;
                    let hits = eraser.hits(&shape, &rows);
                    if hits.iter().any(Option::is_some) {
                        all.extend(eraser.named_in(&shape, &rows, &hits));
                        found.extend(eraser.found(&shape, &rows, &hits));
                    }
                }
            }
        }
        if !forgotten.grow(context, &found) {
            return Ok(all);
        }
    }
}
