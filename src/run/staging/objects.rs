//! The raw objects of a batch: on local disk, and under which names their rows are known.

use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt};

use super::Ledger;
use crate::catalog::SourceSpec;
use crate::extract::{self, Fetched};
use crate::plan::{Batch, Found};
use crate::run::{Context, RunError, listing};
use crate::stage::Origin;
use crate::table::hash::{Hash, Hasher};

/// Objects fetched beside each other.
const FETCHES: usize = 16;

/// An object of a batch, on local disk.
pub(super) struct Ready {
    pub(super) found: Found,
    pub(super) fetched: Fetched,
    pub(super) version: i64,
    pub(super) dt: NaiveDate,
}

/// Brings the batch's objects to local disk; those whose bytes are known already drop out.
pub(super) async fn fetch(
    context: &Context,
    batch: &Batch,
    staging: &Hash,
    objects: &mut Ledger,
) -> Result<Vec<Ready>, RunError> {
    let (store, _) = listing::open(&context.job, &context.settings, batch.source)?;
    let fetches = batch.objects.iter().enumerate().map(|(i, found)| {
        let scratch = context.work.scratch.join(format!("object-{i}"));
        let store = &store;
        async move { extract::fetch(store, &found.path, &scratch, &context.job.limits).await }
    });
    let fetched: Vec<Fetched> =
        futures::stream::iter(fetches).buffered(FETCHES).try_collect().await?;
    let mut ready = Vec::new();
    for (found, mut fetched) in batch.objects.iter().zip(fetched) {
        let versions = objects.entry(found.url.clone()).or_default();
        let newest = versions.keys().next_back().copied().unwrap_or(0);
        let same = if versions.is_empty() {
            None
        } else {
            let sha256 = fetched.sha256().await?;
            versions.values_mut().find(|entry| entry.sha256 == sha256)
        };
        let (version, dt) = match same {
            Some(entry) => {
                entry.etag.clone_from(&found.etag);
                entry.modified_us = found.modified_us;
                if entry.staging == *staging {
                    continue;
                }
                (entry.version, entry.dt)
            }
            None => (newest + 1, found.dt.unwrap_or_default()),
        };
        ready.push(Ready { found: found.clone(), fetched, version, dt });
    }
    Ok(ready)
}

/// Where the rows of each object come from. Only rows without a key have to know its bytes.
pub(super) async fn origins(
    ready: &mut [Ready],
    spec: &SourceSpec,
) -> Result<Vec<Origin>, RunError> {
    let mut origins = Vec::with_capacity(ready.len());
    for object in ready {
        let sha256 = if spec.key.is_empty() {
            object.fetched.sha256().await?.to_string()
        } else {
            String::new()
        };
        origins.push(Origin {
            url: object.found.url.clone(),
            sha256,
            version: object.version,
            dt: object.dt,
            extracted_at: None,
        });
    }
    Ok(origins)
}

/// Name of what is done with some objects, before their bytes are known: a run that was killed
/// finds it again by this.
pub(super) fn asked(ready: &[Ready], staging: &Hash, forgotten: Option<Hash>) -> Hash {
    let mut hasher = Hasher::new("asked");
    hasher.part(staging.as_str());
    for Ready { found, version, dt, .. } in ready {
        hasher.part(&found.url).part(version.to_le_bytes()).part(dt.to_string());
        hasher.part(format!("{:?} {} {}", found.etag, found.bytes, found.modified_us));
    }
    if let Some(known) = forgotten {
        hasher.part(known.as_str());
    }
    hasher.finish()
}

/// Name of the rows of some objects, by their bytes.
pub(super) async fn fingerprint(
    ready: &mut [Ready],
    staging: &Hash,
    forgotten: Option<Hash>,
) -> Result<Hash, RunError> {
    let mut hasher = Hasher::new("batch");
    hasher.part(staging.as_str());
    for object in ready {
        hasher.part(&object.found.url).part(object.version.to_le_bytes());
        hasher.part(object.fetched.sha256().await?.as_str()).part(object.dt.to_string());
    }
    if let Some(known) = forgotten {
        hasher.part(known.as_str());
    }
    Ok(hasher.finish())
}
