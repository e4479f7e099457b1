//! Two values of a field to one of a few levels of agreement.
//!
//! Level 0 is "one of them is missing" and says nothing, level 1 is equal, the last is different,
//! and those between are ways to be nearly equal. The levels of all fields of a pair are its
//! comparison vector, which is one small number.

use super::column::{MISSING, Values};
use super::distance::{edits, jaro_winkler};
use super::{Kind, Table};

/// A value is missing.
pub(super) const NULL: u8 = 0;
/// Both values are the same.
pub(super) const EQUAL: u8 = 1;
/// Levels of a kind, with what one can say about them.
const NAME: &[&str] = &["equal", "short form", "very alike", "sounds alike", "different"];
/// First and last name stand in each other's place; it is a level of the last name, and the first
/// name then counts as missing, because both say it together.
const LAST_NAME: &[&str] =
    &["equal", "first and last name swapped", "very alike", "sounds alike", "different"];
const DATE: &[&str] = &[
    "equal",
    "one digit, or day and month swapped",
    "two of year, month and day",
    "two digits",
    "different",
];
const POSTCODE: &[&str] = &["equal", "one character", "same area", "different"];
const TEXT: &[&str] = &["equal", "very alike", "alike", "different"];
const ID: &[&str] = &["equal", "one character", "two characters", "different"];
const EMAIL: &[&str] =
    &["equal", "same name, other host", "one character", "two characters", "different"];
const EXACT: &[&str] = &["equal", "different"];
const LIST: &[&str] = &["equal", "one in common", "different"];

/// The level that swapped names are.
pub(super) const SWAPPED: u8 = 2;

impl Kind {
    /// Names of the levels, from level 1 on.
    pub fn levels(self) -> &'static [&'static str] {
        match self {
            Self::FirstName => NAME,
            Self::LastName => LAST_NAME,
            Self::Date => DATE,
            Self::Postcode => POSTCODE,
            Self::Text => TEXT,
            Self::Id => ID,
            Self::Email => EMAIL,
            Self::Exact => EXACT,
            Self::List => LIST,
        }
    }

    /// Levels, the missing one too.
    pub(super) fn base(self) -> u32 {
        u32::try_from(self.levels().len()).unwrap_or(0) + 1
    }
}

/// Two values of one field that are there and not equal.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    values: &'a Values,
    numbers: (u32, u32),
    left: &'a str,
    right: &'a str,
}

impl Pair<'_> {
    /// Jaro–Winkler similarity; 0 when it is surely below `least`.
    fn alike(self, least: f64) -> f64 {
        let (a, b) = (self.values.shape(self.numbers.0), self.values.shape(self.numbers.1));
        if a.alike_at_most(b) < least { 0.0 } else { jaro_winkler(self.left, self.right) }
    }

    /// Edits between both, up to `most`; more is `most + 1`.
    fn edits(self, most: u32) -> u32 {
        let (a, b) = (self.values.shape(self.numbers.0), self.values.shape(self.numbers.1));
        let surely = a.edits_at_least(b) > most;
        if surely { most + 1 } else { edits(self.left, self.right, most) }
    }

    fn name(self, kind: Kind) -> u8 {
        let (values, (a, b)) = (self.values, self.numbers);
        let root = values.root(a);
        if kind == Kind::FirstName && root != 0 && root == values.root(b) {
            return 2;
        }
        let has_word = |word: &str| self.right.split(' ').any(|other| other == word);
        match self.alike(0.85) {
            alike if alike >= 0.92 => 3,
            alike if alike >= 0.85 || values.sound(a) == values.sound(b) => 4,
            // One of two given names: `anna` and `eva anna`.
            _ if (values.shape(a).has_space() || values.shape(b).has_space())
                && self.left.split(' ').any(|word| word.len() > 1 && has_word(word)) =>
            {
                4
            }
            _ => 5,
        }
    }

    /// Digits `YYYYMMDD`.
    fn date(self) -> u8 {
        let part = |text: &'_ str| -> [u32; 3] {
            let number = |from: usize, to: usize| {
                let digits = text.as_bytes().get(from..to).unwrap_or_default();
                digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit & 15))
            };
            [number(0, 4), number(4, 6), number(6, 8)]
        };
        let ([y, m, d], [z, n, e]) = (part(self.left), part(self.right));
        let same = [y == z, m == n, d == e].into_iter().filter(|same| *same).count();
        match self.edits(2) {
            _ if y == z && m == e && d == n => 2,
            0 | 1 => 2,
            _ if same == 2 => 3,
            2 => 4,
            _ => 5,
        }
    }

    fn email(self) -> u8 {
        let local = |text: &'_ str| text.rfind('@').unwrap_or(text.len());
        let (a, b) = (self.left.get(..local(self.left)), self.right.get(..local(self.right)));
        // No level for addresses that are merely alike: they are made of names, and names that
        // agree have been counted.
        match self.edits(2) {
            _ if a == b => 2,
            0 | 1 => 3,
            2 => 4,
            _ => 5,
        }
    }
}

