//! Statistics that SQL cannot say: sufficient statistics in, small tables out.
//!
//! Every kernel is a pure function whose float sums run in the order of its input, so a caller
//! that hands rows over in canonical order gets the same digits on every run. Each public function
//! names the paper and equation that it computes.

pub mod bgnbd;
pub mod boosting;
pub mod buying;
pub mod change;
pub mod clusters;
pub mod discrimination;
pub mod gamma_gamma;
pub mod interval;
pub mod isotonic;
pub mod kaplan_meier;
pub mod krylov;
pub mod log_rank;
pub mod logistic;
pub mod markov;
pub mod optimise;
pub mod pareto;
pub mod quantile;
pub mod risk;
pub mod sample;
pub mod sbg;
pub mod special;
pub mod stability;
