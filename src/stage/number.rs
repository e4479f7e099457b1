//! Decimal numbers and money, read exactly.
//!
//! Plain Rust over the text, not a Polars cast: that one rounds what has too many decimals and
//! knows neither thousands separators nor currencies, and an amount is never guessed or rounded.

use crate::table::DECIMAL;

/// Ten thousand: the decimals that `decimal(18,4)` keeps.
const SCALE: u32 = DECIMAL.1.unsigned_abs() as u32;
/// First unscaled value that is too large.
const LIMIT: i128 = 10_i128.pow(DECIMAL.0 as u32);
/// Digits of an amount that are looked at; more cannot be stored anyway.
const DIGITS_MAX: usize = 36;

/// Currencies whose smallest unit is the whole.
///
/// ISK and UGX are not here: ISO gives them no minor unit, but payment systems go on sending
/// hundredths of them.
const WHOLE: [&str; 14] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
/// Currencies of a thousand small units.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Signs of currencies; codes and abbreviations are letters.
const SIGNS: &str = "$€£¥₹₩₽₺₫₪₴฿₦₱₡₵¢₸₲₭";

/// Decimals of the minor unit of an ISO 4217 code.
pub fn exponent(currency: &str) -> u32 {
    let code = currency.trim().to_ascii_uppercase();
    if WHOLE.contains(&code.as_str()) {
        0
    } else if THOUSANDTHS.contains(&code.as_str()) {
        3
    } else {
        2
    }
}

/// `decimal(18,4)`, unscaled, from a plain number: sign, digits, decimals, exponent.
///
/// # Errors
/// The rule that the text breaks.
pub fn decimal(text: &str, mark: char) -> Result<i128, &'static str> {
    let (negative, rest) = sign(text.trim());
    let (mantissa, power) = match rest.split_once(['e', 'E']) {
        Some((mantissa, power)) if power.len() <= 4 => {
            (mantissa, power.parse::<i32>().map_err(|_| "not_a_number")?)
        }
        Some(_) => return Err("not_a_number"),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once(mark).unwrap_or((mantissa, ""));
    scaled(negative, whole, fraction, power)
}

/// `decimal(18,4)`, unscaled, from an amount as people write it: currency signs and codes around
/// it, thousands separated, negative by parentheses or a minus before or after.
///
/// # Errors
/// The rule that the text breaks.
pub fn money(text: &str, mark: char) -> Result<i128, &'static str> {
    let text = text.trim();
    let (bracketed, text) = match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let digits = |c: char| c.is_ascii_digit();
    let (Some(first), Some(last)) = (text.find(digits), text.rfind(digits)) else {
        return Err("not_a_number");
    };
    let (head, rest) = text.split_at(first);
    let (body, tail) = rest.split_at(last + 1 - first);
    // `.50`
    let leading = head.ends_with(mark) && !head.chars().any(char::is_alphabetic);
    let head = if leading { head.strip_suffix(mark).unwrap_or(head) } else { head };
    // `99,-` is ninety-nine and no hundredths
    let tail = match tail.strip_prefix(mark) {
        Some(dash) => dash.strip_prefix(['-', '–', '—']).unwrap_or(dash),
        None => tail,
    };
    let minuses = around(head)? + around(tail)? + usize::from(bracketed);
    if minuses > 1 {
        return Err("not_a_number");
    }
    let (whole, fraction) =
        if leading { ("", body) } else { body.split_once(mark).unwrap_or((body, "")) };
    scaled(minuses == 1, &ungrouped(whole, mark)?, fraction, 0)
}

/// An amount in minor units, turned to major ones.
///
/// # Errors
/// The rule that the text breaks.
pub fn minor(text: &str, currency: &str) -> Result<i128, &'static str> {
    let amount = decimal(text, '.')?;
    let unit = 10_i128.pow(exponent(currency));
    if amount % unit == 0 { Ok(amount / unit) } else { Err("too_many_decimals") }
}

/// An unscaled sum, if `decimal(18,4)` holds it.
///
/// # Errors
/// It does not.
pub fn stored(unscaled: i128) -> Result<i128, &'static str> {
    if unscaled.abs() < LIMIT { Ok(unscaled) } else { Err("too_large") }
}

/// How many minus signs stand beside the digits; anything but a currency there is no amount.
fn around(text: &str) -> Result<usize, &'static str> {
    let (mut minuses, mut letters) = (0, 0);
    for c in text.chars() {
        match c {
            '-' | '−' => minuses += 1,
            '+' | '.' => {}
            c if c.is_whitespace() => {}
            c if c.is_alphabetic() || SIGNS.contains(c) => letters += 1,
            _ => return Err("not_a_number"),
        }
    }
    if letters > 4 { Err("not_a_number") } else { Ok(minuses) }
}

/// Digits without their thousands separators, which must be one sign, where they belong.
fn ungrouped(whole: &str, mark: char) -> Result<String, &'static str> {
    let separator = |c: char| matches!(c, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}');
    let Some(by) = whole.chars().find(|c| !c.is_ascii_digit()) else {
        return Ok(whole.to_owned());
    };
    if by == mark || !separator(by) {
        return Err("not_a_number");
    }
    let groups: Vec<&str> = whole.split(by).collect();
    // India writes 12,34,567.
    let fits = |(i, group): (usize, &&str)| match i {
        0 => (1..=3).contains(&group.len()),
        i if i + 1 == groups.len() => group.len() == 3,
        _ => (2..=3).contains(&group.len()),
    };
    if groups.iter().enumerate().all(fits) { Ok(groups.concat()) } else { Err("not_a_number") }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `whole.fraction` · 10^`power`, unscaled; exact or an error.
fn scaled(negative: bool, whole: &str, fraction: &str, power: i32) -> Result<i128, &'static str> {
    if whole.is_empty() && fraction.is_empty() {
        return Err("not_a_number");
    }
    let digits = || whole.bytes().chain(fraction.bytes());
    if !digits().all(|b| b.is_ascii_digit()) {
        return Err("not_a_number");
    }
    // The digits, of which `decimals` stand after the mark.
    let mut decimals = i64::try_from(fraction.len()).unwrap_or(i64::MAX) - i64::from(power);
    let mut kept: Vec<u8> = digits().skip_while(|b| *b == b'0').collect();
    while decimals > i64::from(SCALE) && kept.last().is_none_or(|b| *b == b'0') {
        if kept.pop().is_none() {
            return Ok(0);
        }
        decimals -= 1;
    }
    if kept.is_empty() {
        return Ok(0);
    }
    if decimals > i64::from(SCALE) {
        return Err("too_many_decimals");
    }
    let zeros = usize::try_from(i64::from(SCALE) - decimals).unwrap_or(usize::MAX);
    if kept.len().saturating_add(zeros) > DIGITS_MAX {
        return Err("too_large");
    }
    kept.extend(std::iter::repeat_n(b'0', zeros));
    let value = kept.iter().fold(0_i128, |sum, b| sum * 10 + i128::from(b - b'0'));
    if value >= LIMIT {
        return Err("too_large");
    }
    Ok(if negative { -value } else { value })
}
