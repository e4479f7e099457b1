//! `cxmart explain`: why a person is one, and where what is known of them comes from.

use std::sync::Arc;

use serde_json::json;

use super::output::{columns, plural, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::resolve::trace::Tie;
use crate::run;
use crate::run::native::resolve::why::{self, Explained};
use crate::table::day::date;

/// Explain a person of the newest release: identifiers, what joined them, and what would split them
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// What is explained
    #[arg(value_enum)]
    what: What,
    /// Id of a customer, an e-mail address, or an identifier as `type:value` or `type[namespace]:value`
    subject: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Customer,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let What::Customer = arguments.what;
    let context = Arc::new(run::open(&arguments.job, desk.settings)?);
    let Some(found) = why::explain(&context, &arguments.subject).await? else {
        let message = "nobody in the newest release is called so".to_owned();
        let hint = "say a customer_id, an e-mail address, or `type:value` as in the table \
                    customer_identifiers";
        return Err(Failure::Usage { message, hint });
    };
    match arguments.format {
        Format::Text => print(&text(&found))?,
        Format::Json => print_json(&document(&found))?,
    }
    Ok(Exit::Done)
}

fn text(found: &Explained) -> String {
    let trace = &found.trace;
    let section = |title: &str, rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return String::new();
        }
        format!("\n{title}\n{}", indented(&columns(&rows)))
    };
    let identifiers = trace.identifiers.iter().map(|text| vec![text.clone()]).collect();
    let tie = |tie: &Tie| {
        let ends = format!("{} = {}", tie.left, tie.right);
        vec![date(tie.day).to_string(), tie.cause.clone(), ends, tie.evidence.clone()]
    };
    let bridge = |tie: &&Tie| tie.is_bridge;
    let split = trace.ties.iter().filter(bridge);
    let split = split.map(|tie| vec![format!("{} = {}", tie.left, tie.right)]).collect();
    let said = found.said.iter().map(|rule| {
        let ends = format!("{} = {}", rule.left, rule.right);
        vec![rule.kind.name().to_owned(), ends, rule.reason.clone(), rule.author.clone()]
    });
    let refused = trace.refused.iter().map(|refused| {
        let ends = format!("{} = {}", refused.left, refused.right);
        vec![date(refused.day).to_string(), refused.rule.to_owned(), ends, refused.evidence.clone()]
    });
    let changes = found.changes.iter().map(|change| {
        let from = change.from.as_deref().unwrap_or_default();
        let ends = format!("{from} -> {}", change.to);
        vec![date(change.day).to_string(), change.kind.to_owned(), change.cause.clone(), ends]
    });
    let provenance = found.provenance.iter().map(|field| {
        let losing = match field.losing_values.as_str() {
            "" | "[]" => String::new(),
            losing => format!("not {losing}"),
        };
        let (name, value) = (field.field.clone(), field.winning_value.clone());
        vec![name, value, field.source.clone(), field.rule.clone(), losing]
    });
    let head = format!(
        "{}: {}, {}\n",
        found.customer_id,
        plural(trace.identifiers.len() as u64, "identifier"),
        plural(trace.ties.len() as u64, "edge"),
    );
    [
        head,
        section("identifiers", identifiers),
        section("joined by", trace.ties.iter().map(tie).collect()),
        section("without any one of these it would be two people", split),
        section("people say", said.collect()),
        section("refused", refused.collect()),
        section("changes", changes.collect()),
        section("fields", provenance.collect()),
    ]
    .concat()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn document(found: &Explained) -> serde_json::Value {
    let trace = &found.trace;
    let tie = |tie: &Tie| {
        json!({
            "left": tie.left,
            "right": tie.right,
            "day": date(tie.day).to_string(),
            "cause": tie.cause,
            "evidence": tie.evidence,
            "is_bridge": tie.is_bridge,
        })
    };
    let refused = trace.refused.iter().map(|refused| {
        json!({
            "left": refused.left,
            "right": refused.right,
            "day": date(refused.day).to_string(),
            "rule": refused.rule,
            "evidence": refused.evidence,
        })
    });
    let said = found.said.iter().map(|rule| {
        json!({
            "kind": rule.kind.name(),
            "left": rule.left,
            "right": rule.right,
            "reason": rule.reason,
            "author": rule.author,
            "since": rule.since.map(|day| day.to_string()),
        })
    });
    let changes = found.changes.iter().map(|change| {
        json!({
            "day": date(change.day).to_string(),
            "kind": change.kind,
            "from": change.from,
            "to": change.to,
            "cause": change.cause,
            "evidence": change.evidence,
        })
    });
    let fields = found.provenance.iter().map(|field| {
        json!({
            "field": field.field,
            "winning_value": field.winning_value,
            "source": field.source,
            "rule": field.rule,
            "losing_values": field.losing_values,
        })
    });
    json!({
        "customer_id": found.customer_id,
        "identifiers": trace.identifiers,
        "edges": trace.ties.iter().map(tie).collect::<Vec<_>>(),
        "said": said.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
        "fields": fields.collect::<Vec<_>>(),
    })
}
