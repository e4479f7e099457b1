//! Everything that needs the library, in one binary: each binary links both engines again.

mod laws;
mod kernel;
mod skeleton;
mod table;
