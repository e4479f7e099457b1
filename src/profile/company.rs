//! The one value of each field of a company, out of the records of all systems.
//!
//! Per field the most trusted source wins, then the newest record, then an order that never changes.

use std::cmp::Reverse;

use super::Policy;

/// Fields of a company, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Name,
    Domain,
    ExternalId,
    ParentId,
    Industry,
    Employees,
    AnnualRevenue,
    Currency,
    Country,
    LifecycleStage,
    Segment,
}

/// How many there are.
pub const PARTS: usize = 11;

impl Part {
    /// All, in the order of [`Record::values`].
    pub const ALL: [Self; PARTS] = [
        Self::Name,
        Self::Domain,
        Self::ExternalId,
        Self::ParentId,
        Self::Industry,
        Self::Employees,
        Self::AnnualRevenue,
        Self::Currency,
        Self::Country,
        Self::LifecycleStage,
        Self::Segment,
    ];

    /// The column of the canonical accounts.
    pub fn column(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Domain => "domain",
            Self::ExternalId => "external_id",
            Self::ParentId => "parent_source_id",
            Self::Industry => "industry",
            Self::Employees => "employees",
            Self::AnnualRevenue => "annual_revenue",
            Self::Currency => "currency",
            Self::Country => "country",
            Self::LifecycleStage => "lifecycle_stage",
            Self::Segment => "segment",
        }
    }
}

/// What one system says of a company.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub source: String,
    pub source_account: String,
    pub entity: String,
    pub source_id: String,
    /// Microseconds since 1970.
    pub updated_at: Option<i64>,
    pub created_at: Option<i64>,
    /// Days since 1970.
    pub dt: i32,
    /// By place of the part in [`Part::ALL`].
    pub values: [Option<String>; PARTS],
}

impl Record {
    pub fn value(&self, part: Part) -> Option<&str> {
        self.values.get(part as usize).and_then(Option::as_deref)
    }
}

/// The record that says what counts in a field; what is worth money comes with its currency.
pub fn best<'a>(policy: &Policy, records: &[&'a Record], part: Part) -> Option<&'a Record> {
    let with_value = records.iter().copied().filter(|record| record.value(part).is_some());
    with_value.min_by_key(|record| {
        let id = (&record.source_account, &record.entity, &record.source_id);
        let age = (Reverse(record.updated_at), Reverse(record.dt));
        (policy.general_rank(&record.source), &record.source, age, id)
    })
}
