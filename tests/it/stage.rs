//! Staging: text to types, and every source from its bytes to canonical rows.

mod definitions;
mod derived;
mod drift;
mod options;
mod parts;
mod scale;
mod sources;
mod thin;
mod typing;
mod variants;
mod warnings;
mod windows;
