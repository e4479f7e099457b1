//! One record per person out of the records of all sources, and how it came to be.
//!
//! Per field the most trusted source wins, then the newest record, then an order that never
//! changes; an empty value never overwrites. The same choice, made again for every day on which a
//! source changed something, is the person's history.

pub mod company;
pub mod golden;
pub mod history;

use std::collections::BTreeMap;

/// Fields that sources fill and one value is chosen of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    FirstName,
    LastName,
    FullName,
    Email,
    Phone,
    CompanyName,
    Country,
    Language,
    City,
    PostalCode,
    LifecycleStage,
    Segment,
    AcquisitionChannel,
    EmailConsent,
}

/// How many fields there are.
pub const FIELDS: usize = 14;

impl Field {
    /// All, in the order of [`Record::values`].
    pub const ALL: [Self; FIELDS] = [
        Self::FirstName,
        Self::LastName,
        Self::FullName,
        Self::Email,
        Self::Phone,
        Self::CompanyName,
        Self::Country,
        Self::Language,
        Self::City,
        Self::PostalCode,
        Self::LifecycleStage,
        Self::Segment,
        Self::AcquisitionChannel,
        Self::EmailConsent,
    ];

    /// The column of the canonical contacts that it comes from.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::FullName => "full_name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::CompanyName => "company_name",
            Self::Country => "country",
            Self::Language => "language",
            Self::City => "city",
            Self::PostalCode => "postal_code",
            Self::LifecycleStage => "lifecycle_stage",
            Self::Segment => "segment",
            Self::AcquisitionChannel => "acquisition_channel",
            Self::EmailConsent => "email_consent",
        }
    }
}

impl Field {
    /// The column of `customers` that shows it.
    pub fn column(self) -> &'static str {
        match self {
            Self::Email => "primary_email",
            Self::Phone => "primary_phone",
            other => other.name(),
        }
    }
}

/// What kind of row a value comes from; the first kind that has one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Origin {
    /// A source's record of the person.
    #[default]
    Contact,
    /// An identifier that any row carried.
    Identifier,
    /// An order or a survey response.
    Activity,
}

/// One row that says something about a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub origin: Origin,
    pub source: String,
    pub source_account: String,
    pub entity: String,
    pub source_id: String,
    /// Id of the canonical row; empty where the row is none.
    pub record_id: String,
    /// Microseconds since 1970.
    pub updated_at: Option<i64>,
    pub consent_at: Option<i64>,
    /// Days since 1970.
    pub dt: i32,
    /// By place of the field in [`Field::ALL`]; none is empty.
    pub values: [Option<String>; FIELDS],
}

impl Record {
    pub fn value(&self, field: Field) -> Option<&str> {
        self.values.get(field as usize).and_then(Option::as_deref)
    }
}

/// Whom to trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    general: Vec<String>,
    special: BTreeMap<Field, Vec<String>>,
}

impl Policy {
    /// Sources, most trusted first; `special` has lists of its own for some fields, by name.
    pub fn new(general: &[String], special: &BTreeMap<String, Vec<String>>) -> Self {
        let of = |field: Field| Some((field, special.get(field.name())?.clone()));
        Self { general: general.to_vec(), special: Field::ALL.into_iter().filter_map(of).collect() }
    }

    /// Place of a source where a field has no list of its own.
    pub(crate) fn general_rank(&self, source: &str) -> usize {
        self.general.iter().position(|name| name == source).unwrap_or(self.general.len())
    }

    /// Place of a source; all that are not named share the last one.
    fn rank(&self, field: Field, source: &str) -> usize {
        let list = self.special.get(&field).unwrap_or(&self.general);
        list.iter().position(|name| name == source).unwrap_or(list.len())
    }
}
