//! How a person's record changed from day to day.

use std::collections::BTreeMap;

use super::golden::Golden;
use super::{Field, Policy, Record};

/// One version of one source's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Local day from which it holds, in days since 1970.
    pub day: i32,
    pub is_deleted: bool,
    pub record: Record,
}

/// Values that a person had for some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub from: i32,
    /// First day on which it no longer holds.
    pub to: Option<i32>,
    pub display_name: Option<String>,
    /// Of [`TRACKED`].
    pub values: [Option<String>; TRACKED_FIELDS],
    /// Names of the columns that changed, or `first_seen`.
    pub reason: String,
}

const TRACKED_FIELDS: usize = 18;

/// Fields that a job can track, besides the name.
pub const TRACKED: [Field; TRACKED_FIELDS] = [
    Field::Email,
    Field::Phone,
    Field::CompanyName,
    Field::Country,
    Field::Language,
    Field::City,
    Field::PostalCode,
    Field::LifecycleStage,
    Field::Segment,
    Field::EmailConsent,
    Field::AcquisitionChannel,
    Field::Region,
    Field::BirthDate,
    Field::Gender,
    Field::JobTitle,
    Field::Plan,
    Field::LoyaltyTier,
    Field::EmailVerified,
];

/// The name, as a column.
const NAME: &str = "display_name";

/// The columns whose changes make a new period; the others are left empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked {
    has_name: bool,
    fields: [bool; TRACKED_FIELDS],
}

impl Tracked {
    /// By name of the column of `customer_history`.
    pub fn new(columns: &[String]) -> Self {
        let has = |column: &str| columns.iter().any(|name| name == column);
        Self { has_name: has(NAME), fields: TRACKED.map(|field| has(field.column())) }
    }
}

/// The periods of one person, oldest first; `versions` stand in order of day and version.
///
/// All changes of one day count together: what held at its end is what the day shows, and a value
/// that changed and came back within a day left no trace.
pub fn periods(policy: &Policy, tracked: &Tracked, versions: &[Version]) -> Vec<Period> {
    let mut held: BTreeMap<(&str, &str, &str, &str), &Record> = BTreeMap::new();
    let mut periods: Vec<Period> = Vec::new();
    for day in versions.chunk_by(|a, b| a.day == b.day) {
        for version in day {
            let r = &version.record;
            let key = (&*r.source, &*r.source_account, &*r.entity, &*r.source_id);
            if version.is_deleted {
                held.remove(&key);
            } else {
                held.insert(key, r);
            }
        }
        let Some(from) = day.first().map(|version| version.day) else { continue };
        let records: Vec<&Record> = held.values().copied().collect();
        change(policy, tracked, from, &records, &mut periods);
    }
    periods
}

fn change(
    policy: &Policy,
    tracked: &Tracked,
    from: i32,
    records: &[&Record],
    periods: &mut Vec<Period>,
) {
    let is_first = periods.is_empty();
    let last = periods.last_mut().filter(|last| last.to.is_none());
    if records.is_empty() {
        if let Some(last) = last {
            last.to = Some(from);
        }
        return;
    }
    let golden = Golden::new(policy, records);
    let display_name = golden.display_name().filter(|_| tracked.has_name);
    let mut values = TRACKED.map(|field| golden.value(field).map(str::to_owned));
    for (value, _) in values.iter_mut().zip(tracked.fields).filter(|(_, is_tracked)| !is_tracked) {
        *value = None;
    }
    let reason = match &last {
        None if is_first => "first_seen".to_owned(),
        None => "seen_again".to_owned(),
        Some(last) => {
            let name = (last.display_name != display_name).then_some(NAME);
            let pairs = TRACKED.iter().zip(last.values.iter().zip(&values));
            let changed = pairs.filter(|(_, (a, b))| a != b).map(|(field, _)| field.column());
            name.into_iter().chain(changed).collect::<Vec<_>>().join(", ")
        }
    };
    if reason.is_empty() {
        return;
    }
    if let Some(last) = periods.last_mut().filter(|last| last.to.is_none()) {
        last.to = Some(from);
    }
    periods.push(Period { from, to: None, display_name, values, reason });
}
