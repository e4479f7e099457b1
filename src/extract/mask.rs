//! What a reject shows of a record: enough to find it, too little to identify a person.

/// Characters a reject keeps.
const TEXT_CHARS: usize = 200;
/// Characters looked at, so that an address that is cut in two is still seen as one.
const SEEN_CHARS: usize = 600;
/// A run of digits this long may be a phone, a card or a person's number.
const DIGITS: usize = 5;

/// Masks mail addresses and the digits of long numbers, then cuts to 200 characters.
pub fn mask(text: &str) -> String {
    let seen: Vec<char> = text.chars().take(SEEN_CHARS).collect();
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
