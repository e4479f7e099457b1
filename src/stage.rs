//! Records to canonical, typed rows; what cannot be typed is a reject with a rule.
//!
//! Two halves around the staging SQL: [`Typing`] turns the text of a chunk into typed columns
//! as the spec says, [`finish()`] gives the rows that SQL made their keys and origin. What follows
//! from staged rows they get from [`complete()`] when they are read: ids and local dates.

mod complete;
mod findings;
pub mod finish;
mod frame;
mod handover;
pub mod number;
mod refuse;
pub mod scale;
mod sum;
pub mod text;
pub mod time;
pub mod types;
mod warnings;
pub mod window;

use std::collections::BTreeMap;

pub use self::complete::complete;
pub use self::finish::{Origin, finish};
pub use self::refuse::{Refused, refuse};
pub use self::types::{Typed, Typing, type_chunk};

use chrono_tz::Tz;

/// Bits of a record id that hold the record number; the rest is the object's place in its batch.
pub const RECORD_BITS: u32 = 40;

/// The object's place in the batch and the record's number, from a record id.
pub fn place(record_id: i64) -> (usize, u64) {
    ((record_id >> RECORD_BITS) as usize, (record_id & ((1 << RECORD_BITS) - 1)) as u64)
}

/// What staging must know of the job.
#[derive(Debug, Clone)]
pub struct Context {
    /// Of the job.
    pub zone: Tz,
    /// Of the source in the job.
    pub options: BTreeMap<String, String>,
}

impl Context {
    /// A source without options.
    pub fn new(zone: Tz) -> Self {
        Self { zone, options: BTreeMap::new() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("staging `{spec}` failed")]
    Frame {
        spec: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("column `{column}` of `{spec}` cannot be typed: {message}")]
    Column { spec: String, column: String, message: String },
    #[error("staging model of `{table}` gives no `{column}`")]
    MissingColumn { table: String, column: &'static str },
    #[error(transparent)]
    Table(#[from] crate::table::TableError),
}
