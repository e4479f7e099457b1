//! Pairs to weights: which are one person, and what speaks for and against it.

use super::block::{Blocks, Estimate, Sorted, in_parallel};
use super::column::MISSING;
use super::compare::{EQUAL, NULL, SWAPPED, unlike};
use super::fit::Model;
use super::{Kind, MatchError, Options, Table};

/// Two records that may be one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    pub left: u32,
    pub right: u32,
    /// log2 of the odds that they are one person.
    pub weight: f64,
    pub is_linked: bool,
}

impl Match {
    pub fn probability(&self) -> f64 {
        1.0 / (1.0 + libm::exp2(-self.weight))
    }
}

/// What one field says about a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub field: String,
    pub left: String,
    pub right: String,
    pub level: &'static str,
    /// log2(m/u) of the level.
    pub weight: f64,
    /// What the frequency of the value adds.
    pub frequency: f64,
}

/// Weights of a model over a table.
#[derive(Debug)]
struct Scale<'a> {
    table: &'a Table,
    /// log2 of the prior odds.
    prior: f64,
    /// Of each field, of each level from 0 on.
    weights: Vec<Vec<f64>>,
    /// Greatest of the levels between equal and missing, which a look at numbers cannot tell.
    best_unlike: Vec<f64>,
    /// Of each field, of each value by number less one: what its frequency adds when equal.
    frequencies: Vec<Vec<f32>>,
}

fn bits(probability: f64) -> f64 {
    let p = probability.clamp(1e-12, 1.0 - 1e-12);
    libm::log2(p / (1.0 - p))
}

impl<'a> Scale<'a> {
    fn new(table: &'a Table, model: &Model) -> Self {
        let weights: Vec<Vec<f64>> = model
            .fields
            .iter()
            .map(|levels| std::iter::once(0.0).chain(levels.iter().map(|l| l.weight())).collect())
            .collect();
        // Swapped names are told by numbers, and are no part of the bound.
        let between = |field: usize, weights: &Vec<f64>| {
            let swap = (table.fields[field].kind == Kind::LastName && table.names.is_some())
                .then_some(usize::from(SWAPPED));
            let levels = weights.iter().enumerate().skip(usize::from(EQUAL) + 1);
            let kept = levels.filter(|(level, _)| Some(*level) != swap).map(|(_, weight)| *weight);
            kept.fold(f64::NEG_INFINITY, f64::max)
        };
        let best_unlike =
            weights.iter().enumerate().map(|(field, weights)| between(field, weights)).collect();
        let frequencies = (0..table.fields.len())
            .map(|field| {
                let counts = table.field_counts(field);
                let all: u64 = counts.iter().map(|n| u64::from(*n)).sum();
                let others = (all as f64 - 1.0).max(1.0);
                let equal = model.fields[field].first().map_or(1.0, |level| level.u);
                let add = |n: u32| libm::log2(equal * others / f64::from(n.max(2) - 1)) as f32;
                counts.into_iter().map(add).collect()
            })
            .collect();
        Self { table, prior: bits(model.prior), weights, best_unlike, frequencies }
    }

    fn frequency(&self, field: usize, value: u32) -> f64 {
        let known = self.frequencies[field].get((value as usize).wrapping_sub(1));
        known.map_or(0.0, |add| f64::from(*add))
    }

    fn steps(&self, left: u32, right: u32) -> Vec<Step> {
        let table = self.table;
        let (a, b) = (table.row(left), table.row(right));
        let mut levels = vec![NULL; table.fields.len()];
        table.compare(a, b, &mut levels);
        let step = |(f, level): (usize, &u8)| {
            let (field, at) = (&table.fields[f], usize::from(*level));
            let level = at.checked_sub(1).and_then(|level| field.kind.levels().get(level));
            Step {
                field: field.name.clone(),
                left: table.values_of(f).text(a[f]).to_owned(),
                right: table.values_of(f).text(b[f]).to_owned(),
                level: level.copied().unwrap_or("missing"),
                weight: self.weights[f].get(at).copied().unwrap_or(0.0),
                frequency: if at == usize::from(EQUAL) { self.frequency(f, a[f]) } else { 0.0 },
            }
        };
        levels.iter().enumerate().map(step).collect()
    }

    /// The weight of a pair, or nothing when it cannot reach `least`: most pairs are told by
    /// numbers alone.
    fn weigh(&self, a: &[u32], b: &[u32], least: f64) -> Option<f64> {
        let swapped = self.table.is_swapped(a, b);
        let mut known = self.prior;
        let mut open = 0.0;
        for f in 0..a.len() {
            let kind = self.table.fields[f].kind;
            if a[f] == MISSING || b[f] == MISSING || self.table.is_told(f, a, b) {
            } else if swapped && kind == Kind::LastName {
                known += self.weights[f][usize::from(SWAPPED)];
            } else if swapped && kind == Kind::FirstName {
            } else if a[f] == b[f] {
                known += self.weights[f][usize::from(EQUAL)] + self.frequency(f, a[f]);
            } else {
                open += self.best_unlike[f];
            }
        }
        if known + open < least {
            return None;
        }
        for f in 0..a.len() {
            let kind = self.table.fields[f].kind;
            let is_told = a[f] == MISSING
                || b[f] == MISSING
                || a[f] == b[f]
                || self.table.is_told(f, a, b)
                || (swapped && matches!(kind, Kind::LastName | Kind::FirstName));
            if is_told {
                continue;
            }
            let level = unlike(kind, self.table.values_of(f), a[f], b[f]);
            known += self.weights[f][usize::from(level)];
            open -= self.best_unlike[f];
            if known + open < least {
                return None;
            }
        }
        Some(known)
    }
}

