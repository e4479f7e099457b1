//! Phone numbers to E.164, as far as a number says where it is from.
//!
//! A number with a `+` or `00` prefix is checked for a known calling code and a plausible length.
//! A national number needs the job's country; its trunk prefix is cut and its length must be one
//! that the country uses. Not known here: which ranges are assigned, mobile or landline, and
//! numbers of countries that are missing in [`COUNTRIES`] when they are written without prefix.

/// How national numbers of a country are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166 alpha-2.
    pub iso: &'static str,
    pub calling_code: &'static str,
    /// Dialled before a national number, not part of it.
    pub trunk: &'static str,
    /// Digits of a national number without trunk prefix.
    pub digits_min: usize,
    pub digits_max: usize,
}

const fn country(
    iso: &'static str,
    calling_code: &'static str,
    trunk: &'static str,
    digits_min: usize,
    digits_max: usize,
) -> Country {
    Country { iso, calling_code, trunk, digits_min, digits_max }
}

/// Countries whose national numbers are understood.
pub static COUNTRIES: &[Country] = &[
    country("AR", "54", "0", 10, 11),
    country("AT", "43", "0", 4, 13),
    country("AU", "61", "0", 9, 9),
    country("BE", "32", "0", 8, 9),
    country("BG", "359", "0", 7, 9),
    country("BR", "55", "0", 10, 11),
    country("CA", "1", "1", 10, 10),
    country("CH", "41", "0", 9, 9),
    country("CL", "56", "", 9, 9),
    country("CN", "86", "0", 9, 11),
    country("CO", "57", "", 10, 10),
    country("CY", "357", "", 8, 8),
    country("CZ", "420", "", 9, 9),
    country("DE", "49", "0", 5, 12),
    country("DK", "45", "", 8, 8),
    country("EE", "372", "", 7, 8),
    country("ES", "34", "", 9, 9),
    country("FI", "358", "0", 5, 11),
    country("FO", "298", "", 6, 6),
    country("FR", "33", "0", 9, 9),
    country("GB", "44", "0", 9, 10),
    country("GL", "299", "", 6, 6),
    country("GR", "30", "", 10, 10),
    country("HK", "852", "", 8, 8),
    country("HR", "385", "0", 8, 9),
    country("HU", "36", "06", 8, 9),
    country("IE", "353", "0", 7, 9),
    country("IL", "972", "0", 8, 9),
    country("IN", "91", "0", 10, 10),
    country("IS", "354", "", 7, 9),
    // Italian numbers keep their leading zero.
    country("IT", "39", "", 6, 11),
    country("JP", "81", "0", 9, 10),
    country("LI", "423", "", 7, 9),
    country("LT", "370", "8", 8, 8),
    country("LU", "352", "", 5, 11),
    country("LV", "371", "", 8, 8),
    country("MT", "356", "", 8, 8),
    country("MX", "52", "", 10, 10),
    country("NL", "31", "0", 9, 9),
    country("NO", "47", "", 8, 8),
    country("NZ", "64", "0", 8, 10),
    country("PL", "48", "", 9, 9),
    country("PT", "351", "", 9, 9),
    country("RO", "40", "0", 9, 9),
    country("RS", "381", "0", 8, 9),
    country("RU", "7", "8", 10, 10),
    country("SE", "46", "0", 7, 9),
    country("SG", "65", "", 8, 8),
    country("SI", "386", "0", 8, 8),
    country("SK", "421", "0", 9, 9),
    country("TR", "90", "0", 10, 10),
    country("UA", "380", "0", 9, 9),
    country("US", "1", "1", 10, 10),
    country("ZA", "27", "0", 9, 9),
];

/// Calling codes of two digits; all that start with 1 or 7 have one, all others have three.
const TWO_DIGITS: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];
/// First two digits of no calling code.
const UNUSED: &[&str] = &["28", "83", "89"];
/// E.164 allows 15 digits; no international number has fewer than 7.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Digits of a national number that is surely whole.
const WHOLE: usize = 9;

/// The country with an ISO 3166 alpha-2 code.
pub fn by_iso(iso: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.iso.eq_ignore_ascii_case(iso))
}

/// `+` and digits, or `None` when the text is no number or its country cannot be told.
///
/// `text` is trimmed and in NFKC; `home` is the country of numbers without prefix.
pub fn e164(text: &str, home: Option<&Country>) -> Option<String> {
    let text = without_extension(text.trim_start_matches('\''));
    let text = text.strip_prefix("tel:").unwrap_or(text).trim_start();
    // `+44 (0)20 …`: the zero is only dialled inside the country.
    let plus = text.starts_with('+');
    let text = if plus { text.replace("(0)", "") } else { text.to_owned() };
    let mut digits = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '0'..='9' => digits.push(character),
            '+' | ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}'..='\u{2015}' => {}
            _ => return None,
        }
    }
    if plus {
        return international(&digits);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return international(rest);
    }
    let home = home?;
    if let Some(rest) = digits.strip_prefix("011").filter(|_| home.calling_code == "1") {
        return international(rest);
    }
    let fits = |national: &str| (home.digits_min..=home.digits_max).contains(&national.len());
    let with_code = digits.strip_prefix(home.calling_code);
    // Where numbers are of many lengths, `491761234567` may be read both ways; so long a rest is a
    // whole number, and spreadsheets drop the plus more often than people a zero.
    let whole = with_code.filter(|rest| home.trunk == "0" && rest.len() >= WHOLE && fits(rest));
    let national = match digits.strip_prefix(home.trunk) {
        Some(rest) if !home.trunk.is_empty() && fits(rest) => rest,
        _ if whole.is_some() => whole?,
        _ if fits(&digits) && !(home.trunk == "0" && digits.starts_with('0')) => &digits,
        // Spreadsheets drop the plus: `4520304050`.
        _ => with_code.filter(|rest| fits(rest))?,
    };
    Some(format!("+{}{national}", home.calling_code))
}

fn without_extension(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let cut = [";ext=", " ext", " x", "x", "#", ","].iter().filter_map(|mark| lower.find(mark));
    text.get(..cut.min().unwrap_or(text.len())).unwrap_or(text).trim_end()
}

fn international(digits: &str) -> Option<String> {
    let code = calling_code(digits)?;
    let mut national = digits.strip_prefix(code)?;
    let country = COUNTRIES.iter().find(|country| country.calling_code == code);
    if let Some(country) = country {
        // `+46 070 …` is a common slip.
        if national.len() > country.digits_max && !country.trunk.is_empty() {
            national = national.strip_prefix(country.trunk).unwrap_or(national);
        }
        if !(country.digits_min..=country.digits_max).contains(&national.len()) {
            return None;
        }
    }
    let number = format!("+{code}{national}");
    DIGITS.contains(&(number.len() - 1)).then_some(number)
}

/// A number in E.164 without its calling code.
pub fn national(number: &str) -> &str {
    let digits = number.strip_prefix('+').unwrap_or(number);
    calling_code(digits).and_then(|code| digits.strip_prefix(code)).unwrap_or(digits)
}

fn calling_code(digits: &str) -> Option<&str> {
    if digits.starts_with(['1', '7']) {
        return digits.get(..1);
    }
    let two = digits.get(..2)?;
    if TWO_DIGITS.contains(&two) {
        return Some(two);
    }
    (!two.starts_with('0') && !UNUSED.contains(&two)).then(|| digits.get(..3)).flatten()
}
