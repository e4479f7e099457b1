//! What agreement is worth: u from pairs of strangers, m by expectation–maximisation.
//!
//! For each blocking rule one two-class model is fitted to the comparison vectors of its pairs,
//! with u held fixed and the rule's own fields left out, because its pairs agree on them by
//! construction; m is then the mean over rules, weighted by the matches each expects (the scheme of
//! fastLink, Enamorado, Fifield and Imai 2019, and of Splink). A rule's expected matches over the
//! chance that a match agrees on its fields estimates how many matches there are at all: the prior.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::block::{Blocks, Part, Sorted, in_parallel};
use super::column::MISSING;
use super::compare::NULL;
use super::{Kind, Options, Table};

/// Pairs of strangers that u is counted on.
const STRANGERS: u64 = 500_000;
/// Up to so many records all pairs are taken instead.
const ALL_PAIRS_UP_TO: usize = 1_000;
/// Pairs of a rule that m is fitted on; of more, whole blocks are sampled by the hash of their key.
const FITTED: u64 = 200_000;
const ROUNDS: usize = 3;
const ITERATIONS_MAX: usize = 200;
const CONVERGED: f64 = 1e-6;
/// A belief of so many pairs that stands in where there is little to learn from.
const BELIEF: f64 = 4.0;

/// What a level of a field is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Share of pairs of one person at this level, among those where both have a value.
    pub m: f64,
    /// The same of pairs of two people.
    pub u: f64,
}

impl Parameter {
    pub fn weight(self) -> f64 {
        libm::log2(self.m / self.u)
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Chance that two records taken blindly are one person.
    pub prior: f64,
    /// Of each field, of each level from 1 on.
    pub fields: Vec<Vec<Parameter>>,
    /// Records it was fitted on.
    pub records: u64,
}

/// Comparison vectors and how many pairs have each.
pub(super) type Vectors = BTreeMap<u64, u64>;

/// What m is believed to be before anything is seen.
fn believed(kind: Kind) -> Vec<f64> {
    let levels = kind.levels().len();
    let rest = |first: f64| {
        let other = (1.0 - first) / (levels - 1) as f64;
        (0..levels).map(|level| if level == 0 { first } else { other }).collect()
    };
    rest(0.85)
}

impl Model {
    /// Fits a model to records and their pairs.
    pub(super) fn fit(
        table: &Table,
        blocks: &Blocks<'_>,
        sorted: &[Sorted],
        options: &Options,
    ) -> Self {
        let Options { rules, across, threads, .. } = options;
        let strangers = strangers(table, *across, *threads);
        let of_rules: Vec<(Vectors, f64)> =
            sorted.iter().map(|sorted| rule_vectors(table, blocks, sorted, *threads)).collect();
        let equal = equal_shares(table);
        let all_pairs = pair_count(table, *across);
        let mut model = Self {
            prior: 0.0,
            fields: table.fields.iter().map(|field| start(field.kind)).collect(),
            records: table.len() as u64,
        };
        for _ in 0..ROUNDS {
            model.learn_u(table, &strangers, &equal);
            let sessions: Vec<Session> = of_rules
                .iter()
                .zip(rules)
                .map(|((vectors, scale), rule)| model.session(table, vectors, *scale, rule))
                .collect();
            model.learn_m(table, &sessions);
            model.prior = model.matches(table, &sessions, rules) / all_pairs.max(1.0);
        }
        model
    }

    /// Chance that a comparison vector is of one person, fields in `left_out` not looked at.
    fn probability(&self, levels: &[u8], prior: f64, left_out: &[bool]) -> f64 {
        let mut odds = prior / (1.0 - prior);
        for ((level, field), out) in levels.iter().zip(&self.fields).zip(left_out) {
            if *level != NULL && !out {
                let worth = field[usize::from(*level) - 1];
                odds *= worth.m / worth.u;
            }
        }
        odds / (1.0 + odds)
    }

    fn learn_u(&mut self, table: &Table, strangers: &Vectors, equal: &[f64]) {
        let nothing = vec![false; self.fields.len()];
        let mut counts: Vec<Vec<f64>> =
            self.fields.iter().map(|levels| vec![0.0; levels.len()]).collect();
        for (code, count) in strangers {
            let levels = table.levels(*code);
            // Of pairs taken blindly a few are one person, more so in a small table.
            let strange = if self.prior > 0.0 {
                1.0 - self.probability(&levels, self.prior, &nothing)
            } else {
                1.0
            };
            for (level, counts) in levels.iter().zip(&mut counts) {
                if *level != NULL {
                    counts[usize::from(*level) - 1] += strange * *count as f64;
                }
            }
        }
        for ((levels, counts), equal) in self.fields.iter_mut().zip(&counts).zip(equal) {
            let all: f64 = counts.iter().sum::<f64>() + 1.0;
            let smoothed = |count: f64| (count + 0.5 / counts.len() as f64) / (all + 0.5);
            let first = levels[0].m;
            for (level, count) in levels.iter_mut().zip(counts) {
                level.u = smoothed(*count);
            }
            // Frequencies of values tell more than the sample; matches among them are taken out.
            let known = equal - self.prior * first;
            if known > 0.0 {
                levels[0].u = known.max(levels[0].u * 0.1);
            }
        }
    }

