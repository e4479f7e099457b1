//! Placing files, the one commit under lost answers, and what the projections show.

mod commit;
mod delta;
mod memory;
mod place;
mod views;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use cxmart::storage::Store;
use cxmart::table::dataset::{Dataset, FileRef};
use cxmart::table::hash::Hash;
use cxmart::table::{Column, Contract, Kind};

pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A store of its own in memory; `name` keeps tests apart.
pub fn in_memory(name: &str) -> Store {
    let url = format!("memory://publish-{name}/warehouse");
    Store::open(&url, Path::new("/"), &BTreeMap::new()).expect("a store")
}

pub fn contract(name: &str, partition: &[&str]) -> Contract {
    Contract {
        name: name.into(),
        description: format!("One row per {name}."),
        grain: vec!["id".into()],
        partition: partition.iter().map(|column| (*column).to_owned()).collect(),
        sliced: false,
        bloom: Vec::new(),
        columns: vec![
            Column::new("id", Kind::Text, "Id."),
            Column::new("month", Kind::Date, "First local day of the month."),
            Column::new("score", Kind::Int64, "Score."),
            Column::new("share", Kind::Float64, "Share."),
            Column::new("is_open", Kind::Bool, "Whether it is open."),
            Column::new("seen_at", Kind::Timestamp, "When."),
            Column::new("total", Kind::Decimal, "Money."),
        ],
    }
}

/// A file that exists in name only: logs and views never open one.
pub fn file(content: &str, partition: &[(&str, &str)]) -> FileRef {
    let hash = Hash::of(content);
    FileRef {
        path: format!("work/x/{content}.parquet"),
        bytes: 100 + content.len() as u64,
        rows: content.len() as u64,
        file_hash: hash.clone(),
        content_hash: hash,
        partition: partition.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ordinal: 0,
        slice: None,
    }
}

/// The table with its files under their final names.
pub fn dataset(contract: &Contract, files: Vec<FileRef>) -> Dataset {
    let mut files = files;
    for file in &mut files {
        file.path = cxmart::publish::table_path(&contract.name, contract, file);
    }
    Dataset::new(&contract.name, Hash::of("made"), files)
}
