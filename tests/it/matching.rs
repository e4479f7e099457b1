//! People without a common identifier: what is found among invented records whose truth is known,
//! and that order, threads and names of keys do not matter.

use std::collections::{BTreeMap, BTreeSet};

use cxmart::resolve::matching::{
    Candidates, Estimate, Field, Kind, Match, MatchError, Model, Options, Table,
};
use proptest::prelude::*;

const FIELDS: [(&str, Kind, Option<usize>); 6] = [
    ("first_name", Kind::FirstName, None),
    ("last_name", Kind::LastName, None),
    ("birth_date", Kind::Date, None),
    ("city", Kind::Text, Some(4)),
    ("postal_code", Kind::Postcode, None),
    ("email", Kind::Email, None),
];
const RULES: [&[&str]; 6] = [
    &["last_name", "birth_date"],
    &["first_name", "birth_date"],
    &["first_name", "last_name", "postal_code"],
    &["sounds(last_name)", "first(birth_date, 4)", "first(first_name, 1)"],
    &["birth_date", "postal_code"],
    &["email"],
];

/// A record: key, source, person, values.
type Row = (String, u16, usize, Vec<String>);

/// Numbers that look random and are always the same.
fn dice(seed: u64, below: usize) -> usize {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((x ^ (x >> 31)) % below as u64).expect("small")
}

fn word(seed: usize) -> String {
    const PARTS: [&str; 16] = [
        "ba", "ro", "li", "sun", "ko", "mar", "te", "vi", "han", "do", "pel", "ra", "gu", "nis",
        "fo", "ze",
    ];
    (0..3).map(|i| PARTS[dice((seed * 7 + i) as u64, 16)]).collect()
}

/// `count` people, every third with a second record that has gone wrong in one or two ways.
fn people(count: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for person in 0..count {
        let roll = |what: usize, below: usize| dice((person * 31 + what) as u64, below);
        let (first, last) = (word(roll(1, 120)), word(1_000 + roll(2, 700)));
        let day = |salt: usize| format!("{:02}", 1 + roll(salt, 28));
        let date = format!("{}-{:02}-{}", 1940 + roll(3, 60), 1 + roll(4, 12), day(5));
        let city = roll(6, 40);
        let email = format!("{first}.{last}{}@example.com", roll(7, 10_000));
        let clean =
            vec![first, last, date, word(5_000 + city), format!("{}", 1000 + city * 7), email];
        rows.push((format!("a{person}"), 0, person, clean.clone()));
        if person % 3 == 0 {
            let mut dirty = clean;
            match roll(8, 6) {
                0 => dirty.swap(0, 1),
                1 => dirty[1].insert(2, 'x'),
                2 => dirty[2] = String::new(),
                3 => {
                    let moved = 100 + roll(9, 40);
                    (dirty[3], dirty[4]) = (word(5_000 + moved), format!("{}", 1000 + moved * 7));
                }
                4 => dirty[0] = dirty[0].replace('a', "e"),
                _ => dirty[2] = dirty[2].replace("-0", "-1"),
            }
            if roll(10, 2) == 0 {
                dirty[5] = format!("private{}@example.net", roll(11, 100_000));
            }
            rows.push((format!("b{person}"), 1, person, dirty));
        }
    }
    rows
}

fn table(rows: &[Row], threads: usize) -> Table {
    let field = |(name, kind, told_by): &(&str, Kind, Option<usize>)| Field {
        name: (*name).to_owned(),
        kind: *kind,
        told_by: *told_by,
    };
    let mut table = Table::new(FIELDS.iter().map(field).collect()).expect("few levels");
    for part in rows.chunks(700) {
        let sources: Vec<u16> = part.iter().map(|row| row.1).collect();
        let columns: Vec<_> =
            (0..FIELDS.len()).map(|f| move |i: usize| part[i].3[f].as_str()).collect();
        let keys = part.iter().map(|row| row.0.as_str());
        table.push(keys, &sources, &columns, threads).expect("few rows");
    }
    table.freeze();
    table
}

fn options(table: &Table, threads: usize) -> Options {
    let rule = |rule: &&[&str]| rule.iter().map(|part| table.part(part).expect("a part")).collect();
    Options {
        rules: RULES.iter().map(rule).collect(),
        threshold: 0.8,
        review: 0.8,
        candidates_max: 1_000_000,
        across: false,
        one_to_one: false,
        threads,
    }
}

