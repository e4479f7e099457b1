//! Merges new staged rows into the versions of each key, bucket by bucket.
//!
//! A night's rows usually come after everything known, and then only the buckets they fall into
//! are merged with what the parent release has. Late rows, retired objects and changed code
//! rebuild from the staged files; the result is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use chrono::NaiveDate;

use super::retired::Retired;
use super::sink::{self, Sink, Spread, Written};
use super::staging::Staged;
use super::{Context, RunError, Tables, workers};
use crate::catalog::Canonical;
use crate::current;
use crate::plan::{self, Node};
use crate::stage;
use crate::state::{ObjectEntry, Release};
use crate::storage::parquet;
use crate::table::dataset::{Dataset, FileRef};
use crate::table::day::day_number;
use crate::table::hash::Hash;
use crate::table::order::{Pile, Place};
use crate::table::{BUCKETED_ROWS_MIN, Contract, TableError, id};

/// What one run of the node works with.
struct Merge<'a> {
    context: &'a Arc<Context>,
    contract: Contract,
    canonical: Canonical,
    /// Of staged rows.
    as_staged: Contract,
    staged: &'a Dataset,
    retired: Retired,
    /// Rows of later batch dates do not count, as a day number.
    until: Option<i32>,
    scratch: PathBuf,
}

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
    staged: &Staged,
    until: Option<NaiveDate>,
) -> Result<Vec<Dataset>, RunError> {
    let input = node.inputs.first().map_or("", String::as_str);
    let none = || RunError::NoTable(input.to_owned());
    let [newest_name, versions_name] = node.outputs.as_slice() else { return Err(none()) };
    let name = input.strip_prefix("staged_").unwrap_or(input);
    let table = context.catalog.canonical_tables.get(name).ok_or_else(none)?;
    let merge = Merge {
        context,
        contract: table.contract.clone(),
        canonical: table.canonical.clone().ok_or_else(none)?,
        as_staged: table.staged.clone().ok_or_else(none)?,
        staged: tables.get(input).ok_or_else(none)?,
        retired: staged.retired.get(input).cloned().unwrap_or_default(),
        until: until.map(day_number),
        scratch: context.work.folder(fingerprint),
    };
    let parent = parent.filter(|_| until.is_none());
    let before = parent.and_then(|release| merge.before(node, release, versions_name));
    let made = match before {
        Some(before) => merge.onto(&before, parent, newest_name, staged).await?,
        None => merge.rebuild(None).await?,
    };
    merge.keep(fingerprint, newest_name, versions_name, made).await
}

/// What the parent release knows of the table.
struct Before<'a> {
    versions: &'a Dataset,
    /// Paths' hashes of staged files that are merged already.
    merged: BTreeSet<&'a Hash>,
}

/// Files of buckets, new ones and those kept from the parent.
#[derive(Default)]
struct Made {
    versions: Vec<Written>,
    /// `None`: the same rows as the bucket's versions.
    newest: BTreeMap<u32, Option<Written>>,
    kept_versions: Vec<FileRef>,
    kept_newest: Vec<FileRef>,
    latest_us: Option<i64>,
}