/// The level of two values of a field that are there and not equal.
pub(super) fn unlike(kind: Kind, values: &Values, a: u32, b: u32) -> u8 {
    let pair = Pair { values, numbers: (a, b), left: values.text(a), right: values.text(b) };
    match kind {
        Kind::FirstName | Kind::LastName => pair.name(kind),
        Kind::Date => pair.date(),
        Kind::Postcode => match pair.edits(1) {
            0 | 1 => 2,
            _ if area(pair.left) == area(pair.right) => 3,
            _ => 4,
        },
        Kind::Text => match pair.alike(0.80) {
            alike if alike >= 0.92 => 2,
            alike if alike >= 0.80 => 3,
            _ => 4,
        },
        Kind::Id => match pair.edits(2) {
            0 | 1 => 2,
            2 => 3,
            _ => 4,
        },
        Kind::Email => pair.email(),
        Kind::Exact => 2,
        Kind::List => {
            let has = |part: &str| pair.right.split(';').any(|other| part == other);
            if pair.left.split(';').any(has) { 2 } else { 3 }
        }
    }
}

/// All but the last two characters: the district in most countries.
fn area(postcode: &str) -> &str {
    let cut = postcode.len().saturating_sub(2).max(2);
    postcode.get(..cut).unwrap_or(postcode)
}

impl Table {
    /// Whether first and last name of two records stand in each other's place: one of them
    /// exactly, the other nearly.
    pub(super) fn is_swapped(&self, a: &[u32], b: &[u32]) -> bool {
        let Some((first, last)) = self.names else { return false };
        let (fa, la, fb, lb) = (a[first], a[last], b[first], b[last]);
        let there = [fa, la, fb, lb].iter().all(|value| *value != MISSING);
        if !there || fa == fb || la == lb || (fa != lb && la != fb) {
            return false;
        }
        let names = self.values_of(first);
        let near = |x: u32, y: u32| x == y || jaro_winkler(names.text(x), names.text(y)) >= 0.92;
        near(fa, lb) && near(la, fb)
    }

    /// Whether another field has said what this one could.
    pub(super) fn is_told(&self, field: usize, a: &[u32], b: &[u32]) -> bool {
        self.fields[field].told_by.is_some_and(|by| a[by] != MISSING && a[by] == b[by])
    }

    /// Levels of all fields of two records.
    pub(super) fn compare(&self, a: &[u32], b: &[u32], levels: &mut [u8]) {
        let swapped = self.is_swapped(a, b);
        for (f, field) in self.fields.iter().enumerate() {
            levels[f] = match (a[f], b[f]) {
                (MISSING, _) | (_, MISSING) => NULL,
                _ if self.is_told(f, a, b) => NULL,
                _ if swapped && field.kind == Kind::LastName => SWAPPED,
                _ if swapped && field.kind == Kind::FirstName => NULL,
                (x, y) if x == y => EQUAL,
                (x, y) => unlike(field.kind, self.values_of(f), x, y),
            };
        }
    }

    /// The number of a comparison vector.
    pub(super) fn code(&self, levels: &[u8]) -> u64 {
        let digits = self.fields.iter().zip(levels);
        digits
            .fold(0, |code, (field, level)| code * u64::from(field.kind.base()) + u64::from(*level))
    }

    /// The comparison vector of a number.
    pub(super) fn levels(&self, mut code: u64) -> Vec<u8> {
        let mut levels = vec![0; self.fields.len()];
        for (field, level) in self.fields.iter().zip(levels.iter_mut()).rev() {
            let base = u64::from(field.kind.base());
            *level = u8::try_from(code % base).unwrap_or(0);
            code /= base;
        }
        levels
    }
}
