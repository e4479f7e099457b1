//! Everything that needs the library, in one binary: each binary links both engines again.

mod fold;
mod kernel;
mod laws;
mod lease;
mod resolve;
mod skeleton;
mod stage;
mod table;
