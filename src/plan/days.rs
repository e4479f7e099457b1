//! Days of daily tables: which are kept, what they were made from, which of them are out of date.
//!
//! A daily table (partitioned by `as_of`) holds what was known on each of its days. A run writes the
//! day it is made for; a day before the horizon is written again only when somebody asks for it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, Months, NaiveDate};

use super::{AS_OF, Graph, Node, run_hash};
use crate::catalog::Catalog;
use crate::job::Job;
use crate::state::{ObjectEntry, Release};
use crate::table::hash::{Hash, Hasher};

/// Days before the horizon that a daily table keeps, beside the last days of months.
const KEPT_DAYS: u64 = 35;

/// Partition columns that say how old a partition is.
pub const DATED: [&str; 3] = [AS_OF, "month", "year"];

/// Last day of a partition, by its values as they stand in paths; `None` when it has none, or is
/// of rows without a time.
pub fn last_of(partition: &BTreeMap<String, String>) -> Option<NaiveDate> {
    let value = |column: &str| partition.get(column).map(String::as_str);
    if let Some(day) = value(AS_OF) {
        return day.parse().ok();
    }
    if let Some(month) = value("month") {
        let first: NaiveDate = month.parse().ok()?;
        let next = first.checked_add_months(Months::new(1))?;
        return next.pred_opt().filter(|_| first != NaiveDate::default());
    }
    NaiveDate::from_ymd_opt(value("year")?.parse().ok()?, 12, 31)
}

/// Whether a daily table keeps the day: the last weeks, and the last days of months.
pub fn is_kept(day: NaiveDate, horizon: NaiveDate) -> bool {
    let is_month_end = day.succ_opt().is_none_or(|next| next.day() == 1);
    is_month_end || horizon.checked_sub_days(Days::new(KEPT_DAYS)).is_none_or(|first| day > first)
}

/// Whether a published table has a partition for each day.
pub fn is_daily(catalog: &Catalog, name: &str) -> bool {
    let table = catalog.tables.get(name).filter(|table| table.published);
    table.is_some_and(|table| table.contract.partition == [AS_OF])
}

/// Names of the daily tables.
pub fn daily(catalog: &Catalog) -> BTreeSet<String> {
    catalog.tables.keys().filter(|name| is_daily(catalog, name)).cloned().collect()
}

/// The nodes that `wanted` tables are made by, and all before them, in the graph's order.
pub fn nodes_for(graph: &Graph, wanted: &BTreeSet<String>) -> Vec<Node> {
    let mut needed = wanted.clone();
    let mut nodes = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| needed.contains(output)) {
            needed.extend(node.inputs.iter().cloned());
            nodes.push(node.clone());
        }
    }
    nodes.reverse();
    nodes
}

/// Says what a day was made from: the objects known by then, and the code and options of the steps.
pub fn key(
    job: &Job,
    catalog: &Catalog,
    graph: &Graph,
    objects: &[ObjectEntry],
    day: NaiveDate,
) -> Hash {
    let mut hasher = Hasher::new("day");
    hasher.part(run_hash(job, day).as_str());
    for node in nodes_for(graph, &daily(catalog)) {
        hasher.part(&node.name).part(node.code.as_str());
    }
    let mut known: Vec<_> = objects.iter().filter(|entry| entry.dt <= day).collect();
    known.sort_by(|a, b| (&a.url, a.version).cmp(&(&b.url, b.version)));
    for entry in known {
        hasher.part(&entry.url).part(entry.version.to_le_bytes());
        hasher.part(entry.sha256.as_str()).part(entry.staging.as_str());
        for (subject, _) in entry.forgotten.iter().filter(|(_, deletes)| **deletes) {
            hasher.part(subject);
        }
    }
    hasher.finish()
}

/// Days of the release that would come out differently today, with late objects or changed code.
pub fn stale(
    job: &Job,
    catalog: &Catalog,
    graph: &Graph,
    release: &Release,
    objects: &[ObjectEntry],
) -> Vec<NaiveDate> {
    let days = release.days.iter().filter(|(day, _)| **day < release.horizon);
    let changed =
        days.filter(|(day, made_from)| key(job, catalog, graph, objects, **day) != **made_from);
    changed.map(|(day, _)| *day).collect()
}

/// The days of a release, with one that was made anew, without those that are kept no longer.
pub fn with(
    parent: Option<&Release>,
    horizon: NaiveDate,
    day: NaiveDate,
    made_from: Option<Hash>,
) -> BTreeMap<NaiveDate, Hash> {
    let before = parent.map(|release| release.days.clone()).unwrap_or_default();
    let mut days: BTreeMap<_, _> =
        before.into_iter().filter(|(day, _)| is_kept(*day, horizon)).collect();
    days.extend(made_from.map(|made_from| (day, made_from)));
    days
}
