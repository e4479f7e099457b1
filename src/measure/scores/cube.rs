//! The cube: scores by stage, channel and segment at once, with all its totals.
//!
//! Its cells are cells of dimensions like any other, and some of them stand in `experience_scores`,
//! too: so all are hidden together, and neither table gives away what the other hides.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::{ALL, PAIR, Score, ScoresError, rows};

/// What the cube is told by; columns of its table.
pub const CUBE: [&str; 3] = ["journey_stage", "channel", "segment"];
/// The value of a column whose values are all together.
pub const EVERY: &str = "(all)";

/// All dimensions of the cube: everything, one column, pairs, and all three.
///
/// A pair that the job names the other way round is the job's.
pub fn dimensions(named: &[String]) -> Vec<String> {
    let parts = |name: &str| -> BTreeSet<String> {
        name.split('*').map(|part| part.trim().to_owned()).collect()
    };
    let one = |mask: usize| {
        let columns = (0..CUBE.len()).filter(|bit| mask & (1 << bit) != 0);
        let columns: Vec<&str> = columns.filter_map(|bit| CUBE.get(bit).copied()).collect();
        let own = if columns.is_empty() { ALL.to_owned() } else { columns.join("*") };
        let same = named.iter().find(|name| parts(name) == parts(&own));
        same.cloned().unwrap_or(own)
    };
    (0..1 << CUBE.len()).map(one).collect()
}

/// The columns a dimension of the cube is made of, as they follow each other in its name.
pub fn columns(dimension: &str) -> Vec<&'static str> {
    let known = |part: &str| CUBE.into_iter().find(|name| *name == part.trim());
    dimension.split('*').filter_map(known).collect()
}

/// What a score is of, by the cube's columns.
fn place(score: &Score) -> [String; CUBE.len()] {
    let columns = columns(&score.dimension);
    CUBE.map(|name| {
        let at = columns.iter().position(|column| *column == name);
        match at.and_then(|at| score.value.split(PAIR).nth(at)) {
            // A value that is called so is no total.
            Some(EVERY) => format!("\"{EVERY}\""),
            Some(value) => value.to_owned(),
            None => EVERY.to_owned(),
        }
    })
}

/// Scores as rows of `experience_cube`.
///
/// # Errors
/// The columns do not fit each other.
pub fn batch(scores: &[&Score]) -> Result<RecordBatch, ScoresError> {
    let places: Vec<_> = scores.iter().map(|score| place(score)).collect();
    let mut columns = rows::cell_columns(scores);
    for (at, name) in CUBE.into_iter().enumerate() {
        let values = places.iter().map(|place| place.get(at).map(String::as_str));
        columns.push((name, Arc::new(values.collect::<StringArray>()) as ArrayRef));
    }
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(ScoresError::Rows)
}
