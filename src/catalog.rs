//! What there is: source specs, SQL models, table contracts; and how they hang together.
//!
//! All of it is text under `sql/`, embedded in the binary and overlaid by a project folder, so
//! that a user adds or replaces a source, a model or a check without touching Rust. The catalogue
//! parses and checks; it runs nothing.

pub mod files;
pub mod lint;
pub mod model;
pub mod spec;
mod statement;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::files::Files;
pub use self::model::{Layer, Model};
pub use self::spec::SourceSpec;
use crate::job::{Problem, schema};
use crate::table::{Column, Contract, Kind};

/// A table contract with what the job needs to know beyond its readers.
#[derive(Debug, Clone)]
pub struct Table {
    pub contract: Contract,
    pub layer: Layer,
    /// Readers see it; otherwise it is an intermediate that only models read.
    pub published: bool,
    /// For canonical tables: how a row's id, times and person are found.
    pub canonical: Option<Canonical>,
    /// For canonical tables: what lies in staged files. Ids and local dates follow from it and are
    /// made when it is read.
    pub staged: Option<Contract>,
}

/// What a canonical table adds to its contract.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canonical {
    /// Name of the id column; its value is made from the natural key.
    pub id: String,
    pub id_prefix: String,
    /// Timestamps of which local date, week, month, quarter and year columns are staged:
    /// `answered_at` gives `answered_date`, `answered_week`, …
    #[serde(default)]
    pub times: Vec<String>,
    /// A `source_id` made of an e-mail address or phone number is kept as a hash. Not for tables
    /// whose ids other tables name.
    #[serde(default)]
    pub personal_keys: bool,
    /// Columns that say who the row is about, strongest first.
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
}

impl Canonical {
    /// Whether a column follows from others of its row, and is not staged.
    fn makes(&self, column: &str) -> bool {
        let is_date = |time: &String| PERIODS.iter().any(|(of, _)| local_date(time, of) == column);
        column == self.id || self.times.iter().any(is_date)
    }
}

/// What a time has a local date of, each with words for it.
pub const PERIODS: [(&str, &str); 5] = [
    ("date", "Local date"),
    ("week", "Monday of the local week"),
    ("month", "First local day of the month"),
    ("quarter", "First local day of the quarter"),
    ("year", "First local day of the year"),
];

/// The column with a local date of a time.
pub fn local_date(time: &str, period: &str) -> String {
    format!("{}_{period}", time.strip_suffix("_at").unwrap_or(time))
}

/// A column that holds an identifier of a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    pub column: String,
    /// `email`, `phone`, `crm_id`, `external_id`, `cookie`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// 3 unique by contract · 2 e-mail, phone · 1 cookie, device · 0 never joins.
    pub strength: i64,
    /// The value is unique only inside its source and account.
    #[serde(default)]
    pub scoped: bool,
}

/// A `sql/<layer>/<table>.toml`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TableFile {
    description: String,
    grain: Vec<String>,
    #[serde(default)]
    partition: Vec<String>,
    #[serde(default)]
    sliced: bool,
    #[serde(default)]
    bloom: Vec<String>,
    #[serde(default = "yes")]
    published: bool,
    canonical: Option<Canonical>,
    #[serde(rename = "column")]
    columns: Vec<Column>,
}

fn yes() -> bool {
    true
}

/// Everything under `sql/`.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// By `<source>/<entity>`.
    pub specs: BTreeMap<String, SourceSpec>,
    pub models: BTreeMap<String, Model>,
    pub tables: BTreeMap<String, Table>,
    /// Canonical tables; apart from the others, because models read them as `current_<table>` and
    /// readers may get a table of the same name.
    pub canonical_tables: BTreeMap<String, Table>,
}

impl Catalog {
    /// Reads all of `files`; problems do not stop the reading.
    pub fn read(files: &Files) -> (Self, Vec<Problem>) {
        let mut catalog = Self::default();
        let mut problems = Vec::new();
        let mut breaches = BTreeMap::new();
        for (path, text) in files.under("sql/") {
            match path.rsplit_once('.') {
                Some((_, "sql")) => match model(files, path, text) {
                    Ok((model, found)) => {
                        breaches.insert(model.name.clone(), found);
                        catalog.models.insert(model.name.clone(), model);
                    }
                    Err(problem) => problems.push(problem),
                },
                Some((_, "toml")) if path.starts_with("sql/stage/") => {
                    let spec =
                        fields(files, path, text).and_then(|spec| SourceSpec::at(path, spec));
                    match spec {
                        Ok(spec) => drop(catalog.specs.insert(spec.key(), spec)),
                        Err(found) => problems.extend(found),
                    }
                }
                Some((_, "toml")) => {
                    match fields(files, path, text).and_then(|file| table(path, file)) {
                        Ok(table) => {
                            let tables = match table.canonical {
                                Some(_) => &mut catalog.canonical_tables,
                                None => &mut catalog.tables,
                            };
                            drop(tables.insert(table.contract.name.clone(), table));
                        }
                        Err(found) => problems.extend(found),
                    }
                }
                _ => {}
            }
        }
        problems.extend(catalog.check());
        let raw = catalog.specs.values().flat_map(SourceSpec::raw_tables).collect();
        for (name, model) in &catalog.models {
            problems.extend(breaches.remove(name).unwrap_or_default());
            problems.extend(lint::model(model, &catalog, &raw));
        }
        (catalog, problems)
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for table in self.tables.values().chain(self.canonical_tables.values()) {
            let contract = &table.contract;
            problems.extend(lint::name(&contract.name, &contract.name));
            problems.extend(lint::reserved(&contract.name, &contract.columns));
            let mut seen = BTreeSet::new();
            for column in &contract.columns {
                if !seen.insert(&column.name) {
                    let message = format!("column `{}` stands twice", column.name);
                    problems.push(Problem::new(&contract.name, message));
                }
            }
            for column in contract.grain.iter().chain(&contract.partition).chain(&contract.bloom) {
                if contract.column(column).is_none() {
                    let message = format!("`{column}` is not a column of the table");
                    problems.push(Problem::new(&contract.name, message));
                }
            }
        }
        for model in self.models.values() {
            problems.extend(lint::name(&model.path, &model.name));
            if let Some(target) = &model.header.canonical
                && !self.canonical_tables.contains_key(target)
            {
                let message = format!("`canonical: {target}` names no canonical table");
                problems.push(Problem::new(&model.path, message));
            }
        }
        let mut raw = BTreeSet::new();
        for spec in self.specs.values() {
            for table in spec.raw_tables() {
                if raw.contains(&table) {
                    let message = format!("`{table}` is the name of two raw tables");
                    problems.push(Problem::new(spec.key(), message));
                }
                raw.insert(table);
            }
        }
        problems
    }

