//! Everything that needs the library, in one binary: each binary links both engines again.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::unreadable_literal,
    clippy::excessive_precision,
    clippy::float_cmp,
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::doc_markdown,
    clippy::duration_suboptimal_units,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test may stop at once, and says numbers as their sources do"
)]

mod accounts;
mod airflow;
mod ana;
mod canaries;
mod catalog;
mod cdnow;
mod changes;
mod chaos;
mod check;
mod cli;
mod clients;
mod clv;
mod contact;
mod counted;
mod cube;
mod currencies;
mod daily;
mod demo;
mod detect;
mod environments;
mod examples;
mod extract;
mod faults;
mod faulty;
mod fold;
mod forget;
mod gcs;
mod http;
mod identity;
mod joins;
mod journeys;
mod kernel;
mod killed;
mod laws;
mod learning;
mod lease;
mod matching;
mod notices;
mod oracle;
mod pains;
mod past;
mod pinned;
mod planned;
mod policies;
mod profile;
mod project;
mod proxy;
mod publish;
mod reference;
mod refit;
mod renewal;
mod repair;
mod resolve;
mod risk;
mod salt;
mod scores;
mod segments;
mod servers;
mod service;
mod shipped;
mod sink;
mod skeleton;
mod slices;
mod sources;
mod stage;
mod storage;
mod stores;
mod table;
mod tools;
mod upkeep;
mod whole;
mod worth;
