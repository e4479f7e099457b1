//! What is wanted: a `jobs/*.toml` file, parsed and checked, without looking at clock or environment.
//!
//! Every problem of a file is found at once and told with its path and a hint, so that a user
//! mends a file in one round. Paths inside a job are relative to the project folder.

pub mod check;
pub mod customers;
pub mod identity;
pub mod journey;
pub mod measure;
pub mod privacy;
pub mod schema;
pub mod value;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::identity::{Accounts, Identity, Matching};
pub use self::privacy::{Erasure, Privacy};
pub use self::value::{Origin, Override};

/// One thing wrong with a job, a spec or a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// Where: `jobs/nightly.toml: source[2].url`.
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A job file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Letters, digits, `-` and `_`.
    pub name: String,
    /// IANA name; every date, week and month in the tables is in this zone.
    pub time_zone: String,
    /// Url or folder of the warehouse; `--warehouse` wins over it.
    pub warehouse: String,
    /// ISO 3166 country of phone numbers without prefix.
    #[serde(default)]
    pub country: Option<String>,
    /// ISO 4217 currency that amounts are reported in.
    #[serde(default = "default_currency")]
    pub currency: String,
    #[serde(rename = "source", default)]
    pub sources: Vec<Source>,
    #[serde(default)]
    pub identity: Identity,
    #[serde(default)]
    pub accounts: Accounts,
    #[serde(default)]
    pub profile: Profile,
    #[serde(default)]
    pub stages: Stages,
    #[serde(default)]
    pub paths: Paths,
    #[serde(default)]
    pub sessions: journey::Sessions,
    /// None: one over the stages, so call [`Job::funnels`].
    #[serde(rename = "funnel", default)]
    pub funnels: Vec<journey::Funnel>,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(rename = "scale", default)]
    pub scales: Vec<measure::Scale>,
    #[serde(default)]
    pub service: measure::Service,
    #[serde(rename = "calendar", default)]
    pub calendars: Vec<measure::WorkCalendar>,
    #[serde(rename = "change", default)]
    pub changes: Vec<measure::Change>,
    #[serde(default)]
    pub clv: Clv,
    #[serde(default)]
    pub segments: customers::Segments,
    #[serde(default)]
    pub risk: customers::Risk,
    #[serde(default)]
    pub privacy: Privacy,
    #[serde(default)]
    pub checks: Checks,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub publish: Publish,
}

impl Job {
    /// The job's time zone; a parsed job names one that exists.
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }
}

fn default_currency() -> String {
    "EUR".into()
}

/// Where the objects of one export lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The system, as in `sql/stage/<source>/`.
    pub source: String,
    /// The export, as in `sql/stage/<source>/<entity>.toml`.
    pub entity: String,
    /// Tells two accounts (portals, shops) of one system apart.
    #[serde(default = "default_account")]
    pub account: String,
    /// Url or path with `*`, `**`, `?`, `[..]` and at most one `{dt}`, which reads YYYY-MM-DD.
    pub url: String,
    /// No object at all is then no error.
    #[serde(default)]
    pub optional: bool,
    /// Days without an object after which the source counts as late; `checks.freshness_days`.
    #[serde(default)]
    pub freshness_days: Option<u32>,
    /// What a changed object at a known url does to its former rows.
    #[serde(default)]
    pub on_change: OnChange,
    /// Values for the spec's options, as the spec documents them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn default_account() -> String {
    "main".into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// Newest version of each key wins; rows that vanished stay.
    #[default]
    Merge,
    /// The object's former rows retire.
    Replace,
}

/// How the golden record picks among sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Sources, most trusted first; sources not named come after, by name.
    pub source_priority: Vec<String>,
    /// Per field: sources, most trusted first.
    pub field_priority: BTreeMap<String, Vec<String>>,
    /// Per field: what makes one value better than another, before the usual `source_priority` and
    /// `newest`.
    pub field_rules: BTreeMap<String, Vec<FieldRule>>,
    /// Columns of `customer_history` whose changes make a new row; the others are null there.
    pub tracked: Vec<String>,
}

impl Default for Profile {
    fn default() -> Self {
        let tracked = TRACKABLE.into_iter().take(TRACKED_AT_FIRST);
        Self {
            source_priority: Vec::new(),
            field_priority: BTreeMap::new(),
            field_rules: BTreeMap::new(),
            tracked: tracked.map(String::from).collect(),
        }
    }
}

/// What makes one value of a field better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldRule {
    SourcePriority,
    Newest,
    /// What most records say.
    MostFrequent,
    Longest,
    /// An address that the source saw an answer from; `email` only.
    Verified,
}

