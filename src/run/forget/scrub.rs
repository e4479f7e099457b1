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
use crate::table::hash::{Hash, Hasher};
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

/// Where people are, each row with one of them. All are looked for at once: what it costs is reading
/// everything, however many they are.
///
/// # Errors
/// A file is missing or damaged.
pub async fn whereabouts(
    context: &Context,
    release: &Release,
    objects: &[ObjectEntry],
    people: Vec<Person>,
) -> Result<Vec<Whereabouts>, RunError> {
    let salt = context.salt().await?;
    let mut registry = Registry::default();
    let mut subjects = Vec::with_capacity(people.len());
    for person in &people {
        let subject = person.subject(&salt, false, release.horizon);
        subjects.push((!person.is_forgotten).then(|| subject.id.clone()));
        if !person.is_forgotten {
            registry.add(subject);
        }
    }
    let places =
        searched(context, release, objects, Forgotten::new(context, registry, salt)).await?;
    let held: Vec<ObjectEntry> = places.objects.values().flatten().cloned().collect();
    let there = clean::still_there(context, &held, objects).await?;
    let mut found = Vec::with_capacity(people.len());
    for (person, subject) in people.into_iter().zip(subjects) {
        let held = subject.as_ref().and_then(|id| places.objects.get(id));
        let hashes: BTreeSet<&Hash> = held.into_iter().flatten().map(|e| &e.sha256).collect();
        let of_theirs = there.iter().filter(|(_, hash)| hashes.contains(hash));
        let objects = of_theirs.map(|(url, _)| url.clone()).collect();
        let of = |known: &BTreeMap<String, Vec<u64>>| known.get(subject.as_deref()?).cloned();
        found.push(Whereabouts {
            name: person.name,
            customer_id: person.customer_id,
            is_forgotten: person.is_forgotten,
            identifiers: person.identifiers.len(),
            others: person.others.into_iter().collect(),
            releases: of(&places.releases).unwrap_or_default(),
            rows: subject.and_then(|id| places.rows.get(&id).cloned()).unwrap_or_default(),
            objects,
        });
    }
    Ok(found)
}

/// Where people are, by their entry in the registry.
#[derive(Debug, Default)]
struct Places {
    /// Rows by table.
    rows: BTreeMap<String, BTreeMap<String, u64>>,
    objects: BTreeMap<String, Vec<ObjectEntry>>,
    releases: BTreeMap<String, Vec<u64>>,
}

async fn searched(
    context: &Context,
    release: &Release,
    objects: &[ObjectEntry],
    mut forgotten: Forgotten,
) -> Result<Places, RunError> {
    let mut places = Places::default();
    while let Some(eraser) = forgotten.eraser.clone() {
        let (mut all, mut rows) = (Found::default(), BTreeMap::new());
        for (shape, files) in staged_files(context, &release.state) {
            for file in files {
                let store = &context.store;
                for batch in parquet::open(store, &file.path, &file.file_hash).await? {
                    let batch = batch?;
                    let hits = eraser.hits(&shape, &batch);
                    for hit in hits.iter().flatten() {
                        *rows.entry((hit.subject, staged(&shape.table))).or_default() += 1;
                    }
                    all.extend(eraser.found(&shape, &batch, &hits));
                }
            }
        }
        if !forgotten.grow(context, &all) {
            rows.extend(sweep::published(context, &eraser, release).await?);
            for ((subject, table), count) in rows {
                let of = places.rows.entry(eraser.id(subject).to_owned()).or_default();
                of.insert(table, count);
            }
            for entry in objects {
                for subject in all.of_object(&entry.url, entry.version).into_keys() {
                    places.objects.entry(subject).or_default().push(entry.clone());
                }
            }
            let everybody = eraser.subjects().count();
            for (number, held) in sweep::holders(context, &eraser, None, everybody).await? {
                for subject in held {
                    let of = places.releases.entry(eraser.id(subject).to_owned());
                    of.or_default().push(number);
                }
            }
            break;
        }
    }
    Ok(places)
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
        let others = |rows: &RecordBatch| {
            without(rows, keeps(rows, "customer_id", |id| eraser.customer(id).is_none()))
        };
        let is_former = |file: &FileRef| file.partition.get(AS_OF).is_some_and(|day| *day != today);
        rewrite(context, dataset, is_former, others).await?;
    }
    if let Some(ledger) = release.state.get_mut(LEDGER) {
        let others = |rows: &RecordBatch| {
            without(rows, keeps(rows, "identifier_hash", |hash| !eraser.is_pin(hash)))
        };
        rewrite(context, ledger, |_| true, others).await?;
    }
    Ok(release)
}

/// Which rows keep: those whose text in a column does.
fn keeps(rows: &RecordBatch, column: &str, keep: impl Fn(&str) -> bool) -> Option<BooleanArray> {
    let texts = rows.column_by_name(column)?.as_string_opt::<i32>()?;
    Some(texts.iter().map(|text| Some(text.is_none_or(&keep))).collect())
}

