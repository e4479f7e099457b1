//! JSON written member by member, in the order a vendor writes it, without a tree in between.

use std::fmt::{Display, Write};

/// Text under way; commas are put where they belong.
#[derive(Debug, Default)]
pub struct Json {
    pub text: String,
}

impl Json {
    fn comma(&mut self) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'{' | b'[' | b'\n')) {
            self.text.push(',');
        }
    }

    fn name(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self
    }

    /// An object without a name: a record, or an element of a list.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.comma();
        self.text.push('{');
        fill(self);
        self.text.push('}');
    }

    pub fn member(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name).text.push('{');
        fill(self);
        self.text.push('}');
    }

    pub fn list(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name).text.push('[');
        fill(self);
        self.text.push(']');
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
    }

    /// A text or `null`.
    pub fn maybe(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.plain(name, "null"),
        }
    }

    /// A number, `true`, `false` or `null`, as it prints.
    pub fn plain(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.name(name).text, "{value}");
    }

    /// Something that prints without quotes or backslashes, in quotes.
    pub fn shown(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.name(name).text, "\"{value}\"");
    }

    fn quoted(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                c if c < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", c as u32);
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

/// Cents as `123.45`.
pub fn major(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
