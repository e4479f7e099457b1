//! A record, be it an object or a line of cells, to rows of the columns its spec names.

use std::borrow::Cow;
use std::ops::Range;

use sonic_rs::LazyValue;
use unicode_normalization::UnicodeNormalization;

use super::encoding::Charset;
use super::json::{self, Malformed, Tree};
use super::rows::Rows;
use crate::catalog::SourceSpec;
use crate::catalog::spec::SpecColumn;

/// Ranks of one `from`: its ways to read the dots lie in between.
const FROM_STEP: usize = 64;
/// A path whose steps are one name, joined by two underscores, counts after its other readings.
const FLATTENED: u32 = 60;
/// A header that differs in case or blanks counts after every header that does not.
const INEXACT: u32 = 1 << 16;
/// What the envelope itself says counts after what it holds.
const OUTSIDE: u32 = 1 << 18;
/// An empty cell counts where no other is filled.
const EMPTY: u32 = 1 << 20;
/// Messages of a Singer stream that are no records.
const CONTROL: [&str; 4] = ["\"SCHEMA\"", "\"STATE\"", "\"ACTIVATE_VERSION\"", "\"BATCH\""];

/// Where the columns of a spec are found; made once an object.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Of all tables; after them come [`Lookup::envelope`], [`Lookup::message`] and the slots of
    /// lists.
    columns: usize,
    record: Tree,
    paths: Vec<(usize, u32, String)>,
    /// The records', then one a part.
    tables: Vec<Table>,
    has_envelope: bool,
    /// Slots in all.
    slots: usize,
}

/// Where the rows of one table come from.
#[derive(Debug, Default)]
struct Table {
    columns: Range<usize>,
    list: Option<List>,
    element: Tree,
    /// Columns that hold an element's place in the list.
    places: Vec<(usize, u32)>,
    /// A record without elements gives none.
    is_part: bool,
}

/// A list whose elements are rows.
#[derive(Debug)]
struct List {
    slot: usize,
    /// What its path starts with, and how it goes on: lists may lie on the way.
    outer: Option<(usize, String)>,
}

/// What was found for a slot: its rank, and the value.
type Slot<'a> = Option<(u32, Value<'a>)>;

#[derive(Debug, Clone)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Json(Cow<'a, str>),
}

/// What becomes of a record; an error is the rule that rejects it.
type Outcome = Result<Fate, &'static str>;

enum Fate {
    Kept,
    Skipped,
}

const MALFORMED: &str = "malformed_json";

impl From<Malformed> for &'static str {
    fn from(_: Malformed) -> Self {
        MALFORMED
    }
}

impl Lookup {
    pub(super) fn new(spec: &SourceSpec) -> Self {
        let columns = spec.all_columns().count();
        let mut lookup = Self { columns, slots: columns + 2, ..Self::default() };
        lookup.add_table(0, &spec.columns, spec.format.each.as_deref(), false);
        let mut first = spec.columns.len();
        for part in &spec.parts {
            lookup.add_table(first, &part.columns, Some(&part.each), true);
            first += part.columns.len();
        }
        if let Some(envelope) = &spec.format.envelope {
            lookup.has_envelope = true;
            for (i, envelope) in envelope.split('|').enumerate() {
                lookup.add(lookup.envelope(), rank(i), envelope);
            }
            lookup.record.insert("type", lookup.message(), 0);
        }
        lookup
    }

    fn add_table(&mut self, first: usize, columns: &[SpecColumn], each: Option<&str>, part: bool) {
        let columns_end = first + columns.len();
        let mut table = Table { columns: first..columns_end, is_part: part, ..Table::default() };
        for (slot, column) in (first..).zip(columns) {
            for (i, from) in column.from.iter().enumerate() {
                match from.strip_prefix('@').filter(|_| each.is_some()) {
                    Some("index") => table.places.push((slot, rank(i))),
                    Some(path) => {
                        table.element.insert(path.trim_start_matches('.'), slot, rank(i));
                    }
                    None => self.add(slot, rank(i), from),
                }
            }
        }
        table.list = each.map(|each| {
            let slot = self.next_slot();
            self.add(slot, 0, each);
            let outer = each.split_once('.').map(|(head, rest)| {
                let outer = self.next_slot();
                self.add(outer, 0, head);
                (outer, rest.to_owned())
            });
            List { slot, outer }
        });
        self.tables.push(table);
    }

    fn add(&mut self, slot: usize, rank: u32, from: &str) {
        self.look_for(from, slot, rank);
        // Singer and dlt flatten so.
        if from.contains('.') && !from.contains('[') {
            self.look_for(&from.replace('.', "__"), slot, rank + FLATTENED);
        }
    }

    fn look_for(&mut self, path: &str, slot: usize, rank: u32) {
        self.record.insert(path, slot, rank);
        self.paths.push((slot, rank, path.to_owned()));
    }

    fn next_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    fn envelope(&self) -> usize {
        self.columns
    }

    fn message(&self) -> usize {
        self.columns + 1
    }

