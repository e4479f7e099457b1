//! Merges new staged rows into the versions of each key, bucket by bucket.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::sink::{self, Sink, Spread, Written};
use super::{Context, RunError, Tables};
use crate::current;
use crate::plan::Node;
use crate::state::{ObjectEntry, Release};
use crate::storage::parquet;
use crate::table::dataset::Dataset;
use crate::table::hash::Hash;
use crate::table::{Contract, TableError};

/// Runs the `current` node of one canonical table.
///
/// # Errors
/// A file is missing or damaged, or the disk is full.
pub async fn current(
    context: &Arc<Context>,
    node: &Node,
    fingerprint: &Hash,
    tables: &Tables,
    parent: Option<&Release>,
    objects: &[ObjectEntry],
) -> Result<Vec<Dataset>, RunError> {
    let _ = (parent, objects);
    let input = node.inputs.first().map_or("", String::as_str);
    let none = || RunError::NoTable(input.to_owned());
    let contract = context.contract(input).ok_or_else(none)?.clone();
    let staged = tables.get(input).ok_or_else(none)?;
    let key = ["source", "source_account", "entity", "source_id"];
    let key = contract.columns.iter().enumerate().filter(|(_, c)| key.contains(&c.name.as_str()));
    let spread = Spread::Buckets(key.map(|(i, _)| i).collect());
    let scratch = context.work.folder(fingerprint);
    let mut rows = Sink::new(&contract, spread, &scratch);
    let mut seen = BTreeSet::new();
    for file in &staged.files {
        if seen.insert(&file.path) {
            for batch in parquet::read(&context.store, &file.path, &file.file_hash, None).await? {
                rows.push(&batch)?;
            }
        }
    }
    let merged = tokio::task::spawn_blocking(move || merge(&contract, rows, &scratch));
    let (versions, newest) = merged.await.map_err(RunError::Thread)??;
    let [newest_name, versions_name] = node.outputs.as_slice() else { return Err(none()) };
    Ok(vec![
        context.work.keep(fingerprint, newest_name, newest).await?,
        context.work.keep(fingerprint, versions_name, versions).await?,
    ])
}

fn merge(
    contract: &Contract,
    rows: Sink,
    scratch: &Path,
) -> Result<(Vec<Written>, Vec<Written>), RunError> {
    let (mut versions, mut newest) = (Vec::new(), Vec::new());
    rows.into_buckets(|bucket, batches| {
        let all = sink::together(contract, &batches)?;
        let merged = current::merge(contract, &all)
            .map_err(|source| TableError::Order { table: contract.name.clone(), source })?;
        let write = |kind: &str, rows: &RecordBatch| {
            let path = scratch.join(format!("{kind}-{bucket}.parquet"));
            let file = sink::write_sorted(contract, rows, &path)?;
            Ok::<_, RunError>(Written { file, partition: Default::default(), ordinal: bucket })
        };
        versions.push(write("versions", &merged.versions)?);
        if merged.newest.num_rows() > 0 {
            newest.push(write("newest", &merged.newest)?);
        }
        Ok(())
    })?;
    Ok((versions, newest))
}
