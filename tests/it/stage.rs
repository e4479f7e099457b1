//! Staging: text to types, and every source from its bytes to canonical rows.

mod sources;
mod typing;
