//! The headline numbers of the newest release, read back for people.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};

use super::{Context, RunError};
use crate::engine::FileInput;
use crate::state::{StateError, StateReader};

/// The internal table that `sql/assemble/headline.sql` makes.
const TABLE: &str = "headline";

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub name: String,
    /// What it rests on; null where a suppressed cell hides it.
    pub n: Option<i64>,
    /// Null where the count says it all.
    pub reading: Option<f64>,
    pub interval: Option<(f64, f64)>,
    /// `count`, `score`, `share`, or a currency.
    pub unit: String,
}

/// The numbers in the order to print them.
///
/// # Errors
/// There is no release, or its files cannot be read.
pub async fn headline(context: &Context) -> Result<Vec<Line>, RunError> {
    let reader = StateReader::new(context.store.clone());
    let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let missing = || RunError::NoTable(TABLE.to_owned());
    let dataset = release.state.get(TABLE).ok_or_else(missing)?;
    let contract = context.contract(TABLE).ok_or_else(missing)?;
    let file = |file| FileInput::of(&context.store, file);
    let session = context.engine.session();
    session.files(TABLE, contract.schema(), dataset.files.iter().map(file).collect())?;
    let sql = "select name, n, reading, low, high, unit from headline order by place, name";
    let batches = session.collect(TABLE, sql).await?;
    Ok(batches.iter().flat_map(lines).collect())
}

fn lines(batch: &RecordBatch) -> Vec<Line> {
    let text = |name: &str, i: usize| {
        let column = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
        column.filter(|column| column.is_valid(i)).map(|column| column.value(i).to_owned())
    };
    let float = |name: &str, i: usize| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(i).then(|| column.value(i))
    };
    let count = |i: usize| {
        let column = batch.column_by_name("n")?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(i).then(|| column.value(i))
    };
    let line = |i| Line {
        name: text("name", i).unwrap_or_default(),
        n: count(i),
        reading: float("reading", i),
        interval: float("low", i).zip(float("high", i)),
        unit: text("unit", i).unwrap_or_default(),
    };
    (0..batch.num_rows()).map(line).collect()
}
