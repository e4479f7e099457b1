//! Text as it was: what counts as null, HTML entities, and what a reject may show of it.

use arrow::array::{Array, StringArray, StringBuilder};
use arrow::buffer::{BooleanBuffer, NullBuffer};

/// Characters of a value that a reject shows.
const SHOWN_MAX: usize = 80;
/// Digits in a row that name nobody.
const DIGITS_SHOWN_MAX: usize = 4;
/// A word this short (`N/A`, `null`) is shown where a number should stand.
const WORD_SHOWN_MAX: usize = 4;
/// Longest entity that is looked for, without `&` and `;`.
const ENTITY_MAX: usize = 10;

/// The column with blank text and `null_values` as nulls; the bytes are shared, not copied.
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
    let valid = NullBuffer::new(BooleanBuffer::collect_bool(text.len(), holds));
    StringArray::new(text.offsets().clone(), text.values().clone(), Some(valid))
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

/// One pass: `&amp;#39;` becomes `&#39;`, as a browser would show it.
pub fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= ENTITY_MAX);
        let found = entity.and_then(|(name, tail)| Some((character(name)?, tail)));
        match found {
            Some((c, tail)) => {
                out.push(c);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
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
