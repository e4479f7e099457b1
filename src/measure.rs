//! Numbers per grain: folds over one customer's life, kernels over small tables.
//!
//! Plain functions without IO; `run::native` reads their inputs by SQL and writes what they give.

pub mod changes;
pub mod clv;
mod columns;
pub mod drawn;
pub mod features;
pub mod fold;
pub mod kernel;
pub mod pain;
pub mod participation;
pub mod risk;
pub mod scores;
pub mod segments;
pub mod service;
pub mod suppression;