impl Merge<'_> {
    /// The parent's versions, if new rows may be merged onto them.
    fn before<'a>(&self, node: &Node, release: &'a Release, versions: &str) -> Option<Before<'a>> {
        let before = release.state.get(&self.staged.name)?;
        let versions = release.state.get(versions)?;
        let code =
            plan::fingerprint(node, [(before.name.as_str(), &before.input_hash())].into_iter());
        let now: BTreeSet<_> = self.staged.files.iter().map(|file| &file.file_hash).collect();
        let merged: BTreeSet<_> = before.files.iter().map(|file| &file.file_hash).collect();
        let same = code == versions.fingerprint
            && merged.is_subset(&now)
            && is_spread(before) == is_spread(self.staged)
            && (is_spread(self.staged) || versions.files.iter().all(|f| f.ordinal == sole()))
            && before.retired == self.staged.retired;
        same.then_some(Before { versions, merged })
    }

    /// Merges the new staged files onto the parent's buckets.
    async fn onto(
        &self,
        before: &Before<'_>,
        parent: Option<&Release>,
        newest_name: &str,
        staged: &Staged,
    ) -> Result<Made, RunError> {
        let fresh = self.staged.files.iter().filter(|f| !before.merged.contains(&f.file_hash));
        let fresh = self.read(fresh, None).await?;
        let seen_until = self.seen_until(&staged.before);
        let mut made = Made::default();
        let mut late = BTreeSet::new();
        let mut touched = BTreeSet::new();
        let mut buckets = BTreeMap::new();
        fresh.into_buckets(|bucket, batches| {
            touched.insert(bucket);
            buckets.insert(bucket, batches);
            Ok(())
        })?;
        for (bucket, batches) in buckets {
            let first_dt = batches.iter().filter_map(first_dt).min();
            let known = before.versions.files.iter().find(|file| file.ordinal == bucket);
            let mut all = match known {
                Some(file) => {
                    parquet::read(&self.context.store, &file.path, &file.file_hash, None).await?
                }
                None => Vec::new(),
            };
            let earlier = all.iter().map(RecordBatch::num_rows).sum();
            all.extend(batches);
            let rows = Pile::new(all);
            let merged = merge(&self.contract, &rows, earlier)?;
            if merged.out_of_order || (earlier > 0 && first_dt <= seen_until) {
                late.insert(bucket);
            } else {
                self.write(bucket, &rows, &merged, &mut made)?;
            }
        }
        if !late.is_empty() {
            let again = self.rebuild(Some(&late)).await?;
            made.versions.extend(again.versions);
            made.newest.extend(again.newest);
            made.latest_us = made.latest_us.max(again.latest_us);
        }
        let newest = parent.and_then(|release| release.state.get(newest_name));
        let untouched = |file: &&FileRef| !touched.contains(&file.ordinal);
        made.kept_versions.extend(before.versions.files.iter().filter(untouched).cloned());
        if let Some(newest) = newest {
            made.kept_newest.extend(newest.files.iter().filter(untouched).cloned());
            made.latest_us = made.latest_us.max(newest.latest_us);
        }
        Ok(made)
    }

    /// Greatest batch date already merged, as a day number: rows up to it are late.
    fn seen_until(&self, objects: &[ObjectEntry]) -> Option<i32> {
        let feeds = |entry: &&ObjectEntry| {
            let spec = self.context.catalog.specs.get(&entry.spec);
            spec.is_some_and(|spec| {
                let models = self.context.catalog.staging_models(spec);
                let target = Some(&self.contract.name);
                models.iter().any(|model| model.header.canonical.as_ref() == target)
            })
        };
        objects.iter().filter(feeds).map(|entry| day_number(entry.dt)).max()
    }

    /// Merges all staged files, or those rows of them that fall into `only` these buckets.
    async fn rebuild(&self, only: Option<&BTreeSet<u32>>) -> Result<Made, RunError> {
        let rows = self.read(self.staged.files.iter(), only).await?;
        let threads = self.context.settings.threads;
        let work = |(bucket, batches): (u32, Vec<RecordBatch>)| {
            let rows = Pile::new(batches);
            let merged = merge(&self.contract, &rows, 0)?;
            let mut part = Made::default();
            self.write(bucket, &rows, &merged, &mut part)?;
            Ok(part)
        };
        // Sorting is the work here; reading a spilled bucket back is quick.
        let parts = tokio::task::block_in_place(|| {
            workers::share("current", threads, work, |hand_out| {
                rows.into_buckets(|bucket, batches| hand_out((bucket, batches)))
            })
        })?;
        let mut made = Made::default();
        for part in parts {
            made.versions.extend(part.versions);
            made.newest.extend(part.newest);
            made.latest_us = made.latest_us.max(part.latest_us);
        }
        Ok(made)
    }

    /// Staged rows that count, spread over buckets.
    async fn read(
        &self,
        files: impl Iterator<Item = &FileRef>,
        only: Option<&BTreeSet<u32>>,
    ) -> Result<Sink, RunError> {
        let key: &[&str] = if is_spread(self.staged) { &current::KEY } else { &[] };
        let spread = Spread::Buckets(current::indices(&self.contract, key));
        let key = current::indices(&self.as_staged, key);
        let mut rows = Sink::new(&self.contract, spread, &self.scratch.join("spill"));
        let (zone, mut seen) = (self.context.job.zone(), BTreeSet::new());
        for file in files.filter(|file| seen.insert(&file.file_hash)) {
            let store = &self.context.store;
            for batch in parquet::open(store, &file.path, &file.file_hash).await? {
                let living = self.living(&self.as_staged.renewed(&batch?)?, &key, only)?;
                let (contract, canonical) = (&self.contract, &self.canonical);
                rows.push(&stage::complete(contract, canonical, zone, &living)?)?;
            }
        }
        Ok(rows)
    }

    /// Rows of objects that did not retire, in the buckets asked for.
    fn living(
        &self,
        batch: &RecordBatch,
        key: &[usize],
        only: Option<&BTreeSet<u32>>,
    ) -> Result<RecordBatch, RunError> {
        if self.retired.is_empty() && only.is_none() && self.until.is_none() {
            return Ok(batch.clone());
        }
        let urls = batch.column_by_name("object_url").and_then(|a| a.as_string_opt::<i32>());
        let versions = batch.column_by_name("object_version");
        let versions = versions.and_then(|a| a.as_primitive_opt::<Int64Type>());
        let (Some(urls), Some(versions)) = (urls, versions) else { return Ok(batch.clone()) };
        let dts = batch.column_by_name("dt").and_then(|a| a.as_primitive_opt::<Date32Type>());
        let records = batch.column_by_name("record_number");
        let records = records.and_then(|a| a.as_primitive_opt::<Int64Type>());
        let number = |i: usize| records.map_or(0, |records| records.value(i));
        let mut retired = self.retired.lookup();
        let is_known = |i: usize| match (self.until, dts) {
            (Some(until), Some(dts)) => dts.value(i) <= until,
            _ => true,
        };
        let mut wanted = |i: usize| {
            let gone = retired.contains(urls.value(i), versions.value(i), number(i));
            let bucket = || u32::try_from(id::bucket(&sink::key_text(batch, key, i))).unwrap_or(0);
            !gone && is_known(i) && only.is_none_or(|only| only.contains(&bucket()))
        };
        let mask = (0..batch.num_rows()).map(|i| Some(wanted(i))).collect();
        filter_record_batch(batch, &mask).map_err(|source| {
            TableError::Order { table: self.contract.name.clone(), source }.into()
        })
    }

    fn write(
        &self,
        bucket: u32,
        rows: &Pile,
        merged: &current::Current,
        made: &mut Made,
    ) -> Result<(), RunError> {
        let write = |kind: &str, places: &[Place]| {
            let path: &Path = &self.scratch.join(format!("{kind}-{bucket}.parquet"));
            let file = sink::write_bucket(&self.contract, rows, places, path)?;
            let (partition, ordinal) = (BTreeMap::new(), bucket);
            Ok::<_, RunError>(Written { file, partition, ordinal, slice: None })
        };
        if merged.versions.is_empty() {
            return Ok(());
        }
        made.versions.push(write("versions", &merged.versions)?);
        let same = merged.newest.len() == merged.versions.len();
        if !merged.newest.is_empty() {
            let newest = if same { None } else { Some(write("newest", &merged.newest)?) };
            made.newest.insert(bucket, newest);
        }
        made.latest_us = made.latest_us.max(self.latest(rows, &merged.newest));
        Ok(())
    }

    /// The last of the table's first time: whether any row lies after a run's horizon.
    fn latest(&self, rows: &Pile, places: &[Place]) -> Option<i64> {
        let name = self.canonical.times.first()?;
        let column = |batch: &RecordBatch| {
            batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>().cloned()
        };
        let times: Vec<_> = rows.batches().iter().map(column).collect();
        let time = |(batch, row): &Place| {
            let times = times.get(*batch as usize)?.as_ref()?;
            times.is_valid(*row as usize).then(|| times.value(*row as usize))
        };
        places.iter().filter_map(time).max()
    }

    async fn keep(
        &self,
        fingerprint: &Hash,
        newest_name: &str,
        versions_name: &str,
        made: Made,
    ) -> Result<Vec<Dataset>, RunError> {
        let work = &self.context.work;
        let versions = work.keep(fingerprint, versions_name, made.versions).await?;
        let (mut shared, mut own) = (Vec::new(), Vec::new());
        for (bucket, written) in made.newest {
            match written {
                Some(written) => own.push(written),
                None => {
                    shared.extend(versions.files.iter().filter(|f| f.ordinal == bucket).cloned());
                }
            }
        }
        let newest = work.keep(fingerprint, newest_name, own).await?;
        let files = |dataset: Dataset, more: Vec<FileRef>| [dataset.files, more].concat();
        let versions = files(versions, made.kept_versions);
        let newest = files(newest, [shared, made.kept_newest].concat());
        let dataset = |name, files| Dataset {
            latest_us: made.latest_us,
            ..Dataset::new(name, fingerprint.clone(), files)
        };
        Ok(vec![dataset(newest_name, newest), dataset(versions_name, versions)])
    }
}

/// Whether the rows are worth 64 buckets. All staged rows count, so that every way to the same
/// staged files has the same buckets.
fn is_spread(staged: &Dataset) -> bool {
    staged.rows >= BUCKETED_ROWS_MIN
}

/// The one bucket of rows that are not spread. Forgetting takes staged rows away, so that few can be
/// spread still.
fn sole() -> u32 {
    u32::try_from(id::bucket("")).unwrap_or(0)
}

fn merge(contract: &Contract, rows: &Pile, earlier: usize) -> Result<current::Current, RunError> {
    current::merge(contract, rows, earlier)
        .map_err(|source| TableError::Order { table: contract.name.clone(), source }.into())
}

/// Least batch date of some rows.
fn first_dt(rows: &RecordBatch) -> Option<i32> {
    arrow::compute::min(rows.column_by_name("dt")?.as_primitive_opt::<Date32Type>()?)
}
