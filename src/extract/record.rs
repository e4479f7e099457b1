//! A record, be it an object or a line of cells, to rows of the columns its spec names.

mod cells;

use std::borrow::Cow;
use std::ops::Range;

pub(super) use self::cells::Cells;
use self::cells::Other;
use super::encoding::Charset;
use super::json::{self, Json, Malformed, Tree};
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
/// A `from` that starts so reads a header row.
const HEADER: &str = "header:";
/// A list of this name is that of the cells no column names.
const REST: &str = "*";
/// The message of a Singer stream that wraps a record.
const RECORD: &str = "\"RECORD\"";
/// Messages of a Singer stream that are no records.
pub(super) const CONTROL: [&str; 4] =
    ["\"SCHEMA\"", "\"STATE\"", "\"ACTIVATE_VERSION\"", "\"BATCH\""];

/// Where the columns of a spec are found; made once an object.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Of all tables; after them come [`Lookup::envelope`], [`Lookup::message`] and the slots of
    /// lists.
    columns: usize,
    record: Tree,
    paths: Vec<(usize, u32, String)>,
    /// What header rows say: slot, rank, row from 1, name of the column.
    headers: Vec<(usize, u32, usize, String)>,
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
    /// Of the element of the list around.
    holder: Tree,
    /// Columns that hold an element's place in the list.
    places: Vec<(usize, u32)>,
    /// The elements are the cells that no column names.
    rest: Option<Rest>,
    /// A record without elements gives none.
    is_part: bool,
}

