//! Whether anything at all names a forgotten person: cells of any table, and bytes of any text.

use super::Eraser;

/// Characters of a customer id.
const CUSTOMER_CHARS: usize = 34;
/// Pieces of a word that one identifier may be: ids of cookies have dots, and ids of sessions hold
/// the cookie's.
const PIECES: usize = 6;

impl Eraser {
    /// Whether a text of no known kind names somebody: an address, a number, a customer id, or an
    /// identifier that is long enough to be nobody else's.
    pub fn is_in(&self, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let is_word = |c: char| c.is_alphanumeric() || "_-+@.:".contains(c);
        let mut words = text.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        self.is_value(text.trim())
            || self.is_mentioned(text)
            || words.any(|word| self.is_value(word) || self.is_in_word(word))
    }

    /// Whether an identifier is a part of a word, between signs that are no letters.
    fn is_in_word(&self, word: &str) -> bool {
        let is_sign = |byte: &u8| byte.is_ascii_punctuation();
        if !word.as_bytes().iter().any(is_sign) {
            return false;
        }
        let mut pieces = Vec::new();
        let mut at = 0;
        for piece in word.as_bytes().split(is_sign) {
            pieces.push(at..at + piece.len());
            at += piece.len() + 1;
        }
        pieces.iter().enumerate().any(|(first, from)| {
            let mut parts = pieces.iter().skip(first).take(PIECES);
            parts.any(|to| word.get(from.start..to.end).is_some_and(|part| self.is_value(part)))
        })
    }

    fn is_value(&self, word: &str) -> bool {
        if word.len() == CUSTOMER_CHARS && word.starts_with("c_") && self.customer(word).is_some() {
            return true;
        }
        self.codes.value(word).is_some_and(|code| self.values.contains_key(&code))
    }
}
