//! Which records are probably one person though no identifier says so: the model of Fellegi and
//! Sunter (1969), fitted without labels.
//!
//! Blocking rules say which pairs are looked at, and how many that are is known before any is.
//! Each pair becomes a comparison vector; vectors are counted, not stored. How often unrelated
//! records agree (u) comes from pairs sampled by the hash of the record's key and from the
//! frequencies of values, how often records of one person agree (m) by expectation–maximisation.
//! The sum of log2(m/u) is the weight of a pair. Nothing here depends on the order of records, on
//! threads, or on chance.

mod block;
mod column;
mod compare;
mod distance;
mod fit;
mod score;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use column::{MISSING, Values};

pub use block::{Estimate, Part};
pub use fit::{Model, Parameter};
pub use score::{Candidates, Match, Step};

/// Most values of all fields together, most records, most rules.
const RULES_MAX: usize = 32;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MatchError {
    #[error(
        "blocking rule `{rule}` of `identity.matching` brings the pairs to look at to {pairs}, \
         more than `candidates_max` of {limit}"
    )]
    TooManyPairs { rule: String, pairs: u64, limit: u64 },
    #[error("more records or values to match than 32 bits can number")]
    TooManyRecords,
    #[error("`{0}` is not a field of `identity.matching`")]
    NoField(String),
    #[error("`{0}` is no part of a blocking rule")]
    NoPart(String),
    #[error("more than {RULES_MAX} blocking rules, or fields whose levels pass 64 bits")]
    TooManyRules,
}

/// How two values of a field are compared, and how they are spelt before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Given name: short forms, Jaro–Winkler, sound.
    FirstName,
    /// Family name: Jaro–Winkler, sound, or in the place of the given name.
    LastName,
    /// Levenshtein over the digits, or day and month in each other's place.
    Date,
    Postcode,
    /// Street, city, company: Jaro–Winkler.
    Text,
    /// Number of a card, a phone, a document: Levenshtein.
    Id,
    Email,
    /// Equal or not.
    Exact,
    /// Values joined by `;`: one in common or none.
    List,
}

impl Kind {
    /// All kinds by the name that a job knows them by.
    pub const ALL: [(&'static str, Self); 9] = [
        ("first_name", Self::FirstName),
        ("last_name", Self::LastName),
        ("date", Self::Date),
        ("postcode", Self::Postcode),
        ("text", Self::Text),
        ("id", Self::Id),
        ("email", Self::Email),
        ("exact", Self::Exact),
        ("list", Self::List),
    ];

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    fn is_name(self) -> bool {
        matches!(self, Self::FirstName | Self::LastName)
    }
}

/// One thing records are compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    /// A field that says as much: where that one is equal, this one is not looked at. A postal
    /// code tells the city, and to count both would count one thing twice.
    pub told_by: Option<usize>,
}

/// What is matched and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Each a list of parts; records that agree on all parts of one rule are a pair to look at.
    pub rules: Vec<Vec<Part>>,
    /// Pairs at least this probable are one person.
    pub threshold: f64,
    /// Pairs at least this probable are given, too, for people to look at.
    pub review: f64,
    /// Most pairs to look at.
    pub candidates_max: u64,
    /// Only pairs of two sources.
    pub across: bool,
    /// Of the pairs between two sources, a record is in the best one only.
    pub one_to_one: bool,
    pub threads: usize,
}

/// Records of people as numbers of their values.
#[derive(Debug)]
pub struct Table {
    fields: Vec<Field>,
    /// Where the values of each field are: all names are in one, so that a first name can be
    /// found as a last name.
    slots: Vec<usize>,
    values: Vec<Values>,
    /// Row by row.
    cells: Vec<u32>,
    hashes: Vec<u64>,
    sources: Vec<u16>,
    /// First and last name, if there are both.
    names: Option<(usize, usize)>,
}

/// Letters and digits of a text in the one spelling that names are compared in.
pub(super) fn folded(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    column::letters(raw, &mut text);
    text
}

