//! Audited files, then one create; then what readers of other kinds see.
//!
//! Every name is immutable, so a reader can never meet half of anything. The room puts files under
//! their final names ([`place`]); `state` makes the commit; the Delta logs ([`delta`]) and the
//! DuckDB views ([`views`]) are projections of the newest release that any later run can redo
//! ([`project`]).

pub mod delta;
pub mod views;

use std::collections::BTreeMap;
use std::future::Future;

use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};

use self::delta::Projected;
use crate::storage::{StorageError, Store};
use crate::table::Contract;
use crate::table::dataset::{Dataset, FileRef};

/// How often a projection starts over because another run was faster.
const PROJECT_TRIES: usize = 20;

/// Files placed, or logs projected, at the same time: most of each is waiting for the store.
const AT_ONCE: usize = 16;

/// A published table: what readers were promised and the files that hold it.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    pub contract: &'a Contract,
    pub dataset: &'a Dataset,
}

/// A release as its projections need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub number: u64,
    pub as_of: NaiveDate,
    /// Without a contract (a model that was taken away) a table stays as readers know it.
    pub tables: BTreeMap<String, (Option<Contract>, Dataset)>,
}

impl Shown {
    /// The tables that this binary can describe.
    pub fn published(&self) -> Vec<Published<'_>> {
        let described = self.tables.values().filter_map(|(contract, dataset)| {
            contract.as_ref().map(|contract| Published { contract, dataset })
        });
        described.collect()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A bug: names are made from content.
    #[error("`{path}` exists with {found} bytes, but should have {wanted} with another hash")]
    Clash { path: String, found: u64, wanted: u64 },
    #[error("the delta log of `{table}` cannot be read or written")]
    Delta {
        table: String,
        #[source]
        source: StorageError,
    },
    #[error("other runs published while this one projected, {PROJECT_TRIES} times")]
    Contended,
}

/// `column=value/` for each partition column of a file.
///
/// Readers take the values from the Delta log or from the file, never from the path, so a
/// character that would need escaping somewhere is simply replaced.
pub fn partition_folder(contract: &Contract, file: &FileRef) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let mut folder = String::new();
    for column in &contract.partition {
        let value = file.partition.get(column).map_or("", String::as_str);
        folder.push_str(column);
        folder.push('=');
        folder.extend(value.chars().map(plain));
        folder.push('/');
    }
    folder
}

/// Name of a published file: its content and its place in the partition.
pub fn file_name(file: &FileRef) -> String {
    format!("part-{}-{}.zstd.parquet", file.file_hash.short(), file.ordinal)
}

/// Final path of a file of a published table.
pub fn table_path(table: &str, contract: &Contract, file: &FileRef) -> String {
    format!("tables/{table}/{}{}", partition_folder(contract, file), file_name(file))
}

/// Final path of a file of an intermediate; `kind` is one of the state kinds.
pub fn state_path(kind: &str, file: &FileRef) -> String {
    format!("state/v1/{kind}/{}.parquet", file.file_hash)
}

/// Puts the files of `dataset` under their final names, as `path` makes them.
///
/// A name that the parent release has must mean the same there. A name that exists and that the
/// parent does not have (left by a run that died, or lost its commit) holds the same bytes, or
/// this is a bug; it is written again all the same, which renews its age, so that a clean-up
/// running beside this run does not take it for a leftover.
///
/// Every file that was made is compared with its hash, also one that the parent release has
/// already: other steps have read it, and what they made of a damaged one is not published.
///
/// # Errors
/// A file is missing or damaged, the store failed, or a name holds something else.
pub async fn place(
    store: &Store,
    dataset: &Dataset,
    parent: Option<&Dataset>,
    path: impl Fn(&FileRef) -> String,
) -> Result<Dataset, PublishError> {
    let known: BTreeMap<&str, &FileRef> =
        parent.iter().flat_map(|p| &p.files).map(|file| (file.path.as_str(), file)).collect();
    let mut placed = dataset.clone();
    let mut fresh = Vec::new();
    for (file, made) in placed.files.iter_mut().zip(&dataset.files) {
        file.path = path(made);
        match known.get(file.path.as_str()) {
            Some(named) if (named.bytes, &named.file_hash) == (file.bytes, &file.file_hash) => {
                if made.path != file.path {
                    fresh.push((made, None));
                }
            }
            Some(named) => return Err(clash(file.path.clone(), named.bytes, file.bytes)),
            None => fresh.push((made, Some(file.path.clone()))),
        }
    }
    let placing =
        fresh.into_iter().map(async |(made, wanted): (&FileRef, Option<String>)| match wanted {
            Some(wanted) => place_file(store, made, wanted).await,
            None => Ok(store.vouch(&made.path, &made.file_hash).await?),
        });
    stream::iter(placing).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(placed)
}

