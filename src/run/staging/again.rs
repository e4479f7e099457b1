//! A batch that was staged before, staged once more: the same objects give the same files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Context, RunError, listing};
use super::{Ready, decode_and_map, keep};
use crate::extract;
use crate::forget::Eraser;
use crate::plan::{self, Batch, Found, Reason};
use crate::state::ObjectEntry;
use crate::table::dataset::Dataset;
use crate::table::hash::Hash;

/// Stages the objects of `batch` again; `None` where that cannot give the same rows: an object is
/// gone or changed, or its spec did.
///
/// # Errors
/// The store failed.
pub async fn again(
    context: &Arc<Context>,
    batch: &Hash,
    objects: &[ObjectEntry],
    listed: &[Found],
    eraser: Option<&Arc<Eraser>>,
) -> Result<Option<Vec<Dataset>>, RunError> {
    let mut entries: Vec<_> = objects.iter().filter(|entry| entry.batch == *batch).collect();
    // As the plan orders them.
    entries.sort_by(|a, b| (a.dt, &a.url).cmp(&(b.dt, &b.url)));
    let by_url: BTreeMap<&str, &Found> = listed.iter().map(|f| (f.url.as_str(), f)).collect();
    let found = entries.iter().map(|entry| by_url.get(entry.url.as_str()).copied().cloned());
    let Some(found) = found.collect::<Option<Vec<Found>>>() else { return Ok(None) };
    let Some(first) = entries.first() else { return Ok(None) };
    let Some(spec) = context.catalog.specs.get(&first.spec) else { return Ok(None) };
    let source = found.first().map_or(0, |found| found.source);
    let staging = plan::staging_hash(&context.job, &context.catalog, spec, source);
    if entries.iter().any(|entry| entry.staging != staging) {
        return Ok(None);
    }
    let (store, _) = listing::open(&context.job, &context.settings, source)?;
    let mut ready = Vec::with_capacity(entries.len());
    for (i, (entry, found)) in entries.iter().zip(&found).enumerate() {
        let scratch = context.work.scratch.join(format!("again-{i}"));
        let limits = &context.job.limits;
        let mut fetched = extract::fetch(&store, &found.path, &scratch, limits).await?;
        if fetched.sha256().await? != entry.sha256 {
            return Ok(None);
        }
        let (version, dt) = (entry.version, entry.dt);
        ready.push(Ready { found: found.clone(), fetched, version, dt });
    }
    let reason = Reason::Restage(found.len());
    let whole = Batch { source, spec: first.spec.clone(), reason, objects: found };
    let decoded = decode_and_map(context, &whole, spec, ready, batch, eraser.cloned()).await?;
    let done = keep(context, &whole, decoded, batch, (batch, &staging)).await?;
    Ok(Some(done.batch.datasets))
}
