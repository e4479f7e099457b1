//! DuckDB views over a release's explicit file lists: no extension needed, nothing to glob.

use std::fmt::Write as _;

use super::{PublishError, Published};
use crate::storage::Store;
use crate::table::Kind;

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
pub fn sql(store: &Store, number: u64, tables: &[Published<'_>]) -> String {
    let mut sql = format!("-- Release {number}. Read with: duckdb -init views.sql\n");
    for Published { contract, dataset } in tables {
        let name = &contract.name;
        let body = if dataset.files.is_empty() {
            let typed = |c: &crate::table::Column| {
                format!("cast(null as {}) as {}", duckdb_type(c.kind), c.name)
            };
            let columns: Vec<_> = contract.columns.iter().map(typed).collect();
            format!("select {} where false", columns.join(", "))
        } else {
            let path = |file: &crate::table::dataset::FileRef| literal(&store.address(&file.path));
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
    tables: &[Published<'_>],
) -> Result<(), PublishError> {
    let text = sql(store, number, tables);
    store.create(&format!("catalog/views-{number}.sql"), text.clone().into()).await?;
    store.replace("catalog/views.sql", text.into()).await?;
    Ok(())
}
