//! Files of a release that are gone or damaged, made again from what they were made from.
//!
//! A step gives the same bytes for the same inputs, so what it makes now can stand in for what was
//! lost, and is put there only if its hash is the one that the release says. Staged files come from
//! the raw objects, all else from tables of the release, in the order of the graph. What has no
//! inputs (the object ledger, the releases themselves) comes from a backup alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::forget::Forgotten;
use super::lease::Lease;
use super::mask::Mask;
use super::{
    Context, RunError, Tables, checks, give_back, ledger, listing, make, retired, slice_hash,
    staging,
};
use crate::engine::EngineError;
use crate::extract::ExtractError;
use crate::plan::graph::STAGED;
use crate::plan::{self, Graph, Node, NodeKind, Plan, PlanError, RUN_TABLE};
use crate::publish::PublishError;
use crate::state::{Counts, Release, StateError, StateReader};
use crate::storage::{self, StorageError};
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::Hash;
use crate::upkeep::{UpkeepError, verify};

/// Files that were looked after, by path; whether they are whole now.
pub type Repaired = BTreeMap<String, bool>;

/// Repairs what made a run fail, if that was a file of its parent release or one in `work/`, so
/// that it can be planned again; else gives the error back.
///
/// # Errors
/// The run's own error, where nothing could be mended.
pub async fn of(
    context: &Arc<Context>,
    parent: Option<&Release>,
    error: RunError,
) -> Result<(), RunError> {
    let path = harmed(&error);
    if let Some(path) = path.as_deref().filter(|path| context.work.holds(path)) {
        return again(context, path).await;
    }
    if path.is_none()
        && may_be_of_bytes(&error)
        && let Some(path) = context.work.harmed().await?
    {
        return again(context, &path).await;
    }
    let (Some(release), Some(path)) = (parent, path) else { return Err(error) };
    let datasets = release.tables.values().chain(release.state.values());
    let mut files = datasets.flat_map(|dataset| &dataset.files);
    if !files.any(|file| path.ends_with(file.path.as_str())) {
        return Err(error);
    }
    // Where one file is harmed, others may be.
    let found = verify::verify(&context.store, std::slice::from_ref(release), true).await?;
    let faults: BTreeSet<String> = found.faults.into_iter().map(|(path, ..)| path).collect();
    let repaired = restore(context, release, &faults).await?;
    for (path, _) in repaired.iter().filter(|(_, is_whole)| **is_whole) {
        context.record.warn(format!("`{path}` was missing or damaged, and was made again"));
    }
    if faults.is_empty() || repaired.values().any(|is_whole| !is_whole) {
        return Err(error);
    }
    Ok(())
}

/// A file that a step wrote is gone (the run that held the lease cleared it) or damaged: nothing
/// that was made beside it counts, and the run is planned again.
async fn again(context: &Context, path: &str) -> Result<(), RunError> {
    tracing::warn!(path, "a file in work/ is gone or damaged; what was made of it is made again");
    Ok(context.work.distrust().await?)
}

/// Whether damaged bytes could be why: what SQL reads in parts, and rows that came of it.
fn may_be_of_bytes(error: &RunError) -> bool {
    matches!(
        error,
        RunError::Engine(EngineError::Failed { .. })
            | RunError::Checking(_)
            | RunError::Check { .. }
            | RunError::Storage(StorageError::Parquet { .. })
            | RunError::Table(_)
            | RunError::Resolve(_)
            | RunError::Fold(_)
            | RunError::Clv(_)
            | RunError::Features(_)
            | RunError::Scores(_)
            | RunError::Service(_)
            | RunError::Participation(_)
    )
}

/// The file that an error says is missing or damaged.
fn harmed(error: &RunError) -> Option<String> {
    // An error that shows itself as its cause is not among its own causes.
    let of_storage = match error {
        RunError::Storage(error)
        | RunError::Publish(PublishError::Storage(error))
        | RunError::State(StateError::Storage(error))
        | RunError::Extract(ExtractError::Storage(error))
        | RunError::Upkeep(UpkeepError::Storage(error)) => storage::harmed(error),
        _ => None,
    };
    of_storage.or_else(|| storage::harmed(error))
}

