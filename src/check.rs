//! What must hold before anybody sees a release: queries that return no rows.
//!
//! Every contract gives two of them (a grain that is unique, required columns that are filled);
//! the others are files in `sql/check/`, named after what they check. A check finds; it repairs
//! nothing, and a finding that blocks keeps the last release in place.

pub mod drift;
pub mod sources;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::engine::{EngineError, Session};
use crate::table::Contract;

/// Rows shown of a failed check.
const SAMPLE_ROWS: usize = 5;
/// Characters kept of one shown value.
const SAMPLE_CHARS: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Keeps the release from being published.
    Block,
    Warn,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Warn => "warn",
        }
    }
}

/// A query that must return no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// What a row of its answer means.
    pub description: String,
    pub severity: Severity,
    pub sql: String,
    /// Tables and views it reads.
    pub reads: Vec<String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub name: String,
    pub description: String,
    pub severity: Severity,
    pub n_failed: i64,
    /// The first rows in the order of their values, personal columns masked.
    pub sample: Option<String>,
}

impl Finding {
    pub fn blocks(&self) -> bool {
        self.n_failed > 0 && self.severity == Severity::Block
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sample = self.sample.as_deref().unwrap_or("no rows");
        write!(f, "`{}` found {} rows ({})", self.name, self.n_failed, sample)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the answer of check `{check}` cannot be read")]
    Answer {
        check: String,
        #[source]
        source: ArrowError,
    },
}

/// The checks that follow from a contract.
pub fn of_contract(contract: &Contract) -> Vec<Check> {
    let table = &contract.name;
    let grain = contract.grain.join(", ");
    let check = |kind: &str, description: String, sql: String| Check {
        name: format!("{table}_{kind}"),
        description,
        severity: Severity::Block,
        sql,
        reads: vec![table.clone()],
    };
    let mut checks = Vec::new();
    if !contract.grain.is_empty() {
        checks.push(check(
            "grain_unique",
            format!("Each row has more than one row of `{table}` with this {grain}."),
            format!(
                "select {grain}, count(*) as n_rows from {table} group by {grain} having count(*) > 1"
            ),
        ));
    }
    let required: Vec<&str> =
        contract.columns.iter().filter(|c| c.required).map(|c| c.name.as_str()).collect();
    if !required.is_empty() {
        let mut shown = contract.grain.clone();
        shown.extend(required.iter().map(|name| (*name).to_owned()));
        let mut seen = std::collections::BTreeSet::new();
        shown.retain(|name| seen.insert(name.clone()));
        let nulls: Vec<_> = required.iter().map(|name| format!("{name} is null")).collect();
        checks.push(check(
            "required_filled",
            format!("Each row is one of `{table}` without one of {}.", required.join(", ")),
            format!("select {} from {table} where {}", shown.join(", "), nulls.join(" or ")),
        ));
    }
    checks
}

/// Asks one check; `masked` names the columns whose values are never shown.
///
/// # Errors
/// The SQL is not valid over the tables registered, or running it failed.
pub async fn run(
    session: &Session,
    check: &Check,
    masked: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Finding, CheckError> {
    let count = format!("select cast(count(*) as bigint) as n from (\n{}\n) as failed", check.sql);
    let counted = session.collect(&check.name, &count).await?;
    let first = |batch: &RecordBatch| {
        let column = batch.column(0).as_primitive_opt::<Int64Type>()?;
        (!column.is_empty()).then(|| column.value(0))
    };
    let n_failed = counted.iter().find_map(first).unwrap_or(0);
    let sample = if n_failed > 0 { Some(sample(session, check, masked).await?) } else { None };
    Ok(Finding {
        name: check.name.clone(),
        description: check.description.clone(),
        severity: check.severity,
        n_failed,
        sample,
    })
}

/// The same rows on every run: ordered by all columns, the smallest first.
async fn sample(
    session: &Session,
    check: &Check,
    masked: &(dyn Fn(&str) -> bool + Sync),
) -> Result<String, CheckError> {
    let none = format!("select * from (\n{}\n) as failed limit 0", check.sql);
    let columns = session.query(&check.name, &none).await?.schema.fields().len();
    let order: Vec<_> = (1..=columns).map(|i| format!("{i} asc nulls first")).collect();
    let rows = format!(
        "select * from (\n{}\n) as failed order by {} limit {SAMPLE_ROWS}",
        check.sql,
        order.join(", ")
    );
    let batches = session.collect(&check.name, &rows).await?;
    let fail = |source| CheckError::Answer { check: check.name.clone(), source };
    let mut shown = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            shown.push(show(batch, row, masked).map_err(fail)?);
        }
    }
    Ok(shown.join("; "))
}

fn show(
    batch: &RecordBatch,
    row: usize,
    masked: &(dyn Fn(&str) -> bool + Sync),
) -> Result<String, ArrowError> {
    let options = FormatOptions::default().with_null("null");
    let mut values = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name();
        let value = if masked(name) && array.is_valid(row) {
            "(masked)".to_owned()
        } else {
            let value = ArrayFormatter::try_new(array, &options)?.value(row).to_string();
            value.chars().take(SAMPLE_CHARS).collect()
        };
        values.push(format!("{name}={value}"));
    }
    Ok(values.join(" "))
}