    /// Fits m and the share of matches to the vectors of one rule.
    fn session(&self, table: &Table, vectors: &Vectors, scale: f64, rule: &[Part]) -> Session {
        let left_out: Vec<bool> = (0..self.fields.len())
            .map(|field| rule.iter().any(|part| part.field() == field))
            .collect();
        let levels: Vec<(Vec<u8>, f64)> =
            vectors.iter().map(|(code, n)| (table.levels(*code), *n as f64)).collect();
        let pairs: f64 = levels.iter().map(|(_, n)| n).sum();
        let mut model = self.clone();
        let mut share = 0.1;
        let mut expected = Vec::new();
        let mut matches = 0.0;
        for _ in 0..ITERATIONS_MAX {
            expected = self.fields.iter().map(|levels| vec![0.0; levels.len()]).collect();
            matches = 0.0;
            for (levels, n) in &levels {
                let likely = n * model.probability(levels, share, &left_out);
                matches += likely;
                for (level, sums) in levels.iter().zip::<&mut Vec<Vec<f64>>>(&mut expected) {
                    if *level != NULL {
                        sums[usize::from(*level) - 1] += likely;
                    }
                }
            }
            let mut moved = 0.0_f64;
            for (field, sums) in model.fields.iter_mut().zip(&expected) {
                moved = moved.max(set_m(field, sums));
            }
            let next = ((matches + 0.5) / (pairs + 1.0)).clamp(1e-9, 1.0 - 1e-9);
            moved = moved.max((next - share).abs());
            share = next;
            if moved < CONVERGED {
                break;
            }
        }
        Session { matches: matches * scale, expected, left_out, scale }
    }

    fn learn_m(&mut self, table: &Table, sessions: &[Session]) {
        for (f, field) in self.fields.iter_mut().enumerate() {
            let mut sums = vec![0.0; field.len()];
            for session in sessions.iter().filter(|session| !session.left_out[f]) {
                for (sum, more) in sums.iter_mut().zip(&session.expected[f]) {
                    *sum += more * session.scale;
                }
            }
            for (sum, belief) in sums.iter_mut().zip(believed(table.fields[f].kind)) {
                *sum += BELIEF * belief;
            }
            set_m(field, &sums);
        }
    }

