//! A run whose tables are computed a second time: its staged rows, its published rows, and what its
//! job says.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;
use cxmart::demo;
use cxmart::job::value::Override;
use cxmart::run::Context;
use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use cxmart::storage::parquet::decode;
use tempfile::TempDir;

use crate::project::completed;

pub const JOB: &str = r#"
name = "oracle"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"
currency = "DKK"

[metrics]
inactive_days = 40
grace_days = 5
cohorts = ["week", "month", "quarter"]
periods = ["day", "week", "month", "quarter", "year"]
dimensions = [
    "all", "channel", "touchpoint", "journey_stage", "segment", "country", "language", "product",
    "source", "survey", "channel*country",
]
resubmission_days = 2
weights = { dimension = "country", shares = { DK = 0.7, DE = 0.3 } }

# From March on the delivery survey has ten points.
[[scale]]
survey = "delivery"
of = "csat"
min = 1
max = 10
favourable = [8, 9, 10]
since = "2024-03-01"

[[funnel]]
name = "basket"
days = 20
step = [
    { name = "page_view", events = ["page_view"] },
    { name = "product_view", events = ["product_view"] },
    { name = "add_to_cart", events = ["add_to_cart"] },
]

[[change]]
name = "texts"
from = "2024-04-16"
until = "2024-04-25"
days = 60
scope = { channel = "sms" }
metrics = ["nps", "csat", "csat_mean", "ces_norm", "first_response", "replies"]

[[change]]
name = "everything"
from = "2024-05-01"

[service]
dimensions = ["all", "channel", "team", "priority", "channel*team"]

[[service.target]]
metric = "first_response"
minutes = 240
business_time = true

[[service.target]]
metric = "resolution"
channel = "chat"
minutes = 4320

[[service.target]]
metric = "resolution"
priority = "high"
minutes = 1200
business_time = true

[[calendar]]
name = "nights"
teams = ["night"]
time_zone = "America/New_York"
hours = { monday = ["20:00-24:00"], tuesday = ["00:00-06:00", "20:00-24:00"], saturday = ["00:00-24:00"] }

[[calendar]]
name = "office"
hours = { monday = ["09:00-12:00", "12:30-17:00"], tuesday = ["09:00-17:00"], wednesday = ["09:00-17:00"], thursday = ["09:00-17:00"], friday = ["09:00-16:00"], sunday = ["01:30-04:30"] }
holidays = ["2024-03-28", "2024-03-29", "2024-04-01"]

[[calendar]]
name = "office"
since = "2024-05-01"
hours = { monday = ["08:00-18:00"], tuesday = ["08:00-18:00"], wednesday = ["08:00-18:00"] }

[[source]]
source = "generic"
entity = "responses"
url = "raw/responses/dt={dt}/*.csv"

[[source]]
source = "generic"
entity = "contacts"
url = "raw/contacts/dt={dt}/*.csv"

[[source]]
source = "generic"
entity = "events"
url = "raw/events/dt={dt}/*.ndjson"

[[source]]
source = "desk"
entity = "tickets"
url = "raw/tickets/dt={dt}/*.csv"

[[source]]
source = "desk"
entity = "messages"
url = "raw/messages/dt={dt}/*.csv"

[[source]]
source = "desk"
entity = "changes"
url = "raw/changes/dt={dt}/*.csv"

[[source]]
source = "desk"
entity = "invitations"
url = "raw/invitations/dt={dt}/*.csv"
"#;

/// Entity, canonical table, columns with their types.
const DESK: [(&str, &str, &str); 4] = [
    (
        "tickets",
        "conversations",
        "customer_source_id channel status priority team created_at:timestamp \
         resolved_at:timestamp closed_at:timestamp merged_into linked_source linked_source_id \
         is_internal:bool handled_by vendor_first_response_seconds:int64 \
         vendor_first_bot_response_seconds:int64 vendor_resolution_seconds:int64 \
         vendor_reopens:int64 vendor_replies:int64 vendor_sla_breached:bool",
    ),
    (
        "messages",
        "messages",
        "conversation_source_id author_kind is_public:bool kind sent_at:timestamp",
    ),
    (
        "changes",
        "conversation_changes",
        "conversation_source_id kind metric target_seconds:int64 is_business_time:bool value_text \
         author_kind changed_at:timestamp",
    ),
    (
        "invitations",
        "survey_invitations",
        "customer_source_id survey_name response_group_id status is_incentivised:bool \
         sent_at:timestamp opened_at:timestamp responded_at:timestamp",
    ),
];

