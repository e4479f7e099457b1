//! `cxmart rejects`: the records that could not be used, with where they stood and why.

use std::sync::Arc;

use serde_json::json;

use super::output::{columns, count, plural, print, print_json};
use super::{Desk, Exit, Failure, Format, run as job};
use crate::run::{self, open};
use crate::state::StateReader;
use crate::storage::Store;
use crate::upkeep::rejects::{self, Rejected, Rejects, Rule};

/// List records of the newest release that could not be used
///
/// With --redrive the job is run first: objects are read again whose spec, mapping, options or
/// bytes changed since, and what became of the rejects is told.
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
    /// Run the job first, after a fix, and tell what became of them
    #[arg(long)]
    redrive: bool,
    /// How they are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let source = arguments.source.as_deref();
    let (found, driven) = if arguments.redrive {
        let mut context = run::open(&arguments.job, desk.settings)?;
        context.record.progress = desk.progress;
        let context = Arc::new(context);
        let before = newest(&context.store, source, 0).await?;
        let outcome = job::drive(&context, None).await?;
        let found = newest(&context.store, source, arguments.limit).await?;
        let driven = Driven { before: before.count, after: found.count, objects: outcome.objects };
        (found, Some(driven))
    } else {
        let desk = open::Desk::read(&arguments.job, desk.settings)?;
        (newest(&desk.store, source, arguments.limit).await?, None)
    };
    match arguments.format {
        Format::Text => {
            print(&driven.map(|driven| driven.text()).unwrap_or_default())?;
            print(&text(&found))?;
        }
        Format::Json => {
            let rows: Vec<_> = found.rows.iter().map(document).collect();
            let rules: Vec<_> = found.rules.iter().map(of_rule).collect();
            let mut told = json!({ "rejects": rows, "count": found.count, "rules": rules });
            if let Some(Driven { before, objects, .. }) = driven {
                told["redriven"] = json!({ "count_before": before, "objects_read": objects });
            }
            print_json(&told)?;
        }
    }
    Ok(Exit::Done)
}

/// Rejects of the newest release.
async fn newest(store: &Store, source: Option<&str>, limit: usize) -> Result<Rejects, Failure> {
    let release = StateReader::new(store.clone()).latest().await?;
    Ok(match &release {
        Some(release) => rejects::list(store, release, source, limit).await?,
        None => Rejects::default(),
    })
}

/// What a run made of the rejects.
#[derive(Clone, Copy)]
struct Driven {
    before: u64,
    after: u64,
    objects: usize,
}

impl Driven {
    fn text(self) -> String {
        let Self { before, after, objects } = self;
        if objects == 0 {
            return "no object was read again: specs, mappings, options and bytes are what they \
                    were\n\n"
                .into();
        }
        let objects = plural(objects as u64, "object");
        format!("{objects} read again, rejects: {} before, {} now\n\n", count(before), count(after))
    }
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
