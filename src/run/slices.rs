//! Slices of a table that are as the last release has them: known by their rows, before these are
//! sorted, encoded and stored once more.
//!
//! A slice is a partition, or one of the 64 parts by customer of a table that is cut so. A file
//! says which rows it was made of ([`FileRef::slice`]); where a step gives the same rows again, its
//! table names the files that are there.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::sink::Key;
use crate::state::Release;
use crate::table::Contract;
use crate::table::dataset::FileRef;
use crate::table::digest::{Digest, Digester};
use crate::table::hash::{Hash, Hasher};

/// Raised when the same rows come to be written as other bytes; another version of the program
/// counts as much.
const WRITER: u32 = 1;

/// Files of a release by the slice that they hold.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<Hash, Vec<FileRef>>);

impl Known {
    /// What a release has of a table, as steps made it and as readers get it, but for files that
    /// are lost.
    ///
    /// Files that readers get in the place of a step's own do not say what slice they are.
    pub fn of(release: &Release, table: &str, is_lost: impl Fn(&FileRef) -> bool) -> Self {
        let mut known = Self::default();
        for dataset in [&release.state, &release.tables].into_iter().filter_map(|d| d.get(table)) {
            known.add(dataset.files.iter().filter(|file| !is_lost(file)));
        }
        known
    }

    /// Adds slices that are not known yet.
    pub fn add<'a>(&mut self, files: impl Iterator<Item = &'a FileRef>) {
        let mut slices: BTreeMap<&Hash, Vec<FileRef>> = BTreeMap::new();
        for file in files {
            if let Some(slice) = &file.slice {
                slices.entry(slice).or_default().push(file.clone());
            }
        }
        for (slice, files) in slices {
            self.0.entry(slice.clone()).or_insert(files);
        }
    }

    /// The files of a slice, if all of them are known.
    fn files(&self, slice: &Hash, rows: u64) -> Option<Vec<FileRef>> {
        let files = self.0.get(slice)?;
        let found: u64 = files.iter().map(|file| file.rows).sum();
        (found == rows).then(|| files.clone())
    }
}

/// The rows that a table got so far, by slice, and what is known of it.
#[derive(Debug)]
pub struct Slices {
    digester: Digester,
    digests: BTreeMap<Key, Digest>,
    known: Known,
}

/// One slice whose rows are all there.
#[derive(Debug)]
pub struct Slice {
    pub fingerprint: Hash,
    /// The files that hold just these rows, written as they would be now.
    pub known: Option<Vec<FileRef>>,
}

impl Slices {
    /// # Errors
    /// A column type that has no order.
    pub fn new(contract: &Contract, known: Known) -> Result<Self, ArrowError> {
        let digester = Digester::new(&contract.schema())?;
        Ok(Self { digester, digests: BTreeMap::new(), known })
    }

    /// Takes note of the rows of a batch by slice.
    ///
    /// # Errors
    /// Columns of another schema.
    pub fn add<'a>(
        &mut self,
        batch: &RecordBatch,
        slices: &'a BTreeMap<Key, Vec<u32>>,
    ) -> Result<(), ArrowError> {
        let none = |rows: &'a Vec<u32>| (Digest::default(), rows.as_slice());
        let mut digests: Vec<(Digest, &[u32])> = slices.values().map(none).collect();
        self.digester.add(batch, &mut digests)?;
        for (key, (digest, _)) in slices.keys().zip(&digests) {
            match self.digests.get_mut(key) {
                Some(known) => known.add(digest),
                None => drop(self.digests.insert(key.clone(), *digest)),
            }
        }
        Ok(())
    }

    /// The slice that will lie at `key` and holds the rows of `members`, written as `layout` says.
    pub fn slice(&self, layout: &str, key: &Key, members: &[Key]) -> Slice {
        let mut digest = Digest::default();
        for member in members.iter().filter_map(|key| self.digests.get(key)) {
            digest.add(member);
        }
        let mut hasher = Hasher::new("rows of a slice");
        hasher.part(WRITER.to_le_bytes()).part(env!("CARGO_PKG_VERSION")).part(layout);
        for value in &key.0 {
            hasher.part(value);
        }
        let fingerprint = hasher.part(key.1.to_le_bytes()).part(digest.bytes()).finish();
        Slice { known: self.known.files(&fingerprint, digest.rows()), fingerprint }
    }
}
