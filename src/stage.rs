//! Records to canonical, typed rows; what cannot be typed is a reject with a rule.
//!
//! Two halves around the staging SQL: [`type_chunk`] turns the text of a chunk into typed columns
//! as the spec says, [`finish`] gives the rows that SQL made their ids, times and origin.

pub mod finish;
pub mod types;

pub use self::finish::{Origin, finish};
pub use self::types::type_chunk;

use chrono_tz::Tz;

/// Bits of a record id that hold the record number; the rest is the object's place in its batch.
pub const RECORD_BITS: u32 = 40;

/// What staging must know of the job.
#[derive(Debug, Clone)]
pub struct Context {
    pub zone: Tz,
}

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("staging `{spec}` failed")]
    Frame {
        spec: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("staging model of `{table}` gives no `{column}`")]
    MissingColumn { table: String, column: &'static str },
    #[error(transparent)]
    Table(#[from] crate::table::TableError),
}
