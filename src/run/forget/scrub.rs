//! A release's own files without forgotten people: staged rows, former days, the ledger of
//! identifiers. All else is made anew from these.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;

use super::people::Person;
use super::{Forgotten, Whereabouts, clean, sweep};
use crate::forget::Eraser;
use crate::forget::rows::Found;
use crate::forget::shape::Shape;
use crate::plan::graph::{REJECTS, WARNINGS, staged};
use crate::plan::{AS_OF, days};
use crate::run::arrivals::Arrivals;
use crate::run::sink::{Sink, Spread, Written};
use crate::run::{Context, RunError, Tables};
use crate::state::{ObjectEntry, Registry, Release};
use crate::storage::parquet;
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::Hasher;
use crate::table::{Contract, TableError};

const LEDGER: &str = "identity_ledger";

/// The place of a record: object url, its version, number.
type Place = (String, i64, i64);

/// Staged tables with people in them, each with its shape.
pub fn staged_files<'a>(
    context: &'a Context,
    tables: &'a BTreeMap<String, Dataset>,
) -> impl Iterator<Item = (Shape, &'a [FileRef])> {
    context.catalog.canonical().filter_map(|(table, canonical)| {
        let shape = Shape::new(&context.catalog, table, canonical);
        let dataset = tables.get(&staged(&table.contract.name))?;
        shape.is_about_people().then_some((shape, dataset.files.as_slice()))
    })
}

/// Where a person is.
///
/// # Errors
/// A file is missing or damaged.
pub async fn whereabouts(
    context: &Context,
    release: &Release,
    objects: &[ObjectEntry],
    person: Person,
) -> Result<Whereabouts, RunError> {
    let salt = context.salt().await?;
    let mut found = Whereabouts {
        name: person.name.clone(),
        customer_id: person.customer_id.clone(),
        is_forgotten: person.is_forgotten,
        identifiers: person.identifiers.len(),
        others: person.others.iter().cloned().collect(),
        ..Whereabouts::default()
    };
    if person.is_forgotten {
        return Ok(found);
    }
    let mut registry = Registry::default();
    registry.add(person.subject(&salt, false, release.horizon));
    let mut forgotten = Forgotten::new(context, registry, salt);
    while let Some(eraser) = forgotten.eraser.clone() {
        let (mut all, mut rows) = (Found::default(), BTreeMap::new());
        for (shape, files) in staged_files(context, &release.state) {
            for file in files {
                let store = &context.store;
                for batch in parquet::open(store, &file.path, &file.file_hash).await? {
                    let batch = batch?;
                    let hits = eraser.hits(&shape, &batch);
                    let count = hits.iter().flatten().count() as u64;
                    *rows.entry(staged(&shape.table)).or_default() += count;
                    all.extend(eraser.found(&shape, &batch, &hits));
                }
            }
        }
        if !forgotten.grow(context, &all) {
            rows.extend(sweep::published(context, &eraser, release).await?);
            rows.retain(|_, count| *count > 0);
            found.rows = rows;
            let holds = |e: &&ObjectEntry| {
                all.places.keys().any(|(url, version, _)| (url, version) == (&e.url, &e.version))
            };
            let held: Vec<ObjectEntry> = objects.iter().filter(holds).cloned().collect();
            found.objects = clean::still_there(context, &held, objects).await?;
            found.releases = sweep::holding(context, &eraser, None).await?;
            break;
        }
    }
    Ok(found)
}

/// The release as it would be had its objects been staged without forgotten people; files that are
/// other than before lie in `work/`.
///
/// # Errors
/// A file is missing or damaged, or the disk is full.
pub async fn release(
    context: &Context,
    mut release: Release,
    objects: &mut [ObjectEntry],
    forgotten: &mut Forgotten,
) -> Result<Release, RunError> {
    staged_tables(context, &mut release.state, objects, forgotten).await?;
    let Some(eraser) = forgotten.eraser.clone() else { return Ok(release) };
    let today = release.horizon.to_string();
    for (name, dataset) in &mut release.tables {
        if !days::is_daily(&context.catalog, name) {
            continue;
        }
        let keep =
            |row: &RecordBatch| keeps(row, "customer_id", |id| eraser.customer(id).is_none());
        let is_former = |file: &FileRef| file.partition.get(AS_OF).is_some_and(|day| *day != today);
        filter_files(context, dataset, is_former, keep).await?;
    }
    if let Some(ledger) = release.state.get_mut(LEDGER) {
        let keep = |row: &RecordBatch| keeps(row, "identifier_hash", |hash| !eraser.is_pin(hash));
        filter_files(context, ledger, |_| true, keep).await?;
    }
    Ok(release)
}

/// Which rows keep: those whose text in a column does.
fn keeps(rows: &RecordBatch, column: &str, keep: impl Fn(&str) -> bool) -> Option<BooleanArray> {
    let texts = rows.column_by_name(column)?.as_string_opt::<i32>()?;
    Some(texts.iter().map(|text| Some(text.is_none_or(&keep))).collect())
}

