//! Service levels: how long customers wait, how often it takes more than one answer, who closes.
//!
//! Everything is computed from messages and changes; what the tool's own screen says stands beside
//! it with the cause of the difference, and is never used in place of ours.

pub mod case;
mod cells;
pub mod clock;
mod levels;
mod measures;
mod rows;

pub use self::case::{Case, Change, Facts, Happening, Target};
pub use self::clock::{Calendar, Calendars, Hours};
pub use self::levels::{DIMENSIONS, Level, Levels, Part, Sorted, columns, suppressed};
pub use self::measures::{CLOCKS, MEASURES, Measure, Outcome};
pub use self::rows::{case_batch, cases, changes, level_batch};

use super::fold::calendar::Grain;

/// What can be wrong with the rows that service levels are computed from.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("`{table}` has no usable column `{column}`")]
    Column { table: &'static str, column: &'static str },
    #[error("rows of service levels cannot be built")]
    Rows(#[source] arrow::error::ArrowError),
    #[error("`{0}` is no dimension of conversations")]
    Dimension(String),
}

/// What service levels read of their job and run.
#[derive(Debug, Clone)]
pub struct Terms {
    pub confidence: f64,
    pub min_cell: u64,
    pub periods: Vec<Grain>,
    pub dimensions: Vec<String>,
    pub reopen_days: u32,
    pub targets: Vec<Target>,
    pub calendars: Calendars,
    pub zone: chrono_tz::Tz,
    /// First instant that is not known, microseconds UTC.
    pub horizon: i64,
    /// Last local day that is known.
    pub horizon_day: i32,
}
