//! Time and memory of matching people without identifiers, from a CSV file to clusters; not part of
//! the tests.
//!
//! `cargo bench --bench matching -- PEOPLE.csv PAIRS.csv FIELDS RULES THREADS THRESHOLD`, as
//! `bench/match_vs_splink.py` and `bench/match_truth.py` call it. The first column of PEOPLE is the
//! key; a column `source` means that only pairs of two sources count. FIELDS are `column:kind`
//! joined by `;`, with `<other` behind one that another tells; RULES are joined by `;`, their parts
//! by `+`.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use cxmart::resolve::matching::{Candidates, Field, Kind, Options, Table};

/// Records taken in at once.
const ROWS: usize = 65_536;

fn fields_of(text: &str) -> Vec<Field> {
    let parts: Vec<(&str, &str)> =
        text.split(';').map(|field| field.split_once(':').expect("column:kind")).collect();
    let field = |(name, kind): &(&str, &str)| {
        let (kind, by) = kind.split_once('<').map_or((*kind, None), |(kind, by)| (kind, Some(by)));
        let told_by = by.and_then(|by| parts.iter().position(|(name, _)| *name == by));
        let kind = Kind::of(kind).expect("a kind");
        Field { name: (*name).to_owned(), kind, told_by }
    };
    parts.iter().map(field).collect()
}

/// The least record of a cluster.
fn root(parents: &mut [u32], mut at: u32) -> u32 {
    while parents[at as usize] != at {
        parents[at as usize] = parents[parents[at as usize] as usize];
        at = parents[at as usize];
    }
    at
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [people, target, fields, rules, threads, threshold] = arguments.as_slice() else {
        eprintln!("PEOPLE.csv PAIRS.csv FIELDS RULES THREADS THRESHOLD are needed");
        return;
    };
    let started = Instant::now();
    let say = |what: &str| eprintln!("{:6.2} s: {what}", started.elapsed().as_secs_f64());
    let fields = fields_of(fields);
    let mut table = Table::new(fields.clone()).expect("few levels");
    let mut reader = csv::Reader::from_path(people).expect("a file of people");
    let mut keys: Vec<Box<str>> = Vec::new();
    let threads: usize = threads.parse().expect("a number of threads");
    let head = reader.headers().expect("a head").clone();
    let place = |name: &str| head.iter().position(|column| column == name);
    let places: Vec<usize> =
        fields.iter().map(|field| place(&field.name).expect("a column")).collect();
    let source = place("source");
    loop {
        let more: Vec<csv::StringRecord> =
            reader.records().by_ref().take(ROWS).collect::<Result<_, _>>().expect("CSV");
        if more.is_empty() {
            break;
        }
        let number = |row: &csv::StringRecord| source.map_or(0, |at| row[at].parse().unwrap_or(0));
        let sources: Vec<u16> = more.iter().map(number).collect();
        let rows = &more;
        let columns: Vec<_> = places.iter().map(|at| move |row: usize| &rows[row][*at]).collect();
        let keyed = more.iter().map(|row| &row[0]);
        table.push(keyed, &sources, &columns, threads).expect("fewer records than numbers");
        keys.extend(more.iter().map(|row| Box::from(&row[0])));
    }
    table.freeze();
    say("taken in");
    let rules = rules.split(';').map(|rule| {
        rule.split('+').map(|part| table.part(part).expect("a part of a rule")).collect()
    });
    let options = Options {
        rules: rules.collect(),
        threshold: threshold.parse().expect("a probability"),
        review: 1.0,
        candidates_max: 1_000_000_000,
        across: source.is_some(),
        one_to_one: false,
        threads,
    };
    let candidates = Candidates::new(&table, &options).expect("within limits");
    let pairs: u64 = candidates.estimates().iter().map(|estimate| estimate.pairs).sum();
    say(&format!("{pairs} pairs to look at"));
    let model = candidates.fit();
    say("fitted");
    let found = candidates.matches(&model);
    say("matched");
    let mut parents: Vec<u32> = (0..u32::try_from(keys.len()).expect("fewer")).collect();
    let mut out = BufWriter::new(File::create(target).expect("a place to write to"));
    for pair in found.iter().filter(|pair| pair.is_linked) {
        let (a, b) = (root(&mut parents, pair.left), root(&mut parents, pair.right));
        parents[a.max(b) as usize] = a.min(b);
        let (left, right) = (&keys[pair.left as usize], &keys[pair.right as usize]);
        writeln!(out, "{left},{right}").expect("written");
    }
    let people = parents.iter().zip(0..).filter(|(parent, at)| **parent == *at).count();
    say(&format!("{people} people among {} records", keys.len()));
}
