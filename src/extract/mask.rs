//! What a reject shows of a record: enough to find it, too little to identify a person.

/// Characters a reject keeps.
const TEXT_CHARS: usize = 200;
/// Characters looked at, so that an address that is cut in two is still seen as one.
const SEEN_CHARS: usize = 600;
/// A run of digits this long may be a phone, a card or a person's number.
const DIGITS: usize = 5;

/// Digits of a number that people write in groups.
const GROUPED: std::ops::RangeInclusive<usize> = 8..=15;
/// As of a number that begins with `+`.
const INTERNATIONAL: std::ops::RangeInclusive<usize> = 7..=15;

/// Masks mail addresses and the digits of long numbers, then cuts to 200 characters.
pub fn mask(text: &str) -> String {
    let mut seen: Vec<char> = text.chars().take(SEEN_CHARS).collect();
    mask_groups(&mut seen);
    let mut masked = String::with_capacity(TEXT_CHARS);
    let mut rest = seen.as_slice();
    while let Some(&first) = rest.first() {
        let word = rest.iter().take_while(|c| is_address(**c)).count();
        if word == 0 {
            masked.push(if first.is_control() { ' ' } else { first });
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (head, tail) = rest.split_at(word);
        if head.contains(&'@') {
            masked.push_str("***@***");
        } else {
            push_number(head, &mut masked);
        }
        rest = tail;
    }
    masked.chars().take(TEXT_CHARS).collect()
}

/// The text with the digits of phone numbers masked, as far as they are looked at.
pub fn without_phones(text: &str) -> String {
    let mut seen: Vec<char> = text.chars().take(SEEN_CHARS).collect();
    mask_groups(&mut seen);
    seen.into_iter().collect()
}

/// Masks numbers whose digits stand in groups, such as `+45 20 30 40 51` or `(020) 7946-0018`; not
/// dates, which is what most rejects are about.
fn mask_groups(seen: &mut [char]) {
    let mut at = 0;
    while at < seen.len() {
        let rest = seen.get(at..).unwrap_or_default();
        let is_inside = at > 0 && seen.get(at - 1).is_some_and(|c| c.is_alphanumeric());
        let length = if is_inside { 0 } else { grouped(rest) };
        let is_phone = rest.get(..length).is_some_and(is_phone);
        for c in seen.iter_mut().skip(at).take(if is_phone { length } else { 0 }) {
            if c.is_ascii_digit() {
                *c = '#';
            }
        }
        at += length.max(1);
    }
}

/// Length of the digits and what stands between their groups, that a text begins with.
fn grouped(text: &[char]) -> usize {
    let (mut length, mut gap) = (0, 0);
    for (i, c) in text.iter().enumerate() {
        match c {
            '0'..='9' => (length, gap) = (i + 1, 0),
            '+' if i == 0 => {}
            ' ' | '-' | '.' | '/' | '(' | ')' if gap < 2 => gap += 1,
            _ => break,
        }
    }
    length
}

fn is_phone(text: &[char]) -> bool {
    let count = text.iter().filter(|c| c.is_ascii_digit()).count();
    if text.first() == Some(&'+') {
        return INTERNATIONAL.contains(&count);
    }
    let groups = text.split(|c| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    let groups: Vec<String> = groups.map(|group| group.iter().collect()).collect();
    let is_year =
        |group: &String| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let is_day =
        |group: &String| group.len() == 8 && (group.starts_with("19") || group.starts_with("20"));
    let is_date = groups.len() >= 3 && [0, 2].iter().any(|i| groups.get(*i).is_some_and(is_year))
        || groups.len() == 2 && groups.first().is_some_and(is_day);
    GROUPED.contains(&count) && !is_date
}

fn is_address(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-' | '\'')
}

fn push_number(word: &[char], masked: &mut String) {
    let mut rest = word;
    while let Some(&first) = rest.first() {
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        if digits >= DIGITS {
            masked.extend(std::iter::repeat_n('#', digits));
        } else if digits > 0 {
            masked.extend(rest.iter().take(digits));
        } else {
            masked.push(first);
        }
        rest = rest.get(digits.max(1)..).unwrap_or_default();
    }
}
