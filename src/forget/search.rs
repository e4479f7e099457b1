//! Whether anything at all names a forgotten person: cells of any table, and bytes of any text.

use super::Eraser;

/// Characters of a customer id.
const CUSTOMER_CHARS: usize = 34;

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
            || words.any(|word| self.is_value(word))
    }

    fn is_value(&self, word: &str) -> bool {
        if word.len() == CUSTOMER_CHARS && word.starts_with("c_") && self.customer(word).is_some() {
            return true;
        }
        self.codes.value(word).is_some_and(|code| self.values.contains_key(&code))
    }
}
