//! TOML against the shape its Rust type has, so that all problems of a file are told at once.
//!
//! `serde` stops at the first wrong field. The JSON Schema that `schemars` makes from the same
//! types knows all of them, and editors read the very same schema, so a file is walked along it
//! before it is turned into a value. Only what `schemars` writes for our types is understood.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value as Schema;
use toml::{Table, Value};

use super::Problem;

/// JSON Schema of a file type, for editors and for [`read`].
pub fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// [`schema_of`], made once: a project may have many files of a type.
pub(super) fn shared<T: JsonSchema + 'static>() -> Arc<Schema> {
    static MADE: Mutex<BTreeMap<TypeId, Arc<Schema>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(made.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(schema_of::<T>())))
}

/// Reads a file of type `T`.
///
/// # Errors
/// Every unknown, missing or mistyped field of the file.
pub fn read<T: JsonSchema + DeserializeOwned + 'static>(
    path: &str,
    text: &str,
) -> Result<T, Vec<Problem>> {
    let table = parse(path, text)?;
    from_table(path, &table)
}

/// The text as a table, without a look at what is in it.
///
/// # Errors
/// The text is not TOML.
pub fn parse(path: &str, text: &str) -> Result<Table, Vec<Problem>> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        vec![Problem::new(format!("{path}:{line}"), error.message().trim().to_owned())]
    })
}

/// As [`read`], of a table.
///
/// # Errors
/// As [`read`].
pub fn from_table<T: JsonSchema + DeserializeOwned + 'static>(
    path: &str,
    table: &Table,
) -> Result<T, Vec<Problem>> {
    let Checked { value, problems } = check(path, table);
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}

/// What could be read of a file, and what is wrong with it.
#[derive(Debug)]
pub struct Checked<T> {
    /// Without the fields that have a problem, so that the others can be looked at too.
    pub value: Option<T>,
    pub problems: Vec<Problem>,
}

/// Reads a table as far as it goes.
pub fn check<T: JsonSchema + DeserializeOwned + 'static>(path: &str, table: &Table) -> Checked<T> {
    let root: &Schema = &shared::<T>();
    let mut walk = Walk { path, root, problems: Vec::new() };
    let mended = walk.table("", table, root);
    let mut problems = walk.problems;
    let value = match Value::Table(mended).try_into() {
        Ok(value) => Some(value),
        Err(error) => {
            let error: toml::de::Error = error;
            if problems.is_empty() {
                problems.push(Problem::new(path, error.message().trim().to_owned()));
            }
            None
        }
    };
    Checked { value, problems }
}

/// Type a key has, for values that come as text from outside the file; `None`: there is no such key.
pub fn kind_of(root: &Schema, keys: &[&str]) -> Option<&'static str> {
    let mut schema = resolve(root, root);
    for key in keys {
        schema = resolve(root, schema.get("properties")?.get(key)?);
    }
    kinds(schema).first().copied()
}

/// Keys that a table may have.
pub fn keys_of<'a>(root: &'a Schema, keys: &[&str]) -> Vec<&'a str> {
    let mut schema = resolve(root, root);
    for key in keys {
        let Some(below) = schema.get("properties").and_then(|all| all.get(key)) else {
            return Vec::new();
        };
        schema = resolve(root, below);
    }
    properties(schema)
}

/// The known name nearest to a mistyped one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let near = known.into_iter().min_by_key(|other| distance(other))?;
    (distance(near) <= 1.max(name.chars().count() / 3)).then_some(near)
}

/// "did you mean", or what there is.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", list(known)),
    }
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Follows references, and the one alternative that is not null.
fn resolve<'a>(root: &'a Schema, schema: &'a Schema) -> &'a Schema {
    let reference = schema.get("$ref").and_then(Schema::as_str);
    if let Some(name) = reference.and_then(|text| text.strip_prefix("#/$defs/")) {
        let target = root.get("$defs").and_then(|all| all.get(name));
        return target.map_or(schema, |target| resolve(root, target));
    }
    let not_null = |option: &&Schema| option.get("type").is_none_or(|kind| kind != "null");
    match schema.get("anyOf").and_then(Schema::as_array) {
        Some(options) => {
            options.iter().find(not_null).map_or(schema, |option| resolve(root, option))
        }
        None => schema,
    }
}

fn properties(schema: &Schema) -> Vec<&str> {
    let all = schema.get("properties").and_then(Schema::as_object);
    all.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Types a schema allows, null left out.
fn kinds(schema: &Schema) -> Vec<&'static str> {
    const KNOWN: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];
    let Some(named) = schema.get("type") else {
        return if variants(schema).is_empty() { Vec::new() } else { vec!["string"] };
    };
    let has = |kind: &&&str| {
        named == **kind || named.as_array().is_some_and(|all| all.iter().any(|one| one == **kind))
    };
    KNOWN.iter().filter(has).copied().collect()
}

/// Texts that an enumeration allows.
fn variants(schema: &Schema) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    let named = schema.get("enum").and_then(Schema::as_array);
    all.extend(named.into_iter().flatten().filter_map(Schema::as_str));
    for option in schema.get("oneOf").and_then(Schema::as_array).into_iter().flatten() {
        all.extend(option.get("const").and_then(Schema::as_str));
        let named = option.get("enum").and_then(Schema::as_array);
        all.extend(named.into_iter().flatten().filter_map(Schema::as_str));
    }
    all
}