/// Rewrites the files of a dataset that have rows to leave out.
async fn filter_files(
    context: &Context,
    dataset: &mut Dataset,
    is_wanted: impl Fn(&FileRef) -> bool,
    keep: impl Fn(&RecordBatch) -> Option<BooleanArray>,
) -> Result<(), RunError> {
    let Some(contract) = context.contract(&dataset.name).cloned() else { return Ok(()) };
    let fail = |source| TableError::Order { table: contract.name.clone(), source };
    let (mut files, mut is_changed) = (Vec::new(), false);
    for file in &dataset.files {
        let mut kept = Vec::new();
        let mut gone = 0;
        if is_wanted(file) {
            for rows in parquet::open(&context.store, &file.path, &file.file_hash).await? {
                let rows = rows?;
                let Some(stays) = keep(&rows) else { break };
                gone += stays.false_count();
                kept.push(filter_record_batch(&rows, &stays).map_err(fail)?);
            }
        }
        if gone == 0 {
            files.push(file.clone());
            continue;
        }
        is_changed = true;
        files.extend(rewritten(context, &contract, file, kept).await?);
    }
    if is_changed {
        replace_files(dataset, files);
    }
    Ok(())
}

fn replace_files(dataset: &mut Dataset, files: Vec<FileRef>) {
    let (latest_us, retired) = (dataset.latest_us, dataset.retired.clone());
    *dataset = Dataset::new(&dataset.name, dataset.fingerprint.clone(), files);
    (dataset.latest_us, dataset.retired) = (latest_us, retired);
}

/// Writes rows in the place of a file, as its table is written.
async fn rewritten(
    context: &Context,
    contract: &Contract,
    file: &FileRef,
    rows: Vec<RecordBatch>,
) -> Result<Vec<FileRef>, RunError> {
    let fingerprint = Hasher::new("scrubbed").part(file.file_hash.as_str()).finish();
    let scratch = context.work.folder(&fingerprint);
    // Files of rows as they came have no other hash than that of their bytes.
    let mut written: Vec<Written> = if file.content_hash == file.file_hash {
        let mut arrivals = Arrivals::new(contract, &scratch);
        for batch in &rows {
            arrivals.push(batch)?;
        }
        arrivals.finish()?
    } else {
        let mut sink = Sink::new(contract, Spread::Contract, &scratch);
        for batch in &rows {
            sink.push(batch)?;
        }
        sink.finish(1)?
    };
    for (at, part) in (0..).zip(&mut written) {
        part.partition.clone_from(&file.partition);
        part.ordinal = file.ordinal + at;
    }
    let made = context.work.keep(&fingerprint, &contract.name, written).await?;
    // What a step of this run just made is nobody else's, and held the person.
    if file.path.starts_with("work/") {
        context.store.delete(&file.path).await?;
    }
    Ok(made.files)
}

/// Takes forgotten people out of staged tables, until nothing more of theirs is found; notes in the
/// ledger whose records are in which objects.
///
/// # Errors
/// A file is missing or damaged, or the disk is full.
pub async fn staged_tables(
    context: &Context,
    tables: &mut BTreeMap<String, Dataset>,
    objects: &mut [ObjectEntry],
    forgotten: &mut Forgotten,
) -> Result<(), RunError> {
    let mut all = Found::default();
    loop {
        let Some(eraser) = forgotten.eraser.clone() else { return Ok(()) };
        let mut found = Found::default();
        for (table, canonical) in context.catalog.canonical() {
            let shape = Shape::new(&context.catalog, table, canonical);
            let Some(dataset) = tables.get_mut(&staged(&table.contract.name)) else { continue };
            if shape.is_about_people() {
                found
                    .extend(scrub_files(context, &eraser, &shape, &table.contract, dataset).await?);
            }
        }
        let is_new = forgotten.grow(context, &found);
        all.extend(found);
        if !is_new {
            break;
        }
    }
    quiet(context, tables, &all).await?;
    count(context, tables, objects, &all).await
}

async fn scrub_files(
    context: &Context,
    eraser: &Eraser,
    shape: &Shape,
    contract: &Contract,
    dataset: &mut Dataset,
) -> Result<Found, RunError> {
    let mut found = Found::default();
    let (mut files, mut is_changed) = (Vec::new(), false);
    for file in &dataset.files {
        let (mut rows, mut is_other) = (Vec::new(), false);
        for batch in parquet::open(&context.store, &file.path, &file.file_hash).await? {
            let batch = batch?;
            let hits = eraser.hits(shape, &batch);
            found.extend(eraser.found(shape, &batch, &hits));
            let scrubbed = eraser.scrub(shape, &batch, &hits)?;
            is_other |= scrubbed.is_changed;
            rows.push(scrubbed.rows);
        }
        if is_other {
            is_changed = true;
            files.extend(rewritten(context, contract, file, rows).await?);
        } else {
            files.push(file.clone());
        }
    }
    if is_changed {
        replace_files(dataset, files);
    }
    Ok(found)
}

