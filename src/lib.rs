//! cxmart: raw feedback and CRM exports in, a published customer-experience mart out.
//!
//! Start at `ARCHITECTURE.md`; every module below is one room of it.

#![allow(rustdoc::private_intra_doc_links, reason = "docs are read in the source, too")]

pub mod catalog;
pub mod check;
pub mod cli;
pub mod current;
pub mod demo;
pub mod engine;
pub mod extract;
pub mod forget;
pub mod job;
pub mod measure;
pub mod plan;
pub mod profile;
pub mod publish;
pub mod resolve;
pub mod run;
pub mod settings;
pub mod stage;
pub mod state;
pub mod storage;
pub mod table;
pub mod telemetry;
pub mod upkeep;
