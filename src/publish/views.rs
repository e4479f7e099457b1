//! DuckDB views over a release's explicit file lists: no extension needed, nothing to glob.

use std::fmt::Write as _;

use super::{PublishError, Published};
use crate::storage::{StorageError, Store};
use crate::table::Kind;

/// Top line of the file, and the one below it when the Delta logs were written before it.
const RELEASE: &str = "-- Release ";
const DELTA: &str = "-- The Delta logs of the tables show the same release.";

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A literal that DuckDB reads as one path: it takes these characters for patterns elsewhere.
fn path_literal(path: &str) -> String {
    let escape = |c: char| if "[*?".contains(c) { format!("[{c}]") } else { c.to_string() };
    literal(&path.chars().map(escape).collect::<String>())
}

fn duckdb_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "varchar",
        Kind::Int64 => "bigint",
        Kind::Float64 => "double",
        Kind::Bool => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamptz",
        Kind::Decimal => "decimal(18,4)",
    }
}

/// SQL text that makes one view a table, with comments, for release `number`.
pub fn sql(store: &Store, number: u64, with_delta: bool, tables: &[Published<'_>]) -> String {
    let mut sql = format!("{RELEASE}{number}. Read with: duckdb -init views.sql\n");
    if with_delta {
        sql.push_str(DELTA);
        sql.push('\n');
    }
    for Published { contract, dataset } in tables {
        let name = &contract.name;
        let body = if dataset.files.is_empty() {
            let typed = |c: &crate::table::Column| {
                format!("cast(null as {}) as {}", duckdb_type(c.kind), c.name)
            };
            let columns: Vec<_> = contract.columns.iter().map(typed).collect();
            format!("select {} where false", columns.join(", "))
        } else {
            let path =
                |file: &crate::table::dataset::FileRef| path_literal(&store.address(&file.path));
            let paths: Vec<_> = dataset.files.iter().map(path).collect();
            let paths = paths.join(",\n  ");
            format!("select * from read_parquet([\n  {paths}\n], hive_partitioning = false)")
        };
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "create or replace view {name} as {body};");
        let _ = writeln!(sql, "comment on view {name} is {};", literal(&contract.description));
    }
    sql
}

/// Writes `catalog/views-<number>.sql` and its copy `catalog/views.sql`, the only key that is
/// ever overwritten.
///
/// # Errors
/// The store failed.
pub async fn project(
    store: &Store,
    number: u64,
    with_delta: bool,
    tables: &[Published<'_>],
) -> Result<(), PublishError> {
    let text = sql(store, number, with_delta, tables);
    store.create(&format!("catalog/views-{number}.sql"), text.clone().into()).await?;
    store.replace("catalog/views.sql", text.into()).await?;
    Ok(())
}

/// The release that `catalog/views.sql` shows, if the projections before it were made too.
///
/// # Errors
/// The store failed.
pub async fn shown(store: &Store, with_delta: bool) -> Result<Option<u64>, PublishError> {
    let text = match store.read("catalog/views.sql").await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(StorageError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut lines = text.lines();
    let number = lines.next().and_then(|line| line.strip_prefix(RELEASE)?.split('.').next());
    let has_delta = lines.next() == Some(DELTA);
    Ok(number.and_then(|number| number.parse().ok()).filter(|_| has_delta || !with_delta))
}
