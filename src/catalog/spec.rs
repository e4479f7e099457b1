//! A source spec: how the bytes of one export become named, typed columns.
//!
//! One TOML file beside the SQL that maps it, `sql/stage/<source>/<entity>.toml`.

mod options;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::stem;
use crate::job::Problem;
use crate::table::hash::{Hash, Hasher};

pub use self::options::OPTION;

/// The column of a raw table that holds what no other column reads.
pub const ATTRIBUTES: &str = "attributes";

/// The spec of one export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// From the folder; not written in the file.
    #[serde(skip)]
    pub source: String,
    /// From the file name; not written in the file.
    #[serde(skip)]
    pub entity: String,
    pub description: String,
    /// Entity of the natural key, when several exports give the same records; default the file's.
    #[serde(default)]
    pub key_entity: Option<String>,
    #[serde(default)]
    pub format: Format,
    /// Columns of the natural key, all of them required. None: every record counts, identical or
    /// not.
    #[serde(default)]
    pub key: Vec<String>,
    #[serde(rename = "column")]
    pub columns: Vec<SpecColumn>,
    /// What the system pages or filters its export by, for those who set it up: `updated_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Days that an export must reach back, because records change so late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reread_days: Option<u32>,
    /// Of each day the newest export counts as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// Further raw tables out of the same records: the messages of a conversation.
    #[serde(default, rename = "part", skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A list inside a record as a raw table of its own, `raw_<source>__<entity>__<name>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub name: String,
    /// The list, as `format.each`, but a record without elements gives no row here. A list inside
    /// of lists (`threads.events`) gives the elements of all of them.
    pub each: String,
    #[serde(rename = "column")]
    pub columns: Vec<SpecColumn>,
}

/// Exports that tell a day again, and tell all of it: what an older one said of the day and the
/// newest does not say any more no longer counts.
///
/// All objects of one batch date are one export. At one url a newer version comes after an older one
/// of the same date. A day counts as told where a record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Column with the day; a record without one stays until its key comes again.
    pub day: String,
    /// Columns that an export may hold apart, beside the source's account: the ad account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Objects with this in their names are preliminary: any other object of the day comes after
    /// them, whatever its batch date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preliminary: Option<String>,
}

/// How bytes are cut into records. What is not said is found from the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    pub kind: Option<FormatKind>,
    /// JSON documents: the member that holds the list of records (`data`, `result.items`). Default:
    /// the document itself, or its list under `data`, `reviews`, `results`, `items`, `responses`,
    /// `conversations`, `tickets`, `events`.
    pub list: Option<String>,
    /// The list (a path) of which each element gives a row of its own. In `from`, `@.sku` then reads
    /// the element, `@` is the element itself, `@index` its place from 1; other paths read the
    /// record. A record without elements gives one row, whose element columns are null. A list
    /// inside of lists (`threads.events`) gives the elements of all of them, and `@^.id` reads the
    /// element of the list around. `*` (CSV): each filled cell that no column names is an
    /// element, with `@` its text, `@name` its header, `@title` what the second header row says and
    /// `@index` its place in the line.
    pub each: Option<String>,
    /// CSV: one character, or `whitespace` for runs of blanks; default found among `,` `;` tab `|` and U+0001 (which knows no quotes).
    pub delimiter: Option<String>,
    /// XLSX: name of the sheet; default the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// CSV: default 1; 0 takes the names from `columns`, in order, unless the first line names all
    /// columns of the key: then it is a header after all. Of two or three the first names
    /// a column; where it is blank, the name to its left and the second row do (`Which?: Phone`).
    pub header_rows: Option<u8>,
    /// CSV with `header_rows = 0`: the names of the export's columns, in its order, as a schema
    /// beside it lists them; default the order of `columns`. The option `columns` of the job's
    /// source says it, too: names with commas between.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// CSV: lines before the header.
    pub preamble_rows: u32,
    /// CSV: last lines that start with one of these are skipped.
    pub footer: Vec<String>,
    /// When the bytes are not UTF-8: `windows-1252`, `iso-8859-1`. The option `encoding` of the
    /// job's source goes before it.
    pub encoding: Option<String>,
    /// A member (or CSV column) that wraps the record, as an object or as its JSON text
    /// (`_airbyte_data`). Paths read what is inside first, then what stands around it; a record
    /// that is not wrapped is read as it is. `_airbyte_data|record` names two, whichever is there.
    pub envelope: Option<String>,
    /// Members and columns of a record that no column reads are the column `attributes` of the raw
    /// table, the text of a JSON object; `false` leaves it null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatKind {
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One document: an array, or an object with a list inside.
    Json,
    Parquet,
    /// A sheet of an Excel workbook: its rows are read as those of a CSV file.
    Xlsx,
}