    fn slots<'a>(&self) -> Vec<Slot<'a>> {
        vec![None; self.slots]
    }

    /// Takes the bytes of one JSON record.
    pub(super) fn json(&self, charset: Charset, bytes: &[u8], rows: &mut Rows) {
        rows.begin();
        let Some((text, replaced)) = charset.text(bytes) else {
            rows.refuse("invalid_utf8", &String::from_utf8_lossy(bytes));
            return;
        };
        let outcome = self.object(&text, rows);
        settle(outcome, &text, replaced, rows);
    }

    fn object(&self, text: &str, rows: &mut Rows) -> Outcome {
        let value = json::parse(text).ok_or(MALFORMED)?;
        if !value.as_raw_str().starts_with('{') {
            return Err("not_an_object");
        }
        let outside = if self.has_envelope { OUTSIDE } else { 0 };
        let mut slots = self.slots();
        let unread = self.record.walk(value.clone(), &mut |slot, rank, raw| {
            offer(&mut slots, slot, rank + outside, raw, rows);
        })?;
        if !self.has_envelope {
            rows.survey(&self.record, value, unread)?;
        }
        self.unwrapped(slots, rows)
    }

    /// Takes one line of cells; `cell` gives a cell's text, none where it is null.
    pub(super) fn cells<'a>(
        &self,
        plan: &Cells,
        cell: impl Fn(usize) -> Option<Cow<'a, str>>,
        rows: &mut Rows,
    ) -> Result<(), &'static str> {
        let outside = if self.has_envelope { OUTSIDE } else { 0 };
        let mut slots = self.slots();
        if !self.has_envelope {
            plan.keep(&cell, rows);
        }
        for &(slot, rank, place) in &plan.direct {
            let Some(text) = cell(place) else { continue };
            let rank = rank + outside + if text.is_empty() { EMPTY } else { 0 };
            put(&mut slots, slot, rank, Value::Text(text));
        }
        for (place, tree) in &plan.inside {
            let text = cell(*place).and_then(|text| json::unwrap(&text));
            let Some(value) = text.as_deref().and_then(json::parse) else { continue };
            tree.walk(value, &mut |slot, rank, raw| {
                offer(&mut slots, slot, rank + outside, Cow::Owned(raw.into_owned()), rows);
            })?;
        }
        self.unwrapped(slots, rows).map(|_| ())
    }

    /// Looks into the envelope, if there is one, and gives the rows.
    fn unwrapped(&self, mut slots: Vec<Slot<'_>>, rows: &mut Rows) -> Outcome {
        if !self.has_envelope {
            self.spread(&slots, rows)?;
            return Ok(Fate::Kept);
        }
        let Some((_, wrapped)) = slots.get_mut(self.envelope()).and_then(Option::take) else {
            let message = slots.get(self.message()).and_then(Option::as_ref);
            if let Some((_, Value::Json(kind))) = message
                && CONTROL.contains(&kind.as_ref())
            {
                return Ok(Fate::Skipped);
            }
            self.spread(&slots, rows)?;
            return Ok(Fate::Kept);
        };
        let inner = wrapped.container();
        let value = inner.as_deref().and_then(json::parse).ok_or(MALFORMED)?;
        if !value.as_raw_str().starts_with('{') {
            return Err("not_an_object");
        }
        let mut slots: Vec<Slot<'_>> = slots;
        let unread = self.record.walk(value.clone(), &mut |slot, rank, raw| {
            offer(&mut slots, slot, rank, Cow::Owned(raw.into_owned()), rows);
        })?;
        rows.survey(&self.record, value, unread)?;
        self.spread(&slots, rows)?;
        Ok(Fate::Kept)
    }

    /// The rows of every table.
    fn spread(&self, slots: &[Slot<'_>], rows: &mut Rows) -> Result<(), Malformed> {
        (0..self.tables.len()).try_for_each(|table| self.spread_one(table, slots, rows))
    }

    /// One row, or one for each element of the record's list.
    fn spread_one(&self, at: usize, slots: &[Slot<'_>], rows: &mut Rows) -> Result<(), Malformed> {
        let Some(table) = self.tables.get(at) else { return Ok(()) };
        let mut count = 0;
        if let Some(list) = &table.list {
            let found = |slot: usize| {
                let (_, value) = slots.get(slot)?.as_ref()?;
                value.container()
            };
            let mut element_row = |element: LazyValue<'_>| {
                count += 1;
                self.element_row((at, table), slots, element, count, rows)
            };
            if let Some(list) = found(list.slot) {
                json::elements(json::parse(&list).ok_or(Malformed)?, "", &mut element_row)?;
            } else if let Some((outer, rest)) = &list.outer
                && let Some(outer) = found(*outer)
            {
                json::elements(json::parse(&outer).ok_or(Malformed)?, rest, &mut element_row)?;
            }
        }
        if count == 0 && !table.is_part { row((at, table), slots, &[], rows) } else { Ok(()) }
    }

    fn element_row(
        &self,
        (at, table): (usize, &Table),
        slots: &[Slot<'_>],
        element: LazyValue<'_>,
        index: usize,
        rows: &mut Rows,
    ) -> Result<(), Malformed> {
        let mut own = self.slots();
        for &(slot, rank) in &table.places {
            put(&mut own, slot, rank, Value::Text(Cow::Owned(index.to_string())));
        }
        table.element.walk(element, &mut |slot, rank, raw| {
            offer(&mut own, slot, rank, raw, rows);
        })?;
        row((at, table), slots, &own, rows)
    }
}

/// Gives a row of a table: what the element has, and for the rest the record.
fn row(
    (at, table): (usize, &Table),
    record: &[Slot<'_>],
    own: &[Slot<'_>],
    rows: &mut Rows,
) -> Result<(), Malformed> {
    let mut malformed = None;
    let mut replaced = false;
    for column in table.columns.clone() {
        let both = [record.get(column), own.get(column)];
        let found = both.into_iter().flatten().flatten().min_by_key(|(rank, _)| *rank);
        match found {
            None => rows.push(column, None),
            Some((_, Value::Text(text))) => rows.push(column, Some(text)),
            Some((_, Value::Json(raw))) => match rows.push_json(column, raw) {
                Ok(told) => replaced |= told,
                Err(error) => malformed = Some(error),
            },
        }
    }
    rows.end_row(at);
    if replaced {
        rows.remark("replaced_characters", None, "half a surrogate pair");
    }
    malformed.map_or(Ok(()), Err)
}

/// Rank of a path by its place in `from`.
fn rank(place: usize) -> u32 {
    u32::try_from(place * FROM_STEP).unwrap_or(u32::MAX >> 16).min(INEXACT - 1)
}

fn offer<'a>(slots: &mut [Slot<'a>], slot: usize, rank: u32, raw: Cow<'a, str>, rows: &mut Rows) {
    rows.meet(slot);
    if raw != "null" {
        put(slots, slot, rank, Value::Json(raw));
    }
}

/// The least rank stays; of two members of one name the last, as JSON parsers do.
fn put<'a>(slots: &mut [Slot<'a>], slot: usize, rank: u32, value: Value<'a>) {
    if let Some(place) = slots.get_mut(slot)
        && place.as_ref().is_none_or(|(before, _)| rank <= *before)
    {
        *place = Some((rank, value));
    }
}

