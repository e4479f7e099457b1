//! Counts, by batch date, what rows of each source hold, for [`crate::check::drift`] to compare.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{Days, NaiveDate};

use super::{Context, RunError, Tables, model};
use crate::catalog::Table;
use crate::catalog::spec::ATTRIBUTES;
use crate::check::Finding;
use crate::check::drift::{Filled, Scored, check};
use crate::check::sources::{Source, TRAILING_DAYS, have_past};
use crate::plan::Plan;
use crate::table::TableError;
use crate::table::day::date;

/// The last of the columns that every canonical table begins with.
const HEAD: &str = "identity_key";
/// The table that holds scores.
const SCORES: &str = "survey_responses";

/// Asks the two checks over all versions that came within the days compared.
///
/// # Errors
/// A table cannot be read.
pub async fn findings(
    context: &Context,
    plan: &Plan,
    tables: &Tables,
    sources: &[Source],
) -> Result<[Finding; 2], RunError> {
    let (mut filled, mut scored) = (BTreeMap::new(), BTreeMap::new());
    if have_past(sources, plan.as_of) {
        for table in context.catalog.canonical_tables.values() {
            let name = format!("versions_{}", table.contract.name);
            if tables.get(&name).is_none_or(|dataset| dataset.files.is_empty()) {
                continue;
            }
            let session = context.engine.session();
            model::register(context, plan, &session, [&name].into_iter(), tables).await?;
            let own = own_columns(table);
            let counts = own.iter().map(|column| format!(", count({column})")).collect::<String>();
            let sql = format!(
                "select {KEY}, count(*){counts} from {name} where {} group by {KEY}",
                within(plan.as_of)
            );
            for batch in session.collect(&name, &sql).await? {
                fill(&batch, &table.contract.name, &own, &mut filled)?;
            }
            if table.contract.name == SCORES {
                let sql = format!(
                    "select {KEY}, metric, score, count(*) from {name} where score is not null and \
                     {} group by {KEY}, metric, score",
                    within(plan.as_of)
                );
                for batch in session.collect(&name, &sql).await? {
                    score(&batch, &mut scored)?;
                }
            }
        }
    }
    let filled: Vec<Filled> = filled.into_values().collect();
    let scored: Vec<Scored> = scored.into_values().collect();
    Ok(check(&filled, &scored, plan.as_of))
}

const KEY: &str = "source, source_account, entity, dt";

/// Rows of the newest days and of those they are compared with; a newest day may lie some days back.
fn within(as_of: NaiveDate) -> String {
    let first = as_of.checked_sub_days(Days::new(2 * TRAILING_DAYS)).unwrap_or(as_of);
    format!(
        "dt >= date '{first}' and dt <= date '{as_of}' and (is_deleted is null or not is_deleted)"
    )
}

/// Columns that the table has for itself, without what staging makes of them.
fn own_columns(table: &Table) -> Vec<&str> {
    let times = table.canonical.iter().flat_map(|canonical| &canonical.times);
    let of_times: BTreeSet<String> =
        times.map(|time| format!("{}_date", time.strip_suffix("_at").unwrap_or(time))).collect();
    let names = table.contract.columns.iter().map(|column| column.name.as_str());
    let names = names.skip_while(|name| *name != HEAD).skip(1);
    names.take_while(|name| *name != ATTRIBUTES && !of_times.contains(*name)).collect()
}

/// Source, export and account of a row, as people know them, and its batch date.
fn key(batch: &RecordBatch, row: usize) -> Option<(String, NaiveDate)> {
    let text = |column: usize| {
        let texts = batch.column(column).as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row))
    };
    let (source, account, entity) = (text(0)?, text(1)?, text(2)?);
    let account = if account == "main" { String::new() } else { format!(" ({account})") };
    let days = batch.column(3).as_primitive_opt::<Date32Type>()?;
    days.is_valid(row).then(|| (format!("{source}/{entity}{account}"), date(days.value(row))))
}

/// A count of a row.
fn count(batch: &RecordBatch, column: usize, row: usize) -> u64 {
    let counts = batch.column(column).as_primitive_opt::<Int64Type>();
    counts.and_then(|counts| u64::try_from(counts.value(row)).ok()).unwrap_or_default()
}

fn fill(
    batch: &RecordBatch,
    table: &str,
    columns: &[&str],
    filled: &mut BTreeMap<String, Filled>,
) -> Result<(), RunError> {
    for row in 0..batch.num_rows() {
        let (source, day) = key(batch, row).ok_or_else(|| RunError::NoTable(table.to_owned()))?;
        for (i, column) in columns.iter().enumerate() {
            let name = format!("{column} of {source} in {table}");
            let of =
                filled.entry(name.clone()).or_insert_with(|| Filled { name, ..Filled::default() });
            of.days.insert(day, (count(batch, 4, row), count(batch, 5 + i, row)));
        }
    }
    Ok(())
}

fn score(batch: &RecordBatch, scored: &mut BTreeMap<String, Scored>) -> Result<(), RunError> {
    let fail = |source| RunError::Table(TableError::Order { table: SCORES.to_owned(), source });
    let options = FormatOptions::default();
    let metrics = ArrayFormatter::try_new(batch.column(4), &options).map_err(fail)?;
    let scores = ArrayFormatter::try_new(batch.column(5), &options).map_err(fail)?;
    for row in 0..batch.num_rows() {
        let (source, day) = key(batch, row).ok_or_else(|| RunError::NoTable(SCORES.to_owned()))?;
        let name = format!("{} of {source}", metrics.value(row));
        let of = scored.entry(name.clone()).or_insert_with(|| Scored { name, ..Scored::default() });
        let given = of.days.entry(day).or_default();
        *given.entry(scores.value(row).to_string()).or_default() += count(batch, 6, row);
    }
    Ok(())
}
