//! What a job says of segments, personas and churn risk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of segments and personas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Segments {
    /// Personas at least.
    pub personas_min: u32,
    /// Personas at most, up to 12.
    pub personas_max: u32,
    /// The first personas are kept to number and name later ones by; raise this number to keep the
    /// next ones instead.
    pub fit: u32,
}

impl Default for Segments {
    fn default() -> Self {
        Self { personas_min: 3, personas_max: 8, fit: 1 }
    }
}

/// Options of churn risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Risk {
    /// People that models are fitted to and tested on: a sample that their ids decide.
    pub train_customers: u32,
    /// Customers who churned, and who stayed, that a model is fitted to at least.
    pub churners_min: u32,
}

impl Default for Risk {
    fn default() -> Self {
        Self { train_customers: 30_000, churners_min: 100 }
    }
}