impl FieldRule {
    pub fn name(self) -> &'static str {
        match self {
            Self::SourcePriority => "source_priority",
            Self::Newest => "newest",
            Self::MostFrequent => "most_frequent",
            Self::Longest => "longest",
            Self::Verified => "verified",
        }
    }
}

/// Fields of a person that sources fill.
pub const FIELDS: [&str; 20] = [
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "company_name",
    "country",
    "language",
    "city",
    "postal_code",
    "lifecycle_stage",
    "segment",
    "acquisition_channel",
    "email_consent",
    "region",
    "birth_date",
    "gender",
    "job_title",
    "plan",
    "loyalty_tier",
];

/// So many of [`TRACKABLE`] are tracked unless the job says otherwise.
const TRACKED_AT_FIRST: usize = 11;
/// Columns of `customer_history` that a job can track.
pub const TRACKABLE: [&str; 19] = [
    "display_name",
    "primary_email",
    "primary_phone",
    "company_name",
    "country",
    "language",
    "city",
    "postal_code",
    "lifecycle_stage",
    "segment",
    "email_consent",
    "acquisition_channel",
    "region",
    "birth_date",
    "gender",
    "job_title",
    "plan",
    "loyalty_tier",
    "is_email_verified",
];

/// How a journey is cut into stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stages {
    /// Stages in the order a customer is expected to pass them.
    pub order: Vec<String>,
    /// A stage entered counts as a conversion of the one before when it follows within these days.
    pub conversion_days: u32,
    /// Orders from which on a customer is loyal.
    pub loyal_orders: u32,
}

impl Default for Stages {
    fn default() -> Self {
        let order = ["awareness", "evaluation", "purchase", "post_purchase", "loyalty", "lapsed"];
        Self { order: order.map(String::from).into(), conversion_days: 90, loyal_orders: 3 }
    }
}

/// How the touches of a customer are told as paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Touches of a path that `journey_paths` shows; of longer ones the last.
    pub touches_max: u32,
    /// The same touchpoint again at once is one touch.
    pub collapse_repeats: bool,
    /// Days up to the newest in which pain points are looked for.
    pub pain_days: u32,
}

impl Default for Paths {
    fn default() -> Self {
        Self { touches_max: 10, collapse_repeats: true, pain_days: 365 }
    }
}

/// Options that definitions read; the registry row of a metric says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Of intervals, 0.90 to 0.999.
    pub confidence: f64,
    /// Cells with fewer answers are suppressed.
    pub min_cell: u32,
    /// Silence after which a customer without a subscription has churned.
    pub inactive_days: u32,
    /// Days after the end of paid access before a subscription has churned.
    pub grace_days: u32,
    pub periods: Vec<Period>,
    /// One at a time; a pair is `channel*country`.
    pub dimensions: Vec<String>,
    /// Periods of which retention cohorts are made.
    pub cohorts: Vec<Period>,
    /// An answer counts no more when the same respondent answers the same question of the same
    /// survey about the same touchpoint again within so many days; 0: all answers count.
    pub resubmission_days: u32,
    /// Answers weighted to the make-up of all customers, beside the plain scores.
    pub weights: Option<measure::Weights>,
    /// What puts a customer into a cohort.
    pub cohort_start: CohortStart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CohortStart {
    /// The first order, or the start of paid access under a contract.
    #[default]
    Purchase,
    /// The first record of the person, whether they bought or not.
    Contact,
}

impl Default for Metrics {
    fn default() -> Self {
        let dimensions = [
            "all",
            "channel",
            "touchpoint",
            "journey_stage",
            "segment",
            "country",
            "language",
            "product",
            "source",
            "survey",
        ];
        Self {
            confidence: 0.95,
            min_cell: 10,
            inactive_days: 90,
            grace_days: 0,
            periods: vec![Period::Month, Period::Quarter, Period::Year],
            dimensions: dimensions.map(String::from).into(),
            cohorts: vec![Period::Month],
            resubmission_days: 1,
            weights: None,
            cohort_start: CohortStart::default(),
        }
    }
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Day,
    /// ISO 8601, Monday to Sunday.
    Week,
    Month,
    Quarter,
    Year,
}

