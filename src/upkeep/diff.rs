//! What is different between two releases: rows by key, columns, and a few examples.
//!
//! Files that both releases name hold the same rows and are not read.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::UpkeepError;
use crate::engine::{Engine, FileInput, Session};
use crate::state::Release;
use crate::storage::Store;
use crate::table::Contract;
use crate::table::dataset::Dataset;

/// Examples of changed rows shown a table.
const SAMPLES: usize = 3;

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableDiff {
    pub rows_before: u64,
    pub rows_after: u64,
    /// Keys that only the later release has, only the earlier one, and both with other values.
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    /// Changed rows by column, for columns with any.
    pub columns: BTreeMap<String, u64>,
    /// `key: column before → after`, without personal values.
    pub samples: Vec<String>,
}

impl TableDiff {
    pub fn is_same(&self) -> bool {
        self.added + self.removed + self.changed == 0
    }
}

/// Compares the tables of two releases; tables that are the same are left out.
///
/// `contract` gives what is known of a table; one that nobody describes is compared by its row
/// count.
///
/// # Errors
/// A file is missing, or memory does not suffice.
pub async fn diff<'a>(
    engine: &Engine,
    store: &Store,
    before: &Release,
    after: &Release,
    contract: impl Fn(&str) -> Option<&'a Contract>,
) -> Result<BTreeMap<String, TableDiff>, UpkeepError> {
    let mut all = BTreeMap::new();
    let names: BTreeSet<&String> = before.tables.keys().chain(after.tables.keys()).collect();
    for name in names {
        let (old, new) = (before.tables.get(name), after.tables.get(name));
        let rows = |dataset: Option<&Dataset>| dataset.map_or(0, |dataset| dataset.rows);
        let mut found =
            TableDiff { rows_before: rows(old), rows_after: rows(new), ..TableDiff::default() };
        if let Some(contract) = contract(name) {
            compare(engine, store, contract, (old, new), &mut found).await?;
        } else {
            found.added = found.rows_after.saturating_sub(found.rows_before);
            found.removed = found.rows_before.saturating_sub(found.rows_after);
        }
        if !found.is_same() {
            all.insert(name.clone(), found);
        }
    }
    Ok(all)
}

/// Files of one dataset that the other does not have.
fn only(store: &Store, one: Option<&Dataset>, other: Option<&Dataset>) -> Vec<FileInput> {
    let files = |dataset: Option<&Dataset>| dataset.map(|d| d.files.clone()).unwrap_or_default();
    let known: BTreeSet<String> = files(other).into_iter().map(|file| file.path).collect();
    let fresh = files(one).into_iter().filter(|file| !known.contains(&file.path));
    fresh.map(|file| FileInput::of(store, &file)).collect()
}

async fn compare(
    engine: &Engine,
    store: &Store,
    contract: &Contract,
    (old, new): (Option<&Dataset>, Option<&Dataset>),
    found: &mut TableDiff,
) -> Result<(), UpkeepError> {
    let (before, after) = (only(store, old, new), only(store, new, old));
    if before.is_empty() && after.is_empty() {
        return Ok(());
    }
    let session = engine.session();
    session.files("rows_before", contract.schema(), before)?;
    session.files("rows_after", contract.schema(), after)?;
    let key = contract.grain.iter();
    let on: Vec<_> =
        key.map(|column| format!("(b.{column} is not distinct from a.{column})")).collect();
    let both = format!(
        "(select *, true as is_there from rows_before) as b full outer join \
         (select *, true as is_there from rows_after) as a on {}",
        on.join(" and ")
    );
    let others: Vec<&str> = contract
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| !contract.grain.iter().any(|key| key == name))
        .collect();
    let differs = |name: &str| format!("(b.{name} is distinct from a.{name})");
    let any = others.iter().map(|name| differs(name)).collect::<Vec<_>>().join(" or ");
    let any = if any.is_empty() { "false".to_owned() } else { any };
    let there = "b.is_there is not null and a.is_there is not null";
    let sum = |what: &str| format!("coalesce(sum(case when {what} then 1 else 0 end), 0)");
    let mut counts = vec![
        sum("b.is_there is null"),
        sum("a.is_there is null"),
        sum(&format!("{there} and ({any})")),
    ];
    counts.extend(others.iter().map(|name| sum(&format!("{there} and {}", differs(name)))));
    let named = counts.iter().enumerate().map(|(i, what)| format!("{what} as n{i}"));
    let sql = format!("select {} from {both}", named.collect::<Vec<_>>().join(", "));
    let numbers = numbers(&session.collect("diff", &sql).await?);
    let number = |i: usize| numbers.get(i).copied().unwrap_or_default();
    (found.added, found.removed, found.changed) = (number(0), number(1), number(2));
    let columns = others.iter().enumerate().map(|(i, name)| ((*name).to_owned(), number(3 + i)));
    found.columns = columns.filter(|(_, changed)| *changed > 0).collect();
    if found.changed > 0 {
        found.samples = samples(&session, contract, &both, there, &found.columns).await?;
    }
    Ok(())
}

fn numbers(batches: &[RecordBatch]) -> Vec<u64> {
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Vec::new() };
    let number = |column: &arrow::array::ArrayRef| {
        let values = column.as_primitive_opt::<Int64Type>();
        values.map_or(0, |values| u64::try_from(values.value(0)).unwrap_or_default())
    };
    batch.columns().iter().map(number).collect()
}

/// A few changed rows, least keys first, each with the column that changed most often.
async fn samples(
    session: &Session,
    contract: &Contract,
    both: &str,
    there: &str,
    columns: &BTreeMap<String, u64>,
) -> Result<Vec<String>, UpkeepError> {
    let is_personal =
        |name: &str| contract.columns.iter().any(|column| column.name == name && column.pii);
    let open = columns.iter().filter(|(name, _)| !is_personal(name));
    let Some((column, _)) =
        open.max_by_key(|(name, changed)| (**changed, std::cmp::Reverse(*name)))
    else {
        return Ok(Vec::new());
    };
    let key: Vec<_> = contract.grain.iter().filter(|name| !is_personal(name)).collect();
    let shown: Vec<_> = key.iter().map(|name| format!("a.{name}")).collect();
    let order = (1..=shown.len()).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let values = [format!("b.{column} as v0"), format!("a.{column} as v1")];
    let select = [shown, values.to_vec()].concat();
    let sql = format!(
        "select {} from {both} where {there} and (b.{column} is distinct from a.{column}) \
         order by {order} limit {SAMPLES}",
        select.join(", ")
    );
    let options = FormatOptions::default().with_null("null");
    let mut texts = Vec::new();
    for batch in session.collect("diff", &sql).await? {
        let formatted = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
        let Ok(formatted) = formatted.collect::<Result<Vec<_>, _>>() else { continue };
        for row in 0..batch.num_rows() {
            let mut values: Vec<String> =
                formatted.iter().map(|column| column.value(row).to_string()).collect();
            let (now, then) = (values.pop(), values.pop());
            texts.push(format!(
                "{}: {column} {} → {}",
                values.join(", "),
                then.unwrap_or_default(),
                now.unwrap_or_default()
            ));
        }
    }
    Ok(texts)
}
