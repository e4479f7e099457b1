//! Numbers per grain: folds over one customer's life, kernels over small tables.
//!
//! Plain functions without IO; `run::native` reads their inputs by SQL and writes what they give.

pub mod changes;
pub mod clv;
pub mod fold;
pub mod kernel;
pub mod pain;
pub mod participation;
pub mod scores;
pub mod service;
pub mod suppression;
