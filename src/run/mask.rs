//! What readers see of published tables: nothing of people who are forgotten, pseudonyms where the
//! job wants them, and partitions no older than it keeps.
//!
//! Steps work on whole tables, so that nothing they count moves. Where readers see less than there
//! is, the whole stays in the state, and the files they get are made here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use chrono::{Days, NaiveDate};

use super::sink::{Sink, Spread};
use super::{Context, RunError, Tables};
use crate::forget::PREFIX;
use crate::plan::{self, days};
use crate::state::{Masking, Release};
use crate::storage::parquet;
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::Hasher;
use crate::table::id::Keyed;
use crate::table::{Contract, TableError};

/// Columns by which published tables name people.
const CUSTOMERS: [&str; 2] = ["customer_id", "customer_id_as_of"];

/// What is kept from readers.
#[derive(Debug)]
pub struct Mask {
    /// Somebody is forgotten.
    has_forgotten: bool,
    key: Option<Keyed>,
    pub masking: Option<Masking>,
}

/// Tables as readers see them, and the whole of those that differ.
#[derive(Debug, Default)]
pub struct Shown {
    pub tables: Tables,
    pub whole: Tables,
}

impl Mask {
    /// # Errors
    /// Pseudonyms are wanted and there is no key, or another than was used under its name.
    pub fn new(
        context: &Context,
        parent: Option<&Release>,
        has_forgotten: bool,
    ) -> Result<Self, RunError> {
        let privacy = &context.job.privacy;
        let Some(options) = plan::masking(&context.job) else {
            return Ok(Self { has_forgotten, key: None, masking: None });
        };
        let name = privacy.key_id.clone().unwrap_or_default();
        let key = if privacy.pseudonyms {
            let hex = context.settings.privacy_key.as_deref().ok_or(RunError::NoKey)?;
            Some(Keyed::new(&crate::state::salt_from_hex(hex)?))
        } else {
            None
        };
        let key_check = key.as_ref().map(|key| key.text(&["check", &name]));
        let before = parent.and_then(|release| release.masking.as_ref());
        if let Some(before) = before.filter(|before| before.options == options)
            && before.key_check != key_check
        {
            return Err(RunError::OtherKey { name });
        }
        Ok(Self { has_forgotten, key, masking: Some(Masking { options, key_check }) })
    }

    /// Changes when the same rows would be shown otherwise.
    fn version(&self) -> String {
        format!("{:?}{:?}", self.masking, self.has_forgotten)
    }

    /// Published tables of a run as readers see them.
    ///
    /// # Errors
    /// A file is damaged, or the disk is full.
    pub async fn show(
        &self,
        context: &Context,
        horizon: NaiveDate,
        parent: Option<&Release>,
        tables: &Tables,
    ) -> Result<Shown, RunError> {
        let mut shown = Shown::default();
        for (name, dataset) in tables {
            let table = context.catalog.tables.get(name).filter(|table| table.published);
            let files = match table {
                Some(table) => {
                    let contract = &table.contract;
                    let files = self.files(context, contract, parent, dataset).await?;
                    retained(context, horizon, name, files)
                }
                None => dataset.files.clone(),
            };
            if files == dataset.files {
                shown.tables.insert(name.clone(), dataset.clone());
                continue;
            }
            let mut fingerprint = Hasher::new("shown");
            fingerprint.part(dataset.fingerprint.as_str()).part(self.version());
            let seen = Dataset::new(name, fingerprint.finish(), files);
            shown.tables.insert(name.clone(), seen);
            shown.whole.insert(name.clone(), dataset.clone());
        }
        Ok(shown)
    }

    /// The files that readers get for those of a table.
    async fn files(
        &self,
        context: &Context,
        contract: &Contract,
        parent: Option<&Release>,
        dataset: &Dataset,
    ) -> Result<Vec<FileRef>, RunError> {
        let has = |names: &[&str]| names.iter().any(|name| contract.column(name).is_some());
        let by_customer = self.has_forgotten && has(&CUSTOMERS);
        let by_key = self.key.is_some() && contract.columns.iter().any(|column| column.pii);
        if !by_customer && !by_key {
            return Ok(dataset.files.clone());
        }
        let known = Known::new(parent, &contract.name, self);
        let mut files = Vec::new();
        for file in &dataset.files {
            if let Some(seen) = known.seen(file) {
                files.extend(seen);
            } else if by_key || names_forgotten(context, contract, file).await? {
                files.extend(self.masked(context, contract, file).await?);
            } else {
                files.push(file.clone());
            }
        }
        Ok(files)
    }

    async fn masked(
        &self,
        context: &Context,
        contract: &Contract,
        file: &FileRef,
    ) -> Result<Vec<FileRef>, RunError> {
        let mut hasher = Hasher::new("masked");
        hasher.part(&contract.name).part(file.file_hash.as_str()).part(self.version());
        let fingerprint = hasher.finish();
        let mut sink = Sink::new(contract, Spread::Contract, &context.work.folder(&fingerprint));
        for rows in parquet::open(&context.store, &file.path, &file.file_hash).await? {
            sink.push(&self.rows(contract, &rows?)?)?;
        }
        let mut written = sink.finish(1)?;
        for part in &mut written {
            part.partition.clone_from(&file.partition);
            part.ordinal = file.ordinal;
        }
        Ok(context.work.keep(&fingerprint, &contract.name, written).await?.files)
    }

