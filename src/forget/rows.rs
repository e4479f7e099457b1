//! Rows of canonical tables: which are of a forgotten person, and what is left of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, nullif};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;

use super::shape::{Link, Shape};
use super::{Eraser, Named, PREFIX};
use crate::table::TableError;

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub subject: u32,
    /// It names the person; otherwise it belongs to a record that does, and names nobody.
    pub is_own: bool,
}

/// What was found of forgotten people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Of each subject: its records, and what refers to them, hashed.
    pub records: BTreeMap<String, BTreeSet<String>>,
    pub links: BTreeMap<String, BTreeSet<String>>,
    /// Subject by object url, its version, and the number of the record.
    pub places: BTreeMap<(String, i64, i64), String>,
    /// Places whose rows were deleted.
    pub deleted: BTreeSet<(String, i64, i64)>,
}

impl Found {
    pub fn extend(&mut self, other: Self) {
        for (id, codes) in other.records {
            self.records.entry(id).or_default().extend(codes);
        }
        for (id, codes) in other.links {
            self.links.entry(id).or_default().extend(codes);
        }
        self.places.extend(other.places);
        self.deleted.extend(other.deleted);
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Forgotten people with records in an object version, and whether these were deleted.
    pub fn of_object(&self, url: &str, version: i64) -> BTreeMap<String, bool> {
        let bound = |number| (url.to_owned(), version, number);
        let mut all: BTreeMap<String, bool> = BTreeMap::new();
        for (place, id) in self.places.range(bound(i64::MIN)..=bound(i64::MAX)) {
            *all.entry(id.clone()).or_default() |= self.deleted.contains(place);
        }
        all
    }
}

/// Whether a column holds the key of something else, by its name.
fn is_reference(column: &str) -> bool {
    column.ends_with("_id") || column.ends_with("_reference")
}

/// Rows without forgotten people.
#[derive(Debug)]
pub struct Scrubbed {
    pub rows: RecordBatch,
    /// Which of the rows given are still there, or stood for something until now.
    pub counted: BooleanArray,
    pub is_changed: bool,
}

/// The columns of a batch that say whose its rows are.
struct Columns<'a> {
    source: Texts<'a>,
    account: Texts<'a>,
    entity: Texts<'a>,
    key: Texts<'a>,
    identity: Texts<'a>,
    identifiers: Vec<(&'a str, bool, Texts<'a>)>,
    sides: Vec<[Texts<'a>; 3]>,
    urls: Texts<'a>,
    versions: Option<&'a Int64Array>,
    numbers: Option<&'a Int64Array>,
}

#[derive(Clone, Copy)]
struct Texts<'a>(Option<&'a StringArray>);

impl<'a> Texts<'a> {
    fn of(rows: &'a RecordBatch, column: &str) -> Self {
        Self(rows.column_by_name(column).and_then(|array| array.as_string_opt::<i32>()))
    }

    /// Empty for null.
    fn at(self, i: usize) -> &'a str {
        self.0.filter(|texts| texts.is_valid(i)).map_or("", |texts| texts.value(i))
    }
}

impl<'a> Columns<'a> {
    fn new(shape: &'a Shape, rows: &'a RecordBatch) -> Self {
        let text = |column: &str| Texts::of(rows, column);
        let number = |column: &str| {
            rows.column_by_name(column).and_then(|array| array.as_primitive_opt::<Int64Type>())
        };
        let identifiers = shape.canonical.identifiers.iter();
        let identifiers = identifiers.map(|of| (of.kind.as_str(), of.scoped, text(&of.column)));
        let sides = ["left", "right"].into_iter().filter(|_| shape.is_statement);
        let side =
            |name: &str| ["type", "namespace", "value"].map(|at| text(&format!("{name}_{at}")));
        Self {
            source: text("source"),
            account: text("source_account"),
            entity: text("entity"),
            key: text("source_id"),
            identity: text("identity_key"),
            identifiers: identifiers.collect(),
            sides: sides.map(side).collect(),
            urls: text("object_url"),
            versions: number("object_version"),
            numbers: number("record_number"),
        }
    }