/// Numbers that look random and are the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

pub fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Money, or a score, in ten-thousandths.
pub fn units(row: &Row, column: &str) -> Option<i128> {
    let text = row.get(column)?;
    let (whole, part) = text.split_once('.').expect("four decimals");
    assert_eq!(part.len(), 4, "{column} of {row:?}");
    Some(format!("{whole}{part}").parse().expect("digits"))
}

pub fn number(row: &Row, column: &str) -> Option<f64> {
    row.get(column).map(|text| text.parse().expect("a number"))
}

/// Counts have to be equal, and rates to nine digits.
#[track_caller]
pub fn check(row: &Row, column: &str, wanted: Option<f64>) {
    let got = number(row, column);
    let is_same = match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        (got, wanted) => got == wanted,
    };
    assert!(is_same, "{column}: got {got:?}, wanted {wanted:?} in {row:?}");
}

#[track_caller]
pub fn money(row: &Row, column: &str, wanted: Option<i128>) {
    assert_eq!(units(row, column), wanted, "{column} in {row:?}");
}

#[track_caller]
pub fn word(row: &Row, column: &str, wanted: Option<&str>) {
    assert_eq!(row.get(column).map(String::as_str), wanted, "{column} in {row:?}");
}

#[track_caller]
pub fn flag(row: &Row, column: &str, wanted: Option<bool>) {
    word(row, column, wanted.map(|is| if is { "true" } else { "false" }));
}

pub fn is(row: &Row, column: &str) -> bool {
    row.get(column).is_some_and(|flag| flag == "true")
}

/// First day of the period that a day lies in.
pub fn period(grain: &str, day: NaiveDate) -> NaiveDate {
    let first = |month| NaiveDate::from_ymd_opt(day.year(), month, 1).expect("a day");
    match grain {
        "day" => day,
        "week" => day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday())),
        "month" => first(day.month()),
        "quarter" => first([1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10][day.month0() as usize]),
        "year" => first(1),
        other => panic!("{other}"),
    }
}

/// First day of the period after the one that a day lies in.
pub fn next_period(grain: &str, day: NaiveDate) -> NaiveDate {
    let length = match grain {
        "day" => 1,
        "week" => 7,
        "month" => 31,
        "quarter" => 93,
        _ => 366,
    };
    period(grain, period(grain, day) + TimeDelta::days(length))
}

/// What a job says, as far as the tables depend on it.
pub struct Terms {
    pub currency: &'static str,
    pub min_cell: i64,
    pub periods: &'static [&'static str],
    /// Of two columns of answers.
    pub pairs: &'static [&'static str],
    pub service_dimensions: &'static [&'static str],
    pub resubmission_days: i64,
    /// Shares by country.
    pub weights: &'static [(&'static str, f64)],
    pub inactive_days: i32,
    pub grace_days: i32,
    pub cohorts: &'static [&'static str],
    /// Working hours: whether a calendar is open at an instant, by the version that was in force
    /// at another one, or then.
    pub open_at: fn(&str, DateTime<Utc>, Option<DateTime<Utc>>) -> bool,
    pub calendars: &'static [&'static str],
    /// Day from which the second version of a calendar holds.
    pub second_hours: Option<&'static str>,
    /// Metric, channel or priority that it is of, seconds, in business time; the first one counts.
    pub targets: &'static [(&'static str, Option<(&'static str, &'static str)>, i64, bool)],
}