/// What the columns of a row read that stands for a cell.
#[derive(Debug, Default)]
struct Rest {
    names: Vec<(usize, u32)>,
    titles: Vec<(usize, u32)>,
    texts: Vec<(usize, u32)>,
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
        let mut rest = Rest::default();
        let is_rest = each == Some(REST);
        for (slot, column) in (first..).zip(columns) {
            for (i, from) in column.from.iter().enumerate() {
                if let Some((row, name)) = header_cell(from) {
                    self.headers.push((slot, rank(i), row, name.to_owned()));
                    continue;
                }
                match from.strip_prefix('@').filter(|_| each.is_some()) {
                    Some("index") => table.places.push((slot, rank(i))),
                    Some("name") if is_rest => rest.names.push((slot, rank(i))),
                    Some("title") if is_rest => rest.titles.push((slot, rank(i))),
                    Some("") if is_rest => rest.texts.push((slot, rank(i))),
                    Some(path) if path.starts_with('^') => {
                        let path = path.trim_start_matches(['^', '.']);
                        table.holder.insert(path, slot, rank(i));
                    }
                    Some(path) => {
                        table.element.insert(path.trim_start_matches('.'), slot, rank(i));
                    }
                    None => self.add(slot, rank(i), from),
                }
            }
        }
        table.rest = is_rest.then_some(rest);
        table.list = each.filter(|_| !is_rest).map(|each| {
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
        std::iter::repeat_with(|| None).take(self.slots).collect()
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
        let outside = if self.has_envelope { OUTSIDE } else { 0 };
        let mut slots = self.slots();
        let (value, unread) = self.record.read(text, &mut |slot, rank, raw| {
            offer(&mut slots, slot, rank + outside, raw, rows);
        })?;
        if value.first() != b'{' {
            return Err("not_an_object");
        }
        if !self.is_wrapped(&slots) && !self.is_control(&slots) {
            rows.survey(&self.record, value, unread);
        }
        self.unwrapped(slots, &[], rows)
    }

    fn is_wrapped(&self, slots: &[Slot<'_>]) -> bool {
        self.has_envelope && slots.get(self.envelope()).is_some_and(Option::is_some)
    }

    /// A message of a Singer stream that is no record.
    fn is_control(&self, slots: &[Slot<'_>]) -> bool {
        let message = slots.get(self.message()).and_then(Option::as_ref);
        self.has_envelope
            && matches!(message, Some((_, Value::Json(kind))) if CONTROL.contains(&kind.as_ref()))
    }

    /// Takes one line of cells; `cell` gives a cell's text, none where it is null.
    pub(super) fn cells<'a>(
        &self,
        plan: &'a Cells,
        cell: impl Fn(usize) -> Option<Cow<'a, str>>,
        rows: &mut Rows,
    ) -> Result<(), &'static str> {
        let outside = if self.has_envelope { OUTSIDE } else { 0 };
        let mut slots = self.slots();
        for &(slot, rank, place) in &plan.direct {
            let Some(text) = cell(place) else { continue };
            let rank = rank + outside + if text.is_empty() { EMPTY } else { 0 };
            put(&mut slots, slot, rank, Value::Text(text));
        }
        for (slot, rank, text) in &plan.told {
            put(&mut slots, *slot, rank + outside, Value::Text(Cow::Borrowed(text)));
        }
        for (place, tree) in &plan.inside {
            let text = cell(*place).and_then(|text| json::unwrap(&text));
            let Some(value) = text.as_deref().and_then(Json::parse) else { continue };
            tree.walk(value, &mut |slot, rank, raw| {
                offer(&mut slots, slot, rank + outside, Cow::Owned(raw.into_owned()), rows);
            })?;
        }
        if !self.is_wrapped(&slots) {
            plan.keep(&cell, rows);
        }
        let others = plan.others.iter().filter_map(|other| {
            let text = cell(other.place).filter(|text| !text.trim().is_empty())?;
            Some((other, text))
        });
        let others: Vec<_> = others.collect();
        self.unwrapped(slots, &others, rows).map(|_| ())
    }

    /// Looks into the envelope, if there is one, and gives the rows.
    fn unwrapped(
        &self,
        mut slots: Vec<Slot<'_>>,
        others: &[(&Other, Cow<'_, str>)],
        rows: &mut Rows,
    ) -> Outcome {
        if !self.has_envelope {
            self.spread(&slots, others, rows)?;
            return Ok(Fate::Kept);
        }
        let Some((_, wrapped)) = slots.get_mut(self.envelope()).and_then(Option::take) else {
            if self.is_control(&slots) {
                return Ok(Fate::Skipped);
            }
            self.spread(&slots, others, rows)?;
            return Ok(Fate::Kept);
        };
        let inner = wrapped.container();
        let value = inner.as_deref().and_then(Json::parse).ok_or(MALFORMED)?;
        if value.first() != b'{' {
            return Err("not_an_object");
        }
        let mut slots: Vec<Slot<'_>> = slots;
        // What kind of message it is says nothing of the record, whose own `type` may lack.
        let is_kind = |slot: &Slot<'_>| matches!(slot, Some((_, Value::Json(kind))) if kind.as_ref() == RECORD);
        if slots.get(self.message()).is_some_and(is_kind) {
            slots.iter_mut().filter(|slot| is_kind(slot)).for_each(|slot| *slot = None);
        }
        let unread = self.record.walk(value, &mut |slot, rank, raw| {
            offer(&mut slots, slot, rank, Cow::Owned(raw.into_owned()), rows);
        })?;
        rows.survey(&self.record, value, unread);
        self.spread(&slots, others, rows)?;
        Ok(Fate::Kept)
    }

    /// The rows of every table.
    fn spread(
        &self,
        slots: &[Slot<'_>],
        others: &[(&Other, Cow<'_, str>)],
        rows: &mut Rows,
    ) -> Result<(), Malformed> {
        (0..self.tables.len()).try_for_each(|table| self.spread_one(table, slots, others, rows))
    }

    /// One row, or one for each element of the record's list.
    fn spread_one(
        &self,
        at: usize,
        slots: &[Slot<'_>],
        others: &[(&Other, Cow<'_, str>)],
        rows: &mut Rows,
    ) -> Result<(), Malformed> {
        let Some(table) = self.tables.get(at) else { return Ok(()) };
        let mut count = 0;
        for (other, text) in others.iter().filter(|_| table.rest.is_some()) {
            count += 1;
            row((at, table), slots, &self.other_slots(table, other, text), rows)?;
        }
        if let Some(list) = &table.list {
            let found = |slot: usize| {
                let (_, value) = slots.get(slot)?.as_ref()?;
                value.container()
            };
            let mut element_row = |element: Json<'_>, holder: Option<Json<'_>>| {
                count += 1;
                self.element_row((at, table), slots, (element, holder), count, rows)
            };
            if let Some(list) = found(list.slot) {
                let list = Json::parse(&list).ok_or(Malformed)?;
                json::elements(list, "", None, &mut element_row)?;
            } else if let Some((outer, rest)) = &list.outer
                && let Some(outer) = found(*outer)
            {
                let outer = Json::parse(&outer).ok_or(Malformed)?;
                json::elements(outer, rest, None, &mut element_row)?;
            }
        }
        if count == 0 && !table.is_part { row((at, table), slots, &[], rows) } else { Ok(()) }
    }

    /// What a cell that no column names gives to the columns of its row.
    fn other_slots<'a>(&self, table: &Table, other: &'a Other, text: &'a str) -> Vec<Slot<'a>> {
        let mut own = self.slots();
        let Some(rest) = &table.rest else { return own };
        let place = (other.place + 1).to_string();
        let put_all = |own: &mut Vec<Slot<'a>>, slots: &[(usize, u32)], text: Cow<'a, str>| {
            for &(slot, rank) in slots {
                put(own, slot, rank, Value::Text(text.clone()));
            }
        };
        put_all(&mut own, &table.places, Cow::Owned(place));
        put_all(&mut own, &rest.names, Cow::Borrowed(&other.name));
        put_all(&mut own, &rest.titles, Cow::Borrowed(&other.title));
        put_all(&mut own, &rest.texts, Cow::Borrowed(text));
        own
    }

    fn element_row(
        &self,
        (at, table): (usize, &Table),
        slots: &[Slot<'_>],
        (element, holder): (Json<'_>, Option<Json<'_>>),
        index: usize,
        rows: &mut Rows,
    ) -> Result<(), Malformed> {
        let mut own = self.slots();
        for &(slot, rank) in &table.places {
            put(&mut own, slot, rank, Value::Text(Cow::Owned(index.to_string())));
        }
        if let Some(holder) = holder {
            table.holder.walk(holder, &mut |slot, rank, raw| {
                offer(&mut own, slot, rank, Cow::Owned(raw.into_owned()), rows);
            })?;
        }
        table.element.walk(element, &mut |slot, rank, raw| {
            offer(&mut own, slot, rank, raw, rows);
        })?;
        row((at, table), slots, &own, rows)
    }
}

/// Gives a row of a table: what the element has, and for the rest the record.
fn row<'a, 'b>(
    (at, table): (usize, &Table),
    record: &'a [Slot<'b>],
    own: &'a [Slot<'b>],
    rows: &mut Rows,
) -> Result<(), Malformed> {
    let mut malformed = None;
    let mut replaced = false;
    rows.begin_row(at);
    for column in table.columns.clone() {
        let of = |slots: &'a [Slot<'b>]| slots.get(column).and_then(Option::as_ref);
        let found = match (of(record), of(own)) {
            (Some(outer), Some(inner)) if inner.0 < outer.0 => Some(inner),
            (outer, inner) => outer.or(inner),
        };
        match found {
            None => {}
            Some((_, Value::Text(text))) => rows.push(column, text),
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

/// Row and name of `header:3:StartDate`.
fn header_cell(from: &str) -> Option<(usize, &str)> {
    let (row, name) = from.strip_prefix(HEADER)?.split_once(':')?;
    Some((row.parse().ok()?, name))
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
        Ok(Fate::Kept) if replaced => rows.remark("replaced_characters", None, text),
        Ok(Fate::Kept) => {}
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