/// Empties what rejects and warnings show of objects that hold forgotten people.
async fn quiet(
    context: &Context,
    tables: &mut BTreeMap<String, Dataset>,
    found: &Found,
) -> Result<(), RunError> {
    let objects: BTreeSet<(&str, i64)> =
        found.places.keys().map(|(url, version, _)| (url.as_str(), *version)).collect();
    let is_theirs = |(url, version, _): Place| objects.contains(&(url.as_str(), version));
    if let Some(dataset) = tables.get_mut(REJECTS) {
        empty(context, dataset, "raw_text", is_theirs).await?;
    }
    if let Some(dataset) = tables.get_mut(WARNINGS) {
        empty(context, dataset, "sample", is_theirs).await?;
    }
    Ok(())
}

fn places(rows: &RecordBatch) -> impl Iterator<Item = Place> {
    let number = |column: &str| {
        let column = rows.column_by_name(column);
        column.and_then(|array| array.as_primitive_opt::<Int64Type>())
    };
    let urls = rows.column_by_name("object_url").and_then(|array| array.as_string_opt::<i32>());
    let (versions, numbers) = (number("object_version"), number("record_number"));
    let at = |column: Option<&Int64Array>, i: usize| column.map_or(0, |column| column.value(i));
    (0..rows.num_rows()).map(move |i| {
        let url = urls.map_or("", |urls| urls.value(i)).to_owned();
        (url, at(versions, i), at(numbers, i))
    })
}

async fn empty(
    context: &Context,
    dataset: &mut Dataset,
    column: &str,
    is_theirs: impl Fn(Place) -> bool,
) -> Result<(), RunError> {
    let Some(contract) = context.contract(&dataset.name).cloned() else { return Ok(()) };
    let fail = |source| TableError::Order { table: contract.name.clone(), source };
    let (mut files, mut is_changed) = (Vec::new(), false);
    for file in &dataset.files {
        let (mut all, mut is_other) = (Vec::new(), false);
        for rows in parquet::open(&context.store, &file.path, &file.file_hash).await? {
            let rows = rows?;
            let theirs: Vec<bool> = places(&rows).map(&is_theirs).collect();
            let place = rows.schema().index_of(column).map_err(fail)?;
            let texts = rows.column(place).as_string_opt::<i32>();
            let text = |i: usize| texts.filter(|t| t.is_valid(i)).map_or("", |t| t.value(i));
            let new = theirs.iter().enumerate();
            let new = new.map(|(i, theirs)| Some(if *theirs { "" } else { text(i) }));
            is_other |= theirs.iter().enumerate().any(|(i, theirs)| *theirs && !text(i).is_empty());
            let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
            if let Some(to) = columns.get_mut(place) {
                *to = std::sync::Arc::new(new.collect::<StringArray>());
            }
            all.push(RecordBatch::try_new(rows.schema(), columns).map_err(fail)?);
        }
        if is_other {
            is_changed = true;
            files.extend(rewritten(context, &contract, file, all).await?);
        } else {
            files.push(file.clone());
        }
    }
    if is_changed {
        replace_files(dataset, files);
    }
    Ok(())
}

/// Notes whose records are in which objects, and what of the objects' records was used: a record
/// that was deleted is one that staging left out.
async fn count(
    context: &Context,
    tables: &Tables,
    objects: &mut [ObjectEntry],
    found: &Found,
) -> Result<(), RunError> {
    let mut deleted = found.deleted.clone();
    let mut rejected = BTreeSet::new();
    if !deleted.is_empty() {
        for (_, files) in staged_files(context, tables) {
            for rows in read(context, files).await? {
                for place in places(&rows) {
                    deleted.remove(&place);
                }
            }
        }
        let rejects = tables.get(REJECTS).map_or(&[][..], |dataset| dataset.files.as_slice());
        for rows in read(context, rejects).await? {
            let only = rows.column_by_name("is_value_only");
            let only = only.and_then(|array| array.as_primitive_opt::<Int64Type>());
            let whole = |i: usize| only.is_none_or(|only| only.value(i) == 0);
            rejected.extend(places(&rows).enumerate().filter(|(i, _)| whole(*i)).map(|(_, p)| p));
        }
    }
    for entry in objects {
        let first = (entry.url.clone(), entry.version, i64::MIN);
        let last = (entry.url.clone(), entry.version, i64::MAX);
        for (id, deletes) in found.of_object(&entry.url, entry.version) {
            *entry.forgotten.entry(id).or_default() |= deletes;
        }
        for place in deleted.range(first..=last) {
            let counts = &mut entry.counts;
            counts.used = counts.used.saturating_sub(1);
            let to =
                if rejected.contains(place) { &mut counts.rejected } else { &mut counts.skipped };
            *to += 1;
        }
    }
    Ok(())
}

async fn read(context: &Context, files: &[FileRef]) -> Result<Vec<RecordBatch>, RunError> {
    const COLUMNS: [&str; 4] = ["object_url", "object_version", "record_number", "is_value_only"];
    let mut all = Vec::new();
    for file in files {
        let store = &context.store;
        all.extend(parquet::read(store, &file.path, &file.file_hash, Some(&COLUMNS)).await?);
    }
    Ok(all)
}
