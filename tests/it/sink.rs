//! Rows to files: a disk that takes nothing is told, not waited for, and what is there already is
//! not written again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cxmart::run::RunError;
use cxmart::run::sink::{Files, Sink, Spread};
use cxmart::run::slices::Known;
use cxmart::table::dataset::FileRef;
use cxmart::table::{BUCKETED_ROWS_MIN, Column, Contract, Kind};
use proptest::prelude::*;

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

/// Rows of things, as one batch.
fn things(rows: &[(&str, i64)]) -> RecordBatch {
    let names: StringArray = rows.iter().map(|(name, _)| Some(*name)).collect();
    let counts: Int64Array = rows.iter().map(|(_, count)| Some(*count)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(counts)];
    RecordBatch::try_new(contract().schema(), columns).expect("the contract's columns")
}

/// What a table has after these batches, on top of what is known.
fn files(contract: &Contract, batches: &[RecordBatch], known: Known, scratch: &Path) -> Files {
    let sink = Sink::new(contract, Spread::Contract, scratch);
    let mut sink = sink.keeping(known).expect("a table");
    for batch in batches {
        sink.push(batch).expect("rows");
    }
    sink.files(2).expect("files")
}

/// The files written, as a release names them.
fn named(files: &Files) -> Vec<FileRef> {
    let named = files.written.iter().map(|part| FileRef {
        path: format!("tables/{}", part.file.file_hash),
        bytes: part.file.bytes,
        rows: part.file.rows,
        file_hash: part.file.file_hash.clone(),
        content_hash: part.file.content_hash.clone(),
        partition: part.partition.clone(),
        ordinal: part.ordinal,
        slice: part.slice.clone(),
    });
    named.chain(files.kept.iter().cloned()).collect()
}

fn known(files: &[FileRef]) -> Known {
    let mut known = Known::default();
    known.add(files.iter());
    known
}

fn counts(files: &[FileRef]) -> BTreeSet<String> {
    files.iter().map(|file| file.partition["count"].clone()).collect()
}

/// Goal: of a table that changed in one partition, that one is written, whatever order the rows came
/// in; and a changed contract writes all. Method: rows that move, come twice and change, on top of
/// the files of the first ones.
#[test]
fn a_partition_with_the_same_rows_names_the_same_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scratch = |n: u32| folder.path().join(n.to_string());
    let first = [("a", 1), ("b", 1), ("c", 2), ("d", 2), ("d", 2), ("e", 3)];
    let made = files(&contract(), &[things(&first)], Known::default(), &scratch(1));
    let before = named(&made);
    assert_eq!((made.kept.len(), counts(&before).len()), (0, 3));

    let moved = [things(&[("e", 3), ("d", 2), ("b", 1)]), things(&[("d", 2), ("c", 2), ("a", 1)])];
    let same = files(&contract(), &moved, known(&before), &scratch(2));
    assert!(same.written.is_empty(), "{:?}", same.written);
    let mut kept = same.kept;
    kept.sort_by(|a, b| a.partition.cmp(&b.partition));
    assert_eq!(kept, before);

    for (changed, partition) in [
        ([("a", 1), ("b", 1), ("c", 2), ("d", 2), ("d", 2), ("f", 3)], "3"),
        // As many rows of as many names, and one of them twice that was once.
        ([("a", 1), ("b", 1), ("c", 2), ("c", 2), ("d", 2), ("e", 3)], "2"),
    ] {
        let other = files(&contract(), &[things(&changed)], known(&before), &scratch(3));
        let written = BTreeSet::from([partition.to_owned()]);
        let parts: BTreeSet<_> =
            other.written.iter().map(|part| part.partition["count"].clone()).collect();
        assert_eq!((parts, other.kept.len()), (written, 2));
        let anew = files(&contract(), &[things(&changed)], Known::default(), &scratch(4));
        let hashes = |files: &Files| {
            let all = named(files).into_iter();
            all.map(|file| (file.partition["count"].clone(), file.file_hash.to_string()))
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(hashes(&other), hashes(&anew), "kept is made anew, to the byte");
    }

    let described = Contract { description: "One row per other thing.".into(), ..contract() };
    let other = files(&described, &[things(&first)], known(&before), &scratch(5));
    assert_eq!((other.written.len(), other.kept.len()), (3, 0));
}

/// Goal: a slice whose files do not hold all its rows is written. Method: a file that says it has a
/// row less, as when readers get another in the place of one of two.
#[test]
fn a_slice_of_which_a_part_is_missing_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = [("a", 1), ("b", 1), ("c", 2)];
    let made = files(&contract(), &[things(&rows)], Known::default(), &folder.path().join("1"));
    let mut before = named(&made);
    before[0].rows -= 1;
    let again = files(&contract(), &[things(&rows)], known(&before), &folder.path().join("2"));
    assert_eq!((again.written.len(), again.kept.len()), (1, 1));
    assert_eq!(again.written[0].partition["count"], "1");
}

