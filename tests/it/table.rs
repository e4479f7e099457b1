//! Hashes and order of rows: of what they say, not of how they are cut.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cxmart::table::hash::{ContentHasher, Hash};
use cxmart::table::order::Pile;
use cxmart::table::{Column, Contract, Kind, id};
use proptest::prelude::*;

fn contract() -> Contract {
    let columns = vec![
        Column::new("name", Kind::Text, "A name."),
        Column::new("count", Kind::Int64, "A count."),
    ];
    Contract {
        name: "things".into(),
        description: "One row per thing.".into(),
        grain: vec!["name".into()],
        partition: Vec::new(),
        sliced: false,
        bloom: Vec::new(),
        columns,
    }
}

type Row = (Option<String>, Option<i64>);

fn batch(rows: &[Row]) -> RecordBatch {
    let names: StringArray = rows.iter().map(|(name, _)| name.as_deref()).collect();
    let counts: Int64Array = rows.iter().map(|(_, count)| *count).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(counts)];
    RecordBatch::try_new(contract().schema(), columns).expect("the contract's columns")
}

fn hash(batches: &[RecordBatch]) -> Hash {
    let mut hasher = ContentHasher::new(&contract().schema());
    for batch in batches {
        hasher.update(batch).expect("types a table may have");
    }
    hasher.finish()
}

proptest! {
    /// Goal: the content hash sees every value, and not where batches are cut.
    #[test]
    fn content_hash_sees_values_not_batches(
        rows in proptest::collection::vec(("[ab]{0,2}".prop_map(Some).boxed().prop_union(Just(None).boxed()), proptest::option::of(0..3_i64)), 1..12),
        cut in 0..12_usize,
        change in 0..12_usize,
    ) {
        let whole = batch(&rows);
        let cut = cut.min(rows.len());
        let parts = [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)];
        prop_assert_eq!(hash(&[whole.clone()]), hash(&parts));
        let mut other = rows.clone();
        let at = change % rows.len();
        other[at].1 = match other[at].1 { Some(_) => None, None => Some(0) };
        prop_assert_ne!(hash(&[whole]), hash(&[batch(&other)]));
    }

    /// Goal: canonical order does not depend on the order rows came in, nor on how they are cut
    /// into batches, even where the grain repeats.
    #[test]
    fn canonical_order_forgets_the_order_of_arrival(
        rows in proptest::collection::vec((proptest::option::of("[ab]"), proptest::option::of(0..3_i64)), 1..12),
        cut in 0_usize..12,
    ) {
        let ordered = |batches: Vec<RecordBatch>| {
            let pile = Pile::new(batches);
            let order = pile.canonical(&contract()).expect("ordered");
            pile.take(&order).expect("taken")
        };
        let mut backwards = rows.clone();
        backwards.reverse();
        let (head, tail) = backwards.split_at(cut.min(rows.len()));
        let one = ordered(vec![batch(&rows)]);
        prop_assert_eq!(one, ordered(vec![batch(head), batch(tail)]));
    }
}

#[test]
fn texts_that_run_together_are_told_apart() {
    let row = |a: &str| (Some(a.to_owned()), None);
    let one = batch(&[row("ab"), row("c")]);
    let two = batch(&[row("a"), row("bc")]);
    assert_ne!(hash(&[one]), hash(&[two]));
    assert_ne!(id::from_key("x", &["ab", "c"]), id::from_key("x", &["a", "bc"]));
}

#[test]
fn ids_are_stable() {
    // Published ids: a change of this line is a change of every id in every warehouse.
    assert_eq!(
        id::from_key("f", &["asknicely", "main", "responses", "54120"]),
        "f_sthdkw2onvgkvoir2qn6ldiaj2y4fy2h"
    );
}