/// Records with the pairs to look at, known to be few enough.
#[derive(Debug)]
pub struct Candidates<'a> {
    table: &'a Table,
    options: &'a Options,
    blocks: Blocks<'a>,
    sorted: Vec<Sorted>,
    estimates: Vec<Estimate>,
}

impl<'a> Candidates<'a> {
    /// Sorts records into blocks and counts pairs, before any is looked at.
    ///
    /// # Errors
    /// Too many rules, or more pairs than allowed.
    pub fn new(table: &'a Table, options: &'a Options) -> Result<Self, MatchError> {
        let blocks = Blocks::new(table, &options.rules, options.across, options.threads)?;
        let rules: Vec<usize> = (0..options.rules.len()).collect();
        let sorted = in_parallel(&rules, options.threads, |rule| blocks.sorted(*rule));
        let estimates: Vec<Estimate> =
            sorted.iter().map(|sorted| blocks.estimate(sorted)).collect();
        bounded(&estimates, options.candidates_max)?;
        Ok(Self { table, options, blocks, sorted, estimates })
    }

    /// What each blocking rule costs.
    pub fn estimates(&self) -> &[Estimate] {
        &self.estimates
    }

    /// Fits a model to the records.
    pub fn fit(&self) -> Model {
        Model::fit(self.table, &self.blocks, &self.sorted, self.options)
    }

    /// Pairs that are probably one person, and those to look at, in order of records.
    pub fn matches(&self, model: &Model) -> Vec<Match> {
        let (table, options) = (self.table, self.options);
        let scale = Scale::new(table, model);
        let least = bits(options.review.min(options.threshold));
        let mut found: Vec<Match> = Vec::new();
        for sorted in &self.sorted {
            let look = |found: &mut Vec<Match>, left: u32, right: u32| {
                if let Some(weight) = scale.weigh(table.row(left), table.row(right), least) {
                    found.push(Match { left, right, weight, is_linked: false });
                }
            };
            let threads = options.threads;
            let parts = self.blocks.scan(sorted, threads, true, |_| true, Vec::new, look);
            found.extend(parts.into_iter().flatten());
        }
        found.sort_unstable_by_key(|pair| (pair.left, pair.right));
        let enough = bits(options.threshold);
        for pair in &mut found {
            pair.is_linked = pair.weight >= enough;
        }
        if options.one_to_one {
            table.keep_best(&mut found);
        }
        found
    }

    /// What speaks for and against each of some pairs; the sum of a pair's steps, and of the
    /// prior's weight that comes first, is the weight of the pair.
    pub fn waterfalls(&self, model: &Model, pairs: &[Match]) -> (f64, Vec<Vec<Step>>) {
        let scale = Scale::new(self.table, model);
        let steps = pairs.iter().map(|pair| scale.steps(pair.left, pair.right)).collect();
        (scale.prior, steps)
    }
}

impl Table {
    /// Between two sources a record stays in its best pair only: the best pair of all first.
    fn keep_best(&self, found: &mut [Match]) {
        let source = |record: u32| self.sources[record as usize];
        let hash = |record: u32| self.hashes[record as usize];
        let mut order: Vec<usize> = (0..found.len())
            .filter(|i| found[*i].is_linked && source(found[*i].left) != source(found[*i].right))
            .collect();
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&found[*a], &found[*b]);
            let ends = |pair: &Match| {
                let (x, y) = (hash(pair.left), hash(pair.right));
                (x.min(y), x.max(y))
            };
            b.weight.total_cmp(&a.weight).then_with(|| ends(a).cmp(&ends(b)))
        });
        let mut taken = std::collections::BTreeSet::new();
        for i in order {
            let pair = &mut found[i];
            let (left, right) = (pair.left, pair.right);
            let ends = [(left, source(right)), (right, source(left))];
            if ends.iter().any(|end| taken.contains(end)) {
                pair.is_linked = false;
            } else {
                taken.extend(ends);
            }
        }
    }
}

fn bounded(estimates: &[Estimate], limit: u64) -> Result<(), MatchError> {
    let mut pairs = 0_u64;
    for estimate in estimates {
        pairs = pairs.saturating_add(estimate.pairs);
        if pairs > limit {
            return Err(MatchError::TooManyPairs { rule: estimate.rule.clone(), pairs, limit });
        }
    }
    Ok(())
}
