//! `cxmart sources`: the exports this binary and the project can read.

use super::output::{columns, print};
use super::{Desk, Exit, Failure};
use crate::catalog::spec::{Format, SpecColumn};
use crate::catalog::{Catalog, SourceSpec};
use crate::job::schema::suggestion;
use crate::run::open;

/// List the exports that can be read, or show the columns of one
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A source (`hubspot`) or one export of it (`hubspot/contacts`)
    name: Option<String>,
}

pub(super) fn run(arguments: &Arguments, desk: &Desk) -> Result<Exit, Failure> {
    let files = open::files(&desk.settings.project)?;
    let (catalog, problems) = Catalog::read(&files);
    if !problems.is_empty() {
        return Err(Failure::Problems(problems));
    }
    let all: Vec<&SourceSpec> = catalog.specs.values().collect();
    let Some(name) = &arguments.name else {
        print(&list(&all))?;
        return Ok(Exit::Done);
    };
    if let Some(spec) = catalog.specs.get(name) {
        print(&one(spec, &catalog))?;
        return Ok(Exit::Done);
    }
    let of_source: Vec<_> = all.iter().copied().filter(|spec| spec.source == *name).collect();
    if of_source.is_empty() {
        let known = catalog.specs.keys().map(String::as_str);
        let known: Vec<_> = known.chain(all.iter().map(|spec| spec.source.as_str())).collect();
        let problem = crate::job::Problem::new(name.clone(), "there is no such source");
        let problem = problem.hint(suggestion(name, known.iter().copied()));
        return Err(Failure::NoSource(problem));
    }
    let all: Vec<_> = of_source.iter().map(|spec| needs(spec)).collect();
    print(&format!("{}\n`cxmart sources {name}/ENTITY` shows the columns\n", all.join("\n")))?;
    Ok(Exit::Done)
}

fn list(specs: &[&SourceSpec]) -> String {
    let row = |spec: &&SourceSpec| vec![spec.key(), spec.description.clone()];
    columns(&specs.iter().map(row).collect::<Vec<_>>())
}

fn one(spec: &SourceSpec, catalog: &Catalog) -> String {
    let models = catalog.staging_models(spec);
    let targets = models.iter().filter_map(|model| {
        let table = model.header.canonical.as_deref()?;
        Some(format!("  {} ({})\n", table, model.path))
    });
    let row = |column: &SpecColumn| {
        let from = column.from.join(", ");
        let need = if column.required { "required" } else { "" };
        let kind = format!("{:?}", column.kind).to_lowercase();
        vec![format!("  {}", column.name), kind, need.into(), from]
    };
    let rows: Vec<_> = spec.columns.iter().map(row).collect();
    let parts = spec.parts.iter().map(|part| {
        let rows: Vec<_> = part.columns.iter().map(row).collect();
        format!("{}, each of {}\n{}", part.name, part.each, columns(&rows))
    });
    let parts: String = parts.collect();
    format!(
        "{}\ncolumns, with where they are found\n{}{parts}fills\n{}",
        needs(spec),
        columns(&rows),
        targets.collect::<String>(),
    )
}

/// What an export needs, and a section of a job that reads it.
fn needs(spec: &SourceSpec) -> String {
    let key = match spec.key.as_slice() {
        [] => "none: every record counts".into(),
        key => key.join(", "),
    };
    let reread = match spec.reread_days {
        Some(days) => format!("the last {days} days at each export"),
        None => "nothing that was exported before".into(),
    };
    let cursor = spec.cursor.as_deref().unwrap_or("none known: export all of it, or by day");
    format!(
        "{}\n{}\nkey: {key}\ncursor: {cursor}\nre-read: {reread}\nformat: {}\n\nin a job\n{}",
        spec.key(),
        spec.description,
        format(spec),
        example(spec),
    )
}

/// The bytes that are read, as far as the spec says.
fn format(spec: &SourceSpec) -> String {
    let Format { kind, envelope, header_rows, each, .. } = &spec.format;
    let kind = match kind {
        Some(kind) => format!("{kind:?}").to_lowercase(),
        None => "csv, ndjson, json, parquet or xlsx, told by its bytes".into(),
    };
    let mut text = kind;
    for (what, value) in [
        ("header rows", header_rows.map(|rows| rows.to_string())),
        ("a row for each of", each.clone()),
        ("in the envelope", envelope.clone()),
    ] {
        if let Some(value) = value {
            text.push_str(&format!("; {what} {value}"));
        }
    }
    text
}

/// A section of a job that reads it.
fn example(spec: &SourceSpec) -> String {
    let (source, entity) = (&spec.source, &spec.entity);
    let (without, with): (Vec<_>, Vec<_>) =
        spec.options().into_iter().partition(|(_, default)| default.is_empty());
    let with = with.iter().map(|(name, default)| format!("{name} = \"{default}\""));
    let with = with.collect::<Vec<_>>().join(", ");
    let mut options =
        if with.is_empty() { String::new() } else { format!("  options = {{ {with} }}\n") };
    let without: Vec<&str> = without.into_iter().map(|(name, _)| name).collect();
    if !without.is_empty() {
        options.push_str(&format!("  # options without a default: {}\n", without.join(", ")));
    }
    format!(
        "  [[source]]\n  source = \"{source}\"\n  entity = \"{entity}\"\n  account = \"main\"\n  \
         url = \"s3://bucket/{source}/{entity}/dt={{dt}}/*\"\n{options}"
    )
}
