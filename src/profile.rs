//! One record per person out of the records of all sources, and how it came to be.
//!
//! Per field the most trusted source wins, then the newest record, unless the job has other rules,
//! then an order that never changes; an empty value never overwrites. The same choice, made again for every day on which a
//! source changed something, is the person's history.

pub mod company;
pub mod golden;
pub mod history;
pub mod rates;

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
    Region,
    BirthDate,
    Gender,
    JobTitle,
    Plan,
    LoyaltyTier,
    /// Of the chosen address; `true` or `false`.
    EmailVerified,
}

/// How many fields there are.
pub const FIELDS: usize = 21;

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
        Self::Region,
        Self::BirthDate,
        Self::Gender,
        Self::JobTitle,
        Self::Plan,
        Self::LoyaltyTier,
        Self::EmailVerified,
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
            Self::Region => "region",
            Self::BirthDate => "birth_date",
            Self::Gender => "gender",
            Self::JobTitle => "job_title",
            Self::Plan => "plan",
            Self::LoyaltyTier => "loyalty_tier",
            Self::EmailVerified => "is_email_verified",
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

/// What makes one value better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    SourcePriority,
    Newest,
    MostFrequent,
    Longest,
    /// The source saw an answer from the address; e-mail addresses only.
    Verified,
}

impl Criterion {
    /// All, by the name that a job knows them by.
    pub const ALL: [(&'static str, Self); 5] = [
        ("source_priority", Self::SourcePriority),
        ("newest", Self::Newest),
        ("most_frequent", Self::MostFrequent),
        ("longest", Self::Longest),
        ("verified", Self::Verified),
    ];

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, criterion)| *criterion)
    }
}

/// What decides where a job says nothing, and what decides at last where it does.
const CRITERIA: [Criterion; 2] = [Criterion::SourcePriority, Criterion::Newest];

/// Whom to trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    general: Vec<String>,
    special: BTreeMap<Field, Vec<String>>,
    criteria: BTreeMap<Field, Vec<Criterion>>,
}

impl Policy {
    /// Sources, most trusted first; `special` has lists of its own for some fields, by name.
    pub fn new(general: &[String], special: &BTreeMap<String, Vec<String>>) -> Self {
        let of = |field: Field| Some((field, special.get(field.name())?.clone()));
        let special = Field::ALL.into_iter().filter_map(of).collect();
        Self { general: general.to_vec(), special, criteria: BTreeMap::new() }
    }

    /// With criteria of their own for some fields, by name; the usual ones come after them.
    #[must_use]
    pub fn with_rules<'a>(
        mut self,
        rules: impl Iterator<Item = (&'a str, Vec<Criterion>)>,
    ) -> Self {
        for (name, mut criteria) in rules {
            let usual = CRITERIA.into_iter().filter(|known| !criteria.contains(known));
            let usual: Vec<Criterion> = usual.collect();
            criteria.extend(usual);
            if let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) {
                self.criteria.insert(field, criteria);
            }
        }
        self
    }

    fn criteria(&self, field: Field) -> &[Criterion] {
        self.criteria.get(&field).map_or(&CRITERIA, Vec::as_slice)
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
