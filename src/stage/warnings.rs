//! What a chunk's readers should know though its records are used, counted by rule and column.

use arrow::array::StringArray;
use memchr::memmem;

use super::text;
use crate::extract::Warning;

/// The warnings of a chunk, and the column that is looked at.
#[derive(Debug, Default)]
pub(super) struct Notes {
    column: String,
    warnings: Vec<Warning>,
}

impl Notes {
    /// Goes on from what extraction had noted.
    pub(super) fn new(warnings: &[Warning]) -> Self {
        Self { column: String::new(), warnings: warnings.to_vec() }
    }

    /// What follows is about this column.
    pub(super) fn column(&mut self, prefix: &str, name: &str) {
        self.column.clear();
        self.column.push_str(prefix);
        self.column.push_str(name);
    }

    pub(super) fn add(&mut self, rule: &'static str, records: u64, text: &str) {
        if records > 0 {
            let (column, text) = (self.column.clone(), text.to_owned());
            self.warnings.push(Warning { rule, column, records, text });
        }
    }

    /// Text that was UTF-8, was read as something else and written as UTF-8 once more (`Ã¸`): it
    /// stays as it is, but is told.
    pub(super) fn mojibake(&mut self, column: &StringArray) {
        let suspect = |bytes: &[u8]| SIGNS.iter().any(|sign| memmem::find(bytes, sign).is_some());
        if column.value_data().is_ascii() || !suspect(column.value_data()) {
            return;
        }
        let mut texts = column.iter().flatten().filter(|text| is_mojibake(text));
        let Some(first) = texts.next() else { return };
        self.add("mojibake", 1 + texts.count() as u64, &text::shown(first, true));
    }

    pub(super) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }
}

/// What `Ã`, `Â` and `â€` are as bytes; the letters alone are fine.
const SIGNS: [&[u8]; 3] = [b"\xc3\x83", b"\xc3\x82", b"\xc3\xa2\xe2\x82\xac"];

fn is_mojibake(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        // A byte between 0x80 and 0xBF, as windows-1252 or latin-1 shows it.
        let continues =
            ('\u{80}'..='\u{bf}').contains(&c) || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c);
        let found = match before {
            'Ã' => continues,
            // Before what stands after a number or opens a quote it can be meant.
            'Â' => continues && !matches!(c, '“' | '”' | '’' | '–' | '—' | '…'),
            'â' => c == '€',
            _ => false,
        };
        before = c;
        found
    })
}
