//! Delta logs that follow the releases: one log a table, one entry a release that changed it.
//!
//! A log is a projection. It can be made again from any release, and every entry carries the
//! number of the release it shows (`txn`), so that doing it twice, or two runs doing it at once,
//! gives the same log. Reader protocol 1, writer protocol 2: what every Delta reader knows.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Value, json};

use super::{PublishError, partition_folder};
use crate::storage::delta::{Active, DeltaLog, Meta, Snapshot};
use crate::storage::{Created, Store};
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::Hasher;
use crate::table::{Contract, Kind};

/// Names our transactions in a log; other writers have others.
const APPLICATION: &str = "cxmart";
/// Entries between two checkpoints.
const CHECKPOINT_ENTRIES: u64 = 50;
/// How sink writes a null partition value in paths.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// What became of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projected {
    /// It shows this release or a later one.
    Current,
    /// Somebody else made the next entry first: the newest release has to be read again.
    Lost,
}

/// Brings the log of one table to release `number`.
///
/// Without a contract the table is gone: all its files are removed, its log stays for those who
/// pinned a version.
///
/// # Errors
/// The store failed, or the log is damaged.
pub async fn project(
    store: &Store,
    number: u64,
    as_of: NaiveDate,
    table: &str,
    shown: Option<(&Contract, &Dataset)>,
) -> Result<Projected, PublishError> {
    let fail = |source| PublishError::Delta { table: table.to_owned(), source };
    let log = DeltaLog::new(store, &format!("tables/{table}"));
    let before = log.newest(APPLICATION).await.map_err(fail)?;
    let Some(actions) = actions(number, as_of, table, shown, before.as_ref()) else {
        return Ok(Projected::Current);
    };
    let version = before.map_or(0, |snapshot| snapshot.version + 1);
    let mut text = String::new();
    for action in actions {
        text.push_str(&action.to_string());
        text.push('\n');
    }
    if log.create(version, text.into()).await.map_err(fail)? == Created::Exists {
        return Ok(Projected::Lost);
    }
    if version > 0 && version.is_multiple_of(CHECKPOINT_ENTRIES) {
        log.checkpoint().await.map_err(fail)?;
    }
    Ok(Projected::Current)
}

/// The next entry, or nothing if the log shows the release already.
fn actions(
    number: u64,
    as_of: NaiveDate,
    table: &str,
    shown: Option<(&Contract, &Dataset)>,
    before: Option<&Snapshot>,
) -> Option<Vec<Value>> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    if before.is_some_and(|snapshot| snapshot.transaction.is_some_and(|done| done >= number)) {
        return None;
    }
    if before.is_none() && shown.is_none() {
        return None;
    }
    // The release's day, not a clock's: the same release gives the same log.
    let time_ms = as_of.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    let mut changes = Vec::new();
    if before.is_none() {
        changes.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    }
    if let Some((contract, _)) = shown {
        let meta = meta(contract, before, time_ms);
        if before.is_none_or(|snapshot| differs(&meta, &snapshot.meta)) {
            changes.push(meta_action(table, &meta));
        }
    }
    let wanted: BTreeMap<String, &FileRef> = shown
        .map(|(contract, dataset)| {
            let path = |file: &FileRef| relative_path(contract, file);
            dataset.files.iter().map(|file| (path(file), file)).collect()
        })
        .unwrap_or_default();
    let none = BTreeMap::new();
    let active = before.map_or(&none, |snapshot| &snapshot.active);
    let gone = active.iter().filter(|(path, _)| !wanted.contains_key(*path));
    changes.extend(gone.map(|(path, file)| remove(path, file, time_ms)));
    let fresh = wanted.iter().filter(|(path, _)| !active.contains_key(*path));
    changes.extend(fresh.map(|(path, file)| add(path, file, time_ms)));
    if changes.is_empty() {
        return None;
    }
    let mut actions = vec![
        json!({"commitInfo": {
            "timestamp": time_ms,
            "operation": "WRITE",
            "operationParameters": {"mode": "Overwrite", "release": number.to_string()},
            "isBlindAppend": false,
            "engineInfo": concat!("cxmart/", env!("CARGO_PKG_VERSION")),
        }}),
        json!({"txn": {"appId": APPLICATION, "version": number, "lastUpdated": time_ms}}),
    ];
    actions.append(&mut changes);
    Some(actions)
}

/// Path of a file below its table's folder; nothing in it needs escaping in a url.
fn relative_path(contract: &Contract, file: &FileRef) -> String {
    format!("{}{}", partition_folder(contract, file), super::file_name(file))
}

fn meta(contract: &Contract, before: Option<&Snapshot>, time_ms: i64) -> Meta {
    let field = |column: &crate::table::Column| {
        json!({
            "name": column.name,
            "type": delta_type(column.kind),
            "nullable": true,
            "metadata": {"comment": column.description},
        })
    };
    let fields: Vec<Value> = contract.columns.iter().map(field).collect();
    Meta {
        id: before.map_or_else(|| table_id(&contract.name), |snapshot| snapshot.meta.id.clone()),
        description: Some(contract.description.clone()),
        schema: json!({"type": "struct", "fields": fields}).to_string(),
        partition: contract.partition.clone(),
        created_ms: before.map_or(Some(time_ms), |snapshot| snapshot.meta.created_ms),
    }
}

/// Whether readers were told something else; the schema is compared as a value, because a
/// checkpoint may have written it anew.
fn differs(wanted: &Meta, found: &Meta) -> bool {
    let value = |meta: &Meta| serde_json::from_str::<Value>(&meta.schema).ok();
    wanted.description != found.description
        || wanted.partition != found.partition
        || value(wanted) != value(found)
}

fn meta_action(table: &str, meta: &Meta) -> Value {
    json!({"metaData": {
        "id": meta.id,
        "name": table,
        "description": meta.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": meta.schema,
        "partitionColumns": meta.partition,
        "configuration": {},
        "createdTime": meta.created_ms,
    }})
}

/// Row counts only: minima and maxima are in the files' footers, without the personal columns.
fn add(path: &str, file: &FileRef, time_ms: i64) -> Value {
    let values = file.partition.iter().map(|(column, value)| {
        let value = if value == NULL { Value::Null } else { Value::from(value.as_str()) };
        (column.clone(), value)
    });
    json!({"add": {
        "path": path,
        "partitionValues": values.collect::<serde_json::Map<_, _>>(),
        "size": file.bytes,
        "modificationTime": time_ms,
        "dataChange": true,
        "stats": json!({"numRecords": file.rows}).to_string(),
    }})
}

fn remove(path: &str, file: &Active, time_ms: i64) -> Value {
    json!({"remove": {
        "path": path,
        "deletionTimestamp": time_ms,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": file.partition,
        "size": file.bytes,
    }})
}

fn delta_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Int64 => "long",
        Kind::Float64 => "double",
        Kind::Bool => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
        Kind::Decimal => "decimal(18,4)",
    }
}

/// A UUID (version 8: made by our own rule) from the table's name: nothing random in a log.
fn table_id(name: &str) -> String {
    let hash = Hasher::new("delta table").part(name).finish();
    let hex: Vec<char> = hash.as_str().chars().collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or(&[]).iter().collect::<String>();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
