//! `cxmart forget`: people who asked for it, out of everything there is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::output::{columns, count, plural, print, print_json};
use super::run::watched;
use super::{Desk, Exit, Failure, Format};
use crate::job::Problem;
use crate::run::forget::clean::{self, Verified};
use crate::run::forget::{self, Applied, Whereabouts};
use crate::run::{self, Context};

/// Forget people: say where they are, take them out of everything, or prove that they are gone
///
/// FILE holds one person a line: a customer id, an e-mail address, or an identifier as `type:value`
/// or `type[namespace]:value`; lines that begin with # are comments. Without --apply or --verify
/// nothing is written. What becomes of their events is the job's `privacy.erasure`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// Who: one person a line
    #[arg(long, value_name = "FILE", required_unless_present = "verify")]
    subjects: Option<PathBuf>,
    /// Say where they are [default]
    #[arg(long, conflicts_with_all = ["apply", "verify"])]
    dry_run: bool,
    /// Do it: releases that held them are deleted, and with them what these alone named
    #[arg(long, conflicts_with = "verify")]
    apply: bool,
    /// Look at all objects, raw ones too; exits 65 while one holds somebody who is forgotten
    #[arg(long)]
    verify: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let names = match &arguments.subjects {
        Some(path) => names(path)?,
        None => Vec::new(),
    };
    let mut context = run::open(&arguments.job, desk.settings)?;
    context.record.progress = desk.progress;
    let context = Arc::new(context);
    let format = arguments.format;
    if arguments.verify {
        return verified(&context, format).await;
    }
    if arguments.apply {
        let work = forget::apply(&context, &names);
        let done = Box::pin(watched(context.stop.clone(), work)).await?;
        match format {
            Format::Text => print(&applied_text(&done))?,
            Format::Json => print_json(&applied_document(&done))?,
        }
        return Ok(Exit::Done);
    }
    let found = forget::look(&context, &names).await?;
    match format {
        Format::Text => print(&found.iter().map(text).collect::<String>())?,
        Format::Json => print_json(&json!(found.iter().map(document).collect::<Vec<_>>()))?,
    }
    Ok(Exit::Done)
}

fn names(path: &Path) -> Result<Vec<String>, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::NoSource(Problem::new(name.clone(), format!("cannot be read: {error}")))
    })?;
    let lines = text.lines().map(str::trim);
    let names: Vec<String> =
        lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect();
    if names.is_empty() {
        let hint = "one person a line: a customer_id, an e-mail address, or `type:value`";
        return Err(Failure::Problems(vec![Problem::new(name, "names nobody").hint(hint)]));
    }
    Ok(names)
}

async fn verified(context: &Arc<Context>, format: Format) -> Result<Exit, Failure> {
    let found = clean::verify(context).await?;
    match format {
        Format::Text => print(&verified_text(&found))?,
        Format::Json => print_json(&json!({
            "people": found.people,
            "objects": found.objects,
            "held": found.held,
            "raw": found.raw,
            "unread": found.unread,
        }))?,
    }
    if found.is_clean() {
        return Ok(Exit::Done);
    }
    let held = (found.held.len() + found.raw.len()) as u64;
    Err(Failure::Data(format!("{} still hold people who are forgotten", plural(held, "object"))))
}

fn people(number: usize) -> String {
    if number == 1 { "1 forgotten person".into() } else { format!("{number} forgotten people") }
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let lines: String = items.iter().map(|item| format!("  {item}\n")).collect();
    format!("{title}\n{lines}")
}

fn verified_text(found: &Verified) -> String {
    [
        list("objects of the warehouse that hold them; `--apply` deletes them", &found.held),
        list("raw objects that hold them; delete or replace them", &found.raw),
        list("raw objects that no run has read yet", &found.unread),
        format!("{} looked at for {}\n", plural(found.objects, "object"), people(found.people)),
    ]
    .concat()
}

fn text(found: &Whereabouts) -> String {
    let who = match (&found.customer_id, found.is_forgotten) {
        (_, true) => "is forgotten already".to_owned(),
        (Some(id), _) => format!("{id}, {}", plural(found.identifiers as u64, "identifier")),
        (None, _) => "is nobody the newest release knows; the identifier is registered".into(),
    };
    let rows = found.rows.iter();
    let rows: Vec<_> = rows.map(|(table, rows)| vec![format!("  {table}"), count(*rows)]).collect();
    let releases: Vec<String> = found.releases.iter().map(u64::to_string).collect();
    let releases = match releases.as_slice() {
        [] => String::new(),
        all => format!("releases that would be deleted: {}\n", all.join(", ")),
    };
    let objects = list("raw objects", &found.objects);
    let title = "former versions of their records name these too; are they the same person?";
    let others = list(title, &found.others);
    format!("{}: {who}\n{}{others}{objects}{releases}", found.name, columns(&rows))
}

fn document(found: &Whereabouts) -> serde_json::Value {
    json!({
        "name": found.name,
        "customer_id": found.customer_id,
        "is_forgotten": found.is_forgotten,
        "identifiers": found.identifiers,
        "others": found.others,
        "rows": found.rows,
        "raw": found.objects,
        "releases": found.releases,
    })
}

fn applied_text(done: &Applied) -> String {
    format!(
        "{}release {}: {} more, {} and {} deleted, {} restated\n",
        list("raw objects that hold them; delete or replace them", &done.raw),
        done.release,
        people(done.people),
        plural(done.releases_deleted as u64, "release"),
        plural(done.objects_deleted, "object"),
        plural(done.restated_days as u64, "day"),
    )
}

fn applied_document(done: &Applied) -> serde_json::Value {
    json!({
        "release": done.release,
        "people": done.people,
        "unknown": done.unknown,
        "restated_days": done.restated_days,
        "releases_deleted": done.releases_deleted,
        "objects_deleted": done.objects_deleted,
        "raw": done.raw,
    })
}