/// One column: where it is found, what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecColumn {
    pub name: String,
    /// Header names or JSON paths (`customer.email`, `line_items.0.sku`); the first that is there
    /// and not null (in CSV: not empty) wins. A key that holds dots itself is found, too, and a
    /// path that goes on into a text reads it as JSON. `params[key=page].value` reads the elements
    /// of a list whose `key` is `page`; `customer__email` is read as `customer.email`. Headers match exactly, else without case
    /// and outer blanks; the same header again is `name__2`. Default: the column's own name.
    /// `option:scale_max=5` is not in the export: the option `scale_max` of the job's source, or 5,
    /// in every row; `option:account` is the source's account. `field:score_field=Q1` is the header
    /// or path that the option `score_field` names, or `Q1`; without either there is none. `header:3:StartDate.timeZone` is what the third header
    /// row says at the column `StartDate`, here inside of its JSON, in every row.
    #[serde(default)]
    pub from: Vec<String>,
    #[serde(rename = "type", default = "text")]
    pub kind: SpecKind,
    /// No value here rejects the record.
    #[serde(default)]
    pub required: bool,
    /// The header must be there; a missing one stops the object (exit 65).
    #[serde(default)]
    pub required_header: bool,
    /// CSV with `header_rows = 0`: not in the order of columns; read only where a header names it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub named_only: bool,
    /// Texts that mean null, besides the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// Numbers and money: `,` for 1.234,50; `option:<name>` for an option of the job's source.
    #[serde(default)]
    pub decimal_mark: Option<String>,
    /// Times: unit of a number since 1970.
    #[serde(default)]
    pub unit: Option<TimeUnit>,
    /// Times: `chrono` formats tried in turn, besides ISO 8601.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Times without offset: `UTC`, an IANA name, `option:<name>` for an option of the job's
    /// source, or `job` (default, also where the option is not given).
    /// `column:<name> or …` is the zone that stands in another column of the row.
    #[serde(default)]
    pub zone: Option<String>,
    /// Money: the column with the currency; amounts in minor units are divided by its exponent.
    #[serde(default)]
    pub minor_units_of: Option<String>,
    /// Money: the value is JSON, and the amounts at this path are added up, over all elements of
    /// all lists on the way: `transactions[kind=refund].amount` takes those of one kind.
    #[serde(default)]
    pub sum_of: Option<String>,
    /// Smallest and largest value that counts; others reject the record.
    #[serde(default)]
    pub min: Option<f64>,
    #[serde(default)]
    pub max: Option<f64>,
    /// Values that may occur; others reject the record.
    #[serde(default)]
    pub values: Vec<String>,
    /// `&#39;` and `&amp;` are turned back into characters.
    #[serde(default)]
    pub html_unescape: bool,
    /// Markup (HTML) becomes the words it shows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strip_tags: bool,
    /// Numbers: `12.5 %` is 12.5.
    #[serde(default, skip_serializing_if = "is_false")]
    pub percent: bool,
    /// Times as numbers of a `unit` may lie ahead (due dates, ends of periods); others that lie
    /// more than 33 days (a month and two) after the object's day reject the record (but not `extracted_at`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub future: bool,
    /// A value that cannot be read becomes null, with a row in the rejects, and the record stays.
    #[serde(default)]
    pub lenient: bool,
}