/// A project with raw files, run once.
pub struct World {
    _folder: TempDir,
    context: Arc<Context>,
    release: Release,
    pub terms: Terms,
}

/// A row as text; a null has no entry.
pub type Row = BTreeMap<String, String>;

/// Who the row is about, by the run's own identities.
pub type Keys = BTreeMap<String, String>;

impl World {
    pub async fn run(job: &str, files: &[(&str, String)], terms: Terms) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("a file");
        };
        write("jobs/oracle.toml", job);
        specs(&write);
        for (path, text) in files {
            write(path, text);
        }
        let settings = settings(folder.path(), "00".repeat(32), Vec::new());
        let context = cxmart::run::open("jobs/oracle.toml", settings).expect("the job opens");
        Self::ran(folder, context, None, terms).await
    }

    /// The demo of so many customers by its own job; cells of three are already shown, as it is a
    /// small one.
    pub async fn demo(customers: u64, terms: Terms) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        demo::write_raw(folder.path(), customers, 1, &|_| ()).expect("written");
        let small = Override {
            key: "metrics.min_cell".into(),
            value: terms.min_cell.to_string(),
            from: "the test".into(),
        };
        let settings = settings(folder.path(), demo::salt(1), vec![small]);
        let context = cxmart::run::open(demo::JOB, settings).expect("the demo's job opens");
        Self::ran(folder, context, Some(demo::as_of()), terms).await
    }

    async fn ran(
        folder: TempDir,
        context: Context,
        as_of: Option<NaiveDate>,
        terms: Terms,
    ) -> Self {
        let context = Arc::new(context);
        let outcome = cxmart::run::run(Arc::clone(&context), as_of).await;
        assert!(outcome.expect("the run succeeds").published);
        let release = StateReader::new(context.store.clone()).latest().await.expect("state");
        Self { _folder: folder, context, release: release.expect("a release"), terms }
    }

    /// Last day that the tables know of.
    pub fn last_day(&self) -> NaiveDate {
        self.release.horizon
    }

    /// First instant after it.
    pub fn horizon(&self) -> DateTime<Utc> {
        let midnight = (self.release.horizon + TimeDelta::days(1)).and_hms_opt(0, 0, 0);
        let local = midnight.expect("midnight").and_local_timezone(Copenhagen);
        local.single().expect("an instant").with_timezone(&Utc)
    }

    pub async fn keys(&self) -> Keys {
        let rows = self.rows("identity_keys").await.into_iter();
        rows.map(|row| (row["identity_key"].clone(), row["customer_id"].clone())).collect()
    }

    /// All versions of each record of a canonical table, oldest first, from the staged rows: a row
    /// that differs from the one before it in nothing but where it was read is none.
    pub async fn versions(&self, table: &str) -> Vec<Vec<Row>> {
        const KEY: [&str; 4] = ["source", "source_account", "entity", "source_id"];
        const PLACE: [&str; 4] = ["dt", "object_url", "object_version", "record_number"];
        let mut records: BTreeMap<[String; 4], Vec<Row>> = BTreeMap::new();
        for row in self.rows(&format!("staged_{table}")).await {
            let key = KEY.map(|column| row.get(column).cloned().unwrap_or_default());
            records.entry(key).or_default().push(row);
        }
        let content = |row: &Row| -> Row {
            let told = row.iter().filter(|(column, _)| !PLACE.contains(&column.as_str()));
            told.map(|(column, value)| (column.clone(), value.clone())).collect()
        };
        let mut found = Vec::new();
        for mut rows in records.into_values() {
            rows.sort_by(older);
            let mut kept: Vec<Row> = Vec::new();
            for row in rows {
                if kept.last().is_none_or(|last| content(last) != content(&row)) {
                    kept.push(row);
                }
            }
            found.push(kept);
        }
        found
    }

    /// The newest version of each record that is not deleted, from the staged rows.
    pub async fn current(&self, table: &str) -> Vec<Row> {
        let versions = self.versions(table).await;
        let newest = versions.into_iter().filter_map(|mut versions| versions.pop());
        newest.filter(|row| !is(row, "is_deleted")).collect()
    }

    /// All rows of a table, published or not.
    pub async fn rows(&self, table: &str) -> Vec<Row> {
        let found = self.release.tables.get(table).or_else(|| self.release.state.get(table));
        let dataset = found.unwrap_or_else(|| panic!("no table {table}"));
        let mut rows = Vec::new();
        let options = FormatOptions::default();
        for file in &dataset.files {
            let bytes = self.context.store.read(&file.path).await.expect("a file");
            for batch in decode(&file.path, bytes, None).expect("parquet") {
                let batch = completed(&self.context, table, batch);
                let schema = batch.schema();
                for i in 0..batch.num_rows() {
                    let cells = schema.fields().iter().zip(batch.columns());
                    let filled = cells.filter(|(_, column)| column.is_valid(i));
                    let cell = |(field, column): (&arrow::datatypes::FieldRef, &Arc<dyn Array>)| {
                        let text = ArrayFormatter::try_new(column, &options).expect("a format");
                        (field.name().clone(), text.value(i).to_string())
                    };
                    rows.push(filled.map(cell).collect());
                }
            }
        }
        rows
    }
}