fn settle(outcome: Outcome, text: &str, replaced: bool, rows: &mut Rows) {
    match outcome {
        Ok(Fate::Kept) => {
            if replaced {
                rows.remark("replaced_characters", None, text);
            }
            rows.keep();
        }
        Ok(Fate::Skipped) => rows.skip(),
        Err(rule) => rows.refuse(rule, text),
    }
}

impl Value<'_> {
    /// The object or list that this is, or that its text holds.
    fn container(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Json(raw) if raw.starts_with(['{', '[']) => Some(Cow::Borrowed(raw)),
            Self::Json(raw) | Self::Text(raw) => json::unwrap(raw).map(Cow::Owned),
        }
    }
}

/// Which cell each column reads, by the names in a header.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// (slot, rank, place of the cell).
    direct: Vec<(usize, u32, usize)>,
    /// Cells that hold JSON into which paths lead.
    inside: Vec<(usize, Tree)>,
    /// Cells that no column reads, by name.
    unread: Vec<(String, usize)>,
}

impl Cells {
    pub(super) fn new(lookup: &Lookup, header: &[String]) -> Self {
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
    pub(super) fn tell(
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
    pub(super) fn keep<'a>(&self, cell: impl Fn(usize) -> Option<Cow<'a, str>>, rows: &mut Rows) {
        if self.unread.is_empty() || !rows.keeps_attributes() {
            return;
        }
        let filled =
            self.unread.iter().filter_map(|(name, place)| Some((name.as_str(), cell(*place)?)));
        rows.keep_cells(filled.filter(|(_, text)| !text.trim().is_empty()));
    }

    /// Places of the cells that no column reads.
    pub(super) fn unread(&self) -> impl Iterator<Item = usize> {
        self.unread.iter().map(|(_, place)| *place)
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
    pub(super) fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.inside.is_empty()
    }

    /// The header itself has the column, and the cells alone hold its values.
    pub(super) fn has(&self, column: usize) -> bool {
        self.direct.iter().any(|(slot, _, _)| *slot == column)
            || self.inside.iter().any(|(_, tree)| tree.leads_to(column))
    }

    /// By column the one cell it reads, if that is all there is to do.
    pub(super) fn plain(&self, lookup: &Lookup) -> Option<Vec<Option<usize>>> {
        let mut plain = vec![None; lookup.columns];
        let has_list = lookup.tables.iter().any(|table| table.list.is_some());
        if !self.inside.is_empty() || has_list || lookup.has_envelope {
            return None;
        }
        for (slot, _, place) in &self.direct {
            let column = plain.get_mut(*slot)?;
            if column.replace(*place).is_some() {
                return None;
            }
        }
        Some(plain)
    }

    /// Places of the cells that are read.
    pub(super) fn places(&self) -> Vec<usize> {
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