fn text() -> SpecKind {
    SpecKind::Text
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecKind {
    Text,
    Int64,
    Float64,
    /// `decimal(18,4)`, as it stands.
    Decimal,
    /// `decimal(18,4)`, major units, with currency signs and separators cleaned off.
    Money,
    Bool,
    Date,
    Timestamp,
    /// JSON kept as text (objects and lists).
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeUnit {
    #[serde(rename = "s")]
    Second,
    #[serde(rename = "ms")]
    Millisecond,
    #[serde(rename = "us")]
    Microsecond,
}

impl SourceSpec {
    /// # Errors
    /// Every problem of the file.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<Problem>> {
        Self::at(path, crate::job::schema::read(path, text)?)
    }

    /// The spec of the file at `path`, of what its text says.
    pub(super) fn at(path: &str, mut spec: Self) -> Result<Self, Vec<Problem>> {
        let one = |message: String| vec![Problem::new(path, message)];
        let folder = path.strip_prefix("sql/stage/").and_then(|rest| rest.split_once('/'));
        let Some((source, _)) = folder else {
            return Err(one("a source spec lies in sql/stage/<source>/<entity>.toml".into()));
        };
        source.clone_into(&mut spec.source);
        stem(path).clone_into(&mut spec.entity);
        let of_parts = spec.parts.iter_mut().flat_map(|part| &mut part.columns);
        for column in spec.columns.iter_mut().chain(of_parts) {
            if column.from.is_empty() {
                column.from.push(column.name.clone());
            }
        }
        let unknown = |name: &&String| !spec.columns.iter().any(|column| column.name == **name);
        let mut problems: Vec<_> = spec
            .key
            .iter()
            .filter(unknown)
            .map(|name| {
                Problem::new(
                    format!("{path}: key"),
                    format!("`{name}` is not a column of the spec"),
                )
            })
            .collect();
        let windows = spec.replace.iter().flat_map(|r| std::iter::once(&r.day).chain(&r.by));
        problems.extend(windows.filter(unknown).map(|name| {
            let message = format!("`{name}` is not a column of the spec");
            Problem::new(format!("{path}: replace"), message)
        }));
        problems.extend(spec.check_parts(path));
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    fn check_parts(&self, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (i, part) in self.parts.iter().enumerate() {
            let at = format!("{path}: part.{}", part.name);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if part.name.is_empty() || !part.name.chars().all(plain) || part.name.contains("__") {
                let message = "a part's name is lower-case letters, digits and single `_`";
                problems.push(Problem::new(&at, message));
            }
            if self.parts.iter().take(i).any(|other| other.name == part.name) {
                problems.push(Problem::new(&at, "stands twice"));
            }
            if part.each.is_empty() {
                problems.push(Problem::new(format!("{at}: each"), "is the path of a list"));
            }
        }
        problems
    }

    /// `<source>/<entity>`: how jobs and the catalogue name it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.entity)
    }

    /// The table of its records.
    pub fn raw_table(&self) -> String {
        format!("raw_{}__{}", self.source, self.entity)
    }

    /// The tables its staging models read: of its records, then of each of its parts.
    pub fn raw_tables(&self) -> Vec<String> {
        let records = self.raw_table();
        let parts: Vec<_> =
            self.parts.iter().map(|part| format!("{records}__{}", part.name)).collect();
        std::iter::once(records).chain(parts).collect()
    }

    /// Its raw table has what no column reads; a column of that name takes the place.
    pub fn keeps_attributes(&self) -> bool {
        self.format.attributes != Some(false) && !self.has_column(ATTRIBUTES)
    }

    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// The columns of its records, then those of each of its parts.
    pub fn all_columns(&self) -> impl Iterator<Item = &SpecColumn> {
        self.columns.iter().chain(self.parts.iter().flat_map(|part| &part.columns))
    }

    /// The entity of the natural key.
    pub fn natural_entity(&self) -> &str {
        self.key_entity.as_deref().unwrap_or(&self.entity)
    }

    /// Changes when the spec says anything else that becomes of rows.
    pub fn code_hash(&self) -> Hash {
        let told = Self { cursor: None, reread_days: None, ..self.clone() };
        let text = toml::to_string(&told).unwrap_or_default();
        Hasher::new("spec").part(self.key()).part(text).finish()
    }
}