/// Looks whether files that releases name are whole, and makes those again that are not.
///
/// # Errors
/// Another run holds the lease, or the store failed.
pub async fn repair(context: &Arc<Context>, releases: &[Release]) -> Result<Repaired, RunError> {
    let lease = Lease::of(context).await?;
    let found = verify::verify(&context.store, releases, true).await?;
    let mut repaired = Repaired::new();
    for release in releases {
        let of_release = found.faults.iter().filter(|(.., number)| *number == release.number);
        let faults: BTreeSet<String> = of_release.map(|(path, ..)| path.clone()).collect();
        if faults.is_empty() {
            continue;
        }
        match restore(context, release, &faults).await {
            Ok(done) => repaired.extend(done),
            Err(error) => {
                tracing::warn!(%error, release = release.number, "files were not made again");
                repaired.extend(faults.into_iter().map(|path| (path, false)));
            }
        }
    }
    give_back(lease).await;
    Ok(repaired)
}

/// Makes files of a release again; those whose hash comes out otherwise are left as they are.
///
/// # Errors
/// The store failed, or what a step reads is damaged beyond repair.
pub async fn restore(
    context: &Arc<Context>,
    release: &Release,
    faults: &BTreeSet<String>,
) -> Result<Repaired, RunError> {
    context.work.give_up(faults);
    let reader = StateReader::new(context.store.clone());
    let mut bench = Bench {
        context,
        faults,
        plan: checks::standing(context, release),
        parent: parent_of(&reader, release).await,
        tables: Tables::new(),
        forgotten: Forgotten::of(context, Some(release)).await?,
        staged: staging::Staged {
            tables: Tables::new(),
            objects: reader.objects(release).await?,
            before: Vec::new(),
            retired: BTreeMap::new(),
            new_objects: 0,
            counts: Counts::default(),
        },
        whole: BTreeSet::new(),
    };
    if let Some(parent) = &bench.parent {
        bench.staged.before = reader.objects(parent).await.unwrap_or_default();
    }
    for name in release.tables.keys().chain(release.state.keys()) {
        if let Some(dataset) = plan::dataset(release, name) {
            bench.tables.insert(name.clone(), dataset.into_owned());
        }
    }
    bench.stage().await?;
    // Which rows count no longer is said by staged files, that are whole by now.
    let windows = retired::windows(context, bench.tables.get(ledger::WINDOWS)).await?;
    bench.staged.retired = retired::by_table(&context.catalog, &bench.staged.objects, &windows);
    bench.steps().await?;
    bench.results().await?;
    bench.shown(release).await?;
    let is_whole = |path: &String| (path.clone(), bench.whole.contains(path));
    context.store.settle(bench.whole.iter().map(String::as_str))?;
    Ok(faults.iter().map(is_whole).collect())
}

/// The release that one was made onto: for a rollback, that of the release it went back to.
async fn parent_of(reader: &StateReader, release: &Release) -> Option<Release> {
    let back = release.summary.get("rolled_back_to").and_then(serde_json::Value::as_u64);
    let made = match back {
        Some(number) => &reader.release(number).await.ok()?,
        None => release,
    };
    reader.release(made.parent?).await.ok()
}

struct Bench<'a> {
    context: &'a Arc<Context>,
    faults: &'a BTreeSet<String>,
    plan: Plan,
    parent: Option<Release>,
    tables: Tables,
    staged: staging::Staged,
    forgotten: Forgotten,
    /// Files that are mended.
    whole: BTreeSet<String>,
}