/// Order of two versions: what is not told comes first.
fn older(one: &Row, other: &Row) -> Ordering {
    let instant = |row: &Row, column: &str| row.get(column).map(|text| time(text));
    let number = |row: &Row, column: &str| -> Option<i64> {
        row.get(column).map(|text| text.parse().expect("a number"))
    };
    instant(one, "source_updated_at")
        .cmp(&instant(other, "source_updated_at"))
        .then_with(|| instant(one, "extracted_at").cmp(&instant(other, "extracted_at")))
        .then_with(|| one.get("dt").cmp(&other.get("dt")))
        .then_with(|| one.get("object_url").cmp(&other.get("object_url")))
        .then_with(|| number(one, "object_version").cmp(&number(other, "object_version")))
        .then_with(|| number(one, "record_number").cmp(&number(other, "record_number")))
}

fn settings(folder: &Path, salt: String, overrides: Vec<Override>) -> Settings {
    Settings {
        project: folder.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some(salt),
        overrides,
        ..settings::from_environment()
    }
}

/// The exports of the desk, and of a chat tool beside it, are the canonical tables' own columns.
fn specs(write: &dyn Fn(&str, &str)) {
    let sources = DESK.into_iter().map(|entity| ("desk", entity));
    let talks = DESK.into_iter().filter(|(entity, ..)| ["tickets", "messages"].contains(entity));
    for (source, (entity, canonical, columns)) in sources.chain(talks.map(|one| ("talk", one))) {
        let mut spec = format!("description = \"{entity}\"\nkey = [\"source_id\"]\n");
        spec.push_str("[[column]]\nname = \"source_id\"\nrequired = true\n");
        let mut names = vec!["record_id", "source_id"];
        for column in columns.split_whitespace() {
            let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
            names.push(name);
            writeln!(spec, "[[column]]\nname = \"{name}\"\ntype = \"{kind}\"").expect("text");
            if kind == "timestamp" {
                spec.push_str("zone = \"UTC\"\n");
            }
        }
        write(&format!("sql/stage/{source}/{entity}.toml"), &spec);
        let sql = format!(
            "-- One row per row.\n-- grain: source_id\n-- canonical: {canonical}\n\
             with\n\nraw as (\n\n    select * from raw_{source}__{entity}\n\n)\n\nselect\n    {}\nfrom raw\n",
            names.join(",\n    ")
        );
        write(&format!("sql/stage/{source}/stg_{source}__{entity}.sql"), &sql);
    }
}

/// CSV from rows of `column=value` pairs, columns in the order in which they first come.
pub fn csv(rows: &[Vec<(&str, String)>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let mut text = names.join(",") + "\n";
    for row in rows {
        let cell = |name: &&str| {
            row.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
        };
        text.push_str(&names.iter().map(cell).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}
