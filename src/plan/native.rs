//! The steps in Rust: what each reads and makes. `run::native` knows how to call them.

use crate::job::Job;

/// A step in Rust.
#[derive(Debug)]
pub struct Native {
    pub name: &'static str,
    /// Tables, views, and `run`.
    pub inputs: &'static [&'static str],
    pub outputs: &'static [&'static str],
    /// Raised when the code gives other rows for the same input.
    pub version: u32,
    /// The job's options it reads, as text.
    pub options: fn(&Job) -> String,
}

/// All steps in Rust but staging and `current`, which follow from the catalogue.
pub static NATIVE: &[Native] = &[];