/// Goal: of a table in 64 buckets the one is written that changed, and a table that shrinks to one
/// file does not take one of 64 for it. Method: as many rows as the bound, one other, one fewer.
#[test]
fn one_bucket_of_sixty_four_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let contract = Contract { partition: Vec::new(), ..contract() };
    let made = |rows: i64, other: i64, known: Known, scratch: &str| {
        let names: StringArray = (0..rows).map(|i| Some(format!("c_{i}"))).collect();
        let counts = Int64Array::from_iter_values((0..rows).map(|i| i64::from(i == other)));
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(counts)];
        let rows = RecordBatch::try_new(contract.schema(), columns).expect("the columns");
        let sink = Sink::new(&contract, Spread::Buckets(vec![0]), &folder.path().join(scratch));
        let mut sink = sink.keeping(known).expect("a table");
        sink.push(&rows).expect("rows");
        sink.files(2).expect("files")
    };
    let bound = i64::try_from(BUCKETED_ROWS_MIN).expect("a count");
    let before = named(&made(bound, -1, Known::default(), "1"));
    assert_eq!(before.len(), 64);
    let other = made(bound, 7, known(&before), "2");
    assert_eq!((other.written.len(), other.kept.len()), (1, 63));
    let hashes = |files: &Files| {
        let all = named(files).into_iter();
        all.map(|file| (file.ordinal, file.file_hash.to_string())).collect::<BTreeSet<_>>()
    };
    assert_eq!(hashes(&other), hashes(&made(bound, 7, Known::default(), "3")));
    let fewer = made(bound - 1, -1, known(&before), "4");
    assert_eq!((fewer.written.len(), fewer.kept.len()), (1, 0), "one file");
}

/// Goal: rows that wait on disk go unread where they are known, and come back where they are not.
/// Method: slices of one large array, each of which counts as all of it, and one small row.
#[test]
fn spilled_rows_of_a_known_slice_go_unread() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = "x".repeat(1 << 20);
    let names: Vec<String> = (0..24).map(|i| format!("{i}{long}")).collect();
    let rows: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let large = things(&rows);
    let made = |small: &str, known: Known, scratch: &Path| {
        let sink = Sink::new(&contract(), Spread::Contract, scratch);
        let mut sink = sink.keeping(known).expect("a table");
        sink.push(&things(&[(small, 2)])).expect("a row");
        for row in 0..rows.len() {
            sink.push(&large.slice(row, 1)).expect("a row");
        }
        let spilled = std::fs::read_dir(scratch).expect("spilled").count();
        assert_eq!(spilled, 2);
        sink.files(1).expect("files")
    };
    let before = named(&made("a", Known::default(), &folder.path().join("1")));
    let scratch = folder.path().join("2");
    let other = made("b", known(&before), &scratch);
    assert_eq!(counts(&other.kept), BTreeSet::from(["1".to_owned()]));
    assert_eq!(other.written.len(), 1);
    assert_eq!(
        (other.written[0].partition["count"].as_str(), other.written[0].file.rows),
        ("2", 1)
    );
    let left: Vec<_> = std::fs::read_dir(&scratch).expect("files").flatten().collect();
    assert_eq!(left.len(), 1, "the new file, and no spilled rows: {left:?}");
}

proptest! {
    /// Two piles have one digest just where they hold the same rows as often.
    #[test]
    fn a_digest_is_of_the_rows(
        rows in prop::collection::vec((any::<Option<u8>>(), "[ab]{0,2}"), 0..6),
        others in prop::collection::vec((any::<Option<u8>>(), "[ab]{0,2}"), 0..6),
        cut in 0_usize..6,
        turned in any::<bool>(),
    ) {
        use cxmart::table::digest::{Digest, Digester};
        let digester = Digester::new(&contract().schema()).expect("a table");
        let digest = |rows: &[(Option<u8>, String)]| {
            let names: StringArray = rows.iter().map(|(_, name)| Some(name.as_str())).collect();
            let counts: Int64Array = rows.iter().map(|(n, _)| n.map(|n| i64::from(n % 3))).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(counts)];
            let batch = RecordBatch::try_new(contract().schema(), columns).expect("the columns");
            let places: Vec<u32> = (0..).take(rows.len()).collect();
            let mut groups = [(Digest::default(), places.as_slice())];
            digester.add(&batch, &mut groups).expect("rows");
            groups[0].0
        };
        let set = |rows: &[(Option<u8>, String)]| {
            let mut rows: Vec<_> =
                rows.iter().map(|(n, name)| (n.map(|n| n % 3), name.clone())).collect();
            rows.sort();
            rows
        };
        prop_assert_eq!(digest(&rows) == digest(&others), set(&rows) == set(&others));
        let mut moved = rows.clone();
        if turned {
            moved.reverse();
        }
        let (some, rest) = moved.split_at(cut.min(moved.len()));
        let mut sum = digest(rest);
        sum.add(&digest(some));
        prop_assert_eq!(sum, digest(&rows));
    }
}