impl Period {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// Options of customer lifetime value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clv {
    /// Gross profit per unit of revenue, 0 to 1.
    pub margin: f64,
    /// The same of products that have another one, by name.
    pub margins: BTreeMap<String, f64>,
    /// Days of one model time unit.
    pub unit_days: u32,
    /// How far ahead purchases are expected.
    pub horizon_days: u32,
    /// Per year.
    pub discount_rate: f64,
    /// Money spent to win one customer, in the job's currency.
    pub acquisition_cost: f64,
    /// Last day that purchases are fitted to; default the as-of date.
    pub fit_until: Option<String>,
    /// Days held out of the backtest's fit, up to the fit day; a `fit_until` before the as-of date
    /// is a holdout itself.
    pub holdout_days: u32,
    /// When customers buy.
    pub model: BuyingModel,
    /// Groups with parameters of their own, where they are large enough.
    pub segments: ClvSegments,
    /// Customers with a second purchase below which a group is fitted together with all.
    pub segment_min: u32,
    /// Log-likelihood per customer that the first fit may lose on today's customers before the check
    /// `clv_fits_near_reference` warns.
    pub drift_max: f64,
    /// The first fit is kept to compare with and to fall back on; raise this number to keep the next
    /// one instead.
    pub fit: u32,
}

/// A model of when customers buy who may stop without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuyingModel {
    /// They stop after a purchase, never before the second.
    #[default]
    BgNbd,
    /// They stop after any purchase, the first too.
    MbgNbd,
    /// They stop at any time.
    ParetoNbd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClvSegments {
    /// All customers are one group.
    #[default]
    None,
    AcquisitionChannel,
    Country,
}

impl Default for Clv {
    fn default() -> Self {
        Self {
            margin: 1.0,
            margins: BTreeMap::new(),
            unit_days: 7,
            horizon_days: 365,
            discount_rate: 0.1,
            acquisition_cost: 0.0,
            fit_until: None,
            holdout_days: 180,
            model: BuyingModel::default(),
            segments: ClvSegments::default(),
            segment_min: 200,
            drift_max: 0.01,
            fit: 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Checks that warn and do not block, by name.
    pub warn: Vec<String>,
    /// Checks that block and do not only warn, by name.
    pub block: Vec<String>,
    /// Days without an object after which a source counts as late; without it none ever does.
    pub freshness_days: Option<u32>,
}

/// Every limit names itself in the error that it causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Share of an object's records that may be rejected, 0 to 1.
    pub rejects_max: f64,
    pub object_bytes_max: u64,
    /// Bytes out per byte in of a compressed object.
    pub expansion_ratio_max: u64,
    pub record_bytes_max: u64,
    pub columns_max: u32,
    /// What is kept of a record's members that no column reads.
    pub attributes_bytes_max: u64,
    /// Objects staged together in one file.
    pub batch_objects: u32,
    /// Raw bytes staged together in one file.
    pub batch_bytes: u64,
    /// Spill files of one run.
    pub spill_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rejects_max: 0.05,
            object_bytes_max: 64 << 30,
            expansion_ratio_max: 200,
            record_bytes_max: 16 << 20,
            columns_max: 2_000,
            attributes_bytes_max: 16 << 10,
            batch_objects: 1_000,
            batch_bytes: 1 << 30,
            spill_bytes_max: 500 << 30,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// Plain Parquet is written here after each release; `{release}` is its number.
    pub export: Option<String>,
    /// Delta logs are not written.
    pub without_delta: bool,
    /// Releases that `gc` keeps, the newest ones; at least one.
    pub retain: usize,
}

impl Default for Publish {
    fn default() -> Self {
        Self { export: None, without_delta: false, retain: 30 }
    }
}

/// A job and where each of its values comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub job: Job,
    /// By key; a key that is not here has its default.
    pub origins: BTreeMap<String, Origin>,
}

/// Reads a job file.
///
/// # Errors
/// Every problem of the file.
pub fn parse(path: &str, text: &str) -> Result<Job, Vec<Problem>> {
    match read(path, text, &[]) {
        (Some(read), problems) if problems.is_empty() => Ok(read.job),
        (_, problems) => Err(problems),
    }
}

/// Reads a job file and lays values from outside over it; gives every problem of both, and the job
/// without them, as far as it can be read, for those who look for further problems.
pub fn read(path: &str, text: &str, overrides: &[Override]) -> (Option<Read>, Vec<Problem>) {
    let mut table = match schema::parse(path, text) {
        Ok(table) => table,
        Err(problems) => return (None, problems),
    };
    let (origins, wrong) = value::apply(&mut table, overrides);
    let schema::Checked { value, mut problems } = schema::check::<Job>(path, &table);
    if let Some(job) = &value {
        problems.extend(unsaid(&problems, check::check(path, job)));
    }
    problems.extend(wrong);
    (value.map(|job| Read { job, origins }), problems)
}

/// Those of `more` that lie at no place where `problems` has one already.
pub fn unsaid(problems: &[Problem], more: Vec<Problem>) -> Vec<Problem> {
    let is_new = |found: &Problem| !problems.iter().any(|p| found.path.starts_with(&p.path));
    more.into_iter().filter(is_new).collect()
}
