//! Of each day the newest export counts: which exports of it do not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

/// An object that tells of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told<'a> {
    /// Whose day: export, account, and the day with what stands apart in it.
    pub scope: (&'a str, &'a str, &'a str),
    /// Any other object of the day comes after it.
    pub is_preliminary: bool,
    pub dt: NaiveDate,
    pub url: &'a str,
    pub version: i64,
}

/// Url, version and window of the objects whose records of that window no longer count.
///
/// The objects of one batch date are one export, in several files; of two versions at one url the
/// newer counts. It does not matter which came first to be read.
pub fn superseded<'a>(told: &BTreeSet<Told<'a>>) -> BTreeSet<(&'a str, i64, &'a str)> {
    let rank = |told: &Told<'a>| (!told.is_preliminary, told.dt);
    let mut newest = BTreeMap::new();
    let mut version = BTreeMap::new();
    for one in told {
        let first = newest.entry(one.scope).or_insert_with(|| rank(one));
        *first = rank(one).max(*first);
        let last = version.entry((one.scope, one.url)).or_insert(one.version);
        *last = one.version.max(*last);
    }
    let is_gone = |one: &&Told<'a>| {
        newest.get(&one.scope).is_some_and(|newest| rank(one) < *newest)
            || version.get(&(one.scope, one.url)).is_some_and(|last| one.version < *last)
    };
    told.iter().filter(is_gone).map(|one| (one.url, one.version, one.scope.2)).collect()
}