fn clash(path: String, found: u64, wanted: u64) -> PublishError {
    PublishError::Clash { path, found, wanted }
}

async fn place_file(store: &Store, file: &FileRef, wanted: String) -> Result<(), PublishError> {
    let hash = &file.file_hash;
    if file.path == wanted {
        return Ok(store.renew(&wanted, hash).await?);
    }
    if let Some(found) = store.head(&wanted).await? {
        // What was harmed on its way here comes well the second time.
        let is_same = found.bytes == file.bytes
            && (store.is_whole(&wanted, hash).await? || store.is_whole(&wanted, hash).await?);
        if !is_same {
            return Err(clash(wanted, found.bytes, file.bytes));
        }
    }
    Ok(store.copy(&file.path, &wanted, hash).await?)
}

/// Brings the Delta logs and the views to the newest release, which `newest` reads.
///
/// It is read again whenever another run was faster, and once more at the end: two runs that
/// project at the same time leave the newer release behind, whichever ends last.
///
/// # Errors
/// The store failed, a log is damaged, or other runs never stop publishing.
pub async fn project<E, F>(
    store: &Store,
    with_delta: bool,
    newest: impl Fn() -> F,
) -> Result<Option<Shown>, E>
where
    E: From<PublishError>,
    F: Future<Output = Result<Option<Shown>, E>>,
{
    let Some(mut shown) = newest().await? else { return Ok(None) };
    // The views come last, so they say what is done. Only asked before anything is touched: a log
    // that this run brought to an older release in the meantime would not be seen in them.
    if views::shown(store, with_delta).await?.is_some_and(|number| number >= shown.number) {
        return Ok(Some(shown));
    }
    for _ in 0..PROJECT_TRIES {
        let done = !with_delta || project_delta(store, &shown).await?;
        if done {
            views::project(store, shown.number, with_delta, &shown.published()).await?;
        }
        let Some(again) = newest().await? else { return Ok(None) };
        if done && again.number == shown.number {
            return Ok(Some(again));
        }
        shown = again;
    }
    Err(PublishError::Contended.into())
}

/// Whether all logs show the release; not so when another run made an entry first.
async fn project_delta(store: &Store, shown: &Shown) -> Result<bool, PublishError> {
    let folders = store.folders("tables").await?;
    let gone = folders.iter().filter(|name| !shown.tables.contains_key(*name));
    let gone = gone.map(|name| (name, None));
    let there = shown.tables.iter().filter_map(|(name, (contract, dataset))| {
        Some((name, Some((contract.as_ref()?, dataset))))
    });
    let project = |(name, shows): (&String, Option<(&Contract, &Dataset)>)| {
        let name = name.clone();
        let shows = shows.map(|(contract, dataset)| (contract.clone(), dataset.clone()));
        async move {
            let shows = shows.as_ref().map(|(contract, dataset)| (contract, dataset));
            delta::project(store, shown.number, shown.as_of, &name, shows).await
        }
    };
    let all: Vec<_> = there.chain(gone).map(project).collect();
    let done: Vec<Projected> = stream::iter(all).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(!done.contains(&Projected::Lost))
}
