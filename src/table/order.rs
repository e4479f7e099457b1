//! Canonical order: grain, then all other columns, nulls first.
//!
//! Put on once, by the writer of a file, so that the same rows give the same bytes whatever
//! order, batch size or number of threads they came from.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{Row, RowConverter, Rows, SortField};

use super::Contract;

/// Where a row lies: which batch of a pile, and which row of it.
pub type Place = (u32, u32);

/// Rows in batches, put in order without being copied into one.
#[derive(Debug)]
pub struct Pile {
    batches: Vec<RecordBatch>,
}

/// Rows of a pile, encoded so that comparing bytes compares rows by some of their columns.
#[derive(Debug)]
pub struct Encoded(Vec<Rows>);

impl Encoded {
    pub fn row(&self, (batch, row): Place) -> Row<'_> {
        self.0[batch as usize].row(row as usize)
    }
}

impl Pile {
    pub fn new(mut batches: Vec<RecordBatch>) -> Self {
        batches.retain(|batch| batch.num_rows() > 0);
        Self { batches }
    }

    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The places of all rows, as they lie.
    ///
    /// # Errors
    /// More rows or batches than a place can name.
    pub fn places(&self) -> Result<Vec<Place>, ArrowError> {
        let number = |count: usize| {
            u32::try_from(count)
                .map_err(|_| ArrowError::ComputeError("too many rows to sort at once".into()))
        };
        let mut places = Vec::with_capacity(self.num_rows());
        for (at, batch) in self.batches.iter().enumerate() {
            let (at, rows) = (number(at)?, number(batch.num_rows())?);
            places.extend((0..rows).map(|row| (at, row)));
        }
        Ok(places)
    }

    /// # Errors
    /// A column type that has no order.
    pub fn encode(&self, indices: &[usize]) -> Result<Encoded, ArrowError> {
        let Some(first) = self.batches.first() else { return Ok(Encoded(Vec::new())) };
        let schema = first.schema();
        let field = |i: &usize| SortField::new(DataType::clone(schema.field(*i).data_type()));
        let converter = RowConverter::new(indices.iter().map(field).collect())?;
        let encode = |batch: &RecordBatch| {
            let columns: Vec<_> = indices.iter().map(|i| batch.column(*i).clone()).collect();
            converter.convert_columns(&columns)
        };
        Ok(Encoded(self.batches.iter().map(encode).collect::<Result<_, _>>()?))
    }

    /// The rows in canonical order of `contract`.
    ///
    /// # Errors
    /// A column type that has no order.
    pub fn canonical(&self, contract: &Contract) -> Result<Vec<Place>, ArrowError> {
        let columns = contract.order();
        let grain = columns.get(..contract.grain.len()).unwrap_or(&columns);
        // The grain alone decides, unless rows share it: then the table is wrong, and still ordered.
        let keys = self.encode(grain)?;
        let mut order = self.places()?;
        sort(&mut order, &keys);
        let mut pairs = order.windows(2);
        if pairs.any(|pair| matches!(pair, [a, b] if keys.row(*a) == keys.row(*b))) {
            drop(keys);
            sort(&mut order, &self.encode(&columns)?);
        }
        Ok(order)
    }

    /// The same rows with some of their columns.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn project(&self, indices: &[usize]) -> Result<Self, ArrowError> {
        let batches = self.batches.iter().map(|batch| batch.project(indices));
        Ok(Self { batches: batches.collect::<Result<_, _>>()? })
    }

    /// The rows at `places`, in their order.
    ///
    /// # Errors
    /// Batches of different schemas.
    pub fn take(&self, places: &[Place]) -> Result<RecordBatch, ArrowError> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let places: Vec<(usize, usize)> =
            places.iter().map(|(batch, row)| (*batch as usize, *row as usize)).collect();
        interleave_record_batch(&batches, &places)
    }
}

/// Sorts places by their rows; equal rows keep their order.
pub fn sort(places: &mut [Place], rows: &Encoded) {
    places.sort_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
}