/// Spreads the bits of a number over all 64 (the last step of `SplitMix64`).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A hash of a text that is the same everywhere and for good (FNV-1a, mixed).
fn hash(text: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(text.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

impl Table {
    /// # Errors
    /// The levels of all fields together have no number.
    pub fn new(fields: Vec<Field>) -> Result<Self, MatchError> {
        let bases = fields.iter().map(|field| u64::from(field.kind.base()));
        bases.into_iter().try_fold(1_u64, u64::checked_mul).ok_or(MatchError::TooManyRules)?;
        let mut slots = Vec::with_capacity(fields.len());
        let mut values: Vec<Values> = Vec::new();
        let mut names = None;
        for field in &fields {
            let slot = names.filter(|_| field.kind.is_name()).unwrap_or(values.len());
            if slot == values.len() {
                values.push(Values::default());
            }
            if field.kind.is_name() {
                names = Some(slot);
            }
            slots.push(slot);
        }
        let place = |kind| fields.iter().position(|field| field.kind == kind);
        let names = place(Kind::FirstName).zip(place(Kind::LastName));
        let (cells, hashes, sources) = Default::default();
        Ok(Self { fields, slots, values, cells, hashes, sources, names })
    }

    /// Takes in records, column by column; what is missing is empty. A record's number is how many
    /// came before. `sources` tells apart what `across` and `one_to_one` are about.
    ///
    /// # Errors
    /// More records or values than numbers.
    pub fn push<'a, C>(
        &mut self,
        keys: impl Iterator<Item = &'a str>,
        sources: &[u16],
        columns: &[C],
        threads: usize,
    ) -> Result<(), MatchError>
    where
        C: Fn(usize) -> &'a str + Sync,
    {
        let (rows, width) = (sources.len(), self.fields.len());
        let known = self.hashes.len();
        if u32::try_from(known + rows + 1).is_err() {
            return Err(MatchError::TooManyRecords);
        }
        self.hashes.extend(keys.take(rows).map(|key| hash(key.as_bytes())));
        self.sources.extend_from_slice(sources);
        let (fields, slots) = (&self.fields, &self.slots);
        // A slot is one thread's: its numbers follow the order of rows, not of threads.
        let work: Vec<Mutex<&mut Values>> = self.values.iter_mut().map(Mutex::new).collect();
        let next = AtomicUsize::new(0);
        let read = || {
            let mut cells: Vec<(usize, Vec<u32>)> = Vec::new();
            let mut spelt = String::new();
            while let Some(slot) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Ok(mut values) = slot.lock() else { continue };
                let at = work.iter().position(|other| std::ptr::eq(other, slot));
                let own = slots.iter().enumerate().filter(|(_, slot)| Some(**slot) == at);
                for (f, column) in own.filter_map(|(f, _)| Some((f, columns.get(f)?))) {
                    let number = |row| {
                        column::spell(fields[f].kind, column(row), &mut spelt);
                        values.number(&spelt, fields[f].kind.is_name())
                    };
                    let numbers: Option<Vec<u32>> = (0..rows).map(number).collect();
                    cells.push((f, numbers.ok_or(MatchError::TooManyRecords)?));
                }
            }
            Ok::<_, MatchError>(cells)
        };
        let mut made = Vec::new();
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(read)).collect();
            made.push(read());
            made.extend(others.into_iter().filter_map(|worker| worker.join().ok()));
        });
        self.cells.resize((known + rows) * width, MISSING);
        for (f, numbers) in made.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            let cells = self.cells.iter_mut().skip(known * width + f).step_by(width);
            cells.zip(numbers).for_each(|(cell, number)| *cell = number);
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// No more records come: frees what only taking in needs.
    pub fn freeze(&mut self) {
        self.values.iter_mut().for_each(Values::freeze);
    }

    fn row(&self, record: u32) -> &[u32] {
        let (at, width) = (record as usize * self.fields.len(), self.fields.len());
        self.cells.get(at..at + width).unwrap_or_default()
    }

    fn values_of(&self, field: usize) -> &Values {
        &self.values[self.slots[field]]
    }

    /// A part of a blocking rule: `last_name`, `first(first_name, 3)`, `sounds(last_name)`.
    ///
    /// # Errors
    /// No such part or field.
    pub fn part(&self, text: &str) -> Result<Part, MatchError> {
        let no = || MatchError::NoPart(text.to_owned());
        let field = |name: &str| {
            let name = name.trim();
            let at = self.fields.iter().position(|field| field.name == name);
            at.ok_or_else(|| MatchError::NoField(name.to_owned()))
        };
        let text = text.trim();
        let Some((verb, rest)) = text.split_once('(') else { return Ok(Part::Whole(field(text)?)) };
        let inner = rest.strip_suffix(')').ok_or_else(no)?;
        match (verb.trim(), inner.split_once(',')) {
            ("sounds", None) => {
                let at = field(inner)?;
                if self.fields[at].kind.is_name() { Ok(Part::Sound(at)) } else { Err(no()) }
            }
            ("first", Some((name, count))) => {
                let count = count.trim().parse().ok().filter(|n| *n > 0).ok_or_else(no)?;
                Ok(Part::First(field(name)?, count))
            }
            _ => Err(no()),
        }
    }
}
