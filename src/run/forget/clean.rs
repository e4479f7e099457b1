//! Whether a warehouse is free of forgotten people, and the raw objects that are not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Forgotten;
use crate::extract;
use crate::forget::shape::Shape;
use crate::run::{Context, RunError, forget, listing};
use crate::state::{ObjectEntry, StateError, StateReader};
use crate::table::hash::Hash;
use crate::upkeep::scan;

/// What a look at everything gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// People in the registry.
    pub people: usize,
    /// Objects of the warehouse that were looked at.
    pub objects: u64,
    /// Those of them that hold somebody.
    pub held: Vec<String>,
    /// Raw objects that hold somebody.
    pub raw: Vec<String>,
    /// Raw objects that no run has read yet: nobody knows what they hold.
    pub unread: Vec<String>,
}

impl Verified {
    pub fn is_clean(&self) -> bool {
        self.held.is_empty() && self.raw.is_empty()
    }
}

/// Looks at all objects of the warehouse, named by a release or not, and at the raw objects.
///
/// # Errors
/// There is no release, or a store failed.
pub async fn verify(context: &Arc<Context>) -> Result<Verified, RunError> {
    let mut verified = Verified::default();
    let shape = |(table, canonical)| Shape::new(&context.catalog, table, canonical);
    let shapes: Vec<Shape> = context.catalog.canonical().map(shape).collect();
    let store = context.store.of_environment(None);
    let everything = store.list("").await?;
    let (mut held, mut raw_held) = (BTreeSet::new(), BTreeSet::new());
    for context in forget::everywhere(context).await? {
        let reader = StateReader::new(context.store.clone());
        let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
        let known = Forgotten::of(&context, Some(&release)).await?;
        let Some(eraser) = known.eraser else { continue };
        verified.people = verified.people.max(known.registry.subjects.len());
        // Our own scratch holds nothing yet.
        let objects = everything.iter().filter(|object| !object.path.contains("work/scratch-"));
        verified.objects = 0;
        for object in objects {
            verified.objects += 1;
            if scan::holds(&store, &eraser, &shapes, &object.path).await? {
                held.insert(object.path.clone());
            }
        }
        let objects = reader.objects(&release).await?;
        raw_held.extend(raw(&context, &objects).await?);
        let read: BTreeSet<&str> = objects.iter().map(|entry| entry.url.as_str()).collect();
        let listed = listing::list(&context.job, &context.settings).await?;
        let unread = listed.into_iter().filter(|found| !read.contains(found.url.as_str()));
        verified.unread.extend(unread.map(|found| found.url));
    }
    verified.unread.sort();
    verified.unread.dedup();
    (verified.held, verified.raw) = (held.into_iter().collect(), raw_held.into_iter().collect());
    Ok(verified)
}

/// Raw objects that hold forgotten people and are still there.
///
/// # Errors
/// A store failed.
pub async fn raw(context: &Context, objects: &[ObjectEntry]) -> Result<Vec<String>, RunError> {
    let held: Vec<ObjectEntry> =
        objects.iter().filter(|entry| !entry.forgotten.is_empty()).cloned().collect();
    Ok(still_there(context, &held, objects).await?.into_keys().collect())
}

/// Urls at which the bytes of one of these object versions lie, with the hash of these.
///
/// # Errors
/// A store failed.
pub async fn still_there(
    context: &Context,
    held: &[ObjectEntry],
    all: &[ObjectEntry],
) -> Result<BTreeMap<String, Hash>, RunError> {
    let mut found = BTreeMap::new();
    let hashes: BTreeSet<&Hash> = held.iter().map(|entry| &entry.sha256).collect();
    if hashes.is_empty() {
        return Ok(found);
    }
    let mut known: BTreeMap<&str, Vec<&ObjectEntry>> = BTreeMap::new();
    for entry in all {
        known.entry(&entry.url).or_default().push(entry);
    }
    for object in listing::list(&context.job, &context.settings).await? {
        let same = |entry: &&&ObjectEntry| {
            entry.bytes == object.bytes
                && entry.etag == object.etag
                && entry.modified_us == object.modified_us
        };
        let entries = known.get(object.url.as_str()).map_or(&[][..], Vec::as_slice);
        let hash = if let Some(entry) = entries.iter().find(same) {
            entry.sha256.clone()
        } else {
            let (store, _) = listing::open(&context.job, &context.settings, object.source)?;
            let scratch = context.work.scratch.join("raw");
            let limits = &context.job.limits;
            let mut fetched = extract::fetch(&store, &object.path, &scratch, limits).await?;
            let hash = fetched.sha256().await?;
            if fetched.scratch {
                let _ = std::fs::remove_file(&fetched.file);
            }
            hash
        };
        if hashes.contains(&hash) {
            found.insert(object.url, hash);
        }
    }
    Ok(found)
}
