//! What a job says of scales, weights, service levels and working hours.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::DIMENSIONS;
use super::check::measure::SERVICE_DIMENSIONS;

/// A scale that the company knows and its export does not tell, or tells wrong.
///
/// The first rule that fits an answer counts; what a rule leaves out fits all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub account: Option<String>,
    /// Id or name of the survey.
    #[serde(default)]
    pub survey: Option<String>,
    /// Id or words of the question.
    #[serde(default)]
    pub question: Option<String>,
    /// Metric the source says it is; answers of other metrics are not meant.
    #[serde(default)]
    pub of: Option<Asked>,
    /// First local day of answers that are meant.
    #[serde(default)]
    pub since: Option<String>,
    /// Last local day of answers that are meant.
    #[serde(default)]
    pub until: Option<String>,
    /// What the answers are; left out: what the source says.
    #[serde(default)]
    pub metric: Option<Asked>,
    /// Least answer.
    pub min: i64,
    /// Greatest answer.
    pub max: i64,
    #[serde(default)]
    pub direction: Direction,
    /// Answers that count as favourable, as they are given; left out: those the field agrees on.
    #[serde(default)]
    pub favourable: Vec<i64>,
}

/// What a question measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Nps,
    Enps,
    Csat,
    Ces,
    Star,
    Other,
}

impl Asked {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::Enps => "enps",
            Self::Csat => "csat",
            Self::Ces => "ces",
            Self::Star => "star",
            Self::Other => "other",
        }
    }
}

/// Which end of a scale is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// As the source says; ease, satisfaction and recommendation grow with the answer.
    #[default]
    AsTold,
    HigherIsBetter,
    /// High answers mean high effort: they are turned round.
    HigherIsEffort,
}

/// Post-stratification: answers weighted so that groups have their share of all customers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Dimension the groups are values of.
    pub dimension: String,
    /// Share of all customers, by value; they need not add up to 1.
    pub shares: BTreeMap<String, f64>,
}

/// Options of service levels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// A conversation reopened within these days was not resolved at first contact.
    pub reopen_days: u32,
    /// One at a time; a pair is `channel*team`.
    pub dimensions: Vec<String>,
    /// Times allowed, for conversations whose source tells none.
    #[serde(rename = "target")]
    pub targets: Vec<Target>,
}

impl Default for Service {
    fn default() -> Self {
        let dimensions = ["all", "channel", "priority", "team", "source", "touchpoint"];
        Self {
            reopen_days: 7,
            dimensions: dimensions.map(String::from).into(),
            targets: Vec::new(),
        }
    }
}

/// A time allowed; the first one that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub metric: Aim,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default)]
    pub priority: Option<String>,
    /// First local day of conversations that are meant.
    #[serde(default)]
    pub since: Option<String>,
    /// Last local day of conversations that are meant.
    #[serde(default)]
    pub until: Option<String>,
    pub minutes: u32,
    /// Counted in business hours.
    #[serde(default)]
    pub business_time: bool,
}

/// What a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    FirstResponse,
    Resolution,
}

/// Something the company changed, to be held against what was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub name: String,
    /// First local day of the change.
    pub from: String,
    /// Last local day on which it was under way; left out: it came at once.
    #[serde(default)]
    pub until: Option<String>,
    /// Days before it, and days after it, that are held against each other.
    #[serde(default = "default_days")]
    pub days: u32,
    /// What it concerns, as `{ channel = "chat" }`; left out: everything.
    #[serde(default)]
    pub scope: BTreeMap<String, String>,
    /// Metrics it may have moved; left out: all that know its scope.
    #[serde(default)]
    pub metrics: Vec<Moved>,
}

fn default_days() -> u32 {
    90
}

/// A metric that a change may have moved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    Nps,
    NpsStrict5,
    LtrMean,
    Csat,
    CsatMean,
    Ces,
    CesMean,
    CesNorm,
    Star,
    StarShare,
    FirstResponse,
    FirstResolution,
    FullResolution,
    FirstContactResolution,
    OneTouch,
    ReopenRate,
    Containment,
    Replies,
    ChurnGross,
}

