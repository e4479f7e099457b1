//! Text to typed columns, one chunk at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit as Unit};

use super::{Context, RECORD_BITS, StageError};
use crate::catalog::SourceSpec;
use crate::catalog::spec::{SpecKind, TimeUnit};
use crate::extract::{RawChunk, Reject};
use crate::table::Kind;

/// The type a spec column has in the raw table.
pub fn kind(spec: SpecKind) -> Kind {
    match spec {
        SpecKind::Text | SpecKind::Json => Kind::Text,
        SpecKind::Int64 => Kind::Int64,
        SpecKind::Float64 => Kind::Float64,
        SpecKind::Decimal | SpecKind::Money => Kind::Decimal,
        SpecKind::Bool => Kind::Bool,
        SpecKind::Date => Kind::Date,
        SpecKind::Timestamp => Kind::Timestamp,
    }
}

/// Schema of `raw_<source>__<entity>`: `record_id`, then the spec's columns.
pub fn raw_schema(spec: &SourceSpec) -> SchemaRef {
    let mut fields = vec![Field::new("record_id", DataType::Int64, false)];
    fields.extend(spec.columns.iter().map(|c| Field::new(&c.name, kind(c.kind).arrow(), true)));
    Arc::new(Schema::new(fields))
}

/// Types the columns of a chunk; rows with a reject that is not `value_only` are left out.
///
/// `object` is the place of the chunk's object in its batch.
///
/// # Errors
/// The spec asks for what cannot be done.
pub fn type_chunk(
    spec: &SourceSpec,
    context: &Context,
    object: usize,
    chunk: &RawChunk,
) -> Result<(RecordBatch, Vec<Reject>), StageError> {
    let _ = context;
    let fail = |source: arrow::error::ArrowError| StageError::Frame {
        spec: spec.key(),
        source: source.into(),
    };
    let ids = chunk.numbers.iter().map(|n| ((object as i64) << RECORD_BITS) | *n as i64);
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(ids.collect::<Int64Array>())];
    for (column, text) in spec.columns.iter().zip(&chunk.columns) {
        let text: ArrayRef = Arc::new(text.clone());
        let array = match (column.kind, column.unit) {
            (SpecKind::Timestamp, Some(unit)) => {
                let unit = match unit {
                    TimeUnit::Second => Unit::Second,
                    TimeUnit::Millisecond => Unit::Millisecond,
                    TimeUnit::Microsecond => Unit::Microsecond,
                };
                let number = cast(&text, &DataType::Int64).map_err(fail)?;
                let time = cast(&number, &DataType::Timestamp(unit, None)).map_err(fail)?;
                cast(&time, &Kind::Timestamp.arrow()).map_err(fail)?
            }
            _ => cast(&text, &kind(column.kind).arrow()).map_err(fail)?,
        };
        arrays.push(array);
    }
    let batch = RecordBatch::try_new(raw_schema(spec), arrays).map_err(fail)?;
    Ok((batch, chunk.rejects.clone()))
}
