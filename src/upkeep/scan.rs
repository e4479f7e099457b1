//! Whether an object of a warehouse names somebody who is forgotten, whatever it is and whoever
//! names it.

use arrow::array::{Array, AsArray, RecordBatch};

use super::UpkeepError;
use crate::forget::Eraser;
use crate::forget::shape::Shape;
use crate::storage::{StorageError, Store, parquet};

/// The columns by which a row says of what kind an identifier is.
const IDENTIFIER: [&str; 3] = ["identifier_type", "namespace", "identifier"];

/// Looks at every cell of a Parquet file, and at every word of anything else. An object that is
/// gone holds nobody.
///
/// `shapes` are those of canonical tables, whose rows are known by their columns: there an identifier
/// may be of any length. Statistics, dictionaries and bloom filters of a file are made from its cells, and nothing else.
///
/// # Errors
/// The object is no Parquet, or the store failed.
pub async fn holds(
    store: &Store,
    eraser: &Eraser,
    shapes: &[Shape],
    path: &str,
) -> Result<bool, UpkeepError> {
    let bytes = match store.read(path).await {
        Ok(bytes) => bytes,
        Err(StorageError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if eraser.is_in(path) {
        return Ok(true);
    }
    if path.ends_with(".parquet") && !path.contains("/_delta_log/") {
        let rows = parquet::decode(path, bytes, None)?;
        return Ok(rows.iter().any(|rows| is_in_rows(eraser, shapes, rows)));
    }
    Ok(eraser.is_in(&String::from_utf8_lossy(&bytes)))
}

fn is_in_rows(eraser: &Eraser, shapes: &[Shape], rows: &RecordBatch) -> bool {
    let texts = rows.columns().iter().filter_map(|array| array.as_string_opt::<i32>());
    let mut cells = texts.flat_map(|texts| texts.iter().flatten());
    cells.any(|cell| eraser.is_in(cell))
        || names_somebody(eraser, rows)
        || shapes.iter().any(|shape| is_canonical(eraser, shape, rows))
}

/// Whether rows of a canonical table would be other without forgotten people.
fn is_canonical(eraser: &Eraser, shape: &Shape, rows: &RecordBatch) -> bool {
    if !shape.columns.iter().all(|column| rows.column_by_name(column).is_some()) {
        return false;
    }
    let hits = eraser.hits(shape, rows);
    eraser.scrub(shape, rows, &hits).is_ok_and(|scrubbed| scrubbed.is_changed)
}

/// Whether a row of `customer_identifiers` names somebody by an identifier too short to be looked
/// for elsewhere.
fn names_somebody(eraser: &Eraser, rows: &RecordBatch) -> bool {
    let columns = IDENTIFIER
        .map(|name| rows.column_by_name(name).and_then(|array| array.as_string_opt::<i32>()));
    let [Some(kinds), Some(namespaces), Some(values)] = columns else { return false };
    (0..rows.num_rows()).any(|i| {
        values.is_valid(i)
            && eraser.identifier(kinds.value(i), namespaces.value(i), values.value(i)).is_some()
    })
}