    fn scope(&self, i: usize) -> String {
        format!("{}:{}", self.source.at(i), self.account.at(i))
    }

    fn natural(&self, i: usize) -> [&'a str; 4] {
        [self.source.at(i), self.account.at(i), self.entity.at(i), self.key.at(i)]
    }

    fn place(&self, i: usize) -> (String, i64, i64) {
        let number = |column: Option<&Int64Array>| column.map_or(0, |column| column.value(i));
        (self.urls.at(i).to_owned(), number(self.versions), number(self.numbers))
    }
}

impl Eraser {
    /// Whose each row is; rows that are forgotten already are nobody's.
    pub fn hits(&self, shape: &Shape, rows: &RecordBatch) -> Vec<Option<Hit>> {
        let columns = Columns::new(shape, rows);
        let under: Vec<_> =
            shape.under.iter().map(|link| (link, Texts::of(rows, link.column))).collect();
        (0..rows.num_rows()).map(|i| self.hit(shape, &columns, &under, rows, i)).collect()
    }

    fn hit(
        &self,
        shape: &Shape,
        columns: &Columns<'_>,
        under: &[(&Link, Texts<'_>)],
        rows: &RecordBatch,
        i: usize,
    ) -> Option<Hit> {
        if columns.identity.at(i).starts_with(PREFIX) {
            return None;
        }
        let own = |subject: u32| Some(Hit { subject, is_own: true });
        let natural = columns.natural(i);
        if let Some(subject) = self.records.get(&self.codes.record(natural)) {
            return own(*subject);
        }
        let mut names_somebody = false;
        for named in self.named(shape, columns, i) {
            let code = self.codes.identifier(&named.kind, &named.namespace, &named.value);
            if let Some(subject) = self.identifiers.get(&code) {
                return own(*subject);
            }
            names_somebody = true;
        }
        if names_somebody || self.links.is_empty() {
            return None;
        }
        let [source, account, ..] = natural;
        under.iter().find_map(|(link, texts)| {
            let entity = Texts::of(rows, link.entity).at(i);
            let value = texts.at(i);
            let code = (!value.is_empty())
                .then(|| self.codes.link(link.kind, [source, account, entity, value]))?;
            self.links.get(&code).map(|subject| Hit { subject: *subject, is_own: false })
        })
    }

    /// The identifiers of a row that can name a person.
    fn named(&self, shape: &Shape, columns: &Columns<'_>, i: usize) -> Vec<Named> {
        let scope = columns.scope(i);
        let own = columns.identifiers.iter().filter_map(|(kind, scoped, texts)| {
            self.spell(kind, if *scoped { &scope } else { "" }, texts.at(i))
        });
        let said = columns.sides.iter().filter_map(|[kind, namespace, value]| {
            let namespace = shape.namespace(kind.at(i), namespace.at(i), &scope);
            self.spell(kind.at(i), namespace, value.at(i))
        });
        own.chain(said).collect()
    }

    /// Identifiers that stand in rows of a subject, each with the subject.
    pub fn named_in(
        &self,
        shape: &Shape,
        rows: &RecordBatch,
        hits: &[Option<Hit>],
    ) -> BTreeSet<(String, Named)> {
        let columns = Columns::new(shape, rows);
        // What a source states joins two people's identifiers where a guard refused it.
        let own = hits.iter().enumerate().filter_map(|(i, hit)| Some((i, (*hit)?)));
        let own = own.filter(|(_, hit)| hit.is_own && !shape.is_statement);
        own.flat_map(|(i, hit)| {
            let id = self.id(hit.subject).to_owned();
            self.named(shape, &columns, i).into_iter().map(move |named| (id.clone(), named))
        })
        .collect()
    }

    /// What a run has to remember of the rows that were hit.
    pub fn found(&self, shape: &Shape, rows: &RecordBatch, hits: &[Option<Hit>]) -> Found {
        let columns = Columns::new(shape, rows);
        let mut found = Found::default();
        for (i, hit) in hits.iter().enumerate().filter_map(|(i, hit)| Some((i, (*hit)?))) {
            let id = self.id(hit.subject).to_owned();
            let natural = columns.natural(i);
            let [source, account, entity, _] = natural;
            if hit.is_own {
                let record = self.codes.record(natural);
                found.records.entry(id.clone()).or_default().insert(record);
            }
            for link in &shape.gives {
                let value = Texts::of(rows, link.column).at(i);
                // Some refer by entity and key, some by key alone.
                for entity in ["", entity].into_iter().filter(|_| !value.is_empty()) {
                    let code = self.codes.link(link.kind, [source, account, entity, value]);
                    found.links.entry(id.clone()).or_default().insert(code);
                }
            }
            if self.deletes(hit.subject) {
                found.deleted.insert(columns.place(i));
            }
            found.places.insert(columns.place(i), id);
        }
        found
    }

    /// Takes forgotten people out of rows: out of their own, and out of the texts of others.
    ///
    /// # Errors
    /// The rows are not those of the table.
    pub fn scrub(
        &self,
        shape: &Shape,
        rows: &RecordBatch,
        hits: &[Option<Hit>],
    ) -> Result<Scrubbed, TableError> {
        let fail = |source: ArrowError| TableError::Order { table: shape.table.clone(), source };
        let is_own = |i: usize| hits.get(i).copied().flatten().is_some_and(|hit| hit.is_own);
        let is_hit = |i: usize| hits.get(i).is_some_and(Option::is_some);
        let own: BooleanArray = (0..rows.num_rows()).map(|i| Some(is_own(i))).collect();
        let hit: BooleanArray = (0..rows.num_rows()).map(|i| Some(is_hit(i))).collect();
        let identifiers: Vec<&str> =
            shape.canonical.identifiers.iter().map(|of| of.column.as_str()).collect();
        let (any, any_own) = (hit.true_count() > 0, own.true_count() > 0);
        let keys = self.keys(shape, rows, hits);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
        let mut is_changed = false;
        for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
            let name = field.name().as_str();
            let personal = shape.personal.iter().any(|column| column == name);
            let new = if any_own && name == "identity_key" {
                self.identities(array, shape, rows, hits)
            } else if any && name == "source_id" {
                Arc::clone(&keys)
            } else if identifiers.contains(&name) {
                if any_own { nullif(array, &own).map_err(fail)? } else { Arc::clone(array) }
            } else if personal && !shape.is_statement {
                let bare = if any { nullif(array, &hit).map_err(fail)? } else { Arc::clone(array) };
                self.texts_of_others(&bare)
            } else if any && is_reference(name) {
                self.references(rows, array, hits)
            } else {
                Arc::clone(array)
            };
            is_changed |= !Arc::ptr_eq(&new, array) && new.to_data() != array.to_data();
            columns.push(new);
        }
        let deletes = |hit: &Hit| self.deletes(hit.subject);
        let gone = |hit: &Hit| deletes(hit) || (shape.is_statement && hit.is_own);
        let stays: BooleanArray =
            hits.iter().map(|h| Some(!h.as_ref().is_some_and(gone))).collect();
        let counted = hits.iter().map(|h| Some(!h.as_ref().is_some_and(deletes))).collect();
        let cleaned = RecordBatch::try_new(rows.schema(), columns).map_err(fail)?;
        let is_changed = is_changed || stays.false_count() > 0;
        let rows = if stays.false_count() == 0 {
            cleaned
        } else {
            filter_record_batch(&cleaned, &stays).map_err(fail)?
        };
        Ok(Scrubbed { rows, counted, is_changed })
    }

    /// Rows that name somebody who is forgotten get the name of their entry.
    fn identities(
        &self,
        array: &ArrayRef,
        shape: &Shape,
        rows: &RecordBatch,
        hits: &[Option<Hit>],
    ) -> ArrayRef {
        let Some(texts) = array.as_string_opt::<i32>() else { return Arc::clone(array) };
        let columns = Columns::new(shape, rows);
        // A row that names nobody is nobody's, as it was before.
        let names_somebody = |i: usize| {
            let mut values = columns.identifiers.iter().map(|(.., texts)| texts.at(i));
            values.any(|value| !value.trim().is_empty())
        };
        let of = |(i, hit): (usize, &Option<Hit>)| match hit {
            Some(hit) if hit.is_own && names_somebody(i) => Some(self.id(hit.subject).to_owned()),
            _ => texts.is_valid(i).then(|| texts.value(i).to_owned()),
        };
        Arc::new(hits.iter().enumerate().map(of).collect::<StringArray>())
    }

    /// Natural keys, where they are the person's or hold something of theirs without that.
    fn keys(&self, shape: &Shape, rows: &RecordBatch, hits: &[Option<Hit>]) -> ArrayRef {
        let columns = Columns::new(shape, rows);
        let of = |i: usize| {
            let [source, account, _, key] = columns.natural(i);
            let is_personal = hits.get(i).copied().flatten().is_some_and(|hit| {
                if hit.is_own { self.is_personal(shape, &columns, i) } else { self.is_in(key) }
            });
            if is_personal { self.codes.pseudonym(source, account, key) } else { key.to_owned() }
        };
        Arc::new(StringArray::from_iter_values((0..rows.num_rows()).map(of)))
    }

    /// Keys of other things without those that hold an identifier, as a session's may hold that of
    /// the cookie: these get the name that the thing's own key gets.
    fn references(&self, rows: &RecordBatch, array: &ArrayRef, hits: &[Option<Hit>]) -> ArrayRef {
        let Some(texts) = array.as_string_opt::<i32>() else { return Arc::clone(array) };
        let (source, account) = (Texts::of(rows, "source"), Texts::of(rows, "source_account"));
        let of = |(i, text): (usize, Option<&str>)| {
            let text = text?;
            let is_hit = hits.get(i).is_some_and(Option::is_some);
            let is_named = is_hit && self.is_in(text);
            let clean = || self.codes.pseudonym(source.at(i), account.at(i), text);
            Some(if is_named { clean() } else { text.to_owned() })
        };
        Arc::new(texts.iter().enumerate().map(of).collect::<StringArray>())
    }

    /// Whether the natural key of a row says who the person is.
    fn is_personal(&self, shape: &Shape, columns: &Columns<'_>, i: usize) -> bool {
        const CHARS: usize = 4;
        let key = columns.key.at(i);
        let lower = key.to_lowercase();
        let scope = columns.scope(i);
        let holds = |text: &str| {
            let text = text.trim().to_lowercase();
            text == lower || (text.len() >= CHARS && lower.contains(&text))
        };
        shape.is_of_people
            || self.is_in(key)
            || columns.identifiers.iter().any(|(kind, scoped, texts)| {
                let value = texts.at(i);
                let namespace = if *scoped { scope.as_str() } else { "" };
                (!value.is_empty() && holds(value))
                    || self.identifier(kind, namespace, key).is_some()
            })
    }

    /// Texts of others without addresses and numbers of forgotten people.
    fn texts_of_others(&self, array: &ArrayRef) -> ArrayRef {
        let Some(texts) = array.as_string_opt::<i32>() else { return Arc::clone(array) };
        if *array.data_type() != DataType::Utf8
            || !texts.iter().flatten().any(|t| self.is_mentioned(t))
        {
            return Arc::clone(array);
        }
        let clean = |text: Option<&str>| {
            text.map(|text| self.redacted(text).unwrap_or_else(|| text.to_owned()))
        };
        Arc::new(texts.iter().map(clean).collect::<StringArray>())
    }
}
