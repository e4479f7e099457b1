//! Deletes what held forgotten people, with no grace: releases, what no other release names, and
//! the Delta logs that led to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};

use super::Forgotten;
use super::scrub::staged_files;
use crate::forget::Eraser;
use crate::run::{Context, RunError};
use crate::state::{Release, StateReader};
use crate::storage::delta::DeltaLog;
use crate::storage::{StorageError, Store, parquet};
use crate::table::dataset::FileRef;
use crate::upkeep::{gc, scan};

/// Columns by which published tables name people.
const CUSTOMERS: [&str; 4] =
    ["customer_id", "customer_id_as_of", "from_customer_id", "to_customer_id"];

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub releases: usize,
    pub objects: u64,
}

/// Deletes every release that names a file with somebody who is forgotten, then every object that
/// held them or that no release names any more, then what Delta logs say of the time before; in the
/// warehouse and its environments, each with its context.
///
/// # Errors
/// The store failed; what is left goes when it is asked again.
pub async fn sweep(contexts: &[Arc<Context>]) -> Result<Swept, RunError> {
    let mut swept = Swept::default();
    for context in contexts {
        swept.releases += releases(context).await?;
    }
    let Some(store) = contexts.first().map(|context| context.store.of_environment(None)) else {
        return Ok(swept);
    };
    let named = named(&store).await?;
    for other in gc::with_environments(&store).await? {
        for kind in ["tables", "state", "work", "quarantine"] {
            for object in other.list(kind).await? {
                if gc::is_kind(&object.path) && !named.contains(&object.path) {
                    other.delete(&object.path).await?;
                    swept.objects += 1;
                }
            }
        }
    }
    for context in contexts {
        swept.objects += reports(context).await?;
    }
    for table in store.folders("tables").await? {
        DeltaLog::new(&store, &format!("tables/{table}")).forget_the_past().await?;
    }
    Ok(swept)
}

/// Deletes the releases of an environment that name a file with somebody.
async fn releases(context: &Context) -> Result<usize, RunError> {
    let store = &context.store;
    let newest = StateReader::new(store.clone()).latest().await?;
    let known = Forgotten::of(context, newest.as_ref()).await?;
    let (Some(newest), Some(eraser)) = (newest, &known.eraser) else { return Ok(0) };
    let held = holding(context, eraser, Some(&newest)).await?;
    for number in &held {
        // First what makes the files be read.
        store.delete(&crate::state::release_path(*number)).await?;
        store.delete(&format!("catalog/views-{number}.sql")).await?;
    }
    Ok(held.len())
}