/// The rows without those that do not keep; `None` when all do.
fn without(
    rows: &RecordBatch,
    stays: Option<BooleanArray>,
) -> Result<Option<RecordBatch>, RunError> {
    let fail = |source| TableError::Order { table: LEDGER.to_owned(), source };
    let stays = stays.filter(|stays| stays.false_count() > 0);
    Ok(stays.map(|stays| filter_record_batch(rows, &stays)).transpose().map_err(fail)?)
}

/// Writes rows in the place of a file, as its table is written.
enum Rewriting {
    /// Rows as they came: such files have no other hash than that of their bytes.
    Arrivals(Box<Arrivals>),
    Sink(Box<Sink>),
}

impl Rewriting {
    fn new(context: &Context, contract: &Contract, file: &FileRef) -> Self {
        let scratch = context.work.folder(&fingerprint(file));
        if file.content_hash == file.file_hash {
            Self::Arrivals(Box::new(Arrivals::new(contract, &scratch)))
        } else {
            Self::Sink(Box::new(Sink::new(contract, Spread::Contract, &scratch)))
        }
    }

    fn push(&mut self, rows: &RecordBatch) -> Result<(), RunError> {
        match self {
            Self::Arrivals(arrivals) => arrivals.push(rows),
            Self::Sink(sink) => sink.push(rows),
        }
    }

    async fn finish(
        self,
        context: &Context,
        contract: &Contract,
        file: &FileRef,
    ) -> Result<Vec<FileRef>, RunError> {
        let mut written: Vec<Written> = match self {
            Self::Arrivals(arrivals) => arrivals.finish()?,
            Self::Sink(sink) => sink.finish(1)?,
        };
        for (at, part) in (0..).zip(&mut written) {
            part.partition.clone_from(&file.partition);
            part.ordinal = file.ordinal + at;
        }
        let made = context.work.keep(&fingerprint(file), &contract.name, written).await?;
        // What a step of this run just made is nobody else's, and held the person.
        if file.path.starts_with("work/") {
            context.store.delete(&file.path).await?;
        }
        Ok(made.files)
    }
}

fn fingerprint(file: &FileRef) -> Hash {
    Hasher::new("scrubbed").part(file.file_hash.as_str()).finish()
}

/// Rewrites those files of a dataset that `change` changes; the others stay as they are.
async fn rewrite(
    context: &Context,
    dataset: &mut Dataset,
    is_wanted: impl Fn(&FileRef) -> bool,
    mut change: impl FnMut(&RecordBatch) -> Result<Option<RecordBatch>, RunError>,
) -> Result<(), RunError> {
    let Some(contract) = context.contract(&dataset.name).cloned() else { return Ok(()) };
    let (mut files, mut is_changed) = (Vec::new(), false);
    for file in &dataset.files {
        // Looked at first, so that a file is never held whole.
        let mut is_other = false;
        if is_wanted(file) {
            for rows in parquet::open(&context.store, &file.path, &file.file_hash).await? {
                is_other |= change(&rows?)?.is_some();
            }
        }
        if !is_other {
            files.push(file.clone());
            continue;
        }
        is_changed = true;
        let mut rewriting = Rewriting::new(context, &contract, file);
        for rows in parquet::open(&context.store, &file.path, &file.file_hash).await? {
            let rows = contract.renewed(&rows?)?;
            rewriting.push(&change(&rows)?.unwrap_or(rows))?;
        }
        files.extend(rewriting.finish(context, &contract, file).await?);
    }
    if is_changed {
        let (latest_us, retired) = (dataset.latest_us, dataset.retired.clone());
        *dataset = Dataset::new(&dataset.name, dataset.fingerprint.clone(), files);
        (dataset.latest_us, dataset.retired) = (latest_us, retired);
    }
    Ok(())
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
                found.extend(scrub_files(context, &eraser, &shape, dataset).await?);
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
    dataset: &mut Dataset,
) -> Result<Found, RunError> {
    let mut found = Found::default();
    let scrub = |rows: &RecordBatch| {
        let hits = eraser.hits(shape, rows);
        found.extend(eraser.found(shape, rows, &hits));
        let scrubbed = eraser.scrub(shape, rows, &hits)?;
        Ok(scrubbed.is_changed.then_some(scrubbed.rows))
    };
    rewrite(context, dataset, |_| true, scrub).await?;
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
    let fail = |source| TableError::Order { table: column.to_owned(), source };
    let emptied = |rows: &RecordBatch| {
        let place = rows.schema().index_of(column).map_err(fail)?;
        let texts = rows.column(place).as_string_opt::<i32>();
        let text = |i: usize| texts.filter(|t| t.is_valid(i)).map_or("", |t| t.value(i));
        let theirs: Vec<bool> = places(rows).map(&is_theirs).collect();
        if !theirs.iter().enumerate().any(|(i, theirs)| *theirs && !text(i).is_empty()) {
            return Ok(None);
        }
        let new = theirs.iter().enumerate();
        let new = new.map(|(i, theirs)| Some(if *theirs { "" } else { text(i) }));
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        if let Some(to) = columns.get_mut(place) {
            *to = std::sync::Arc::new(new.collect::<StringArray>());
        }
        Ok(Some(RecordBatch::try_new(rows.schema(), columns).map_err(fail)?))
    };
    rewrite(context, dataset, |_| true, emptied).await
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