    /// Rows without forgotten people where a row is somebody's, and without their names where it is
    /// something that happened; then pseudonyms.
    fn rows(&self, contract: &Contract, rows: &RecordBatch) -> Result<RecordBatch, RunError> {
        let fail = |source| TableError::Order { table: contract.name.clone(), source };
        let mut stays = vec![true; rows.num_rows()];
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
        for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
            let column = contract.column(field.name());
            let texts = array.as_string_opt::<i32>();
            columns.push(match (column, texts) {
                (Some(column), Some(texts)) if CUSTOMERS.contains(&column.name.as_str()) => {
                    if is_of_somebody(contract, &column.name) {
                        let theirs = |(i, stays): (usize, &mut bool)| {
                            *stays &= !(texts.is_valid(i) && texts.value(i).starts_with(PREFIX));
                        };
                        stays.iter_mut().enumerate().for_each(theirs);
                    }
                    let named = texts.iter().map(|id| id.filter(|id| !id.starts_with(PREFIX)));
                    Arc::new(named.collect::<StringArray>())
                }
                (Some(column), _) if column.pii => self.pseudonyms(array),
                _ => Arc::clone(array),
            });
        }
        let rows = RecordBatch::try_new(rows.schema(), columns).map_err(fail)?;
        Ok(filter_record_batch(&rows, &BooleanArray::from(stays)).map_err(fail)?)
    }

    /// A keyed hash for each text; other types cannot hold one and are empty.
    fn pseudonyms(&self, array: &ArrayRef) -> ArrayRef {
        let Some(key) = &self.key else { return Arc::clone(array) };
        let Some(texts) = array.as_string_opt::<i32>() else {
            return new_null_array(array.data_type(), array.len());
        };
        let hash = |text: Option<&str>| {
            text.map(|text| if text.is_empty() { String::new() } else { pseudonym(key, text) })
        };
        Arc::new(texts.iter().map(hash).collect::<StringArray>())
    }
}

fn pseudonym(key: &Keyed, text: &str) -> String {
    format!("h_{}", key.text(&["pseudonym", text]))
}

/// Whether a row of the table is a person's, by this column, and not something that happened.
fn is_of_somebody(contract: &Contract, column: &str) -> bool {
    let required = contract.column(column).is_some_and(|column| column.required);
    required || contract.grain.iter().any(|grain| grain == column)
}

/// Whether a file names somebody who is forgotten.
async fn names_forgotten(
    context: &Context,
    contract: &Contract,
    file: &FileRef,
) -> Result<bool, RunError> {
    let columns: Vec<&str> =
        CUSTOMERS.into_iter().filter(|name| contract.column(name).is_some()).collect();
    let rows = parquet::read(&context.store, &file.path, &file.file_hash, Some(&columns)).await?;
    let texts = rows.iter().flat_map(|rows| rows.columns());
    let texts = texts.filter(|array| *array.data_type() == DataType::Utf8);
    Ok(texts
        .filter_map(|array| array.as_string_opt::<i32>())
        .any(|texts| texts.iter().flatten().any(|id| id.starts_with(PREFIX))))
}

/// What the parent release shows of files that are still the same.
struct Known<'a> {
    /// Files of the whole table by hash, and what is shown of each place.
    whole: BTreeMap<&'a str, &'a FileRef>,
    shown: Vec<&'a FileRef>,
}

impl<'a> Known<'a> {
    fn new(parent: Option<&'a Release>, name: &str, mask: &Mask) -> Self {
        let none = Self { whole: BTreeMap::new(), shown: Vec::new() };
        let Some(parent) = parent.filter(|parent| parent.masking == mask.masking) else {
            return none;
        };
        // Whoever is forgotten since is in none of the files that are still the same.
        let (Some(whole), Some(shown)) = (parent.state.get(name), parent.tables.get(name)) else {
            return none;
        };
        let whole = whole.files.iter().map(|file| (file.file_hash.as_str(), file)).collect();
        Self { whole, shown: shown.files.iter().collect() }
    }

    fn seen(&self, file: &FileRef) -> Option<Vec<FileRef>> {
        let before = self.whole.get(file.file_hash.as_str())?;
        let place = (&before.partition, before.ordinal);
        (place == (&file.partition, file.ordinal)).then(|| {
            let same = self.shown.iter().filter(|seen| (&seen.partition, seen.ordinal) == place);
            same.map(|seen| (*seen).clone()).collect()
        })
    }
}

/// Files of partitions that the job keeps.
fn retained(
    context: &Context,
    horizon: NaiveDate,
    name: &str,
    mut files: Vec<FileRef>,
) -> Vec<FileRef> {
    if let Some(first) = first_kept(context, horizon, name) {
        files.retain(|file| days::last_of(&file.partition).is_none_or(|last| last >= first));
    }
    files
}

/// First day that a table keeps; `None`: all of them.
fn first_kept(context: &Context, horizon: NaiveDate, name: &str) -> Option<NaiveDate> {
    let kept = context.job.privacy.retention.get(name)?;
    horizon.checked_sub_days(Days::new(u64::from(*kept)))
}

/// Takes partitions out of published tables that are older than the job keeps: days that were
/// carried over grow old too.
pub fn retire(context: &Context, horizon: NaiveDate, published: &mut BTreeMap<String, Dataset>) {
    let names: BTreeSet<String> = context.job.privacy.retention.keys().cloned().collect();
    for name in names {
        let (Some(first), Some(dataset)) =
            (first_kept(context, horizon, &name), published.get_mut(&name))
        else {
            continue;
        };
        let keeps = |file: &&FileRef| days::last_of(&file.partition).is_none_or(|d| d >= first);
        let files = dataset.files.iter().filter(keeps).cloned().collect();
        *dataset = Dataset::new(&name, dataset.fingerprint.clone(), files);
    }
}
