//! Which pairs are looked at: those that agree on all parts of a blocking rule.
//!
//! Records are sorted by the key of a rule; equal keys are a block, and how many pairs its blocks
//! hold is known before any pair is. A pair that an earlier rule holds is passed over, so each is
//! looked at once and none is stored.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::column::MISSING;
use super::{MatchError, RULES_MAX, Table, hash, mix};

/// One thing that records of a block agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value of a field.
    Whole(usize),
    /// Its first characters.
    First(usize, usize),
    /// How a name sounds.
    Sound(usize),
}

impl Part {
    pub(super) fn field(self) -> usize {
        match self {
            Self::Whole(field) | Self::First(field, _) | Self::Sound(field) => field,
        }
    }
}

/// What a rule costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    pub rule: String,
    /// Pairs in its blocks, also those that other rules hold.
    pub pairs: u64,
    /// Records in its largest block.
    pub largest: usize,
}

/// What `work` makes of each item, in their order.
pub(super) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut made = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return made };
            made.push((at, work(item)));
        }
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(run)).collect();
        all.extend(workers.into_iter().filter_map(|worker| worker.join().ok()).flatten());
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, made)| made).collect()
}

/// Key of a record that a rule does not look at.
const NO_KEY: u64 = 0;

/// Blocking rules applied to records.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    table: &'a Table,
    rules: &'a [Vec<Part>],
    across: bool,
    /// Of each record, of each rule.
    keys: Vec<u64>,
}

/// Records of one rule, block after block.
#[derive(Debug)]
pub(super) struct Sorted {
    rule: usize,
    records: Vec<u32>,
    /// Where blocks of two or more begin and end.
    blocks: Vec<(u32, u32)>,
    /// Key hashes of those blocks, to sample by.
    marks: Vec<u64>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(
        table: &'a Table,
        rules: &'a [Vec<Part>],
        across: bool,
        threads: usize,
    ) -> Result<Self, MatchError> {
        if rules.len() > RULES_MAX {
            return Err(MatchError::TooManyRules);
        }
        let of_rule = |rule: &Vec<Part>| -> Vec<u64> {
            let columns: Vec<(usize, Vec<u64>)> =
                rule.iter().map(|part| (part.field(), table.part_hashes(*part))).collect();
            let key = |row: &[u32]| {
                columns.iter().enumerate().fold(1, |key, (at, (field, hashes))| {
                    let part = hashes.get(row[*field] as usize).copied().unwrap_or(NO_KEY);
                    if key == NO_KEY || part == NO_KEY {
                        NO_KEY
                    } else {
                        mix(key.rotate_left(17) ^ part ^ at as u64) | 1
                    }
                })
            };
            table.cells.chunks_exact(table.fields.len().max(1)).map(key).collect()
        };
        let mut keys = vec![NO_KEY; table.len() * rules.len()];
        for (r, of_rule) in in_parallel(rules, threads, of_rule).into_iter().enumerate() {
            let own = keys.iter_mut().skip(r).step_by(rules.len());
            own.zip(of_rule).for_each(|(to, key)| *to = key);
        }
        Ok(Self { table, rules, across, keys })
    }

    fn key(&self, record: u32, rule: usize) -> u64 {
        self.keys.get(record as usize * self.rules.len() + rule).copied().unwrap_or(NO_KEY)
    }

    /// Records of a rule by key.
    pub(super) fn sorted(&self, rule: usize) -> Sorted {
        let count = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        let mut keyed: Vec<(u64, u32)> = (0..count)
            .map(|record| (self.key(record, rule), record))
            .filter(|(key, _)| *key != NO_KEY)
            .collect();
        keyed.sort_unstable();
        let (mut blocks, mut marks, mut start) = (Vec::new(), Vec::new(), 0_u32);
        for block in keyed.chunk_by(|a, b| a.0 == b.0) {
            let end = start + u32::try_from(block.len()).unwrap_or(u32::MAX);
            if block.len() > 1 {
                blocks.push((start, end));
                marks.push(mix(block.first().map_or(0, |(key, _)| *key)));
            }
            start = end;
        }
        let records = keyed.into_iter().map(|(_, record)| record).collect();
        Sorted { rule, records, blocks, marks }
    }

    /// What each rule costs, in their order.
    pub(super) fn estimate(&self, sorted: &Sorted) -> Estimate {
        let mut pairs = 0_u64;
        let mut largest = 0;
        for (start, end) in &sorted.blocks {
            let block = &sorted.records[*start as usize..*end as usize];
            let all = |n: usize| n as u64 * (n as u64).saturating_sub(1) / 2;
            pairs = pairs.saturating_add(all(block.len()));
            largest = largest.max(block.len());
            if self.across {
                let mut sources: Vec<u16> =
                    block.iter().map(|record| self.table.sources[*record as usize]).collect();
                sources.sort_unstable();
                let within = sources.chunk_by(|a, b| a == b).map(|same| all(same.len()));
                pairs -= within.sum::<u64>();
            }
        }
        Estimate { rule: self.name(sorted.rule), pairs, largest }
    }

