//! Staged rows that no longer count: of objects that a newer version replaced, and of days that a
//! newer export tells again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;

use super::ledger::{self, contract, int};
use super::sink::{Sink, Spread, Written};
use super::{Context, RunError};
use crate::catalog::Catalog;
use crate::current::window::{Told, superseded};
use crate::plan::Batch;
use crate::plan::graph::staged;
use crate::stage::Origin;
use crate::stage::window::{Stretch, Windows};
use crate::state::ObjectEntry;
use crate::storage::parquet;
use crate::table::dataset::Dataset;
use crate::table::hash::{Hash, Hasher};
use crate::table::{Contract, Kind};

/// Days that objects tell, of exports that tell whole days again.
pub const WINDOWS: &str = "staged_windows";

/// Contract of [`WINDOWS`].
pub static WINDOWS_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        WINDOWS,
        "One row per stretch of records of an object that tell of the same day.",
        &["object_url", "object_version", "record_first"],
        &[
            ("object_url", Kind::Text, "Raw object."),
            ("object_version", Kind::Int64, "Which version of it."),
            ("record_first", Kind::Int64, "First record of the stretch."),
            ("record_last", Kind::Int64, "Last record of the stretch."),
            ("window_key", Kind::Text, "The day, and what an export may hold apart."),
            ("is_preliminary", Kind::Int64, "1: any other object of the day comes after it."),
        ],
    )
});

/// Which rows of a staged table no longer count.
#[derive(Debug, Clone, Default)]
pub struct Retired(Arc<BTreeMap<String, BTreeMap<i64, Records>>>);

/// Which records of an object version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Records {
    All,
    /// First and last of each stretch, in order.
    Some(Vec<(u64, u64)>),
}

impl Retired {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn hash(&self) -> Hash {
        let mut hasher = Hasher::new("retired");
        for (url, versions) in self.0.iter() {
            hasher.part(url).part(format!("{versions:?}"));
        }
        hasher.finish()
    }

    pub fn lookup(&self) -> Lookup<'_> {
        Lookup { retired: &self.0, at: None }
    }
}

/// Asks row by row; rows of one object stand together, so the object is looked up once for them.
#[derive(Debug)]
pub struct Lookup<'a> {
    retired: &'a BTreeMap<String, BTreeMap<i64, Records>>,
    at: Option<(String, i64, Option<&'a Records>)>,
}

impl Lookup<'_> {
    pub fn contains(&mut self, url: &str, version: i64, record: i64) -> bool {
        if self.retired.is_empty() {
            return false;
        }
        let records = match &self.at {
            Some((last, number, records)) if last == url && *number == version => *records,
            _ => {
                let records = self.retired.get(url).and_then(|versions| versions.get(&version));
                self.at = Some((url.to_owned(), version, records));
                records
            }
        };
        match records {
            None => false,
            Some(Records::All) => true,
            Some(Records::Some(stretches)) => {
                let record = record.unsigned_abs();
                let before = stretches.partition_point(|(_, last)| *last < record);
                stretches.get(before).is_some_and(|(first, _)| *first <= record)
            }
        }
    }
}

/// Which rows no longer count, by staged table; tables of which all count are not there.
pub fn by_table(
    catalog: &Catalog,
    objects: &[ObjectEntry],
    windows: &[Window],
) -> BTreeMap<String, Retired> {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in objects {
        let version = newest.entry(&entry.url).or_default();
        *version = entry.version.max(*version);
    }
    let is_replaced = |entry: &ObjectEntry| {
        entry.replaces && newest.get(entry.url.as_str()).is_some_and(|v| *v > entry.version)
    };
    let entries: BTreeMap<_, _> =
        objects.iter().map(|entry| ((entry.url.as_str(), entry.version), entry)).collect();
    // Windows of objects that are not there say nothing: a former day does not know later ones.
    let told = windows.iter().filter_map(|window| {
        let entry = entries.get(&(window.url.as_str(), window.version))?;
        Some(Told {
            scope: (&entry.spec, &entry.account, &window.stretch.window),
            is_preliminary: window.is_preliminary,
            dt: entry.dt,
            url: &window.url,
            version: window.version,
        })
    });
    let told: BTreeSet<_> = told.collect();
    let superseded = superseded(&told);
    let mut stretches: BTreeMap<(&str, i64), Vec<(u64, u64)>> = BTreeMap::new();
    for window in windows {
        let object = (window.url.as_str(), window.version);
        if superseded.contains(&(window.url.as_str(), window.version, &*window.stretch.window)) {
            let Stretch { first, last, .. } = window.stretch;
            stretches.entry(object).or_default().push((first, last));
        }
    }
    let mut tables: BTreeMap<String, BTreeMap<String, BTreeMap<i64, Records>>> = BTreeMap::new();
    for (object, entry) in entries {
        let records = match stretches.remove(&object) {
            _ if is_replaced(entry) => Records::All,
            Some(mut some) => {
                some.sort_unstable();
                Records::Some(some)
            }
            None => continue,
        };
        let Some(spec) = catalog.specs.get(&entry.spec) else { continue };
        for model in catalog.staging_models(spec) {
            let Some(table) = &model.header.canonical else { continue };
            let urls = tables.entry(staged(table)).or_default();
            let versions = urls.entry(entry.url.clone()).or_default();
            versions.insert(entry.version, records.clone());
        }
    }
    tables.into_iter().map(|(name, urls)| (name, Retired(Arc::new(urls)))).collect()
}

