//! `cxmart diff`: what is different between two releases.

use std::collections::BTreeMap;

use serde_json::json;

use super::output::{columns, count, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::run;
use crate::state::StateReader;
use crate::upkeep::diff::{self, TableDiff};

/// Compare two releases by key: rows added, removed and changed, by table and column
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Number of the earlier release
    #[arg(value_name = "N")]
    before: u64,
    /// Number of the later release
    #[arg(value_name = "M")]
    after: u64,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let context = run::open(&arguments.job, desk.settings)?;
    let reader = StateReader::new(context.store.clone());
    let before = reader.release(arguments.before).await?;
    let after = reader.release(arguments.after).await?;
    let contract = |name: &str| context.catalog.tables.get(name).map(|table| &table.contract);
    let found = diff::diff(&context.engine, &context.store, &before, &after, contract).await?;
    match arguments.format {
        Format::Text => print(&text(&found))?,
        Format::Json => print_json(&document(&found))?,
    }
    Ok(Exit::Done)
}

fn text(found: &BTreeMap<String, TableDiff>) -> String {
    if found.is_empty() {
        return "no table differs\n".into();
    }
    let head = ["table", "rows before", "rows after", "added", "removed", "changed"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut notes = String::new();
    for (name, table) in found {
        let numbers =
            [table.rows_before, table.rows_after, table.added, table.removed, table.changed];
        rows.push([vec![name.clone()], numbers.map(count).to_vec()].concat());
        for (column, changed) in &table.columns {
            let share = *changed as f64 / table.changed.max(1) as f64 * 100.0;
            notes.push_str(&format!(
                "{name}.{column}: {} ({share:.1} % of the changed)\n",
                count(*changed)
            ));
        }
        for sample in &table.samples {
            notes.push_str(&format!("  {sample}\n"));
        }
    }
    format!("{}{notes}", columns(&rows))
}

fn document(found: &BTreeMap<String, TableDiff>) -> serde_json::Value {
    let table = |(name, table): (&String, &TableDiff)| {
        let value = json!({
            "rows_before": table.rows_before,
            "rows_after": table.rows_after,
            "added": table.added,
            "removed": table.removed,
            "changed": table.changed,
            "columns": table.columns,
            "samples": table.samples,
        });
        (name.clone(), value)
    };
    json!({ "tables": found.iter().map(table).collect::<serde_json::Map<_, _>>() })
}