struct Walk<'a> {
    path: &'a str,
    root: &'a Schema,
    problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn say(&mut self, at: &str, message: String, hint: Option<String>) {
        let path =
            if at.is_empty() { self.path.to_owned() } else { format!("{}: {at}", self.path) };
        self.problems.push(Problem { path, message, hint });
    }

    /// Gives the value back without what is wrong in it; `None`: all of it.
    fn value(&mut self, at: &str, value: &Value, schema: &'a Schema) -> Option<Value> {
        let schema = resolve(self.root, schema);
        let names = variants(schema);
        if !names.is_empty()
            && let Value::String(text) = value
        {
            if names.contains(&text.as_str()) {
                return Some(value.clone());
            }
            let hint = suggestion(text, names.iter().copied());
            self.say(at, format!("`{text}` is not one of {}", list(names)), Some(hint));
            return None;
        }
        let wanted = kinds(schema);
        let found = kind_found(value);
        let fits = wanted.is_empty()
            || wanted.contains(&found)
            || (found == "integer" && wanted.contains(&"number"));
        if !fits {
            let hint = mistype_hint(at, wanted.first().copied().unwrap_or(""), found);
            let wanted = wanted.iter().map(|kind| in_words(kind)).collect::<Vec<_>>();
            self.say(at, format!("is {}, not {}", in_words(found), wanted.join(" or ")), hint);
            return None;
        }
        match value {
            Value::Table(table) => Some(Value::Table(self.table(at, table, schema))),
            Value::Array(items) => {
                let Some(of) = schema.get("items") else { return Some(value.clone()) };
                let mend = |(i, item)| {
                    // A wrong item leaves its place, so that the others keep their numbers.
                    self.value(&format!("{at}[{i}]"), item, of)
                        .or_else(|| Some(placeholder(resolve(self.root, of))))
                };
                Some(Value::Array(items.iter().enumerate().filter_map(mend).collect()))
            }
            Value::Integer(number) => self.range(at, *number, schema).then(|| value.clone()),
            _ => Some(value.clone()),
        }
    }

    fn table(&mut self, at: &str, table: &Table, schema: &'a Schema) -> Table {
        let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        let known = properties(schema);
        let others = schema.get("additionalProperties");
        let mut mended = Table::new();
        for (key, value) in table {
            let of = schema.get("properties").and_then(|all| all.get(key));
            match of.or(others.filter(|of| of.is_object())) {
                Some(of) => {
                    if let Some(value) = self.value(&below(key), value, of) {
                        mended.insert(key.clone(), value);
                    }
                }
                None if others == Some(&Schema::Bool(false)) => {
                    let hint = suggestion(key, known.iter().copied());
                    self.say(&below(key), "there is no such field".into(), Some(hint));
                }
                None => drop(mended.insert(key.clone(), value.clone())),
            }
        }
        let required = schema.get("required").and_then(Schema::as_array);
        for key in required.into_iter().flatten().filter_map(Schema::as_str) {
            let Some(of) = schema.get("properties").and_then(|all| all.get(key)) else { continue };
            if !table.contains_key(key) {
                let about = of.get("description").and_then(Schema::as_str);
                self.say(&below(key), "is missing".into(), about.map(str::to_owned));
            }
            if !mended.contains_key(key) {
                mended.insert(key.to_owned(), placeholder(resolve(self.root, of)));
            }
        }
        mended
    }

    /// Whole numbers in TOML are 64 bits and signed; our fields may be neither.
    fn range(&mut self, at: &str, number: i64, schema: &Schema) -> bool {
        let of = |key: &str| schema.get(key).and_then(Schema::as_i64);
        let greatest = match schema.get("format").and_then(Schema::as_str) {
            Some("uint8") => Some(i64::from(u8::MAX)),
            Some("uint32") => Some(i64::from(u32::MAX)),
            _ => of("maximum"),
        };
        if of("minimum").is_some_and(|least| number < least) {
            self.say(at, format!("{number} is below 0"), None);
            return false;
        }
        if let Some(greatest) = greatest.filter(|greatest| number > *greatest) {
            self.say(at, format!("{number} is more than {greatest}"), None);
            return false;
        }
        true
    }
}

fn kind_found(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Integer(_) => "integer",
        Value::Float(_) => "number",
        Value::Boolean(_) => "boolean",
        Value::Array(_) => "array",
        Value::Table(_) => "object",
        Value::Datetime(_) => "date",
    }
}

/// Stands for a value that has a problem already.
fn placeholder(schema: &Schema) -> Value {
    let first = variants(schema).first().map(|name| Value::String((*name).to_owned()));
    first.unwrap_or_else(|| match kinds(schema).first().copied() {
        Some("integer") => Value::Integer(1),
        Some("number") => Value::Float(1.0),
        Some("boolean") => Value::Boolean(false),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => Value::Table(Table::new()),
        _ => Value::String("x".into()),
    })
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        "date" => "a date without quotes",
        other => other,
    }
}

fn mistype_hint(at: &str, wanted: &str, found: &str) -> Option<String> {
    let key = at.rsplit('.').next().unwrap_or(at);
    match (wanted, found) {
        ("string", _) if found != "array" && found != "object" => Some("put it in quotes".into()),
        ("integer" | "number" | "boolean", "string") => Some("leave the quotes out".into()),
        ("array", "object") => Some(format!("write `[[{key}]]` with two brackets")),
        ("array", _) => Some("put it in brackets: `[…]`".into()),
        ("object", "array") => Some(format!("write `[{key}]` with one bracket")),
        _ => None,
    }
}
