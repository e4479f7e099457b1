//! What a number means: every row names a definition that is there, and definitions name options
//! that there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::world::World;

/// Tables of several metrics name the metric's own definition, the others always the same.
const TABLES: [(&str, Option<&str>); 11] = [
    ("experience_scores", None),
    ("service_levels", None),
    ("survey_participation", Some("survey_participation")),
    ("conversation_service", Some("service_levels")),
    ("churn_ledger", Some("churn")),
    ("retention_cohorts", Some("retention")),
    ("retention_projection", Some("sbg")),
    ("survival_curves", Some("survival")),
    ("survival_summary", Some("survival")),
    ("churn_by_feedback", Some("churn_by_feedback")),
    ("change_effects", None),
];

/// Options of a job by their path, as the schema of job files tells them.
fn options() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/job.schema.json");
    let text = std::fs::read_to_string(path).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("json");
    let mut found = BTreeSet::new();
    let named = |value: &Value| -> Option<Value> {
        let direct = value["$ref"].as_str();
        let mut many = value["anyOf"].as_array().into_iter().flatten();
        let items = value["items"]["$ref"].as_str();
        let name = direct.or(items).or(many.find_map(|one| one["$ref"].as_str()))?;
        Some(schema["$defs"][name.rsplit('/').next()?].clone())
    };
    for (name, value) in schema["properties"].as_object().expect("properties") {
        found.insert(name.clone());
        let of = named(value).unwrap_or_else(|| value.clone());
        for inner in of["properties"].as_object().into_iter().flatten() {
            found.insert(format!("{name}.{}", inner.0));
        }
    }
    found
}

/// Goal: the registry says what is published. Method: every row's definition is looked up; the
/// option a definition reads is one of the job's.
pub async fn every_number_has_a_meaning(world: &World) {
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    let mut known: BTreeSet<(String, i64)> = BTreeSet::new();
    let options = options();
    assert!(options.contains("metrics.min_cell"), "{options:?}");
    for row in world.rows("metric_definitions").await {
        let version: i64 = row["definition_version"].parse().expect("a version");
        let id = row["definition_id"].clone();
        let last = newest.entry(id.clone()).or_default();
        *last = version.max(*last);
        assert!(known.insert((id, version)), "twice: {row:?}");
        for column in ["name", "formula", "authority"] {
            assert!(row[column].len() > 2, "{row:?}");
        }
        assert!(row["since"].parse::<chrono::NaiveDate>().is_ok(), "{row:?}");
        for option in row["options_read"].split(", ").filter(|option| !option.is_empty()) {
            assert!(options.contains(option), "no option `{option}`: {row:?}");
        }
    }
    let mut used = BTreeSet::new();
    for (table, one) in TABLES {
        for row in world.rows(table).await {
            let version: i64 = row["definition_version"].parse().expect("a version");
            let id = row["definition_id"].as_str();
            assert!(known.contains(&(id.to_owned(), version)), "{table}: {row:?}");
            assert_eq!(version, newest[id], "{table}: {row:?}");
            let wanted = one.or(row.get("metric").map(String::as_str)).expect("a name");
            if table != "change_effects" {
                assert_eq!(id, wanted, "{table}: {row:?}");
            }
            used.insert(id.to_owned());
        }
    }
    assert!(used.len() > 15, "{used:?}");
}

/// Goal: what everything is computed from is the newest version of each record. Method: staged rows
/// are put in order once more, table by table.
pub async fn current_rows_are_the_newest_of_the_staged(world: &World) {
    let mut rows = 0;
    for table in [
        "contacts",
        "conversation_changes",
        "conversations",
        "events",
        "fx_rates",
        "messages",
        "orders",
        "subscriptions",
        "survey_invitations",
        "survey_responses",
    ] {
        let (mut wanted, mut found) =
            (world.current(table).await, world.rows(&format!("current_{table}")).await);
        wanted.sort();
        found.sort();
        assert_eq!(found.len(), wanted.len(), "{table}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found, wanted, "{table}");
        }
        rows += found.len();
    }
    assert!(rows > 1_000, "{rows}");
}
