//! One pass over JSON text that checks it by RFC 8259 and tells where each value lies.
//!
//! No library's parser fits: they build a document, or check first and walk a second time. A record
//! is walked once here, and what no column reads is only passed over.

use std::borrow::Cow;

use super::{DEPTH, Malformed, unescape};

/// A value whose text was checked, without blanks around it.
#[derive(Debug, Clone, Copy)]
pub(in crate::extract) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Checks that `text` is one JSON value and nothing else.
    pub(in crate::extract) fn parse(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value().ok()?;
        scanner.ends().then_some(value)
    }

    /// As it is written.
    pub(in crate::extract) fn raw(self) -> &'a str {
        self.0
    }

    pub(in crate::extract) fn first(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or_default()
    }

    /// Names and values of an object, in their order; of anything else none.
    pub(in crate::extract) fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let mut scanner = Scanner::inside(self, b'{');
        std::iter::from_fn(move || {
            let key = scanner.key().ok()??;
            Some((key, scanner.value().ok()?))
        })
    }

    /// The elements of a list, in their order; of anything else none.
    pub(in crate::extract) fn elements(self) -> impl Iterator<Item = Self> {
        let mut scanner = Scanner::inside(self, b'[');
        std::iter::from_fn(
            move || {
                if scanner.element().ok()? { scanner.value().ok() } else { None }
            },
        )
    }
}

/// Goes through a text, value by value.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Objects and lists around the place.
    depth: usize,
    /// Nothing of the object or list at hand was read.
    is_fresh: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, is_fresh: false }
    }

    /// Behind the bracket that a value begins with; at its end if it begins with another.
    fn inside(value: Json<'a>, bracket: u8) -> Self {
        let mut scanner = Self::new(value.0);
        if value.first() != bracket || scanner.enter().is_err() {
            scanner.at = value.0.len();
        }
        scanner
    }

    /// The first byte of the next value, which is then at hand.
    pub(super) fn first(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Where the value at hand begins.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// What was read since a place, which is a whole value.
    pub(super) fn since(&self, place: usize) -> Json<'a> {
        Json(self.text.get(place..self.at).unwrap_or_default())
    }

    /// Only blanks are left.
    pub(super) fn ends(&mut self) -> bool {
        self.first().is_none()
    }

    /// Steps into the object or list at hand.
    pub(super) fn enter(&mut self) -> Result<(), Malformed> {
        if self.depth == DEPTH {
            return Err(Malformed);
        }
        self.at += 1;
        self.depth += 1;
        self.is_fresh = true;
        Ok(())
    }

    /// The next member's name, its value being next; none where the object ends.
    pub(super) fn key(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        if self.is_over(b'}')? {
            return Ok(None);
        }
        let (key, escaped) = self.string()?;
        if self.first() != Some(b':') {
            return Err(Malformed);
        }
        self.at += 1;
        if !escaped {
            return Ok(Some(Cow::Borrowed(key)));
        }
        let mut plain = String::new();
        unescape(key, &mut plain)?;
        Ok(Some(Cow::Owned(plain)))
    }

    /// Whether there is another element, which is then next.
    pub(super) fn element(&mut self) -> Result<bool, Malformed> {
        Ok(!self.is_over(b']')?)
    }

    /// The object or list at hand ends; else the comma before the next part of it is passed.
    fn is_over(&mut self, close: u8) -> Result<bool, Malformed> {
        let is_fresh = std::mem::replace(&mut self.is_fresh, false);
        match self.first() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                return Ok(true);
            }
            _ if is_fresh => return Ok(false),
            Some(b',') => self.at += 1,
            _ => return Err(Malformed),
        }
        // A comma that nothing follows.
        if self.first() == Some(close) { Err(Malformed) } else { Ok(false) }
    }

    /// Passes over the next value.
    pub(super) fn value(&mut self) -> Result<Json<'a>, Malformed> {
        let first = self.first().ok_or(Malformed)?;
        let place = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' => {
                self.enter()?;
                while !self.is_over(b'}')? {
                    self.string()?;
                    if self.first() != Some(b':') {
                        return Err(Malformed);
                    }
                    self.at += 1;
                    self.value()?;
                }
            }
            b'[' => {
                self.enter()?;
                while self.element()? {
                    self.value()?;
                }
            }
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(Malformed),
        }
        Ok(self.since(place))
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.pass(b"-");
        if !self.pass(b"0") {
            self.digits()?;
        }
        if self.pass(b".") {
            self.digits()?;
        }
        if self.pass(b"eE") {
            self.pass(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    fn pass(&mut self, any: &[u8]) -> bool {
        let found = self.text.as_bytes().get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Malformed) } else { Ok(()) }
    }

    /// The inside of the string at hand, and whether it has escapes.
    fn string(&mut self) -> Result<(&'a str, bool), Malformed> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return Err(Malformed);
        }
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            at += plain(bytes.get(at..).unwrap_or_default());
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += escape(bytes.get(at + 1..).unwrap_or_default()).ok_or(Malformed)?;
                }
                _ => return Err(Malformed),
            }
        }
        self.at = at + 1;
        Ok((self.text.get(start..at).ok_or(Malformed)?, escaped))
    }
}

/// Length of an escape of which `rest` follows the backslash.
fn escape(rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => rest.get(1..5)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// Bytes up to the first quote, backslash or control character.
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    let (words, _) = bytes.as_chunks::<8>();
    for word in words {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\')).count()
}

/// Whether the inside of a string is anything else than its text.
pub(in crate::extract) fn has_escapes(inside: &str) -> bool {
    let bytes = inside.as_bytes();
    let (words, _) = bytes.as_chunks::<8>();
    // The last word overlaps the one before it; only shorter texts are looked at byte by byte.
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.contains(&b'\\') };
    let is_escaped = |word: &[u8; 8]| is(u64::from_le_bytes(*word), b'\\') != 0;
    words.iter().any(is_escaped) || is_escaped(last)
}

/// The high bit of the first byte that is a quote, a backslash or a control character; the bits
/// above that one say nothing.
///
/// Eight bytes at a time: the test for a byte below n of Anderson's "Bit Twiddling Hacks".
fn special(word: u64) -> u64 {
    is(word, b'"') | is(word, b'\\') | below(word, 0x20)
}

/// As [`special`], for one byte.
fn is(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

fn below(word: u64, limit: u64) -> u64 {
    word.wrapping_sub(ONES * limit) & !word & HIGH
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