impl Bench<'_> {
    fn is_harmed(&self, dataset: &Dataset) -> bool {
        dataset.files.iter().any(|file| self.is_fault(file))
    }

    fn is_fault(&self, file: &FileRef) -> bool {
        self.faults.contains(&file.path) && !self.whole.contains(&file.path)
    }

    /// Puts files in the place of harmed ones that had the same hash.
    async fn put(&mut self, made: &[Dataset]) -> Result<(), RunError> {
        for new in made {
            let Some(old) = self.tables.get(&new.name) else { continue };
            let old = old.files.clone();
            self.mend(&old, &new.files).await?;
        }
        Ok(())
    }

    async fn mend(&mut self, old: &[FileRef], made: &[FileRef]) -> Result<(), RunError> {
        let mut mended = Vec::new();
        for file in old.iter().filter(|file| self.is_fault(file)) {
            let same = |made: &&FileRef| made.file_hash == file.file_hash;
            let Some(made) = made.iter().find(same) else { continue };
            // What was made may be the harmed file itself, taken over from a release.
            if made.path != file.path {
                let store = &self.context.store;
                store.copy(&made.path, &file.path, &made.file_hash).await?;
                mended.push(file.path.clone());
            }
        }
        self.whole.extend(mended);
        Ok(())
    }

    /// Stages batches again whose files are harmed.
    async fn stage(&mut self) -> Result<(), RunError> {
        let staged = self.tables.iter().filter(|(name, _)| name.starts_with(STAGED));
        let files = staged.flat_map(|(_, dataset)| &dataset.files);
        let batch = |file: &FileRef| file.partition.get(staging::BATCH).cloned();
        let batches: BTreeSet<String> =
            files.filter(|file| self.is_fault(file)).filter_map(batch).collect();
        if !batches.is_empty() {
            let listed = listing::list(&self.context.job, &self.context.settings).await?;
            let objects = self.staged.objects.clone();
            let eraser = self.forgotten.eraser.clone();
            let named: BTreeSet<Hash> = objects.iter().map(|entry| entry.batch.clone()).collect();
            for batch in named.iter().filter(|batch| batches.contains(batch.as_str())) {
                let made =
                    staging::again(self.context, batch, &objects, &listed, eraser.as_ref()).await?;
                self.put(&made.unwrap_or_default()).await?;
            }
        }
        if self.tables.get(ledger::OBJECTS).is_some_and(|dataset| self.is_harmed(dataset)) {
            let made = ledger::write(self.context, &self.staged.objects).await?;
            self.put(&[made]).await?;
        }
        if self.tables.get(ledger::FORGOTTEN).is_some_and(|dataset| self.is_harmed(dataset)) {
            let made = ledger::write_forgotten(self.context, &self.forgotten.registry).await?;
            self.put(&[made]).await?;
        }
        Ok(())
    }

    /// Takes steps again, in order, whose tables are harmed.
    async fn steps(&mut self) -> Result<(), RunError> {
        let graph = Graph::new(&self.context.job, &self.context.catalog);
        for node in graph.map_err(PlanError::Problems)?.nodes {
            let is_harmed = |bench: &Self| {
                let outputs = node.outputs.iter().filter_map(|name| bench.tables.get(name));
                outputs.into_iter().any(|dataset| bench.is_harmed(dataset))
            };
            if !is_harmed(self) {
                continue;
            }
            // Merged tables come from all that was staged; other steps know their parent release.
            let merges = matches!(node.kind, NodeKind::Current);
            let parent = if merges { None } else { self.parent.clone() };
            self.step(&node, parent.as_ref()).await?;
            if is_harmed(self) && merges {
                let parent = self.parent.clone();
                self.step(&node, parent.as_ref()).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, node: &Node, parent: Option<&Release>) -> Result<(), RunError> {
        let (context, plan, tables) = (self.context, &self.plan, &self.tables);
        let run_hash = plan::run_hash(&context.job, plan.as_of);
        let content = |name: &String| match name.as_str() {
            RUN_TABLE => Some((name.clone(), run_hash.clone())),
            _ => Some((name.clone(), slice_hash(plan, name, tables.get(name)?))),
        };
        let inputs: Vec<(String, Hash)> = node.inputs.iter().filter_map(content).collect();
        let inputs = inputs.iter().map(|(name, hash)| (name.as_str(), hash));
        let fingerprint = plan::fingerprint(node, inputs);
        let made = make(context, plan, node, &fingerprint, tables, parent, &self.staged).await?;
        self.put(&made).await
    }

    /// Asks the checks again, whose findings are a table too.
    async fn results(&mut self) -> Result<(), RunError> {
        if self.tables.get(checks::RESULTS).is_some_and(|dataset| self.is_harmed(dataset)) {
            let made = checks::audit(self.context, &self.plan, &self.tables, &self.staged.objects);
            let made = made.await?;
            self.put(made.as_slice()).await?;
        }
        Ok(())
    }

    /// Makes what readers see again of tables that they do not see whole.
    async fn shown(&mut self, release: &Release) -> Result<(), RunError> {
        let is_less = |(name, shown): &(&String, &Dataset)| {
            release.state.contains_key(*name) && self.is_harmed(shown)
        };
        let harmed: Vec<_> = release.tables.iter().filter(is_less).collect();
        let has_forgotten = !self.forgotten.registry.is_empty();
        if harmed.is_empty() {
            return Ok(());
        }
        let mask = Mask::new(self.context, Some(release), has_forgotten)?;
        let whole = harmed.iter().map(|(name, _)| ((*name).clone(), release.state[*name].clone()));
        let horizon = release.horizon;
        let made = mask.show(self.context, horizon, None, &whole.collect()).await?.tables;
        for (name, shown) in harmed {
            if let Some(made) = made.get(name) {
                self.mend(&shown.files, &made.files).await?;
            }
        }
        Ok(())
    }
}
