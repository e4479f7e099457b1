//! `cxmart validate`: is the job usable, and where does each of its values come from.

use std::collections::BTreeMap;

use toml::Value;

use super::output::{bytes, columns, plural, print};
use super::{Desk, Exit, Failure};
use crate::job::Origin;
use crate::job::value::leaves;
use crate::run::open;
use crate::settings::Settings;
use crate::telemetry::mask;

/// Check a job and the models it rests on, and show where each value comes from
///
/// All problems are told at once. Secrets are not shown.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
}

pub(super) fn run(arguments: &Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let mut rows = Vec::new();
    if let Ok(job) = Value::try_from(&desk.job) {
        leaves("", &job, &mut |key, value| {
            let origin = origin(key, &desk.origins);
            rows.push(vec![key.to_owned(), shown(key, value), origin]);
        });
    }
    if let Some(warehouse) = desk.settings.origins.get("warehouse")
        && let Some(row) = rows.iter_mut().find(|row| row.first().is_some_and(|k| k == "warehouse"))
    {
        let value = Value::String(desk.settings.warehouse.clone().unwrap_or_default());
        *row = vec!["warehouse".into(), shown("warehouse", &value), warehouse.clone()];
    }
    rows.extend(process(&desk.settings));
    let (models, tables) = (
        desk.catalog.models.len(),
        desk.catalog.tables.len() + desk.catalog.canonical_tables.len(),
    );
    let last = format!(
        "\n{} is usable: {}, {}, {}\n",
        desk.path,
        plural(desk.job.sources.len() as u64, "source"),
        plural(models as u64, "model"),
        plural(tables as u64, "table"),
    );
    print(&(columns(&rows) + &last))?;
    Ok(Exit::Done)
}

/// Settings of the process that no job has.
fn process(settings: &Settings) -> Vec<Vec<String>> {
    let salt = settings.identity_salt.as_ref();
    let scratch = settings.scratch.as_ref().map(|path| path.display().to_string());
    let rows = [
        ("project", settings.project.display().to_string()),
        ("threads", settings.threads.to_string()),
        ("memory_limit", bytes(settings.memory_bytes as u64)),
        ("scratch", scratch.unwrap_or_else(|| "inside the warehouse".into())),
        ("privacy.key", settings.privacy_key.as_ref().map_or("none", |_| REDACTED).into()),
        ("identity.salt", salt.map_or("made at the first run", |_| REDACTED).into()),
    ];
    rows.map(|(name, value)| {
        let origin = settings.origins.get(name).cloned();
        vec![name.to_owned(), value, origin.unwrap_or_else(|| Origin::Default.to_string())]
    })
    .into()
}

/// The origin of the key, or of the list or table it lies in.
fn origin(key: &str, origins: &BTreeMap<String, Origin>) -> String {
    origins.get(key).unwrap_or(&Origin::Default).to_string()
}

const REDACTED: &str = "(secret)";
/// Parts of names of options that hold secrets.
const SECRET: [&str; 5] = ["secret", "token", "password", "salt", "credential"];
/// Parts of urls that sign them.
const SIGNED: [&str; 3] = ["sig=", "signature=", "token="];

fn shown(key: &str, value: &Value) -> String {
    let lower = key.to_ascii_lowercase();
    if SECRET.iter().any(|word| lower.contains(word)) || lower.ends_with("_key") {
        return REDACTED.into();
    }
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let signed = SIGNED.iter().any(|word| text.to_ascii_lowercase().contains(word));
    match text.split_once('?').filter(|_| signed) {
        Some((before, _)) => format!("{}?{REDACTED}", mask(before)),
        // Blocked identifiers may be somebody's address; what they block is theirs to read.
        None if key.starts_with("identity.block") => text,
        None => mask(&text),
    }
}
