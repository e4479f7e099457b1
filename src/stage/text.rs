//! Text as it was: what counts as null, HTML entities, and what a reject may show of it.

use std::borrow::Cow;

use arrow::array::{Array, StringArray, StringBuilder};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::extract::without_phones;

/// Characters of a value that a reject shows.
const SHOWN_MAX: usize = 80;
/// Digits in a row that name nobody.
const DIGITS_SHOWN_MAX: usize = 4;
/// A word this short (`N/A`, `null`) is shown where a number should stand.
const WORD_SHOWN_MAX: usize = 4;
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 16] = [
    "br",
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "blockquote",
    "hr",
    "pre",
];
/// Longest entity that is looked for, without `&` and `;`.
const ENTITY_MAX: usize = 10;

/// The column with blank text and `null_values` as nulls; the bytes are shared, not copied, and where
/// there is nothing to change it is the one given.
pub fn cleaned(text: &StringArray, null_values: &[String]) -> StringArray {
    let holds = |i: usize| {
        if text.is_null(i) {
            return false;
        }
        let value = text.value(i);
        // Most values start with a visible character and no list names them.
        let blank =
            value.bytes().next().is_none_or(|b| b <= b' ' || b >= 0x80) && value.trim().is_empty();
        !blank && !null_values.iter().any(|null| null == value.trim())
    };
    if text.null_count() == text.len() {
        return text.clone();
    }
    let valid = BooleanBuffer::collect_bool(text.len(), holds);
    if valid.count_set_bits() == text.len() - text.null_count() {
        return text.clone();
    }
    let valid = Some(NullBuffer::new(valid));
    StringArray::new(text.offsets().clone(), text.values().clone(), valid)
}

/// The column without outer blanks; shared with the given one where no value has any.
pub fn trimmed(text: &StringArray) -> StringArray {
    if text.iter().flatten().all(|value| value.trim().len() == value.len()) {
        return text.clone();
    }
    text.iter().map(|value| value.map(str::trim)).collect()
}

/// Entities (`&amp;`, `&#39;`, `&#x27;`) as the characters they stand for.
pub fn unescaped(text: &StringArray) -> StringArray {
    if !text.iter().flatten().any(|value| value.contains('&')) {
        return text.clone();
    }
    let mut builder = StringBuilder::with_capacity(text.len(), text.value_data().len());
    for value in text {
        match value {
            Some(value) if value.contains('&') => builder.append_value(unescape(value)),
            other => builder.append_option(other),
        }
    }
    builder.finish()
}

/// Without the apostrophe that keeps a spreadsheet from reading a formula (`'+34…`).
pub fn unguarded(text: StringArray) -> StringArray {
    let guarded = |value: &str| value.starts_with('\'') && guard(value).is_some();
    if memchr::memchr(b'\'', text.value_data()).is_none() {
        return text;
    }
    if !text.iter().flatten().any(guarded) {
        return text;
    }
    text.iter().map(|value| value.map(|value| guard(value).unwrap_or(value))).collect()
}

fn guard(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('\'')?;
    let mut after = rest.chars();
    let (first, second) = (after.next()?, after.next()?);
    let signed = matches!(first, '+' | '-') && (second.is_ascii_digit() || second == '(');
    (signed || matches!(first, '=' | '@') && !second.is_whitespace()).then_some(rest)
}

/// With letters and their accents as one character each (NFC), however the exporting system
/// writes them, so that equal words are equal.
pub fn composed(text: StringArray) -> StringArray {
    if text.value_data().is_ascii() || text.iter().flatten().all(is_composed) {
        return text;
    }
    let compose = |value: &str| value.nfc().collect::<String>();
    text.iter().map(|value| value.map(compose)).collect()
}

fn is_composed(value: &str) -> bool {
    value.is_ascii() || is_nfc_quick(value.chars()) == IsNormalized::Yes
}

/// Markup as the words it shows.
pub fn stripped(text: &StringArray) -> StringArray {
    if !text.iter().flatten().any(|value| value.contains(['<', '&'])) {
        return text.clone();
    }
    text.iter().map(|value| value.map(words)).collect()
}