/// Deletes the reports of an environment's runs that name somebody.
async fn reports(context: &Context) -> Result<u64, RunError> {
    let store = &context.store;
    let newest = StateReader::new(store.clone()).latest().await?;
    let known = Forgotten::of(context, newest.as_ref()).await?;
    let Some(eraser) = &known.eraser else { return Ok(0) };
    let mut deleted = 0;
    for object in store.list("runs").await? {
        if scan::holds(store, eraser, &[], &object.path).await? {
            store.delete(&object.path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Paths that any release of any environment names.
async fn named(store: &Store) -> Result<BTreeSet<String>, RunError> {
    let mut named = BTreeSet::new();
    for other in gc::with_environments(store).await? {
        let reader = StateReader::new(other);
        for number in reader.numbers().await? {
            match reader.release(number).await {
                Ok(release) => named.extend(gc::needed(&release)),
                // Whoever forgets somebody is deleting it.
                Err(crate::state::StateError::Storage(StorageError::NotFound { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(named)
}

/// Numbers of the releases that name a file with somebody; `but` is known to name none.
///
/// # Errors
/// A file is damaged, or the store failed.
pub async fn holding(
    context: &Context,
    eraser: &Eraser,
    but: Option<&Release>,
) -> Result<Vec<u64>, RunError> {
    Ok(holders(context, eraser, but, 1).await?.into_keys().collect())
}

/// By number of a release whom the files hold that it names, up to `enough` of them; releases that
/// hold nobody are left out. `but` is known to hold nobody.
///
/// Everything in a release is made from its staged rows, but for former days, which it carries
/// over.
///
/// # Errors
/// A file is damaged, or the store failed.
pub async fn holders(
    context: &Context,
    eraser: &Eraser,
    but: Option<&Release>,
    enough: usize,
) -> Result<BTreeMap<u64, BTreeSet<u32>>, RunError> {
    let reader = StateReader::new(context.store.clone());
    let datasets = |release: &Release| {
        let all = release.tables.values().chain(release.state.values());
        all.flat_map(|dataset| &dataset.files).map(|file| file.path.clone()).collect::<Vec<_>>()
    };
    // Files that were looked at, and whom they hold.
    let mut looked: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let clean = but.iter().flat_map(|release| datasets(release));
    looked.extend(clean.map(|path| (path, BTreeSet::new())));
    let mut found = BTreeMap::new();
    for number in reader.numbers().await? {
        if but.is_some_and(|release| release.number == number) {
            continue;
        }
        let release = reader.release(number).await?;
        let held = held(context, eraser, &release, &mut looked, enough).await?;
        if !held.is_empty() {
            found.insert(number, held);
        }
    }
    Ok(found)
}

async fn held(
    context: &Context,
    eraser: &Eraser,
    release: &Release,
    looked: &mut BTreeMap<String, BTreeSet<u32>>,
    enough: usize,
) -> Result<BTreeSet<u32>, RunError> {
    let mut all = BTreeSet::new();
    for (shape, files) in staged_files(context, &release.state) {
        for file in files {
            if !looked.contains_key(&file.path) {
                let mut held = BTreeSet::new();
                for rows in opened(context, file).await? {
                    let rows = rows?;
                    let hits = eraser.hits(&shape, &rows);
                    held.extend(hits.iter().flatten().map(|hit| hit.subject));
                    if held.is_empty() && eraser.scrub(&shape, &rows, &hits)?.is_changed {
                        // Named in a text of somebody else; it may be any of them.
                        held.extend(eraser.subjects());
                    }
                }
                looked.insert(file.path.clone(), held);
            }
            all.extend(looked.get(&file.path).into_iter().flatten());
            if all.len() >= enough {
                return Ok(all);
            }
        }
    }
    for file in release.tables.values().flat_map(|dataset| &dataset.files) {
        if !looked.contains_key(&file.path) {
            let held = customers(context, eraser, file).await?.into_keys().collect();
            looked.insert(file.path.clone(), held);
        }
        all.extend(looked.get(&file.path).into_iter().flatten());
        if all.len() >= enough {
            return Ok(all);
        }
    }
    Ok(all)
}

type Batches = Box<dyn Iterator<Item = Result<arrow::array::RecordBatch, StorageError>> + Send>;

/// A file's rows; a file that a killed call deleted has none.
async fn opened(context: &Context, file: &FileRef) -> Result<Batches, RunError> {
    match parquet::open(&context.store, &file.path, &file.file_hash).await {
        Ok(rows) => Ok(Box::new(rows)),
        Err(StorageError::NotFound { .. }) => Ok(Box::new(std::iter::empty())),
        Err(error) => Err(error.into()),
    }
}

/// Rows of a published file that name somebody, by whom.
async fn customers(
    context: &Context,
    eraser: &Eraser,
    file: &FileRef,
) -> Result<BTreeMap<u32, u64>, RunError> {
    let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
    for rows in opened(context, file).await? {
        let rows = rows?;
        let column = |name| {
            rows.column_by_name(name).and_then(|array: &ArrayRef| array.as_string_opt::<i32>())
        };
        let columns: Vec<&StringArray> = CUSTOMERS.into_iter().filter_map(column).collect();
        if columns.is_empty() {
            break;
        }
        for i in 0..rows.num_rows() {
            let mut before = "";
            let mut named = BTreeSet::new();
            for ids in columns.iter().filter(|ids| ids.is_valid(i)) {
                let id = ids.value(i);
                // Most facts were always whose they are.
                if id != std::mem::replace(&mut before, id) {
                    named.extend(eraser.customer(id));
                }
            }
            for subject in named {
                *counts.entry(subject).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// Rows of published tables that name somebody, by whom and table.
///
/// # Errors
/// A file is damaged, or the store failed.
pub async fn published(
    context: &Context,
    eraser: &Eraser,
    release: &Release,
) -> Result<BTreeMap<(u32, String), u64>, RunError> {
    let mut all = BTreeMap::new();
    for (name, dataset) in &release.tables {
        for file in &dataset.files {
            for (subject, count) in customers(context, eraser, file).await? {
                *all.entry((subject, name.clone())).or_default() += count;
            }
        }
    }
    Ok(all)
}

/// Deletes what this run wrote, as far as no release names it: it did not know whom to forget.
///
/// # Errors
/// The store failed.
pub async fn withdraw(context: &Context) -> Result<(), RunError> {
    let store = &context.store;
    let named = named(store).await?;
    for name in context.work.written() {
        if !name.starts_with("work/") {
            if !named.contains(&name) {
                store.delete(&name).await?;
            }
            continue;
        }
        for object in store.list(&name).await? {
            store.delete(&object.path).await?;
        }
    }
    Ok(())
}