/// Pairs by the keys of their records, with the bits of their weights.
fn by_key(rows: &[Row], found: &[Match]) -> BTreeMap<(String, String), (u64, bool)> {
    let pair = |pair: &Match| {
        let ends = [pair.left, pair.right].map(|at| rows[at as usize].0.clone());
        let [a, b] = ends;
        let ends = if a < b { (a, b) } else { (b, a) };
        (ends, (pair.weight.to_bits(), pair.is_linked))
    };
    found.iter().map(pair).collect()
}

#[test]
fn dirty_copies_are_found_and_strangers_are_not() {
    let rows = people(3_000);
    let table = table(&rows, 2);
    let options = options(&table, 2);
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    let model = candidates.fit();
    let found = candidates.matches(&model);
    let right =
        found.iter().filter(|p| rows[p.left as usize].2 == rows[p.right as usize].2).count() as f64;
    let (precision, recall) = (right / found.len() as f64, right / 1_000.0);
    assert!(precision > 0.995 && recall > 0.97, "precision {precision}, recall {recall}");
    // The share of pairs that are one person is told within a tenth.
    let pairs = 4_000.0 * 3_999.0 / 2.0;
    assert!((model.prior * pairs / 1_000.0 - 1.0).abs() < 0.1, "{}", model.prior * pairs);
    // Agreement speaks for, difference against; of the city only where the postal code differs.
    let told = |(field, _): &(&(&str, Kind, Option<usize>), _)| field.2.is_none();
    for (field, levels) in FIELDS.iter().zip(&model.fields).filter(told) {
        assert!(levels[0].weight() > 3.0, "{}: {levels:?}", field.0);
        assert!(levels.last().expect("levels").weight() < -0.5, "{}: {levels:?}", field.0);
    }
}

fn found_in(rows: &[Row], threads: usize) -> (Model, BTreeMap<(String, String), (u64, bool)>) {
    let table = table(rows, threads);
    let options = options(&table, threads);
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    let model = candidates.fit();
    let found = candidates.matches(&model);
    (model, by_key(rows, &found))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn neither_order_nor_threads_change_a_bit(
        shuffled in Just(people(400)).prop_shuffle(),
        threads in 1_usize..5,
    ) {
        prop_assert_eq!(found_in(&people(400), 1), found_in(&shuffled, threads));
    }
}

#[test]
fn what_a_rule_would_cost_is_known_and_bounded_before_anything_is_compared() {
    let rows = people(600);
    let table = table(&rows, 1);
    let mut options = options(&table, 1);
    let estimates = Candidates::new(&table, &options).expect("few pairs").estimates().to_vec();
    let pairs = |field: fn(&Row) -> Option<String>| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for key in rows.iter().filter_map(field) {
            *counts.entry(key).or_default() += 1;
        }
        counts.values().map(|n| n * (n - 1) / 2).sum::<u64>()
    };
    let by_email = pairs(|row| Some(row.3[5].clone()));
    let expected = Estimate { rule: "email".into(), pairs: by_email, largest: 2 };
    assert_eq!(estimates.last(), Some(&expected));
    let by_name = pairs(|row| {
        let has = !row.3[2].is_empty();
        has.then(|| format!("{} {}", row.3[1], row.3[2]))
    });
    assert_eq!(estimates.first().map(|estimate| estimate.pairs), Some(by_name));
    options.candidates_max = by_name - 1;
    let refused = Candidates::new(&table, &options).expect_err("too many");
    let rule = "last_name + birth_date".to_owned();
    assert_eq!(refused, MatchError::TooManyPairs { rule, pairs: by_name, limit: by_name - 1 });
    let unknown = ["nickname", "sounds(birth_date)", "first(city, 0)", "last(city)", "sounds(city"];
    for part in unknown {
        assert!(table.part(part).is_err(), "{part}");
    }
}

#[test]
fn the_waterfall_of_a_pair_adds_up_to_its_weight() {
    let rows = people(900);
    let table = table(&rows, 1);
    let options = options(&table, 1);
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    let model = candidates.fit();
    let found = candidates.matches(&model);
    let (prior, waterfalls) = candidates.waterfalls(&model, &found);
    assert_eq!(waterfalls.len(), found.len());
    let mut levels = BTreeSet::new();
    for (pair, steps) in found.iter().zip(&waterfalls) {
        let sum: f64 = prior + steps.iter().map(|s| s.weight + s.frequency).sum::<f64>();
        assert!((sum - pair.weight).abs() < 1e-9, "{sum} {pair:?}");
        levels.extend(steps.iter().map(|step| step.level));
    }
    for level in ["equal", "first and last name swapped", "missing", "very alike", "different"] {
        assert!(levels.contains(level), "{level} in {levels:?}");
    }
}

