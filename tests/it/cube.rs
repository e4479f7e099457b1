//! The cube of scores: its dimensions, its rows, and what it must not give away.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use cxmart::catalog::{Catalog, Files};
use cxmart::measure::fold::Grain;
use cxmart::measure::scores::cube::{self, CUBE, EVERY};
use cxmart::measure::scores::{ALL, PAIR, Score};
use cxmart::measure::suppression::{Cell, Rule, hidden};
use proptest::prelude::*;

const RULE: Rule = Rule { min_cell: 10, horizon_day: 20_000 };

#[test]
fn the_cube_has_all_totals_and_takes_the_pairs_that_the_job_names() {
    let named = ["all", "segment*channel", "country"].map(String::from);
    let found = cube::dimensions(&named);
    assert_eq!(
        found,
        [
            "all",
            "journey_stage",
            "channel",
            "journey_stage*channel",
            "segment",
            "journey_stage*segment",
            "segment*channel",
            "journey_stage*channel*segment",
        ]
    );
    assert_eq!(cube::columns("segment*channel"), ["segment", "channel"]);
    assert!(cube::columns("all").is_empty());
}

#[test]
fn rows_of_the_cube_say_all_where_a_column_is_not_told_apart() {
    let score = |dimension: &str, value: &str| Score {
        definition: "nps",
        version: 1,
        scale: "0-10".into(),
        grain: "year",
        dimension: dimension.into(),
        value: value.into(),
        n: 20,
        ..Score::default()
    };
    let scores = [
        score("all", "all"),
        score("segment*channel", "gold\u{1f}web"),
        score("journey_stage", EVERY),
        score("journey_stage*channel*segment", "purchase\u{1f}web\u{1f}(none)"),
    ];
    let rows = cube::batch(&scores.iter().collect::<Vec<_>>()).expect("rows");
    let (catalog, _) = Catalog::read(&Files::embedded());
    let contract = &catalog.tables["experience_cube"].contract;
    let rows = contract.conform(&rows, false).expect("the rows follow the contract");
    let told: Vec<Vec<&str>> = (0..rows.num_rows())
        .map(|i| CUBE.iter().map(|name| rows[*name].as_string::<i32>().value(i)).collect())
        .collect();
    let expected = [
        [EVERY, EVERY, EVERY],
        [EVERY, "web", "gold"],
        // A stage that somebody called so is not the total.
        ["\"(all)\"", EVERY, EVERY],
        ["purchase", "web", "(none)"],
    ];
    assert_eq!(told, expected);
    assert_eq!(rows["promoters"].null_count(), 4);
}

/// Counts of a lattice: by dimension and value, from counts of all three together.
fn lattice(counts: &[u64]) -> BTreeMap<(String, String), u64> {
    let mut cells = BTreeMap::new();
    for dimension in cube::dimensions(&[]) {
        let columns = cube::columns(&dimension);
        for (i, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let value = |name: &&str| match *name {
                "journey_stage" => format!("stage {}", i / 9),
                "channel" => format!("channel {}", i / 3 % 3),
                _ => format!("segment {}", i % 3),
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            let value =
                if values.is_empty() { ALL.to_owned() } else { values.join(&PAIR.to_string()) };
            *cells.entry((dimension.clone(), value)).or_default() += n;
        }
    }
    cells
}

fn values(dimension: &str, value: &str) -> Vec<(String, String)> {
    let columns = cube::columns(dimension).into_iter().map(String::from);
    columns.zip(value.split(PAIR).map(String::from)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No total that is shown has exactly one part hidden, whichever way it is cut.
    #[test]
    fn no_cell_of_the_cube_is_the_difference_of_others(
        counts in prop::collection::vec(prop_oneof![0_u64..4, 0_u64..15, 20_u64..60], 27)
    ) {
        let lattice = lattice(&counts);
        let cells: Vec<Cell<'_>> = lattice
            .iter()
            .map(|((dimension, value), n)| Cell {
                grain: Grain::Year,
                start: 0,
                dimension,
                value,
                n: *n,
            })
            .collect();
        let hidden = hidden(&cells, RULE);
        for (cell, is_hidden) in cells.iter().zip(&hidden) {
            prop_assert!(*is_hidden || cell.n >= 10);
            let own = values(cell.dimension, cell.value);
            for finer in cube::dimensions(&[]) {
                let parts: Vec<(&Cell<'_>, bool)> = cells
                    .iter()
                    .zip(hidden.iter().copied())
                    .filter(|(part, _)| part.dimension == finer && finer != cell.dimension)
                    .filter(|(part, _)| {
                        let theirs = values(part.dimension, part.value);
                        own.iter().all(|one| theirs.contains(one))
                    })
                    .collect();
                if parts.is_empty() {
                    continue;
                }
                let few = parts.iter().filter(|(_, is_hidden)| *is_hidden).count();
                prop_assert_eq!(parts.iter().map(|(part, _)| part.n).sum::<u64>(), cell.n);
                prop_assert!(*is_hidden || few != 1, "{:?} by {}", cell, finer);
            }
        }
    }
}
