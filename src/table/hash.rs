//! Hashes that say whether rows or bytes are the same.

use std::fmt;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Schema, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256, written as lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::from_digest(&Sha256::digest(bytes.as_ref()))
    }

    /// A finished SHA-256.
    pub fn from_digest(digest: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(digest))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 hex digits: what file names carry.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes parts one after another; each is length-prefixed, so `("ab", "c")` is not `("a", "bc")`.
#[derive(Clone, Default, Debug)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher for one kind of thing; different kinds never collide.
    pub fn new(kind: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.part(kind);
        hasher
    }

    pub fn part(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Bytes without a length: for content that comes in pieces of any size.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    pub fn finish(&self) -> Hash {
        Hash::from_digest(&self.0.clone().finalize())
    }
}

/// Content hash of rows that already stand in canonical order.
///
/// It covers names, types and values, and not how the rows are cut into batches or compressed: each
/// column is hashed on its own, lengths apart from bytes.
#[derive(Debug)]
pub struct ContentHasher {
    head: Hasher,
    columns: Vec<ColumnHasher>,
    rows: u64,
}

/// Lengths (of texts; 0 or 1 for other values, `u32::MAX` for null), and the bytes of the values.
#[derive(Debug, Default)]
struct ColumnHasher {
    lengths: Sha256,
    values: Sha256,
    /// Reused between batches.
    buffer: Vec<u8>,
}

const NULL: [u8; 4] = u32::MAX.to_le_bytes();

impl ContentHasher {
    pub fn new(schema: &Schema) -> Self {
        let mut head = Hasher::new("content");
        for field in schema.fields() {
            head.part(field.name()).part(field.data_type().to_string());
        }
        let columns = schema.fields().iter().map(|_| ColumnHasher::default()).collect();
        Self { head, columns, rows: 0 }
    }

    /// # Errors
    /// A column type that no table may have.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for (hasher, column) in self.columns.iter_mut().zip(batch.columns()) {
            hasher.update(column)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    pub fn finish(&self) -> Hash {
        let mut hasher = self.head.clone();
        for column in &self.columns {
            hasher.part(column.lengths.clone().finalize());
            hasher.part(column.values.clone().finalize());
        }
        hasher.part(self.rows.to_le_bytes()).finish()
    }
}

impl ColumnHasher {
    fn update(&mut self, column: &ArrayRef) -> Result<(), ArrowError> {
        match column.data_type() {
            DataType::Utf8 => self.texts(column.as_string::<i32>()),
            DataType::Int64 => self.values(column.as_primitive::<Int64Type>(), i64::to_le_bytes),
            DataType::Float64 => {
                // By bits: a table holds no NaN, and -0.0 is not 0.0 to a reader of bytes.
                self.values(column.as_primitive::<Float64Type>(), f64::to_le_bytes);
            }
            DataType::Date32 => self.values(column.as_primitive::<Date32Type>(), i32::to_le_bytes),
            DataType::Timestamp(..) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                self.values(times, i64::to_le_bytes);
            }
            DataType::Decimal128(..) => {
                self.values(column.as_primitive::<Decimal128Type>(), i128::to_le_bytes);
            }
            DataType::Boolean => {
                let flags = column.as_boolean();
                self.each(flags.len(), |i| flags.is_valid(i).then(|| [u8::from(flags.value(i))]));
            }
            other => {
                return Err(ArrowError::NotYetImplemented(format!("no table holds {other}")));
            }
        }
        Ok(())
    }

    fn texts(&mut self, texts: &StringArray) {
        self.buffer.clear();
        for i in 0..texts.len() {
            if texts.is_valid(i) {
                let text = texts.value(i).as_bytes();
                self.buffer.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
                self.values.update(text);
            } else {
                self.buffer.extend(NULL);
            }
        }
        self.lengths.update(&self.buffer);
    }

    fn values<T: ArrowPrimitiveType, const N: usize>(
        &mut self,
        values: &PrimitiveArray<T>,
        bytes: fn(T::Native) -> [u8; N],
    ) {
        self.each(values.len(), |i| values.is_valid(i).then(|| bytes(values.value(i))));
    }

    fn each<const N: usize>(&mut self, rows: usize, value: impl Fn(usize) -> Option<[u8; N]>) {
        self.buffer.clear();
        let mut lengths = Vec::with_capacity(rows);
        for i in 0..rows {
            let value = value(i);
            lengths.push(u8::from(value.is_some()));
            self.buffer.extend(value.into_iter().flatten());
        }
        self.lengths.update(&lengths);
        self.values.update(&self.buffer);
    }
}
