//! Rows to files: a disk that takes nothing is told, not waited for.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cxmart::run::RunError;
use cxmart::run::sink::{Sink, Spread};
use cxmart::table::{Column, Contract, Kind};

fn contract() -> Contract {
    Contract {
        name: "things".into(),
        description: "One row per thing.".into(),
        grain: vec!["name".into()],
        partition: vec!["count".into()],
        sliced: false,
        bloom: Vec::new(),
        columns: vec![
            Column::new("name", Kind::Text, "A name."),
            Column::new("count", Kind::Int64, "A count."),
        ],
    }
}

/// Goal: when no worker can write, the error comes back although partitions still wait. Method: a
/// file where the scratch folder should be, and many more partitions than threads.
#[test]
fn a_disk_that_takes_nothing_is_an_error_not_a_hang() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scratch = folder.path().join("taken");
    std::fs::write(&scratch, "a file").expect("written");
    let names: StringArray = (0..16).map(|i| Some(format!("n{i}"))).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(Int64Array::from_iter(0..16))];
    let rows = RecordBatch::try_new(contract().schema(), columns).expect("the contract's columns");
    let mut sink = Sink::new(&contract(), Spread::Contract, &scratch);
    sink.push(&rows).expect("rows wait in memory");
    assert!(matches!(sink.finish(2), Err(RunError::Storage(_))));
}
