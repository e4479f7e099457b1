//! Rows that staging SQL itself refuses.
//!
//! Whether a row is usable can depend on several of its columns, which only the mapping knows (that
//! answers lie on their scale is held for all mappings alike, see `scale`). A staging model therefore may give `reject_rule` (text; null means fine), and
//! beside it `reject_column` and `reject_text`: such rows become rejects, and the columns go.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;

use super::{StageError, text};

pub const RULE: &str = "reject_rule";
pub const COLUMN: &str = "reject_column";
pub const TEXT: &str = "reject_text";

/// A row that a staging model refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub record_id: i64,
    pub rule: String,
    /// Empty for the whole record.
    pub column: String,
    pub text: String,
}

/// Takes the refused rows out of a staging model's rows; `table` names it in errors.
///
/// Where records have a key, a row without `source_id` is refused as well (`missing_source_id`);
/// others get one from their place in the object.
///
/// # Errors
/// The rows have no `record_id` or no `source_id`.
pub fn refuse(
    table: &str,
    has_key: bool,
    rows: &RecordBatch,
) -> Result<(RecordBatch, Vec<Refused>), StageError> {
    let missing = |column| StageError::MissingColumn { table: table.to_owned(), column };
    let fail = |source: arrow::error::ArrowError| StageError::Frame {
        spec: table.to_owned(),
        source: source.into(),
    };
    let ids = rows.column_by_name("record_id").and_then(|a| a.as_primitive_opt::<Int64Type>());
    let ids = ids.ok_or_else(|| missing("record_id"))?;
    let keys = rows.column_by_name("source_id").ok_or_else(|| missing("source_id"))?;
    let given = |name: &str| rows.column_by_name(name).and_then(|a| a.as_string_opt::<i32>());
    let (rules, columns, texts) = (given(RULE), given(COLUMN), given(TEXT));
    let cell = |array: Option<&arrow::array::StringArray>, row: usize| match array {
        Some(array) if array.is_valid(row) => Some(array.value(row).to_owned()),
        _ => None,
    };
    let mut refused = Vec::new();
    let stays: BooleanArray = (0..rows.num_rows())
        .map(|row| {
            let keyless = (has_key && keys.is_null(row)).then(|| "missing_source_id".to_owned());
            let Some(rule) = cell(rules, row).or(keyless) else { return Some(true) };
            refused.push(Refused {
                record_id: ids.value(row),
                rule,
                column: cell(columns, row).unwrap_or_default(),
                text: text::shown(&cell(texts, row).unwrap_or_default(), true),
            });
            Some(false)
        })
        .collect();
    let own = |(i, field): (usize, &arrow::datatypes::FieldRef)| {
        (![RULE, COLUMN, TEXT].contains(&field.name().as_str())).then_some(i)
    };
    let own: Vec<usize> = rows.schema().fields().iter().enumerate().filter_map(own).collect();
    let rows = rows.project(&own).map_err(fail)?;
    if refused.is_empty() {
        return Ok((rows, refused));
    }
    Ok((filter_record_batch(&rows, &stays).map_err(fail)?, refused))
}
