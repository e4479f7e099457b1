//! What a table is: names, types, grain and the order its rows stand in.
//!
//! Every other room rests on this one, so it does no IO and knows no table by name.
//! A [`Contract`] is written once, in a TOML file beside the SQL that fills it, and everything that
//! meets the table (writer, checks, docs, Delta metadata) reads the same one.

pub mod dataset;
pub mod day;
pub mod digest;
pub mod hash;
pub mod id;
pub mod order;
pub mod seal;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

/// How many buckets keys and customers are hashed into; part of the on-disk layout.
pub const BUCKETS: usize = 64;
/// Below this many rows an intermediate stays in one file: opening 64 costs more than it saves.
pub const BUCKETED_ROWS_MIN: u64 = 16_384;
/// Rows after which a partition is cut into a further file.
pub const FILE_ROWS_MAX: usize = 4_194_304;
/// From this many rows on, a `sliced` table is cut into [`BUCKETS`] files by customer.
pub const SLICED_ROWS_MIN: u64 = 1_000_000;

/// What can be wrong with rows that claim to be a table's.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("table `{table}` has no column `{column}` in its rows")]
    MissingColumn { table: String, column: String },
    #[error("table `{table}` has rows with the unknown column `{column}`")]
    UnknownColumn { table: String, column: String },
    #[error("column `{column}` of table `{table}` cannot hold {found}")]
    WrongType {
        table: String,
        column: String,
        found: String,
        #[source]
        source: ArrowError,
    },
    #[error("rows of table `{table}` cannot be put in order")]
    Order {
        table: String,
        #[source]
        source: ArrowError,
    },
}

/// The types a table may have; no others, because Spark and several BI tools refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Int64,
    Float64,
    Bool,
    Date,
    /// Microseconds, UTC.
    Timestamp,
    /// `decimal(18,4)`: money in major units, scores.
    Decimal,
}

/// Precision and scale of every decimal.
pub const DECIMAL: (u8, i8) = (18, 4);

impl Kind {
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal => DataType::Decimal128(DECIMAL.0, DECIMAL.1),
        }
    }

    /// The name in SQL that DataFusion, Spark and DuckDB all read.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int64 => "bigint",
            Self::Float64 => "double",
            Self::Bool => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Decimal => "decimal(18,4)",
        }
    }
}

/// One column of a [`Contract`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub description: String,
    /// Personal data: no statistics in any file, masked in logs.
    #[serde(default)]
    pub pii: bool,
    /// A null here is a check failure.
    #[serde(default)]
    pub required: bool,
}

impl Column {
    pub fn new(name: &str, kind: Kind, description: &str) -> Self {
        let (name, description) = (name.to_owned(), description.to_owned());
        Self { name, kind, description, pii: false, required: false }
    }
}

/// Name, columns, grain and partition of a table, as its readers rely on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    #[serde(default)]
    pub name: String,
    /// What one row is.
    pub description: String,
    /// The columns that make a row unique, in order.
    pub grain: Vec<String>,
    /// Columns whose values name the partition; kept in the file as well.
    #[serde(default)]
    pub partition: Vec<String>,
    /// Cut into 64 files by customer once the table is large.
    #[serde(default)]
    pub sliced: bool,
    /// Columns that get a bloom filter.
    #[serde(default)]
    pub bloom: Vec<String>,
    pub columns: Vec<Column>,
}

impl Contract {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Arrow schema: every field nullable, because a null in a required column is a finding to
    /// report with its row, not a write error without one.
    pub fn schema(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.kind.arrow(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Columns in canonical sort order: the grain first, then all others.
    pub fn order(&self) -> Vec<usize> {
        let at = |name: &String| self.columns.iter().position(|column| column.name == *name);
        let mut order: Vec<usize> = self.grain.iter().filter_map(at).collect();
        order.extend(
            (0..self.columns.len()).filter(|i| !self.grain.contains(&self.columns[*i].name)),
        );
        order
    }

    /// Brings rows to this contract's columns, order and types.
    ///
    /// With `fill`, columns that the rows lack become null; otherwise they are an error. A column
    /// the contract does not know is always an error: it would be lost without a word.
    ///
    /// # Errors
    /// A missing or unknown column, or a value the column's type cannot hold.
    pub fn conform(&self, batch: &RecordBatch, fill: bool) -> Result<RecordBatch, TableError> {
        for field in batch.schema().fields() {
            if self.column(field.name()).is_none() {
                let (table, column) = (self.name.clone(), field.name().clone());
                return Err(TableError::UnknownColumn { table, column });
            }
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            arrays.push(match batch.column_by_name(&column.name) {
                Some(array) => self.cast(column, array)?,
                None if fill => new_null_array(&column.kind.arrow(), batch.num_rows()),
                None => {
                    let (table, column) = (self.name.clone(), column.name.clone());
                    return Err(TableError::MissingColumn { table, column });
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema(), arrays, &options)
            .map_err(|source| TableError::Order { table: self.name.clone(), source })
    }

    /// Rows that were written by an older contract: what it did not have is null, and what this one
    /// does not have any more goes.
    ///
    /// # Errors
    /// A value that the column's type cannot hold.
    pub fn renewed(&self, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let fields = batch.schema();
        let known = fields.fields().iter().enumerate();
        let known = known.filter(|(_, field)| self.column(field.name()).is_some());
        let known: Vec<usize> = known.map(|(at, _)| at).collect();
        let known = batch
            .project(&known)
            .map_err(|source| TableError::Order { table: self.name.clone(), source })?;
        self.conform(&known, true)
    }

    fn cast(&self, column: &Column, array: &ArrayRef) -> Result<ArrayRef, TableError> {
        let wanted = column.kind.arrow();
        if *array.data_type() == wanted {
            return Ok(Arc::clone(array));
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(array, &wanted, &strict).map_err(|source| TableError::WrongType {
            table: self.name.clone(),
            column: column.name.clone(),
            found: array.data_type().to_string(),
            source,
        })
    }
}