    /// The rule as a job would write it.
    pub(super) fn name(&self, rule: usize) -> String {
        let name = |field: usize| self.table.fields[field].name.as_str();
        let part = |part: &Part| match *part {
            Part::Whole(field) => name(field).to_owned(),
            Part::First(field, count) => format!("first({}, {count})", name(field)),
            Part::Sound(field) => format!("sounds({})", name(field)),
        };
        let parts: Vec<String> = self.rules.get(rule).into_iter().flatten().map(part).collect();
        if parts.is_empty() { "everything".to_owned() } else { parts.join(" + ") }
    }

    fn is_seen_before(&self, rule: usize, a: u32, b: u32) -> bool {
        (0..rule).any(|earlier| {
            let key = self.key(a, earlier);
            key != NO_KEY && key == self.key(b, earlier)
        })
    }

    /// Gives each pair of a rule to `look`, on `threads`; of blocks whose mark `takes` holds.
    /// With `once`, pairs of earlier rules are passed over.
    pub(super) fn scan<T: Send>(
        &self,
        sorted: &Sorted,
        threads: usize,
        once: bool,
        takes: impl Fn(u64) -> bool + Sync,
        start: impl Fn() -> T + Sync,
        look: impl Fn(&mut T, u32, u32) + Sync,
    ) -> Vec<T> {
        // Small shares, dealt out in turn: one large block does not hold up the rest.
        let shares = shares(sorted, &takes);
        let next = AtomicUsize::new(0);
        let work = |_: &usize| {
            let mut state = start();
            while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.walk(sorted, share, once, &mut |a, b| look(&mut state, a, b));
            }
            state
        };
        in_parallel(&vec![0; threads.max(1)], threads, work)
    }

    fn walk(&self, sorted: &Sorted, share: &Share, once: bool, look: &mut impl FnMut(u32, u32)) {
        for (start, end) in &share.blocks {
            let block = &sorted.records[*start as usize..*end as usize];
            let rows = if share.to > 0 { share.from..share.to } else { *start..*end };
            for i in rows {
                let at = (i - start) as usize;
                let a = block[at];
                for b in &block[at + 1..] {
                    let apart = |of: u32| self.table.sources[of as usize];
                    let skip = (self.across && apart(a) == apart(*b))
                        || (once && self.is_seen_before(sorted.rule, a, *b));
                    if !skip {
                        look(a.min(*b), a.max(*b));
                    }
                }
            }
        }
    }
}

/// Whole blocks, or some rows of one that is large.
#[derive(Debug, Default)]
struct Share {
    blocks: Vec<(u32, u32)>,
    from: u32,
    to: u32,
}

/// The work of a rule in pieces of about the same size.
fn shares(sorted: &Sorted, takes: &impl Fn(u64) -> bool) -> Vec<Share> {
    const PAIRS: u64 = 1 << 16;
    let mut shares: Vec<Share> = Vec::new();
    let mut open: Option<(Share, u64)> = None;
    for ((start, end), mark) in sorted.blocks.iter().zip(&sorted.marks) {
        if !takes(*mark) {
            continue;
        }
        let size = u64::from(end - start);
        if size * size > PAIRS {
            let step = u32::try_from((PAIRS / size).max(1)).unwrap_or(1);
            let mut from = *start;
            while from < *end {
                let to = from.saturating_add(step).min(*end);
                shares.push(Share { blocks: vec![(*start, *end)], from, to });
                from = to;
            }
            continue;
        }
        let (share, weight) = open.get_or_insert_with(Default::default);
        share.blocks.push((*start, *end));
        *weight += size * size;
        if *weight > PAIRS
            && let Some((share, _)) = open.take()
        {
            shares.push(share);
        }
    }
    shares.extend(open.map(|(share, _)| share));
    shares
}

impl Table {
    /// Hash of a part for each value of its field, by number.
    fn part_hashes(&self, part: Part) -> Vec<u64> {
        let values = self.values_of(part.field());
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
        let of = |number: u32| match part {
            _ if number == MISSING => NO_KEY,
            Part::Whole(_) => hash(values.text(number).as_bytes()) | 1,
            Part::First(_, length) => {
                let text = values.text(number);
                let end = text.char_indices().nth(length).map_or(text.len(), |(at, _)| at);
                hash(text.get(..end).unwrap_or(text).as_bytes()) | 1
            }
            Part::Sound(_) => hash(values.sound_text(number).as_bytes()) | 1,
        };
        (0..=count).map(of).collect()
    }
}
