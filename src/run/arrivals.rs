//! Rows to files as they arrive: for staged tables, whose next step sorts them anyway.
//!
//! One file is open at a time and holds one row group in memory, so a batch of objects of any size
//! is staged in the same room. Rows arrive in the order of their records, so the same objects give
//! the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::RunError;
use super::sink::{self, Written};
use crate::storage::parquet::FileWriter;
use crate::table::{Contract, FILE_ROWS_MAX, TableError};

/// Rows handed to the Parquet writer at once: fixed, because page cuts depend on it.
const WRITE_ROWS: usize = 16_384;

/// Writes the rows of one table.
#[derive(Debug)]
pub struct Arrivals {
    contract: Contract,
    scratch: PathBuf,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    writer: Option<FileWriter>,
    /// Rows of the open file.
    rows: usize,
    written: Vec<Written>,
}

impl Arrivals {
    /// `scratch` is a folder of these rows' own.
    pub fn new(contract: &Contract, scratch: &Path) -> Self {
        Self {
            contract: contract.clone(),
            scratch: scratch.to_owned(),
            waiting: Vec::new(),
            waiting_rows: 0,
            writer: None,
            rows: 0,
            written: Vec::new(),
        }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// Rows that do not follow the contract, or a full disk.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), RunError> {
        self.waiting.push(self.contract.conform(batch, false)?);
        self.waiting_rows += batch.num_rows();
        if self.waiting_rows < WRITE_ROWS {
            return Ok(());
        }
        let all = self.take()?;
        let whole = all.num_rows() - all.num_rows() % WRITE_ROWS;
        for start in (0..whole).step_by(WRITE_ROWS) {
            self.write(&all.slice(start, WRITE_ROWS))?;
        }
        self.waiting_rows = all.num_rows() - whole;
        if self.waiting_rows > 0 {
            self.waiting.push(all.slice(whole, self.waiting_rows));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<RecordBatch, RunError> {
        self.waiting_rows = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if let [one] = waiting.as_slice() {
            return Ok(one.clone());
        }
        concat_batches(&self.contract.schema(), &waiting).map_err(|source| {
            TableError::Order { table: self.contract.name.clone(), source }.into()
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), RunError> {
        if self.rows + rows.num_rows() > FILE_ROWS_MAX {
            self.close()?;
        }
        self.rows += rows.num_rows();
        if let Some(writer) = &mut self.writer {
            return Ok(writer.write(rows)?);
        }
        let path = self.scratch.join(format!("out-{}.parquet", self.written.len()));
        let writer = self.writer.insert(sink::open_unordered(&self.contract, &path)?);
        Ok(writer.write(rows)?)
    }

    fn close(&mut self) -> Result<(), RunError> {
        self.rows = 0;
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let ordinal = u32::try_from(self.written.len()).unwrap_or(u32::MAX);
        let file = writer.finish()?;
        self.written.push(Written { file, partition: BTreeMap::new(), ordinal, slice: None });
        Ok(())
    }

    /// Writes what waits and closes the last file; no rows, no file.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(mut self) -> Result<Vec<Written>, RunError> {
        if self.waiting_rows > 0 {
            let rest = self.take()?;
            self.write(&rest)?;
        }
        self.close()?;
        Ok(self.written)
    }
}
