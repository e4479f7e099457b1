//! The object ledger and the rejects as tables, so that SQL can publish them.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};

pub use super::retired::WINDOWS;
use super::sink::{Sink, Spread, Written};
use super::staging::{PlacedReject, SeenColumns, Warnings};
use super::{Context, RunError};
use crate::plan::Batch;
pub use crate::plan::graph::{FORGOTTEN, OBJECTS, REJECTS, SEEN, WARNINGS};
use crate::stage::Origin;
use crate::state::{ObjectEntry, Registry};
use crate::table::dataset::Dataset;
use crate::table::day::day_number;
use crate::table::hash::{Hash, Hasher};
use crate::table::{Column, Contract, Kind, TableError};

pub(super) fn contract(
    name: &str,
    description: &str,
    grain: &[&str],
    columns: &[(&str, Kind, &str)],
) -> Contract {
    // Texts of records as they came, however masked: no statistics in the footers of files.
    let personal = ["raw_text", "sample"];
    let column = |(name, kind, words): &(&str, Kind, &str)| Column {
        pii: personal.contains(name),
        ..Column::new(name, *kind, words)
    };
    Contract {
        name: name.into(),
        description: description.into(),
        grain: grain.iter().map(|&column| column.to_owned()).collect(),
        partition: Vec::new(),
        sliced: false,
        bloom: Vec::new(),
        columns: columns.iter().map(column).collect(),
    }
}

/// Contract of [`REJECTS`].
pub static REJECTS_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        REJECTS,
        "One row per record or value that could not be used.",
        &["object_url", "object_version", "record_number", "reject_rule", "reject_column"],
        &[
            ("object_url", Kind::Text, "Raw object."),
            ("object_version", Kind::Int64, "Which version of it."),
            ("record_number", Kind::Int64, "Which record of it, from 1; 0 for the object itself."),
            ("reject_rule", Kind::Text, "Rule that was broken."),
            ("reject_column", Kind::Text, "Column at fault; empty for the whole record."),
            ("source", Kind::Text, "System."),
            ("entity", Kind::Text, "Export."),
            ("source_account", Kind::Text, "Account."),
            ("is_value_only", Kind::Int64, "1: the record was used without this value."),
            ("raw_text", Kind::Text, "What stood there, cut and masked."),
        ],
    )
});

/// What every batch writes beside its canonical rows.
pub const OF_BATCHES: [&str; 4] = [REJECTS, WARNINGS, SEEN, WINDOWS];

/// Contract of [`SEEN`].
pub static SEEN_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        SEEN,
        "One row per header or member of an object.",
        &["object_url", "object_version", "column_name"],
        &[
            ("object_url", Kind::Text, "Raw object."),
            ("object_version", Kind::Int64, "Which version of it."),
            ("column_name", Kind::Text, "Header, or path of a member."),
            ("source", Kind::Text, "System."),
            ("entity", Kind::Text, "Export."),
            ("source_account", Kind::Text, "Account."),
            ("dt", Kind::Date, "Batch date of the object."),
            ("column_kinds", Kind::Text, "What its values are, such as `number|text`."),
            ("is_read", Kind::Int64, "1: a column of the spec reads it."),
        ],
    )
});

/// Contract of [`WARNINGS`].
pub static WARNINGS_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        WARNINGS,
        "One row per warning about an object and a column of it.",
        &["object_url", "object_version", "warning_rule", "warning_column"],
        &[
            ("object_url", Kind::Text, "Raw object."),
            ("object_version", Kind::Int64, "Which version of it."),
            ("warning_rule", Kind::Text, "What is told."),
            (
                "warning_column",
                Kind::Text,
                "Column of the spec or, where it knows none, of the object.",
            ),
            ("source", Kind::Text, "System."),
            ("entity", Kind::Text, "Export."),
            ("source_account", Kind::Text, "Account."),
            ("n_records", Kind::Int64, "Records it is true of; 0 where it is about the object."),
            ("sample", Kind::Text, "An example, cut and masked."),
        ],
    )
});

/// Contract of [`OBJECTS`].
pub static OBJECTS_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        OBJECTS,
        "One row per version of a raw object.",
        &["object_url", "object_version"],
        &[
            ("object_url", Kind::Text, "Raw object."),
            ("object_version", Kind::Int64, "Counts the distinct contents seen at the url."),
            ("source", Kind::Text, "System."),
            ("entity", Kind::Text, "Export."),
            ("source_account", Kind::Text, "Account."),
            ("dt", Kind::Date, "Batch date."),
            ("object_bytes", Kind::Int64, "Size."),
            ("sha256", Kind::Text, "Of the bytes."),
            ("n_read", Kind::Int64, "Records decoded."),
            ("n_used", Kind::Int64, "Records that gave at least one row."),
            ("n_duplicate", Kind::Int64, "Records equal to an earlier one of the object."),
            ("n_rejected", Kind::Int64, "Records that could not be used."),
            ("n_skipped", Kind::Int64, "Footers and rows that staging filters."),
            ("n_rows", Kind::Int64, "Rows of canonical tables that its records gave."),
        ],
    )
});