/// The words that HTML shows: tags go, blocks end a line, entities become characters, and what
/// only a browser reads is left out.
pub fn words(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        push_words(before, &mut out);
        let Some(tag) = tag(after) else {
            out.push('<');
            rest = after;
            continue;
        };
        rest = tag.after;
        match tag.name.as_str() {
            "script" | "style" | "head" | "title" if tag.opens => rest = past(rest, &tag.name),
            name if BLOCKS.contains(&name) && !out.is_empty() && !out.ends_with('\n') => {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
            }
            _ => {}
        }
    }
    push_words(rest, &mut out);
    let text = unescape(out.trim());
    text.trim().to_owned()
}

/// Text between tags, with runs of blanks as one.
fn push_words(text: &str, out: &mut String) {
    for c in text.chars() {
        if !c.is_ascii_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

struct Tag<'a> {
    name: String,
    opens: bool,
    after: &'a str,
}

/// The tag or comment that follows a `<`; none where it is only a sign (`a < b`).
fn tag(text: &str) -> Option<Tag<'_>> {
    let none = |after| Tag { name: String::new(), opens: false, after };
    if let Some(comment) = text.strip_prefix("!--") {
        return Some(none(comment.split_once("-->").map_or("", |(_, after)| after)));
    }
    let closes = text.starts_with('/');
    let named = text.strip_prefix(['/', '!', '?']).unwrap_or(text);
    if !named.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let name: String = named.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut quote = None;
    let end = named.char_indices().find_map(|(at, c)| match quote {
        None if c == '>' => Some(at),
        None if c == '"' || c == '\'' => {
            quote = Some(c);
            None
        }
        Some(open) if open == c => {
            quote = None;
            None
        }
        _ => None,
    })?;
    Some(Tag { name: name.to_ascii_lowercase(), opens: !closes, after: named.get(end + 1..)? })
}

/// What follows the end of an element that shows no words.
fn past<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        if after.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return after.split_once('>').map_or("", |(_, after)| after);
        }
        rest = after;
    }
    ""
}

/// One pass: `&amp;#39;` becomes `&#39;`, as a browser would show it.
pub fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= ENTITY_MAX);
        let found = entity.and_then(|(name, tail)| Some((character(name)?, tail)));
        if let Some((c, tail)) = found {
            out.push(c);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?).filter(|c| *c != '\0')
        }
    }
}

/// Whether a spreadsheet has turned the id into a number and lost its digits: `4.50E+12`.
pub fn is_scientific(id: &str) -> bool {
    let Some((mantissa, power)) = id.trim().split_once(['e', 'E']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1
        && digits(whole)
        && digits(fraction)
        && power.strip_prefix('+').is_some_and(digits)
}

/// What a reject shows of a value: cut short, without mail addresses, names of people or long
/// numbers.
///
/// `is_word` says that the column holds words of a fixed list or free text rather than numbers
/// and times; then letters stay. A number or time keeps its digits, so that the fault is seen,
/// unless it looks like a phone.
pub fn shown(value: &str, is_word: bool) -> String {
    if value.contains('@') {
        return "(an e-mail address)".into();
    }
    let has_letters = is_word || value.chars().count() <= WORD_SHOWN_MAX;
    let has_digits = !is_word && !value.trim_start().starts_with(['+', '(']);
    let mut out = String::new();
    let mut digits = 0;
    // Numbers and times stand in groups too, and dates are told from phones.
    let may_be_phone = is_word || value.contains(['+', ' ']);
    let value: Cow<'_, str> =
        if may_be_phone { without_phones(value).into() } else { value.into() };
    for c in value.chars().take(SHOWN_MAX) {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        out.push(match c {
            c if c.is_control() => ' ',
            c if !has_digits && c.is_ascii_digit() && digits > DIGITS_SHOWN_MAX => '#',
            c if !has_letters && c.is_alphabetic() => 'x',
            c => c,
        });
    }
    if value.chars().nth(SHOWN_MAX).is_some() {
        out.push('…');
    }
    out
}
