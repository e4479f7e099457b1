//! `cxmart rejects`: the records that could not be used, with where they stood and why.

use serde_json::json;

use super::output::{columns, count, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::run::open;
use crate::state::StateReader;
use crate::upkeep::rejects::{self, Rejected};

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
    let (rows, all) = match &release {
        Some(release) => rejects::list(&desk.store, release, source, arguments.limit).await?,
        None => (Vec::new(), 0),
    };
    match arguments.format {
        Format::Text => print(&text(&rows, all))?,
        Format::Json => {
            let rows: Vec<_> = rows.iter().map(document).collect();
            print_json(&json!({ "rejects": rows, "count": all }))?;
        }
    }
    Ok(Exit::Done)
}

fn text(rows: &[Rejected], all: u64) -> String {
    if all == 0 {
        return "no rejects\n".into();
    }
    let row = |reject: &Rejected| {
        let at = format!("{}:{}", reject.object_url, reject.record_number);
        vec![at, reject.rule.clone(), reject.column.clone(), reject.text.replace('\n', " ")]
    };
    let text = columns(&rows.iter().map(row).collect::<Vec<_>>());
    match rows.len() as u64 {
        shown if shown < all => format!("{text}{} of {} shown\n", count(shown), count(all)),
        _ => text,
    }
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