    /// How many pairs are one person: what the middle one of the rules says.
    fn matches(&self, table: &Table, sessions: &[Session], rules: &[Vec<Part>]) -> f64 {
        let filled = filled(table);
        let chance = |rule: &[Part]| -> f64 {
            let of = |part: &Part| {
                let levels = &self.fields[part.field()];
                let agrees = match part {
                    Part::Whole(_) => levels[0].m,
                    Part::First(..) | Part::Sound(_) => {
                        1.0 - levels.last().map_or(0.0, |last| last.m)
                    }
                };
                agrees * filled[part.field()]
            };
            rule.iter().map(of).product()
        };
        let mut all: Vec<f64> = sessions
            .iter()
            .zip(rules)
            .map(|(session, rule)| session.matches / chance(rule).max(1e-6))
            .collect();
        all.sort_unstable_by(f64::total_cmp);
        let middle = all.get(all.len() / 2).copied().unwrap_or(0.0);
        middle.max(1.0)
    }
}

/// What one rule's pairs taught.
#[derive(Debug)]
struct Session {
    /// Pairs of one person that it expects among all of its pairs.
    matches: f64,
    /// Matches expected at each level of each field, among the pairs it looked at.
    expected: Vec<Vec<f64>>,
    left_out: Vec<bool>,
    /// Pairs for each one that it looked at.
    scale: f64,
}

fn start(kind: Kind) -> Vec<Parameter> {
    let even = 1.0 / kind.levels().len() as f64;
    believed(kind).into_iter().map(|m| Parameter { m, u: even }).collect()
}

/// Shares of sums as m, none of them 0; gives how far m moved at most.
fn set_m(field: &mut [Parameter], sums: &[f64]) -> f64 {
    const LEAST: f64 = 1e-4;
    let all: f64 = sums.iter().sum();
    let mut moved = 0.0_f64;
    for (level, sum) in field.iter_mut().zip(sums) {
        let next = (sum + LEAST * (all + 1.0)) / ((all + 1.0) * (1.0 + LEAST * sums.len() as f64));
        moved = moved.max((next - level.m).abs());
        level.m = next.max(LEAST / 2.0);
    }
    moved
}

/// Share of pairs where both have a value, by field.
fn filled(table: &Table) -> Vec<f64> {
    let width = table.fields.len();
    let mut counts = vec![0_u64; width];
    for row in table.cells.chunks_exact(width.max(1)) {
        for (count, cell) in counts.iter_mut().zip(row) {
            *count += u64::from(*cell != MISSING);
        }
    }
    let all = table.len().max(1) as f64;
    counts.into_iter().map(|count| (count as f64 / all).powi(2)).collect()
}

/// Chance that two records are equal in a field, given that both have a value.
fn equal_shares(table: &Table) -> Vec<f64> {
    (0..table.fields.len())
        .map(|field| {
            let counts = table.field_counts(field);
            let all: u64 = counts.iter().map(|n| u64::from(*n)).sum();
            let same: f64 =
                counts.iter().map(|n| f64::from(*n) * (f64::from(*n) - 1.0).max(0.0)).sum();
            let pairs = all as f64 * (all as f64 - 1.0);
            if pairs > 0.0 { same / pairs } else { 0.0 }
        })
        .collect()
}

fn pair_count(table: &Table, across: bool) -> f64 {
    let all = |n: f64| n * (n - 1.0) / 2.0;
    let mut pairs = all(table.len() as f64);
    if across {
        let mut sizes: BTreeMap<u16, f64> = BTreeMap::new();
        for source in &table.sources {
            *sizes.entry(*source).or_default() += 1.0;
        }
        pairs -= sizes.into_values().map(all).sum::<f64>();
    }
    pairs
}

/// Vectors of pairs taken blindly: all of a small table, else neighbours in the order of hashes.
fn strangers(table: &Table, across: bool, threads: usize) -> Vectors {
    let count = table.len();
    let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    order.sort_unstable_by_key(|record| (table.hashes[*record as usize], *record));
    // All pairs of a small table; of a large one each record with so many that follow it.
    let reach = usize::try_from(STRANGERS / count.max(1) as u64).unwrap_or(0).max(1);
    let reach = if count <= ALL_PAIRS_UP_TO { count } else { reach };
    let firsts = count.min(usize::try_from(STRANGERS).unwrap_or(usize::MAX));
    let share = firsts.div_ceil(4 * threads.max(1)).max(1);
    let starts: Vec<usize> = (0..firsts).step_by(share).collect();
    let work = |from: &usize| {
        let mut counter = Counter::new(table);
        for i in *from..(from + share).min(firsts) {
            for j in i + 1..=(i + reach).min(count - 1) {
                let (a, b) = (order[i], order[j]);
                let source = |of: u32| table.sources[of as usize];
                if !across || source(a) != source(b) {
                    counter.count(a.min(b), a.max(b));
                }
            }
        }
        counter.vectors
    };
    let mut all = Vectors::new();
    for counted in in_parallel(&starts, threads, work) {
        add(&mut all, counted);
    }
    all
}

/// Vectors of a rule's pairs, and how many pairs stand behind each one counted.
fn rule_vectors(
    table: &Table,
    blocks: &Blocks<'_>,
    sorted: &Sorted,
    threads: usize,
) -> (Vectors, f64) {
    let pairs = blocks.estimate(sorted).pairs;
    let every = pairs.div_ceil(FITTED).max(1);
    let takes = |mark: u64| mark.is_multiple_of(every);
    let start = || Counter::new(table);
    let counters =
        blocks.scan(sorted, threads, false, takes, start, |counter, a, b| counter.count(a, b));
    let mut all = Vectors::new();
    for counter in counters {
        add(&mut all, counter.vectors);
    }
    let looked: u64 = all.values().sum();
    (all, if looked > 0 { pairs as f64 / looked as f64 } else { 1.0 })
}

fn add(all: &mut Vectors, more: FxHashMap<u64, u64>) {
    for (code, count) in more {
        *all.entry(code).or_default() += count;
    }
}

/// Counts comparison vectors.
struct Counter<'a> {
    table: &'a Table,
    levels: Vec<u8>,
    vectors: FxHashMap<u64, u64>,
}

impl<'a> Counter<'a> {
    fn new(table: &'a Table) -> Self {
        Self { table, levels: vec![0; table.fields.len()], vectors: FxHashMap::default() }
    }

    fn count(&mut self, a: u32, b: u32) {
        let table = self.table;
        table.compare(table.row(a), table.row(b), &mut self.levels);
        *self.vectors.entry(table.code(&self.levels)).or_default() += 1;
    }
}

impl Table {
    /// Records that carry each value of a field, by number less one.
    pub(super) fn field_counts(&self, field: usize) -> Vec<u32> {
        let mut counts = vec![0_u32; self.values_of(field).len()];
        let cells = self.cells.iter().skip(field).step_by(self.fields.len().max(1));
        for cell in cells.filter(|cell| **cell != MISSING) {
            if let Some(count) = counts.get_mut(*cell as usize - 1) {
                *count += 1;
            }
        }
        counts
    }
}
