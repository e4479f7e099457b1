//! Where each value of a job comes from: the file, an override of the environment, or a default.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::schema::{self, suggestion};
use super::{Job, Problem};

/// A value for one key of a job from outside its file, as `settings` found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `limits.rejects_max`
    pub key: String,
    pub value: String,
    /// Names it in messages: `CXMART__LIMITS__REJECTS_MAX`.
    pub from: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File,
    /// The variable's or flag's name.
    Override(String),
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File => f.write_str("job file"),
            Self::Override(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Lays overrides over a job's table; gives the origin of every key the file or they set, and the
/// overrides of keys that no job has.
pub fn apply(
    table: &mut Table,
    overrides: &[Override],
) -> (BTreeMap<String, Origin>, Vec<Problem>) {
    let root = schema::shared::<Job>();
    let mut origins = BTreeMap::new();
    leaves("", &Value::Table(table.clone()), &mut |key, _| {
        origins.insert(key.to_owned(), Origin::File);
    });
    let mut problems = Vec::new();
    for Override { key, value, from } in overrides {
        let path: Vec<&str> = key.split('.').collect();
        let path = path.as_slice();
        let Some((last, parents)) = path.split_last() else { continue };
        match schema::kind_of(&root, path) {
            Some("object") | None => {
                let (unknown, known) = unknown_part(&root, path);
                let hint = suggestion(unknown, known.iter().map(String::as_str));
                let problem = Problem::new(from, format!("a job has no value `{key}`"));
                problems.push(problem.hint(in_capitals(&hint)));
            }
            Some(kind) => {
                place(table, parents, last, typed(kind, value));
                origins.insert(key.clone(), Origin::Override(from.clone()));
            }
        }
    }
    (origins, problems)
}

/// Sets a key below `parents`; where the file has no table there, its own check will tell.
fn place(table: &mut Table, parents: &[&str], key: &str, value: Value) {
    match parents.split_first() {
        None => drop(table.insert(key.to_owned(), value)),
        Some((first, rest)) => {
            let below = table.entry(*first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(below) = below {
                place(below, rest, key, value);
            }
        }
    }
}

/// Suggestions name keys; variables are written in capitals.
fn in_capitals(hint: &str) -> String {
    let parts = hint.split('`').enumerate();
    let raise = |(i, part): (usize, &str)| match i % 2 {
        1 => part.to_uppercase(),
        _ => part.to_owned(),
    };
    parts.map(raise).collect::<Vec<_>>().join("`")
}

/// The first part of a key that is not known, and what is known there.
fn unknown_part<'a>(root: &serde_json::Value, path: &[&'a str]) -> (&'a str, Vec<String>) {
    for i in 0..path.len() {
        let above = path.get(..i).unwrap_or_default();
        let known = schema::keys_of(root, above);
        let part = path.get(i).copied().unwrap_or_default();
        if !known.contains(&part) {
            return (part, known.into_iter().map(str::to_owned).collect());
        }
    }
    let known = schema::keys_of(root, path).into_iter().map(str::to_owned).collect();
    (path.last().copied().unwrap_or_default(), known)
}

/// Text of a variable as the type its key has; text that does not fit is left to the check.
fn typed(kind: &str, text: &str) -> Value {
    let read = |text: &str| {
        let table = format!("v = {text}").parse::<Table>().ok()?;
        table.get("v").cloned()
    };
    match kind {
        "string" => Value::String(text.to_owned()),
        "array" if !text.trim_start().starts_with('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        _ => read(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

/// Calls `each` with every key that holds no table: `limits.rejects_max`, `source[0].url`.
pub fn leaves(at: &str, value: &Value, each: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                leaves(&below, value, each);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (i, item) in items.iter().enumerate() {
                leaves(&format!("{at}[{i}]"), item, each);
            }
        }
        value => each(at, value),
    }
}