/// A row of [`WINDOWS`].
#[derive(Debug, Clone)]
pub struct Window {
    url: String,
    version: i64,
    stretch: Stretch,
    is_preliminary: bool,
}

/// Reads the windows of all objects.
///
/// # Errors
/// A file is missing or damaged.
pub async fn windows(
    context: &Context,
    dataset: Option<&Dataset>,
) -> Result<Vec<Window>, RunError> {
    let mut windows = Vec::new();
    for file in dataset.into_iter().flat_map(|dataset| &dataset.files) {
        for batch in parquet::read(&context.store, &file.path, &file.file_hash, None).await? {
            let text = |name| batch.column_by_name(name).and_then(|a| a.as_string_opt::<i32>());
            let number =
                |name| batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<Int64Type>());
            let (Some(urls), Some(keys)) = (text("object_url"), text("window_key")) else {
                continue;
            };
            let columns = ["object_version", "record_first", "record_last", "is_preliminary"];
            let [Some(versions), Some(first), Some(last), Some(preliminary)] = columns.map(number)
            else {
                continue;
            };
            windows.extend((0..batch.num_rows()).map(|i| Window {
                url: urls.value(i).to_owned(),
                version: versions.value(i),
                stretch: Stretch {
                    window: keys.value(i).to_owned(),
                    first: first.value(i).unsigned_abs(),
                    last: last.value(i).unsigned_abs(),
                },
                is_preliminary: preliminary.value(i) != 0,
            }));
        }
    }
    Ok(windows)
}

/// Writes the windows of a batch's objects.
///
/// # Errors
/// A full disk.
pub fn write_windows(
    context: &Context,
    of: &Batch,
    origins: &[Origin],
    windows: BTreeMap<usize, Windows>,
    fingerprint: &Hash,
) -> Result<Vec<Written>, RunError> {
    let spec = context.catalog.specs.get(&of.spec);
    let Some(replace) = spec.and_then(|spec| spec.replace.as_ref()) else {
        return Ok(Vec::new());
    };
    let rows = windows.into_iter().filter_map(|(object, windows)| {
        let origin = origins.get(object)?;
        Some(windows.into_stretches().into_iter().map(move |stretch| (origin, stretch)))
    });
    let rows: Vec<(&Origin, Stretch)> = rows.flatten().collect();
    let text = |value: &dyn Fn(&(&Origin, Stretch)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
    };
    let number = |value: &dyn Fn(&(&Origin, Stretch)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(value)))
    };
    let is_preliminary = |url: &str| {
        let name = url.rsplit('/').next().unwrap_or(url);
        replace.preliminary.as_ref().is_some_and(|part| name.contains(part.as_str()))
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|(origin, _)| origin.url.clone()),
        number(&|(origin, _)| origin.version),
        number(&|(_, stretch)| int(stretch.first)),
        number(&|(_, stretch)| int(stretch.last)),
        text(&|(_, stretch)| stretch.window.clone()),
        number(&|(origin, _)| i64::from(is_preliminary(&origin.url))),
    ];
    let rows = ledger::batch(&WINDOWS_CONTRACT, columns)?;
    let scratch = context.work.folder(fingerprint).join("windows");
    let mut sink = Sink::new(&WINDOWS_CONTRACT, Spread::Contract, &scratch);
    sink.push(&rows)?;
    sink.finish(1)
}