/// Contract of [`FORGOTTEN`].
pub static FORGOTTEN_CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    contract(
        FORGOTTEN,
        "One row per person who is forgotten.",
        &["subject_id"],
        &[
            ("subject_id", Kind::Text, "Stands for the person where events are kept."),
            ("forgotten_date", Kind::Date, "Last day of the release in which it was done."),
        ],
    )
});

pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn batch(contract: &Contract, columns: Vec<ArrayRef>) -> Result<RecordBatch, RunError> {
    RecordBatch::try_new(contract.schema(), columns)
        .map_err(|source| TableError::Order { table: contract.name.clone(), source }.into())
}

/// Writes the ledger as a table.
///
/// # Errors
/// A full disk.
pub async fn write(context: &Context, objects: &[ObjectEntry]) -> Result<Dataset, RunError> {
    let text = |of: &dyn Fn(&ObjectEntry) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(objects.iter().map(of)))
    };
    let number = |of: &dyn Fn(&ObjectEntry) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(objects.iter().map(of)))
    };
    let part =
        |entry: &ObjectEntry, i: usize| entry.spec.split('/').nth(i).unwrap_or_default().to_owned();
    let dts = objects.iter().map(|entry| day_number(entry.dt));
    let columns: Vec<ArrayRef> = vec![
        text(&|entry| entry.url.clone()),
        number(&|entry| entry.version),
        text(&|entry| part(entry, 0)),
        text(&|entry| part(entry, 1)),
        text(&|entry| entry.account.clone()),
        Arc::new(Date32Array::from_iter_values(dts)),
        number(&|entry| int(entry.bytes)),
        text(&|entry| entry.sha256.to_string()),
        number(&|entry| int(entry.counts.read)),
        number(&|entry| int(entry.counts.used)),
        number(&|entry| int(entry.counts.duplicate)),
        number(&|entry| int(entry.counts.rejected)),
        number(&|entry| int(entry.counts.skipped)),
        number(&|entry| int(entry.counts.rows)),
    ];
    let rows = batch(&OBJECTS_CONTRACT, columns)?;
    let mut hasher = Hasher::new(OBJECTS);
    for entry in objects {
        hasher.part(format!("{entry:?}"));
    }
    let fingerprint = hasher.finish();
    let mut sink =
        Sink::new(&OBJECTS_CONTRACT, Spread::Contract, &context.work.folder(&fingerprint));
    sink.push(&rows)?;
    context.work.keep(&fingerprint, OBJECTS, sink.finish(1)?).await
}

/// Writes who is forgotten as a table.
///
/// # Errors
/// A full disk.
pub async fn write_forgotten(context: &Context, registry: &Registry) -> Result<Dataset, RunError> {
    let subjects = &registry.subjects;
    let ids = subjects.iter().map(|subject| &subject.id);
    let days = subjects.iter().map(|subject| day_number(subject.as_of));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(ids)),
        Arc::new(Date32Array::from_iter_values(days)),
    ];
    let mut hasher = Hasher::new(FORGOTTEN);
    for subject in subjects {
        hasher.part(&subject.id).part(subject.as_of.to_string());
    }
    let fingerprint = hasher.finish();
    let scratch = context.work.folder(&fingerprint);
    let mut sink = Sink::new(&FORGOTTEN_CONTRACT, Spread::Contract, &scratch);
    sink.push(&batch(&FORGOTTEN_CONTRACT, columns)?)?;
    context.work.keep(&fingerprint, FORGOTTEN, sink.finish(1)?).await
}