#[test]
fn between_two_sources_each_record_keeps_its_best_match() {
    let mut rows = people(600);
    // A second copy of the first person in the other source: only one of the two may stay.
    let mut twin = rows[0].clone();
    (twin.0, twin.1) = ("twin".into(), 1);
    rows.push(twin);
    let table = table(&rows, 1);
    let mut options = options(&table, 1);
    options.across = true;
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    let model = candidates.fit();
    let linked = |found: Vec<Match>| {
        let ends = |pair: &Match| [pair.left, pair.right].map(|at| rows[at as usize].1);
        assert!(found.iter().all(|pair| ends(pair) == [0, 1] || ends(pair) == [1, 0]));
        let of_first = found.iter().filter(|pair| pair.is_linked && pair.left == 0);
        of_first.map(|pair| rows[pair.right as usize].0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(linked(candidates.matches(&model)), ["b0", "twin"]);
    options.one_to_one = true;
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    assert_eq!(linked(candidates.matches(&model)), ["twin"]);
}

/// New records are compared under the model that is there; nothing is fitted again.
#[test]
fn more_records_leave_the_weights_of_a_kept_model_to_values_and_not_to_a_new_fit() {
    let rows = people(900);
    let (model, _) = found_in(&rows[..1_000], 1);
    let table = table(&rows, 1);
    let options = options(&table, 1);
    let candidates = Candidates::new(&table, &options).expect("few pairs");
    let found = candidates.matches(&model);
    let (prior, waterfalls) = candidates.waterfalls(&model, &found);
    let (prior_before, steps) = {
        let less = self::table(&rows[..1_000], 1);
        let options = self::options(&less, 1);
        let candidates = Candidates::new(&less, &options).expect("few pairs");
        let found = candidates.matches(&model);
        candidates.waterfalls(&model, &found)
    };
    assert_eq!(prior.to_bits(), prior_before.to_bits());
    let weights = |waterfalls: &[Vec<cxmart::resolve::matching::Step>]| {
        let steps = waterfalls.iter().flatten();
        let of =
            |s: &cxmart::resolve::matching::Step| (s.field.clone(), s.level, s.weight.to_bits());
        steps.map(of).collect::<BTreeSet<_>>()
    };
    assert!(weights(&steps).is_subset(&weights(&waterfalls)));
    assert!(waterfalls.len() > steps.len());
}

#[test]
fn names_are_one_however_they_are_spelt() {
    // First name, last name, the same spelt otherwise, the level of the last name.
    for (a, b, level) in [
        ("Søren Ærø", "soeren aeroe", "equal"),
        ("Åse Müller", "Aase Mueller", "equal"),
        ("Jürgen Weiß", "JUERGEN WEISS", "equal"),
        ("José Nuñez", "Jose Nunez", "equal"),
        ("Björn Hägg", "Bjoern Haegg", "equal"),
        ("Sören Sörensen", "Søren Sørensen", "equal"),
        ("Bo Ærøe", "Bo Äröe", "equal"),
        ("Uwe Strauß", "Uwe Strauss", "equal"),
        ("Ida Kjærgaard", "Ida Kjærgård", "equal"),
        ("Jon Björnsson", "Jon Bjørnsen", "very alike"),
        ("Jón Jónsson", "Jon Jonsen", "sounds alike"),
        ("Eva Gudmundsdóttir", "Eva Gudmundsdatter", "very alike"),
        ("Per Meyer", "Per Maier", "sounds alike"),
    ] {
        let mut rows = people(300);
        for (i, name) in [a, b].into_iter().enumerate() {
            let (first, last) = name.split_once(' ').expect("two names");
            let values = [first, last, "1901-02-03", "Nowhere", "9999", ""];
            let values = values.map(str::to_owned).into();
            rows.push((format!("named{i}"), 0, 1_000_000, values));
        }
        let (left, right) = (rows.len() - 2, rows.len() - 1);
        let table = table(&rows, 1);
        let options = options(&table, 1);
        let candidates = Candidates::new(&table, &options).expect("few pairs");
        let model = candidates.fit();
        let [left, right] = [left, right].map(|at| u32::try_from(at).expect("few"));
        let pair = Match { left, right, weight: 0.0, is_linked: true };
        let (_, steps) = candidates.waterfalls(&model, &[pair]);
        assert_eq!(steps[0][1].level, level, "{a} / {b}: {:?}", steps[0][1]);
    }
}
