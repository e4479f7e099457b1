//! `cxmart rejects`: the records that could not be used, with where they stood and why.

use serde_json::json;

use super::output::{columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::run::open;
use crate::state::StateReader;
use crate::upkeep::rejects::{self, Rejected, Rejects, Rule};

/// List records of the newest release that could not be used
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Only of this source, such as `hubspot`
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// How they are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let desk = open::Desk::read(&arguments.job, desk.settings)?;
    let release = StateReader::new(desk.store.clone()).latest().await?;
    let source = arguments.source.as_deref();
    let found = match &release {
        Some(release) => rejects::list(&desk.store, release, source, arguments.limit).await?,
        None => Rejects::default(),
    };
    match arguments.format {
        Format::Text => print(&text(&found))?,
        Format::Json => {
            let rows: Vec<_> = found.rows.iter().map(document).collect();
            let rules: Vec<_> = found.rules.iter().map(of_rule).collect();
            print_json(&json!({ "rejects": rows, "count": found.count, "rules": rules }))?;
        }
    }
    Ok(Exit::Done)
}

/// By rule first, then one by one.
fn text(found: &Rejects) -> String {
    let Rejects { rows, count: all, rules } = found;
    let all = *all;
    if all == 0 {
        return "no rejects\n".into();
    }
    let of_rule = |rule: &Rule| {
        let spec = format!("{}/{}", rule.source, rule.entity);
        let objects = plural(rule.objects, "object");
        let sample = rule.sample.replace('\n', " ");
        vec![count(rule.count), rule.rule.clone(), rule.column.clone(), spec, objects, sample]
    };
    let by_rule = columns(&rules.iter().map(of_rule).collect::<Vec<_>>());
    let row = |reject: &Rejected| {
        let at = format!("{}:{}", reject.object_url, reject.record_number);
        vec![at, reject.rule.clone(), reject.column.clone(), reject.text.replace('\n', " ")]
    };
    let text = columns(&rows.iter().map(row).collect::<Vec<_>>());
    let shown = match rows.len() as u64 {
        shown if shown < all => format!("{} of {} shown\n", count(shown), count(all)),
        _ => String::new(),
    };
    format!("{by_rule}\n{text}{shown}")
}

fn of_rule(rule: &Rule) -> serde_json::Value {
    json!({
        "source": rule.source,
        "entity": rule.entity,
        "rule": rule.rule,
        "column": rule.column,
        "count": rule.count,
        "objects": rule.objects,
        "sample": rule.sample,
    })
}

fn document(reject: &Rejected) -> serde_json::Value {
    json!({
        "object_url": reject.object_url,
        "record_number": reject.record_number,
        "source": reject.source,
        "entity": reject.entity,
        "rule": reject.rule,
        "column": reject.column,
        "text": reject.text,
    })
}