    /// The models that turn the rows of `spec` into canonical rows.
    pub fn staging_models(&self, spec: &SourceSpec) -> Vec<&Model> {
        let raw = spec.raw_tables();
        let reads = |model: &&Model| {
            model.layer == Layer::Stage && raw.iter().any(|table| model.references.contains(table))
        };
        self.models.values().filter(reads).collect()
    }

    /// Canonical tables, by name.
    pub fn canonical(&self) -> impl Iterator<Item = (&Table, &Canonical)> {
        let tables = self.canonical_tables.values();
        tables.filter_map(|table| Some((table, table.canonical.as_ref()?)))
    }
}

/// A model, and where its SQL breaches the house rules.
fn model(files: &Files, path: &str, text: &str) -> Result<(Model, Vec<Problem>), Problem> {
    if files.is_built_in(path)
        && let Some(model) = Model::built_in(path, text)?
    {
        return Ok((model, Vec::new()));
    }
    Model::parse(path, text)
}

/// What a TOML file says.
fn fields<T>(files: &Files, path: &str, text: &str) -> Result<T, Vec<Problem>>
where
    T: JsonSchema + DeserializeOwned + 'static,
{
    if files.is_built_in(path)
        && let Ok(fields) = toml::from_str(text)
    {
        return Ok(fields);
    }
    schema::read(path, text)
}

fn table(path: &str, file: TableFile) -> Result<Table, Vec<Problem>> {
    let name = files::stem(path).to_owned();
    let layer = Layer::of(path).ok_or_else(|| {
        vec![Problem::new(path, "a table lies in one of the layer folders of sql/")]
    })?;
    let mut columns = file.columns;
    if let Some(canonical) = &file.canonical {
        columns = with_lineage(canonical, columns);
    }
    let contract = Contract {
        name,
        description: file.description,
        grain: file.grain,
        partition: file.partition,
        sliced: file.sliced,
        bloom: file.bloom,
        columns,
    };
    let published = file.published && file.canonical.is_none();
    let staged = file.canonical.as_ref().map(|canonical| Contract {
        columns: contract.columns.iter().filter(|c| !canonical.makes(&c.name)).cloned().collect(),
        ..contract.clone()
    });
    Ok(Table { contract, layer, published, canonical: file.canonical, staged })
}

/// Columns that every canonical table has: id and natural key first, origin last.
fn with_lineage(canonical: &Canonical, own: Vec<Column>) -> Vec<Column> {
    let column = Column::new;
    let mut columns = vec![
        column(&canonical.id, Kind::Text, "Id made from the natural key."),
        column("source", Kind::Text, "System the row comes from."),
        column("source_account", Kind::Text, "Account of that system."),
        column("entity", Kind::Text, "Kind of record in that system."),
        column("source_id", Kind::Text, "Id of the record in that system."),
        column("source_updated_at", Kind::Timestamp, "When the system says the record changed."),
        column("extracted_at", Kind::Timestamp, "When the export was taken, if it says so."),
        column("dt", Kind::Date, "Batch date of the object."),
        column("is_deleted", Kind::Bool, "The export says the record is gone."),
        column("is_test", Kind::Bool, "Test or internal traffic."),
        column("identity_key", Kind::Text, "Names the row's identifiers; one person each."),
    ];
    columns.extend(own);
    for time in &canonical.times {
        for (period, words) in PERIODS {
            let words = format!("{words} of {time}, in the job's time zone.");
            columns.push(column(&local_date(time, period), Kind::Date, &words));
        }
    }
    let mut attributes =
        column(spec::ATTRIBUTES, Kind::Text, "What the export says beyond these columns, as JSON.");
    attributes.pii = true;
    columns.extend([
        attributes,
        column("object_url", Kind::Text, "Raw object the row was read from."),
        column("object_version", Kind::Int64, "Which version of that object."),
        column("record_number", Kind::Int64, "Which record of that object, from 1."),
    ]);
    columns
}
