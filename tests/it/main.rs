//! Everything that needs the library, in one binary: each binary links both engines again.

mod catalog;
mod check;
mod cli;
mod clients;
mod clv;
mod demo;
mod examples;
mod extract;
mod faulty;
mod fold;
mod kernel;
mod killed;
mod laws;
mod lease;
mod pinned;
mod profile;
mod project;
mod publish;
mod resolve;
mod scores;
mod skeleton;
mod stage;
mod storage;
mod table;
mod upkeep;
