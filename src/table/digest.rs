//! Whether two piles hold the same rows, asked before anything is put in order.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use sha2::{Digest as _, Sha256};

/// Hash of a set of rows, whatever order they come in: the SHA-256 of each row, added up.
///
/// Four sums modulo 2^64 and the count of rows, so 256 bits by which other rows differ unless
/// somebody knows all of them, the salted ids too, and searches for thousands that add up. It says
/// whether work can be left out; what files hold is said by
/// [`ContentHasher`](super::hash::ContentHasher).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    sums: [u64; 4],
    rows: u64,
}

impl Digest {
    /// Adds one row, as bytes that no other row has.
    pub fn row(&mut self, row: &[u8]) {
        let hash = Sha256::digest(row);
        for (sum, bytes) in self.sums.iter_mut().zip(hash.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            *sum = sum.wrapping_add(u64::from_le_bytes(word));
        }
        self.rows += 1;
    }

    /// Adds all rows of another set.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.wrapping_add(more);
        }
        self.rows += other.rows;
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let words = self.sums.iter().chain([&self.rows]);
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// Rows encoded at once: a table may come as one batch, and once in memory is enough.
const ROWS_AT_ONCE: usize = 8_192;

/// Adds rows of one table to digests.
///
/// A row is hashed as Arrow encodes it for comparing: types and lengths apart from values, so no two
/// rows have the same bytes. Should Arrow change that, nothing is known again, once.
pub struct Digester {
    rows: RowConverter,
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digester").finish_non_exhaustive()
    }
}

impl Digester {
    /// # Errors
    /// A column type that has no order.
    pub fn new(schema: &Schema) -> Result<Self, ArrowError> {
        let field = |field: &arrow::datatypes::FieldRef| SortField::new(field.data_type().clone());
        let rows = RowConverter::new(schema.fields().iter().map(field).collect())?;
        Ok(Self { rows })
    }

    /// Adds the rows of a batch that stand at these places, in ascending order, to the digest of
    /// each group.
    ///
    /// # Errors
    /// Columns of another schema.
    pub fn add(
        &self,
        batch: &RecordBatch,
        groups: &mut [(Digest, &[u32])],
    ) -> Result<(), ArrowError> {
        let mut rows = self.rows.empty_rows(ROWS_AT_ONCE.min(batch.num_rows()), 0);
        for from in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
            let end = batch.num_rows().min(from + ROWS_AT_ONCE);
            rows.clear();
            self.rows.append(&mut rows, batch.slice(from, end - from).columns())?;
            for (digest, places) in groups.iter_mut() {
                let here = places.partition_point(|place| (*place as usize) < end);
                let (now, later) = places.split_at(here);
                for place in now {
                    digest.row(rows.row(*place as usize - from).data());
                }
                *places = later;
            }
        }
        Ok(())
    }
}
