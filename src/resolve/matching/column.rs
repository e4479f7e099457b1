//! Values of people's records in one spelling, each distinct one kept once and known by a number.
//!
//! A million records are then a table of small numbers: most comparisons are whether two numbers
//! are equal, and only the rest looks at text.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Kind;
use super::distance;
use crate::resolve::intern::Interner;

/// The number of a missing value.
pub(super) const MISSING: u32 = 0;

/// What tells two texts apart without reading them: most pairs differ in too many characters to be
/// alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// A bit for each character, modulo 61.
    characters: u64,
    head: [u8; 4],
    length: u16,
}

impl Shape {
    const SPACE: u64 = 1 << 63;

    fn of(text: &str) -> Self {
        let bit = |c: char| if c == ' ' { Self::SPACE } else { 1 << (u32::from(c) % 61) };
        let characters = text.chars().fold(0, |all, c| all | bit(c));
        let mut head = [0; 4];
        head.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        let length = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        Self { characters, head, length }
    }

    pub(super) fn has_space(self) -> bool {
        self.characters & Self::SPACE != 0
    }

    /// Characters of one that the other lacks, the greater of both sides: no fewer edits make the
    /// one the other.
    pub(super) fn edits_at_least(self, other: Self) -> u32 {
        let lacks = |a: Self, b: Self| (a.characters & !b.characters).count_ones();
        let length = u32::from(self.length.abs_diff(other.length));
        lacks(self, other).max(lacks(other, self)).max(length)
    }

    /// No Jaro–Winkler similarity is greater.
    pub(super) fn alike_at_most(self, other: Self) -> f64 {
        let shared = |a: Self, b: Self| {
            f64::from(a.length) - f64::from((a.characters & !b.characters).count_ones())
        };
        let common = shared(self, other).min(shared(other, self));
        let part = |length: u16| common / f64::from(length.max(1));
        let jaro = (part(self.length) + part(other.length) + 1.0) / 3.0;
        let same = self.head.iter().zip(other.head).take_while(|(a, b)| **a == *b).count();
        jaro + 0.1 * same as f64 * (1.0 - jaro)
    }
}

/// Distinct values of one field, or of all names.
#[derive(Debug, Default)]
pub(super) struct Values {
    known: Interner,
    /// How each sounds: names only.
    sounds: Vec<u32>,
    sound_names: Interner,
    /// Which characters stand in each.
    shapes: Vec<Shape>,
    /// What each is short for, 0 for nothing: names only.
    roots: Vec<u16>,
}

impl Values {
    /// The number of a text, [`MISSING`] of an empty one; `None` when there are too many.
    pub(super) fn number(&mut self, text: &str, is_name: bool) -> Option<u32> {
        if text.is_empty() {
            return Some(MISSING);
        }
        let (id, new) = self.known.intern(text.as_bytes())?;
        if new {
            self.shapes.push(Shape::of(text));
            if is_name {
                let sound = distance::cologne(text);
                let (sound, _) = self.sound_names.intern(sound.as_bytes())?;
                self.sounds.push(sound);
                self.roots.push(distance::nickname(text));
            }
        }
        id.checked_add(1)
    }

    /// The text of a number; empty for [`MISSING`].
    pub(super) fn text(&self, number: u32) -> &str {
        let id = number.checked_sub(1);
        id.map_or("", |id| std::str::from_utf8(self.known.get(id)).unwrap_or_default())
    }

    /// Distinct values.
    pub(super) fn len(&self) -> usize {
        self.shapes.len()
    }

    pub(super) fn shape(&self, number: u32) -> Shape {
        self.shapes.get((number as usize).wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// How it sounds, as a number that is equal for names that sound alike.
    pub(super) fn sound(&self, number: u32) -> Option<u32> {
        self.sounds.get((number as usize).wrapping_sub(1)).copied()
    }

    pub(super) fn sound_text(&self, number: u32) -> &str {
        let sound = self.sound(number);
        sound.map_or("", |id| std::str::from_utf8(self.sound_names.get(id)).unwrap_or_default())
    }

    pub(super) fn root(&self, number: u32) -> u16 {
        self.roots.get((number as usize).wrapping_sub(1)).copied().unwrap_or(0)
    }

    pub(super) fn freeze(&mut self) {
        self.known.freeze();
        self.sound_names.freeze();
    }
}

/// Writes the one spelling of a value; nothing is written for one that says nothing.
pub(super) fn spell(kind: Kind, raw: &str, into: &mut String) {
    into.clear();
    match kind {
        Kind::FirstName | Kind::LastName | Kind::Text => letters(raw, into),
        Kind::Date => date(raw, into),
        Kind::Postcode | Kind::Id => {
            into.extend(raw.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
        }
        Kind::Email | Kind::Exact => into.push_str(raw.trim().to_lowercase().as_str()),
        Kind::List => list(raw, into),
    }
    let is_void = into.len() < 5 && matches!(into.as_str(), "na" | "nan" | "none" | "null" | "-");
    if is_void {
        into.clear();
    }
}

/// Letters and digits in lower case, words parted by one space; æ ø å ä ö ü ß as ae oe aa ae oe ue
/// ss, so that the two ways to write them are one, and no other accents.
pub(super) fn letters(raw: &str, into: &mut String) {
    let mut gap = false;
    let mut push = |c: char, into: &mut String| {
        if c.is_alphanumeric() {
            if gap && !into.is_empty() {
                into.push(' ');
            }
            gap = false;
            into.push(c);
        } else if c != '\'' && c != '’' && c != '.' {
            gap = true;
        }
    };
    if raw.is_ascii() {
        raw.chars().for_each(|c| push(c.to_ascii_lowercase(), into));
        return;
    }
    for c in raw.nfc().flat_map(char::to_lowercase) {
        let two = match c {
            'æ' | 'ä' => "ae",
            'ø' | 'ö' | 'œ' => "oe",
            'å' => "aa",
            'ü' => "ue",
            'ß' => "ss",
            'þ' => "th",
            'ð' | 'đ' => "d",
            'ł' => "l",
            _ => "",
        };
        if two.is_empty() {
            std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c)).for_each(|c| push(c, into));
        } else {
            two.chars().for_each(|c| push(c, into));
        }
    }
}

/// `YYYYMMDD`, of ISO dates and of eight digits.
fn date(raw: &str, into: &mut String) {
    let day = raw.trim().split(['T', ' ']).next().unwrap_or_default();
    into.extend(day.chars().filter(char::is_ascii_digit));
    if into.len() != 8 || into.chars().all(|c| c == '0') {
        into.clear();
    }
}

/// Parts of a list joined by `;`, in order, each once.
fn list(raw: &str, into: &mut String) {
    let mut parts: Vec<String> =
        raw.split(';').map(|part| part.trim().to_lowercase()).filter(|p| !p.is_empty()).collect();
    parts.sort_unstable();
    parts.dedup();
    into.push_str(&parts.join(";"));
}
