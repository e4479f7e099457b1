//! Columns between arrow-rs and Polars without copying, by the Arrow C Data Interface.
//!
//! The only file with `unsafe` code. Both crates export a column as the C struct `ArrowArray` of
//! <https://arrow.apache.org/docs/format/CDataInterface.html> and import one; each declares the
//! struct for itself, so the hand-over is one transmute between the two declarations.
//!
//! Why it is sound:
//! 1. Layout: both are `#[repr(C)]` with the ten fields of the specification in its order; their
//!    sizes and alignments are compared when this file is compiled.
//! 2. Ownership: a struct is moved, never copied. `transmute` consumes the exporter's value, so
//!    its destructor does not run, and the importer's value calls the `release` callback that
//!    travels inside; the bytes are freed once, by the crate that made them.
//! 3. Meaning: the type is not guessed from the struct. An import names the type that the export
//!    was made from: text goes in as `Utf8View` and nothing else; results come out by
//!    [`as_arrow`], which pairs each Polars type with its one arrow-rs type and refuses others.
//! 4. Validity: an exporter in the same process keeps what the format promises (offsets in range,
//!    UTF-8), because it built the array by its own checked constructors.

#![expect(unsafe_code, reason = "the C Data Interface is the one way between the two crates")]

use arrow::array::{Array, ArrayRef, StringArray, StringViewArray, make_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ffi::FFI_ArrowArray;
use polars::prelude::{
    ArrowDataType, Column, CompatLevel, PlSmallStr, PolarsError, PolarsResult, Series,
};
use polars_arrow::ffi::{ArrowArray, export_array_to_c, import_array_from_c};

const _: () = {
    assert!(size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>());
    assert!(align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>());
};

/// A text column as a Polars series.
pub fn to_polars(name: &str, text: &StringArray) -> PolarsResult<Series> {
    let views = StringViewArray::from(text);
    let exported = FFI_ArrowArray::new(&views.into_data());
    // SAFETY: points 1 and 2 of the file's proof: one struct, declared twice, moved once.
    let exported = unsafe { std::mem::transmute::<FFI_ArrowArray, ArrowArray>(exported) };
    // SAFETY: points 3 and 4: the array was exported from a `StringViewArray` just above.
    let array = unsafe { import_array_from_c(exported, ArrowDataType::Utf8View)? };
    Series::try_from((PlSmallStr::from_str(name), array))
}

/// A Polars column of whole numbers, floats or truths as an arrow-rs array.
pub fn as_arrow(column: &Column) -> Result<ArrayRef, ArrowError> {
    use polars::prelude::DataType as Polars;
    let wanted = match column.dtype() {
        Polars::Int64 => DataType::Int64,
        Polars::Float64 => DataType::Float64,
        Polars::Boolean => DataType::Boolean,
        other => return Err(ArrowError::CDataInterface(format!("a column of type {other}"))),
    };
    let series = column.as_materialized_series().rechunk();
    let exported = export_array_to_c(series.to_arrow(0, CompatLevel::newest()));
    // SAFETY: points 1 and 2 of the file's proof: one struct, declared twice, moved once.
    let exported = unsafe { std::mem::transmute::<ArrowArray, FFI_ArrowArray>(exported) };
    // SAFETY: points 3 and 4: `wanted` is the arrow-rs name of the exported series' type.
    let data = unsafe { arrow::ffi::from_ffi_and_data_type(exported, wanted)? };
    Ok(make_array(data))
}

/// Polars' errors where arrow's are expected.
pub fn arrow_error(error: PolarsError) -> ArrowError {
    ArrowError::ExternalError(error.into())
}
