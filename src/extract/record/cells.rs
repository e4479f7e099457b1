//! The header of a file of cells: which cell each column reads, and what no column reads.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::{INEXACT, Lookup};
use crate::extract::json::{self, Json, Tree};
use crate::extract::rows::Rows;

/// Which cell each column reads, by the names in a header.
#[derive(Debug, Default)]
pub(in crate::extract) struct Cells {
    /// (slot, rank, place of the cell).
    pub(super) direct: Vec<(usize, u32, usize)>,
    /// Cells that hold JSON into which paths lead.
    pub(super) inside: Vec<(usize, Tree)>,
    /// Cells that no column reads, by name.
    pub(super) unread: Vec<(String, usize)>,
    /// Those that no column names, where a table wants them.
    pub(super) others: Vec<Other>,
    /// What header rows say, for every record.
    pub(super) told: Vec<(usize, u32, String)>,
}

/// A cell that no column names.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) place: usize,
    pub(super) name: String,
    /// What the second header row says above it.
    pub(super) title: String,
}

impl Cells {
    pub(in crate::extract) fn new(lookup: &Lookup, header: &[String]) -> Self {
        let mut cells = Self::default();
        for (slot, rank, path) in &lookup.paths {
            cells.find(header, *slot, *rank, path);
        }
        let read = cells.places();
        let named = header.iter().enumerate().filter(|(_, name)| !name.trim().is_empty());
        let unread = named.filter(|(place, _)| read.binary_search(place).is_err());
        cells.unread = unread.map(|(place, name)| (name.trim().to_owned(), place)).collect();
        cells.unread.sort();
        cells
    }

    /// Tells the names of a header, each with the kind of its values.
    pub(in crate::extract) fn tell(
        &self,
        header: &[String],
        kind: impl Fn(usize) -> &'static str,
        rows: &mut Rows,
    ) {
        for (place, name) in header.iter().enumerate().filter(|(_, name)| !name.trim().is_empty()) {
            let is_read = !self.unread.iter().any(|(_, unread)| *unread == place);
            rows.see(name.trim(), is_read, kind(place));
        }
    }

    /// Keeps the cells that no column reads.
    pub(in crate::extract) fn keep<'a>(
        &self,
        cell: impl Fn(usize) -> Option<Cow<'a, str>>,
        rows: &mut Rows,
    ) {
        if self.unread.is_empty() || !rows.keeps_attributes() {
            return;
        }
        let filled =
            self.unread.iter().filter_map(|(name, place)| Some((name.as_str(), cell(*place)?)));
        rows.keep_cells(filled.filter(|(_, text)| !text.trim().is_empty()));
    }

    /// Places of the cells that no column reads.
    pub(in crate::extract) fn unread(&self) -> impl Iterator<Item = usize> {
        self.unread.iter().map(|(_, place)| *place)
    }

    /// Tells what header rows say, and of the cells that no column names if a table wants them.
    pub(in crate::extract) fn with_header(
        mut self,
        lookup: &Lookup,
        header: &[String],
        rows: &[Vec<String>],
    ) -> Self {
        for (slot, rank, row, path) in &lookup.headers {
            let cells = row.checked_sub(1).and_then(|row| rows.get(row));
            let told = cells.and_then(|cells| told(header, cells, path));
            self.told.extend(told.map(|text| (*slot, *rank, text)));
        }
        if lookup.tables.iter().all(|table| table.rest.is_none()) {
            return self;
        }
        let known = self.places();
        let others = header.iter().enumerate().filter(|(place, _)| !known.contains(place));
        let other = |(place, name): (usize, &String)| {
            let title = rows.get(1).and_then(|row| row.get(place)).cloned().unwrap_or_default();
            Other { place, name: name.trim().to_owned(), title: title.trim().to_owned() }
        };
        self.others = others.map(other).collect();
        // A row of its own is as good as a column.
        self.unread.clear();
        self
    }

    fn find(&mut self, header: &[String], slot: usize, rank: u32, path: &str) {
        if let Some(place) = header.iter().position(|name| name == path) {
            return self.direct.push((slot, rank, place));
        }
        let folded = fold(path);
        if let Some(place) = header.iter().position(|name| fold(name) == folded) {
            return self.direct.push((slot, rank + INEXACT, place));
        }
        let Some((head, tail)) = json::step(path) else { return };
        if let Some(place) = header.iter().position(|name| name == head) {
            let tree = if let Some(at) = self.inside.iter().position(|(at, _)| *at == place) {
                self.inside.get_mut(at)
            } else {
                self.inside.push((place, Tree::default()));
                self.inside.last_mut()
            };
            if let Some((_, tree)) = tree {
                tree.insert(tail, slot, rank);
            }
        }
    }

    /// Nothing in the header is known.
    pub(in crate::extract) fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.inside.is_empty()
    }

    /// The header itself has the column, and the cells alone hold its values.
    pub(in crate::extract) fn has(&self, column: usize) -> bool {
        self.direct.iter().any(|(slot, _, _)| *slot == column)
            || self.inside.iter().any(|(_, tree)| tree.leads_to(column))
    }

    /// The columns that are there, each with the one cell it reads, if that is all there is to do.
    pub(in crate::extract) fn plain(&self, lookup: &Lookup) -> Option<Vec<(usize, usize)>> {
        let has_list =
            lookup.tables.iter().any(|table| table.list.is_some() || table.rest.is_some());
        if !(self.inside.is_empty() && self.told.is_empty()) || has_list || lookup.has_envelope {
            return None;
        }
        let direct = self.direct.iter().filter(|(slot, _, _)| *slot < lookup.columns);
        let mut plain: Vec<_> = direct.map(|(slot, _, place)| (*slot, *place)).collect();
        plain.sort_unstable();
        let is_one = |pair: &[(usize, usize)]| !matches!(pair, [left, right] if left.0 == right.0);
        plain.windows(2).all(is_one).then_some(plain)
    }

    /// Places of the cells that are read.
    pub(in crate::extract) fn places(&self) -> Vec<usize> {
        let direct = self.direct.iter().map(|(_, _, place)| *place);
        let mut places: Vec<_> =
            direct.chain(self.inside.iter().map(|(place, _)| *place)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// A header name without what exports disagree on.
fn fold(name: &str) -> String {
    name.trim().nfc().collect::<String>().to_lowercase()
}

/// What a header row says at a column, or at a path inside of the JSON there.
fn told(header: &[String], row: &[String], path: &str) -> Option<String> {
    let at = |name: &str| header.iter().position(|other| fold(other) == fold(name));
    if let Some(place) = at(path) {
        return row.get(place).cloned();
    }
    let (name, tail) = path.split_once('.')?;
    let cell = row.get(at(name)?)?;
    let mut tree = Tree::default();
    tree.insert(tail, 0, 0);
    let mut found = None;
    let walked = tree.walk(Json::parse(cell)?, &mut |_, _, raw| found = Some(raw.into_owned()));
    walked.ok()?;
    let quoted = found?;
    Some(quoted.trim_matches('"').to_owned())
}
