//! The rejects of a release, read from its published table.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::state::Release;
use crate::storage::{StorageError, Store, parquet};

/// The published table that holds them.
const TABLE: &str = "rejected_records";
const COLUMNS: [&str; 8] = [
    "object_url",
    "record_number",
    "reject_rule",
    "reject_column",
    "source",
    "entity",
    "raw_text",
    "is_superseded",
];

/// A record, or a value of one, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub object_url: String,
    /// From 1; 0 is the object itself.
    pub record_number: i64,
    pub source: String,
    pub entity: String,
    pub rule: String,
    /// Empty for the whole record.
    pub column: String,
    /// What stood there, cut and masked.
    pub text: String,
}

/// Rejects that broke the same rule in the same column of the same export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub source: String,
    pub entity: String,
    pub rule: String,
    pub column: String,
    pub count: u64,
    /// Objects they stand in.
    pub objects: u64,
    /// What stood in the first of them.
    pub sample: String,
}

/// The rejects of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejects {
    /// The first of them.
    pub rows: Vec<Rejected>,
    /// How many there are.
    pub count: u64,
    /// Most frequent first.
    pub rules: Vec<Rule>,
}

/// The first `limit` rejects, of one source or of all, and all of them by rule; without those of
/// objects of which a newer version was read.
///
/// # Errors
/// The store failed, or a file is damaged.
pub async fn list(
    store: &Store,
    release: &Release,
    source: Option<&str>,
    limit: usize,
) -> Result<Rejects, StorageError> {
    let mut rejects = Rejects::default();
    let mut rules: BTreeMap<[String; 4], (u64, BTreeSet<String>, String)> = BTreeMap::new();
    let Some(table) = release.tables.get(TABLE) else { return Ok(rejects) };
    for file in &table.files {
        for batch in parquet::read(store, &file.path, &file.file_hash, Some(&COLUMNS)).await? {
            let found = of_batch(&batch).filter(|row| source.is_none_or(|name| row.source == name));
            for row in found {
                rejects.count += 1;
                let of = [&row.source, &row.entity, &row.rule, &row.column].map(Clone::clone);
                let told =
                    rules.entry(of).or_insert_with(|| (0, BTreeSet::new(), row.text.clone()));
                told.0 += 1;
                told.1.insert(row.object_url.clone());
                if rejects.rows.len() < limit {
                    rejects.rows.push(row);
                }
            }
        }
    }
    rejects.rules = rules
        .into_iter()
        .map(|([source, entity, rule, column], (count, objects, sample))| {
            let objects = objects.len() as u64;
            Rule { source, entity, rule, column, count, objects, sample }
        })
        .collect();
    rejects.rules.sort_by_key(|rule| std::cmp::Reverse(rule.count));
    Ok(rejects)
}

fn of_batch(batch: &RecordBatch) -> impl Iterator<Item = Rejected> {
    let text = |column: &str, i: usize| {
        let values = batch.column_by_name(column).and_then(|a| a.as_string_opt::<i32>());
        let value = values.filter(|values| values.is_valid(i)).map(|values| values.value(i));
        value.unwrap_or_default().to_owned()
    };
    let number = |i: usize| {
        let column = batch.column_by_name("record_number");
        let values = column.and_then(|a| a.as_primitive_opt::<Int64Type>());
        values.map_or(0, |values| values.value(i))
    };
    let flags = batch.column_by_name("is_superseded").and_then(|a| a.as_boolean_opt());
    let stands = move |i: &usize| !flags.is_some_and(|f| f.is_valid(*i) && f.value(*i));
    (0..batch.num_rows()).filter(stands).map(move |i| Rejected {
        object_url: text("object_url", i),
        record_number: number(i),
        source: text("source", i),
        entity: text("entity", i),
        rule: text("reject_rule", i),
        column: text("reject_column", i),
        text: text("raw_text", i),
    })
}
