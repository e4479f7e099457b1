//! JSON documents with a list inside.

use std::path::Path;

use arrow::array::StringBuilder;
use serde_json::Value;

use super::{ExtractError, RawChunk, Records};
use crate::catalog::SourceSpec;

/// # Errors
/// The document is not JSON or has no list.
pub fn open(file: &Path, object: &str, spec: &SourceSpec) -> Result<Records, ExtractError> {
    let fail = |message: String| ExtractError::Undecodable { object: object.to_owned(), message };
    let text = std::fs::read_to_string(file).map_err(|e| fail(e.to_string()))?;
    let document: Value = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let list = spec.format.list.as_deref().and_then(|list| document.get(list));
    let list = list.and_then(Value::as_array).ok_or_else(|| fail("no list".into()))?;
    let mut builders: Vec<StringBuilder> =
        spec.columns.iter().map(|_| StringBuilder::new()).collect();
    for record in list {
        for (column, builder) in spec.columns.iter().zip(&mut builders) {
            let value = column.from.iter().find_map(|from| match record.get(from)? {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            });
            builder.append_option(value);
        }
    }
    let chunk = RawChunk {
        numbers: (1..=list.len() as u64).collect(),
        columns: builders.iter_mut().map(StringBuilder::finish).collect(),
        read: list.len() as u64,
        ..RawChunk::default()
    };
    Ok(Box::new(std::iter::once(Ok(chunk))))
}