/// Whose rows a metric is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Scores,
    Service,
    Churn,
}

impl Moved {
    pub const ALL: [Self; 19] = [
        Self::Nps,
        Self::NpsStrict5,
        Self::LtrMean,
        Self::Csat,
        Self::CsatMean,
        Self::Ces,
        Self::CesMean,
        Self::CesNorm,
        Self::Star,
        Self::StarShare,
        Self::FirstResponse,
        Self::FirstResolution,
        Self::FullResolution,
        Self::FirstContactResolution,
        Self::OneTouch,
        Self::ReopenRate,
        Self::Containment,
        Self::Replies,
        Self::ChurnGross,
    ];

    /// As the tables of scores, service levels and churn name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::NpsStrict5 => "nps_strict5",
            Self::LtrMean => "ltr_mean",
            Self::Csat => "csat",
            Self::CsatMean => "csat_mean",
            Self::Ces => "ces",
            Self::CesMean => "ces_mean",
            Self::CesNorm => "ces_norm",
            Self::Star => "star",
            Self::StarShare => "star_share",
            Self::FirstResponse => "first_response",
            Self::FirstResolution => "first_resolution",
            Self::FullResolution => "full_resolution",
            Self::FirstContactResolution => "first_contact_resolution",
            Self::OneTouch => "one_touch",
            Self::ReopenRate => "reopen_rate",
            Self::Containment => "containment",
            Self::Replies => "replies",
            Self::ChurnGross => "churn_gross",
        }
    }

    pub fn family(self) -> Family {
        match self {
            Self::FirstResponse
            | Self::FirstResolution
            | Self::FullResolution
            | Self::FirstContactResolution
            | Self::OneTouch
            | Self::ReopenRate
            | Self::Containment
            | Self::Replies => Family::Service,
            Self::ChurnGross => Family::Churn,
            _ => Family::Scores,
        }
    }
}

impl Family {
    /// What its rows can be told apart by.
    pub fn dimensions(self) -> &'static [&'static str] {
        match self {
            Self::Scores => beside_all(&DIMENSIONS),
            Self::Service => beside_all(&SERVICE_DIMENSIONS),
            Self::Churn => &["acquisition_channel", "country", "relationship", "source"],
        }
    }
}

/// Dimensions but the total, which tells nothing apart.
fn beside_all(dimensions: &'static [&'static str]) -> &'static [&'static str] {
    dimensions.split_first().map_or(&[], |(_, others)| others)
}

impl Change {
    /// Whether rows of a family know all that the change is told by.
    pub fn concerns(&self, family: Family) -> bool {
        self.scope.keys().all(|name| family.dimensions().contains(&name.as_str()))
    }

    /// The metrics asked for, else all there are.
    pub fn asked(&self) -> Vec<Moved> {
        if self.metrics.is_empty() { Moved::ALL.to_vec() } else { self.metrics.clone() }
    }
}

/// Working hours; several of one name are its versions, each in force from its day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkCalendar {
    pub name: String,
    /// IANA name; the job's when left out.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Hours by weekday, as `monday = ["09:00-12:30", "13:00-17:00"]`; a day left out is closed.
    pub hours: BTreeMap<Weekday, Vec<String>>,
    /// Closed days, as `2024-12-25`.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// First local day of this version.
    #[serde(default)]
    pub since: Option<String>,
    /// Conversations it is for; lists left empty fit all. The first calendar that fits counts.
    #[serde(default)]
    pub sources: Vec<String>,
    #[serde(default)]
    pub channels: Vec<String>,
    #[serde(default)]
    pub teams: Vec<String>,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// Days after Monday.
    pub fn number(self) -> usize {
        self as usize
    }
}

/// Minutes after midnight of `09:00-17:30`; `24:00` is the end of the day.
pub fn hours(text: &str) -> Option<(u32, u32)> {
    let (open, close) = text.split_once('-')?;
    let minutes = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    };
    let (open, close) = (minutes(open)?, minutes(close)?);
    (open < close).then_some((open, close))
}
