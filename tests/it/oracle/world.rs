//! A company with a help desk, surveys and people, made up row by row, with all that goes wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, TimeDelta, Utc};
use cxmart::run::Context;
use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use cxmart::storage::parquet::decode;
use tempfile::TempDir;

pub const JOB: &str = r#"
name = "oracle"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[metrics]
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
         vendor_resolution_seconds:int64 vendor_reopens:int64 vendor_replies:int64",
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

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A project with raw files, run once.
pub struct World {
    _folder: TempDir,
    context: Arc<Context>,
    release: Release,
}

/// A row as text; a null has no entry.
pub type Row = BTreeMap<String, String>;

impl World {
    pub async fn run(job: &str, files: &[(&str, String)]) -> Self {
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
        let context = Arc::new(open(folder.path()));
        cxmart::run::run(Arc::clone(&context), None).await.expect("the run succeeds");
        let release = StateReader::new(context.store.clone()).latest().await.expect("state");
        Self { _folder: folder, context, release: release.expect("a release") }
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

fn open(folder: &Path) -> Context {
    let settings = Settings {
        project: folder.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some("00".repeat(32)),
        ..settings::from_environment()
    };
    cxmart::run::open("jobs/oracle.toml", settings).expect("the job opens")
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

const PEOPLE: u64 = 150;

fn people() -> String {
    let row = |i: u64| {
        vec![
            ("source_id", format!("p{i}")),
            ("customer_source_id", format!("p{i}")),
            ("email", format!("p{i}@example.com")),
            // The last ones work there.
            ("is_internal", (i >= PEOPLE - 5).to_string()),
        ]
    };
    csv(&(0..PEOPLE).map(row).collect::<Vec<_>>())
}

fn responses() -> String {
    let mut dice = Dice::new(7);
    let mut rows = Vec::new();
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..2_500_u64 {
        let metric = dice.pick(&["nps", "nps", "nps", "csat", "csat", "ces", "star", "enps"]);
        let (least, most) = match metric {
            "csat" | "star" => (1, 5),
            "ces" => (1, 7),
            _ => (0, 10),
        };
        let survey = if metric == "csat" { dice.pick(&["delivery", "support"]) } else { "" };
        let at = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        // The exporter lets through what the scale forbids, now and then.
        let mut score = least + dice.below(most - least + 1);
        if dice.below(60) == 0 {
            score = most + 1;
        }
        let mut row = vec![
            ("source_id", format!("r{i}")),
            ("metric", metric.to_owned()),
            ("score", score.to_string()),
            ("survey_name", survey.to_owned()),
            ("channel", dice.pick(&["email", "sms", "web", ""]).to_owned()),
            ("country", dice.pick(&["DK", "DK", "DE", "SE"]).to_owned()),
            ("touchpoint", dice.pick(&["checkout", "delivery"]).to_owned()),
            ("is_effort", (metric == "ces" && survey.is_empty()).to_string()),
            ("is_incentivised", (dice.below(3) == 0).to_string()),
            ("is_test", (dice.below(50) == 0).to_string()),
            ("answered_at", shown(at)),
        ];
        if dice.below(4) > 0 {
            row.push(("customer_source_id", format!("p{}", dice.below(PEOPLE))));
        }
        if dice.below(2) == 0 {
            row.push(("asked_at", shown(at - TimeDelta::minutes(dice.below(5_000) as i64))));
        }
        rows.push(row);
        // Some press the button twice.
        if dice.below(12) == 0 {
            let mut again = rows[rows.len() - 1].clone();
            again[0].1 = format!("r{i}-again");
            again[2].1 = least.to_string();
            let later = at + TimeDelta::hours(dice.below(72) as i64);
            again.iter_mut().filter(|(name, _)| *name == "answered_at").for_each(|cell| {
                cell.1 = shown(later);
            });
            rows.push(again);
        }
    }
    for i in 0..300_u64 {
        let asked = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        rows.push(vec![
            ("source_id", format!("u{i}")),
            ("metric", "nps".to_owned()),
            ("customer_source_id", format!("p{}", dice.below(PEOPLE))),
            ("status", dice.pick(&["unanswered", "bounced"]).to_owned()),
            ("asked_at", shown(asked)),
        ]);
    }
    csv(&rows)
}

fn events() -> String {
    let mut dice = Dice::new(3);
    let mut text = String::new();
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..600_u64 {
        let name = dice.pick(&["page_view", "sign_up", "product_view", "add_to_cart"]);
        let at = start + TimeDelta::minutes(dice.below(200 * 24 * 60) as i64);
        let who = dice.below(PEOPLE);
        writeln!(
            text,
            r#"{{"source_id":"e{i}","name":"{name}","customer_source_id":"p{who}","occurred_at":"{}"}}"#,
            shown(at)
        )
        .expect("text");
    }
    visits(&mut text);
    text
}

/// Times on the web site, on one of two devices or none, some with a session id that is not always
/// told, and one id for both devices of a person.
fn visits(text: &mut String) {
    let mut dice = Dice::new(19);
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..400_u64 {
        let who = dice.below(PEOPLE);
        let mut at = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        let is_named = dice.below(2) == 0;
        for k in 0..=dice.below(6) {
            let name = dice.pick(&["page_view", "product_view", "add_to_cart", "scroll"]);
            let mut more = String::new();
            if is_named && dice.below(4) > 0 {
                write!(more, r#","session_id":"s{}""#, i % 7).expect("text");
            }
            if dice.below(5) > 0 {
                write!(more, r#","anonymous_id":"c{who}-{}""#, dice.below(5) / 4).expect("text");
            }
            if dice.below(3) == 0 {
                more += r#","utm_source":"mail","campaign":"spring""#;
            }
            writeln!(
                text,
                r#"{{"source_id":"v{i}-{k}","name":"{name}","customer_source_id":"p{who}","channel":"web","occurred_at":"{}"{more}}}"#,
                shown(at)
            )
            .expect("text");
            at += TimeDelta::minutes([0, 0, 1, 4, 15, 30, 31][dice.below(7) as usize]);
        }
    }
}

fn invitations() -> String {
    let mut dice = Dice::new(11);
    let start = time("2024-01-01T00:00:00Z");
    let row = |i: u64| {
        let sent = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        let status = dice.pick(&["sent", "delivered", "opened", "answered", "bounced"]);
        let mut row = vec![
            ("source_id", format!("i{i}")),
            ("customer_source_id", format!("d{}", dice.below(40))),
            ("survey_name", dice.pick(&["after chat", "yearly"]).to_owned()),
            ("status", status.to_owned()),
            ("is_incentivised", (dice.below(2) == 0).to_string()),
            ("sent_at", shown(sent)),
        ];
        if status == "answered" {
            let later = sent + TimeDelta::minutes(dice.below(4_000) as i64);
            row.push(("responded_at", shown(later)));
        }
        row
    };
    csv(&(0..500).map(row).collect::<Vec<_>>())
}

/// Tickets, their messages and their changes; all times on whole minutes.
fn desk() -> [String; 3] {
    let mut dice = Dice::new(5);
    let (mut tickets, mut messages, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let start = time("2024-02-01T00:00:00Z");
    for i in 0..400_u64 {
        let id = format!("t{i}");
        let created = start + TimeDelta::minutes(dice.below(150 * 24 * 60) as i64);
        let mut at = created;
        let later = |dice: &mut Dice, most: u64| TimeDelta::minutes(1 + dice.below(most) as i64);
        let mut ticket = vec![
            ("source_id", id.clone()),
            ("customer_source_id", format!("d{}", dice.below(60))),
            ("channel", dice.pick(&["email", "web", "chat"]).to_owned()),
            ("priority", dice.pick(&["low", "normal", "high"]).to_owned()),
            ("team", dice.pick(&["night", "day", ""]).to_owned()),
            ("created_at", shown(created)),
            ("is_internal", (dice.below(40) == 0).to_string()),
        ];
        let say = |messages: &mut Vec<_>, who: &str, public: bool, at: DateTime<Utc>| {
            messages.push(vec![
                ("source_id", format!("m{}", messages.len())),
                ("conversation_source_id", id.clone()),
                ("author_kind", who.to_owned()),
                ("is_public", public.to_string()),
                ("kind", if public { "comment" } else { "note" }.to_owned()),
                ("sent_at", shown(at)),
            ]);
        };
        let change = |changes: &mut Vec<_>, kind: &str, value: &str, at: DateTime<Utc>| {
            let mut row = vec![
                ("source_id", format!("c{}", changes.len())),
                ("conversation_source_id", id.clone()),
                ("kind", kind.to_owned()),
                ("changed_at", shown(at)),
            ];
            match kind {
                "assigned" => row.push(("value_text", value.to_owned())),
                "target_applied" => {
                    row.push(("metric", "first_response".to_owned()));
                    row.push(("target_seconds", value.to_owned()));
                    row.push(("is_business_time", "false".to_owned()));
                }
                _ => row.push(("author_kind", value.to_owned())),
            }
            changes.push(row);
        };
        // One in ten is opened by an agent who calls somebody.
        let opener = if dice.below(10) == 0 { "agent" } else { "customer" };
        if dice.below(8) > 0 {
            say(&mut messages, opener, true, created);
        }
        if dice.below(3) == 0 {
            change(&mut changes, "target_applied", "7200", created);
            change(&mut changes, "target_applied", "3600", created + TimeDelta::minutes(90));
        }
        for _ in 0..dice.below(6) {
            at += later(&mut dice, 1_500);
            let who = dice.pick(&["customer", "agent", "agent", "bot"]);
            let public = who != "agent" || dice.below(4) > 0;
            say(&mut messages, who, public, at);
            if dice.below(5) == 0 {
                change(&mut changes, "assigned", dice.pick(&["night", "day"]), at);
            }
        }
        let mut status = "open";
        let told = dice.below(3) > 0;
        for round in 0..dice.below(4) {
            at += later(&mut dice, 9_000);
            status = if round % 2 == 0 { "resolved" } else { "open" };
            if told {
                let kind = if status == "open" { "reopened" } else { "resolved" };
                change(&mut changes, kind, dice.pick(&["agent", "bot"]), at);
            }
            if status == "resolved" {
                ticket.retain(|(name, _)| *name != "resolved_at");
                ticket.push(("resolved_at", shown(at)));
            }
        }
        if status == "open" && !told {
            ticket.retain(|(name, _)| *name != "resolved_at");
        }
        ticket.push(("status", status.to_owned()));
        if dice.below(20) == 0 {
            ticket.push(("merged_into", "t0".to_owned()));
        }
        if dice.below(2) == 0 {
            ticket.push(("vendor_first_response_seconds", (dice.below(90) * 60).to_string()));
            ticket.push(("vendor_replies", dice.below(4).to_string()));
            ticket.push(("vendor_reopens", dice.below(2).to_string()));
        }
        if dice.below(3) > 0 {
            let seconds = (at - created).num_seconds() + [0, 30, 7_200][dice.below(3) as usize];
            ticket.push(("vendor_resolution_seconds", seconds.to_string()));
        }
        tickets.push(ticket);
    }
    [csv(&tickets), csv(&messages), csv(&changes)]
}

/// The files of the whole company.
pub fn company() -> Vec<(&'static str, String)> {
    let [tickets, messages, changes] = desk();
    vec![
        ("raw/responses/dt=2024-09-01/answers.csv", responses()),
        ("raw/contacts/dt=2024-09-01/people.csv", people()),
        ("raw/events/dt=2024-09-01/events.ndjson", events()),
        ("raw/tickets/dt=2024-09-01/tickets.csv", tickets),
        ("raw/messages/dt=2024-09-01/messages.csv", messages),
        ("raw/changes/dt=2024-09-01/changes.csv", changes),
        ("raw/invitations/dt=2024-09-01/invitations.csv", invitations()),
    ]
}
