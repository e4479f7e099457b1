//! E-mail addresses and phone numbers of forgotten people inside the texts of others.

use std::ops::Range;

use super::Eraser;

/// Stands where something was taken out.
pub const ERASED: &str = "[erased]";

/// Digits that a phone number has.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Pieces between blanks that one number may be written in.
const PIECES: usize = 6;

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte) || byte >= 0x80
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte) || byte >= 0x80
}

/// What may be addresses: the text around each `@`.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for at in memchr::memchr_iter(b'@', bytes) {
        let before = bytes.get(..at).unwrap_or_default();
        let after = bytes.get(at + 1..).unwrap_or_default();
        let start = at - before.iter().rev().take_while(|byte| is_local(**byte)).count();
        let length = after.iter().take_while(|byte| is_domain(**byte)).count();
        let domain = after.get(..length).unwrap_or_default();
        let dots = domain.iter().rev().take_while(|byte| b".-".contains(byte)).count();
        found.push(start..at + 1 + length - dots);
    }
    found
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+ ()-./".contains(&byte)
}

fn digits(text: &[u8]) -> usize {
    text.iter().filter(|byte| byte.is_ascii_digit()).count()
}

/// What may be phone numbers: runs of digits and what stands between them, whole or in parts.
fn numbers(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let run = bytes.iter().skip(start).take_while(|byte| is_number(**byte)).count();
        if run == 0 {
            start += 1;
            continue;
        }
        let part = bytes.get(start..start + run).unwrap_or_default();
        if digits(part) >= *DIGITS.start() {
            pieces(part, start, &mut found);
        }
        start += run;
    }
    found
}

/// Neighbouring pieces of a run, longest first.
fn pieces(run: &[u8], offset: usize, found: &mut Vec<Range<usize>>) {
    let mut ends = Vec::new();
    let mut at = 0;
    for piece in run.split(|byte| *byte == b' ') {
        if digits(piece) > 0 {
            ends.push(at..at + piece.len());
        }
        at += piece.len() + 1;
    }
    for many in (1..=PIECES.min(ends.len())).rev() {
        for window in ends.windows(many) {
            if let (Some(first), Some(last)) = (window.first(), window.last()) {
                let whole = run.get(first.start..last.end).unwrap_or_default();
                if DIGITS.contains(&digits(whole)) {
                    found.push(offset + first.start..offset + last.end);
                }
            }
        }
    }
}

impl Eraser {
    /// Whether a text names somebody by address or number.
    pub fn is_mentioned(&self, text: &str) -> bool {
        self.mentions(text).next().is_some()
    }

    fn mentions(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let of = move |kind: &'static str| {
            move |range: &Range<usize>| {
                let raw = text.get(range.clone()).unwrap_or_default();
                self.identifier(kind, "", raw).is_some()
            }
        };
        let phone = move |range: &Range<usize>| {
            let raw = text.get(range.clone()).unwrap_or_default();
            let bare = raw.trim_matches(['(', ')', '-', '.', '/']);
            of("phone")(range) || self.identifier("phone", "", bare).is_some()
        };
        addresses(text)
            .into_iter()
            .filter(of("email"))
            .chain(numbers(text).into_iter().filter(phone))
    }

    /// The text without them; `None` when it names nobody.
    pub fn redacted(&self, text: &str) -> Option<String> {
        let mut ranges: Vec<Range<usize>> = self.mentions(text).collect();
        if ranges.is_empty() {
            return None;
        }
        ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            if range.start < at {
                at = at.max(range.end);
                continue;
            }
            clean.push_str(text.get(at..range.start).unwrap_or_default());
            clean.push_str(ERASED);
            at = range.end;
        }
        clean.push_str(text.get(at..).unwrap_or_default());
        Some(clean)
    }
}
