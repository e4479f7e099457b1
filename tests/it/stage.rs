//! Staging: text to types, and every source from its bytes to canonical rows.

mod parts;
mod sources;
mod typing;