/// Writes the rejects of a batch.
///
/// # Errors
/// A full disk.
pub fn write_rejects(
    context: &Context,
    of: &Batch,
    origins: &[Origin],
    rejects: &[PlacedReject],
    fingerprint: &Hash,
) -> Result<Vec<Written>, RunError> {
    let text = |value: &dyn Fn(&PlacedReject) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rejects.iter().map(value)))
    };
    let number = |value: &dyn Fn(&PlacedReject) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rejects.iter().map(value)))
    };
    let origin = |reject: &PlacedReject| origins.get(reject.object);
    let account = context.job.sources.get(of.source).map_or("", |source| source.account.as_str());
    let (source, entity) = of.spec.split_once('/').unwrap_or((of.spec.as_str(), ""));
    let columns: Vec<ArrayRef> = vec![
        text(&|reject| origin(reject).map(|o| o.url.clone()).unwrap_or_default()),
        number(&|reject| origin(reject).map_or(0, |o| o.version)),
        number(&|reject| int(reject.record_number)),
        text(&|reject| reject.rule.clone()),
        text(&|reject| reject.column.clone()),
        text(&|_| source.to_owned()),
        text(&|_| entity.to_owned()),
        text(&|_| account.to_owned()),
        number(&|reject| i64::from(reject.value_only)),
        text(&|reject| reject.text.clone()),
    ];
    let rows = batch(&REJECTS_CONTRACT, columns)?;
    let scratch = context.work.folder(fingerprint).join("rejects");
    let mut sink = Sink::new(&REJECTS_CONTRACT, Spread::Contract, &scratch);
    sink.push(&rows)?;
    sink.finish(1)
}

/// Writes the warnings of a batch.
///
/// # Errors
/// A full disk.
pub fn write_warnings(
    context: &Context,
    of: &Batch,
    origins: &[Origin],
    warnings: &Warnings,
    fingerprint: &Hash,
) -> Result<Vec<Written>, RunError> {
    type Row<'a> = (&'a (usize, String, String), &'a (u64, String));
    let text = |value: &dyn Fn(Row<'_>) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(warnings.iter().map(value)))
    };
    let number = |value: &dyn Fn(Row<'_>) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(warnings.iter().map(value)))
    };
    let account = context.job.sources.get(of.source).map_or("", |source| source.account.as_str());
    let (source, entity) = of.spec.split_once('/').unwrap_or((of.spec.as_str(), ""));
    let columns: Vec<ArrayRef> = vec![
        text(&|((object, ..), _)| origins.get(*object).map(|o| o.url.clone()).unwrap_or_default()),
        number(&|((object, ..), _)| origins.get(*object).map_or(0, |o| o.version)),
        text(&|((_, rule, _), _)| rule.clone()),
        text(&|((_, _, column), _)| column.clone()),
        text(&|_| source.to_owned()),
        text(&|_| entity.to_owned()),
        text(&|_| account.to_owned()),
        number(&|(_, (records, _))| int(*records)),
        text(&|(_, (_, sample))| sample.clone()),
    ];
    let rows = batch(&WARNINGS_CONTRACT, columns)?;
    let scratch = context.work.folder(fingerprint).join("warnings");
    let mut sink = Sink::new(&WARNINGS_CONTRACT, Spread::Contract, &scratch);
    sink.push(&rows)?;
    sink.finish(1)
}

/// Writes the headers and members of a batch's objects.
///
/// # Errors
/// A full disk.
pub fn write_seen(
    context: &Context,
    of: &Batch,
    origins: &[Origin],
    seen: &SeenColumns,
    fingerprint: &Hash,
) -> Result<Vec<Written>, RunError> {
    let text = |value: &dyn Fn(&(usize, String)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(seen.keys().map(value)))
    };
    let account = context.job.sources.get(of.source).map_or("", |source| source.account.as_str());
    let (source, entity) = of.spec.split_once('/').unwrap_or((of.spec.as_str(), ""));
    let of_object = |(object, _): &(usize, String)| origins.get(*object);
    let versions = seen.keys().map(|key| of_object(key).map_or(0, |origin| origin.version));
    let dts = seen.keys().map(|key| of_object(key).map(|origin| day_number(origin.dt)));
    let kinds = seen.values().map(|seen| seen.kinds());
    let read = seen.values().map(|seen| i64::from(seen.is_read));
    let columns: Vec<ArrayRef> = vec![
        text(&|key| of_object(key).map(|origin| origin.url.clone()).unwrap_or_default()),
        Arc::new(Int64Array::from_iter_values(versions)),
        text(&|(_, name)| name.clone()),
        text(&|_| source.to_owned()),
        text(&|_| entity.to_owned()),
        text(&|_| account.to_owned()),
        Arc::new(dts.collect::<Date32Array>()),
        Arc::new(StringArray::from_iter_values(kinds)),
        Arc::new(Int64Array::from_iter_values(read)),
    ];
    let rows = batch(&SEEN_CONTRACT, columns)?;
    let scratch = context.work.folder(fingerprint).join("seen");
    let mut sink = Sink::new(&SEEN_CONTRACT, Spread::Contract, &scratch);
    sink.push(&rows)?;
    sink.finish(1)
}
