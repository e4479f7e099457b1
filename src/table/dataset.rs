//! Rows that lie in files: what steps hand to one another, and what a release names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hash::{Hash, Hasher};

/// One immutable Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Relative to the warehouse.
    pub path: String,
    pub bytes: u64,
    pub rows: u64,
    /// SHA-256 of the bytes: integrity.
    pub file_hash: Hash,
    /// Of the rows in canonical order: cut-off.
    pub content_hash: Hash,
    /// Values of the partition columns, as they stand in a path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition: BTreeMap<String, String>,
    /// Slice (0–63), bucket, or which cut of the partition this is.
    pub ordinal: u32,
    /// Of the rows of the slice whose file, or one of whose cuts, this is, and of how they are
    /// written: the next run that has the same names the same files. None: never asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Hash>,
}

/// A table's rows: files in order of partition and ordinal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    pub name: String,
    /// Of the step's inputs: code, options, slices.
    pub fingerprint: Hash,
    /// Of all files' content.
    pub content_hash: Hash,
    pub rows: u64,
    /// For current tables: the last of their first time, in microseconds since 1970. Rows after a
    /// run's horizon are cut off, so a step must run again when they become due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_us: Option<i64>,
    /// For staged tables: which of their objects retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Hash>,
    pub files: Vec<FileRef>,
}

impl Dataset {
    /// What a step that reads the whole table puts into its fingerprint.
    pub fn input_hash(&self) -> Hash {
        match &self.retired {
            None => self.content_hash.clone(),
            Some(retired) => {
                let mut hasher = Hasher::new("input");
                hasher.part(self.content_hash.as_str()).part(retired.as_str()).finish()
            }
        }
    }

    /// As [`Dataset::input_hash`], for a step that sees rows before `horizon_end_us` only.
    pub fn input_hash_until(&self, horizon_end_us: i64) -> Hash {
        if self.latest_us.is_none_or(|latest| latest < horizon_end_us) {
            return self.input_hash();
        }
        let mut hasher = Hasher::new("slice");
        hasher.part(self.content_hash.as_str()).part(horizon_end_us.to_le_bytes()).finish()
    }

    pub fn new(name: &str, fingerprint: Hash, mut files: Vec<FileRef>) -> Self {
        files.sort_by(|a, b| {
            (&a.partition, a.ordinal, &a.path).cmp(&(&b.partition, b.ordinal, &b.path))
        });
        let mut hasher = Hasher::new("dataset");
        for file in &files {
            for (column, value) in &file.partition {
                hasher.part(column).part(value);
            }
            hasher.part(file.ordinal.to_le_bytes()).part(file.content_hash.as_str());
        }
        let rows = files.iter().map(|file| file.rows).sum();
        Self {
            name: name.to_owned(),
            fingerprint,
            content_hash: hasher.finish(),
            rows,
            latest_us: None,
            retired: None,
            files,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}
