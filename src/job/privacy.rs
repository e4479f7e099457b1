//! What becomes of personal data: people who are forgotten, what readers see, and how long.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Erasure, pseudonyms and retention.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// What `cxmart forget` does to the events of a person.
    pub erasure: Erasure,
    /// Personal columns of published tables show keyed hashes instead of values. The key is
    /// `CXMART__PRIVACY__KEY`.
    pub pseudonyms: bool,
    /// Names that key. Another key needs another name, and gives other pseudonyms.
    pub key_id: Option<String>,
    /// Days that a published table keeps, by table; older partitions are left out.
    pub retention: BTreeMap<String, u32>,
}

impl Privacy {
    /// Whether published tables keep anything from their readers by these options alone.
    pub fn masks(&self) -> bool {
        self.pseudonyms || !self.retention.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// Events stay under a name that says nothing, so that counts do not move.
    #[default]
    Anonymise,
    /// Events go, and what they touched is restated.
    Delete,
}
