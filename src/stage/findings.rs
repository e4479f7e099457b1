//! What is wrong with the values of a chunk, and which rows leave because of it.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, nullif};
use arrow::error::ArrowError;

use super::text;
use crate::catalog::spec::{SpecColumn, SpecKind};
use crate::extract::Reject;

/// A row at fault.
pub(super) type Finding = (usize, &'static str);

/// What was found in a chunk, and which rows leave because of it.
pub(super) struct Findings {
    prefix: String,
    leaves: Vec<bool>,
    /// Row and reject, column by column.
    rejects: Vec<(usize, Reject)>,
}

impl Findings {
    pub(super) fn new(rows: usize, prefix: String) -> Self {
        Self { prefix, leaves: vec![false; rows], rejects: Vec::new() }
    }

    /// Notes the findings of a column and gives the column as it stays.
    pub(super) fn add(
        &mut self,
        column: &SpecColumn,
        is_key: bool,
        text: &StringArray,
        array: ArrayRef,
        found: Vec<Finding>,
    ) -> Result<ArrayRef, ArrowError> {
        let is_word = matches!(column.kind, SpecKind::Text | SpecKind::Json);
        let mut lost = vec![false; if found.is_empty() { 0 } else { array.len() }];
        for (row, rule) in found {
            let shown = text::shown(text.value(row), is_word);
            self.note(row, rule, column, shown, column.lenient);
            lost.get_mut(row).into_iter().for_each(|lost| *lost = true);
        }
        let array = if lost.is_empty() || !column.lenient {
            array
        } else {
            nullif(&array, &BooleanArray::from(lost.clone()))?
        };
        if column.required || is_key {
            for row in 0..array.len() {
                let told = !column.lenient && lost.get(row) == Some(&true);
                if array.is_null(row) && !told {
                    self.note(row, "missing_required", column, String::new(), false);
                }
            }
        }
        Ok(array)
    }

    fn note(
        &mut self,
        row: usize,
        rule: &'static str,
        column: &SpecColumn,
        text: String,
        value_only: bool,
    ) {
        if let (false, Some(leaves)) = (value_only, self.leaves.get_mut(row)) {
            *leaves = true;
        }
        let column = Some(format!("{}{}", self.prefix, column.name));
        self.rejects.push((row, Reject { record_number: 0, rule, column, text, value_only }));
    }

    /// The records that leave.
    pub(super) fn left<'a>(&'a self, numbers: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        let left = self.leaves.iter().zip(numbers).filter(|(leaves, _)| **leaves);
        left.map(|(_, number)| *number)
    }

    /// Takes the rows of records that leave out of a table, and tells its rejects.
    pub(super) fn apply(
        mut self,
        left: &BTreeSet<u64>,
        batch: RecordBatch,
        numbers: &[u64],
        rejects: &mut Vec<Reject>,
    ) -> Result<RecordBatch, ArrowError> {
        if !left.is_empty() {
            for (leaves, number) in self.leaves.iter_mut().zip(numbers) {
                *leaves |= left.contains(number);
            }
        }
        for (row, mut reject) in std::mem::take(&mut self.rejects) {
            // A lost value of a row that leaves is no news of its own.
            if reject.value_only && self.leaves.get(row) == Some(&true) {
                continue;
            }
            reject.record_number = numbers.get(row).copied().unwrap_or_default();
            rejects.push(reject);
        }
        if !self.leaves.contains(&true) {
            return Ok(batch);
        }
        let stays = self.leaves.iter().map(|leaves| !leaves).collect::<Vec<bool>>();
        filter_record_batch(&batch, &BooleanArray::from(stays))
    }
}
