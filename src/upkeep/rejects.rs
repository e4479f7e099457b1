//! The rejects of a release, read from its published table.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::state::Release;
use crate::storage::{StorageError, Store, parquet};

/// The published table that holds them.
const TABLE: &str = "rejected_records";
const COLUMNS: [&str; 7] =
    ["object_url", "record_number", "reject_rule", "reject_column", "source", "entity", "raw_text"];

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

/// The first `limit` rejects, of one source or of all, and how many there are.
///
/// # Errors
/// The store failed, or a file is damaged.
pub async fn list(
    store: &Store,
    release: &Release,
    source: Option<&str>,
    limit: usize,
) -> Result<(Vec<Rejected>, u64), StorageError> {
    let (mut rows, mut all) = (Vec::new(), 0);
    let Some(table) = release.tables.get(TABLE) else { return Ok((rows, all)) };
    for file in &table.files {
        for batch in parquet::read(store, &file.path, &file.file_hash, Some(&COLUMNS)).await? {
            let found = of_batch(&batch).filter(|row| source.is_none_or(|name| row.source == name));
            for row in found {
                all += 1;
                if rows.len() < limit {
                    rows.push(row);
                }
            }
        }
    }
    Ok((rows, all))
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
    (0..batch.num_rows()).map(move |i| Rejected {
        object_url: text("object_url", i),
        record_number: number(i),
        source: text("source", i),
        entity: text("entity", i),
        rule: text("reject_rule", i),
        column: text("reject_column", i),
        text: text("raw_text", i),
    })
}
