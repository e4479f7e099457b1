//! Pseudonyms instead of personal values, partitions that grow too old, and what is found in texts.

use std::collections::BTreeSet;
use std::sync::Arc;

use cxmart::forget::{Codes, Eraser};
use cxmart::resolve::normalise::Normaliser;
use cxmart::run::{Outcome, RunError};
use cxmart::settings::Settings;
use cxmart::state::{Registry, Subject};

use super::shop::{content, differ, named_in, night, rows, shop};
use crate::project::Project;

fn settings(project: &Project, key: Option<&str>) -> Settings {
    Settings { privacy_key: key.map(|key| key.repeat(32)), ..project.settings() }
}

async fn run(project: &Project, key: Option<&str>) -> Result<Outcome, RunError> {
    let context = cxmart::run::open("jobs/project.toml", settings(project, key));
    cxmart::run::run(Arc::new(context.expect("the job opens")), None).await
}

fn privacy(project: &Project, text: &str) {
    let path = project.path().join("jobs/project.toml");
    let job = std::fs::read_to_string(&path).expect("the job");
    let head = job.split("\n[privacy]").next().expect("a head");
    std::fs::write(path, format!("{head}\n[privacy]\n{text}\n")).expect("written");
}

/// Goal: with pseudonyms no published file holds a personal value, equal values stay equal across
/// tables, another key gives other pseudonyms to all of them, and without pseudonyms everything is
/// as it was. Method: one night, run under one key, another, and none.
#[tokio::test(flavor = "multi_thread")]
async fn pseudonyms_stand_for_personal_values_until_the_key_changes() {
    let project = shop("");
    night(&project, 1, true);
    run(&project, None).await.expect("a night in the clear");
    let clear = project.release().await.expect("a release");
    let store = project.open().store.clone();

    privacy(&project, "pseudonyms = true\nkey_id = \"one\"");
    assert!(matches!(run(&project, None).await, Err(RunError::NoKey)));
    assert!(run(&project, Some("11")).await.expect("masked").published);
    let one = project.release().await.expect("a release");
    let files = one.tables.values().flat_map(|table| &table.files).map(|file| {
        let path = project.path().join("warehouse").join(&file.path);
        (file.path.clone(), std::fs::read(path).expect("a file"))
    });
    // Her CRM id is in the key of published facts, and no personal column by the catalogue.
    assert_eq!(named_in(files), Vec::<String>::new());
    let emails = rows(&store, &clear, "customers", &["primary_email", "customer_id"]).await;
    let masked: BTreeSet<Vec<String>> =
        table(&project, &one, "customers", &["primary_email", "customer_id"]).await;
    assert_eq!(masked.len(), emails.len());
    assert!(masked.iter().all(|row| row[0].is_empty() || row[0].starts_with("h_")));
    let known = table(&project, &one, "customer_identifiers", &["identifier", "customer_id"]).await;
    assert!(masked.iter().filter(|row| !row[0].is_empty()).all(|row| known.contains(row)));
    assert!(!run(&project, Some("11")).await.expect("nothing new").published);
    assert!(matches!(run(&project, Some("22")).await, Ok(outcome) if !outcome.published));

    night(&project, 2, true);
    assert!(matches!(run(&project, Some("22")).await, Err(RunError::OtherKey { .. })));
    run(&project, Some("11")).await.expect("the second night");
    let second = project.release().await.expect("a release");
    let again = table(&project, &second, "customers", &["primary_email", "customer_id"]).await;
    // Her contact has another address since.
    assert_eq!(masked.difference(&again).count(), 1);

    privacy(&project, "pseudonyms = true\nkey_id = \"two\"");
    assert!(run(&project, Some("22")).await.expect("another key").published);
    let two = project.release().await.expect("a release");
    let rotated = table(&project, &two, "customers", &["primary_email", "customer_id"]).await;
    let ids = |rows: &BTreeSet<Vec<String>>| -> BTreeSet<String> {
        rows.iter().map(|row| row[1].clone()).collect()
    };
    assert_eq!(ids(&again), ids(&rotated));
    let hashes = |rows: &BTreeSet<Vec<String>>| -> BTreeSet<String> {
        rows.iter().map(|row| row[0].clone()).filter(|hash| !hash.is_empty()).collect()
    };
    assert!(hashes(&again).is_disjoint(&hashes(&rotated)));

    privacy(&project, "");
    run(&project, None).await.expect("in the clear");
    let last = project.release().await.expect("a release");
    let other = shop("");
    for number in [1, 2] {
        night(&other, number, true);
        other.run().await.expect("a night");
    }
    let other = other.release().await.expect("a release");
    assert_eq!(differ(&content(&last, &[]), &content(&other, &[])), BTreeSet::new());
}

fn known(subjects: &[(&str, &str)]) -> Eraser {
    let codes = Codes::new(b"salt");
    let identifiers = subjects.iter().map(|(kind, value)| codes.identifier(kind, "", value));
    let identifiers: BTreeSet<String> = identifiers.collect();
    let mut registry = Registry::default();
    registry.add(Subject {
        id: codes.subject(identifiers.iter()),
        deletes: false,
        as_of: "2024-05-28".parse().expect("a day"),
        values: subjects.iter().filter_map(|(_, value)| codes.value(value)).collect(),
        identifiers,
        customers: BTreeSet::new(),
        records: BTreeSet::new(),
        links: BTreeSet::new(),
    });
    let text = serde_json::to_string(&registry).expect("json");
    assert!(subjects.iter().all(|(_, value)| !text.contains(value)), "it names nobody");
    let normaliser = Normaliser::new(Some("DK"), false, &[]);
    Eraser::new(&registry, b"salt", normaliser).expect("somebody")
}

#[test]
fn addresses_and_numbers_are_taken_out_of_texts_and_nothing_else() {
    let eraser = known(&[("email", "ana@example.com"), ("phone", "+4520304051")]);
    for (text, clean) in [
        ("mail ANA@Example.com, or call", "mail [erased], or call"),
        ("<ana@example.com>", "<[erased]>"),
        ("ana@example.com.", "[erased]."),
        ("+45 20 30 40 51 / 20304051", "[erased] / [erased]"),
        ("(+45) 2030 4051 today", "[erased] today"),
        ("tel:20304051", "tel:[erased]"),
        ("20304051 12 apples", "[erased] 12 apples"),
        ("ana@example.comana@example.com", "ana@example.comana@example.com"),
        ("diana@example.com and 20304052", "diana@example.com and 20304052"),
        ("2024-05-28 10:11:12, 120304051x", "2024-05-28 10:11:12, 120304051x"),
        ("å@é ana@example.com ø", "å@é [erased] ø"),
        ("", ""),
    ] {
        let found = eraser.redacted(text);
        assert_eq!(found.as_deref().unwrap_or(text), clean, "{text}");
        assert_eq!(found.is_some(), text != clean, "{text}");
        assert_eq!(eraser.is_mentioned(text), text != clean, "{text}");
    }
}

#[test]
fn long_identifiers_are_found_anywhere_and_short_ones_are_anybodys() {
    let eraser = known(&[("external_id", "EXT-99120"), ("crm_id", "17"), ("cookie", "12345678")]);
    assert!(eraser.is_in("{\"id\":\"ext-99120\"}"));
    // Ids of sessions and of messages hold that of a cookie or of a person.
    assert!(eraser.is_in("EXT-99120:17") && eraser.is_in("s.17-ext-99120_2"));
    assert!(!eraser.is_in("EXT-9912-0") && !eraser.is_in("EXT.99120") && !eraser.is_in("--.::"));
    assert!(!eraser.is_in("17") && !eraser.is_in("12345678") && !eraser.is_in("EXT-991200"));
}

/// Rows of a table as readers see it.
async fn table(
    project: &Project,
    release: &cxmart::state::Release,
    name: &str,
    columns: &[&str],
) -> BTreeSet<Vec<String>> {
    let mut seen = release.clone();
    seen.state.clear();
    let store = project.open().store.clone();
    rows(&store, &seen, name, columns).await.into_iter().collect()
}

/// Goal: partitions older than a table keeps are not published, numbers made of them stay, and a
/// longer retention brings them back. Method: one night's orders of four months, kept for forty
/// days, then for good.
#[tokio::test(flavor = "multi_thread")]
async fn old_partitions_are_left_out_and_come_back() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    let whole = project.release().await.expect("a release");
    let months = |release: &cxmart::state::Release| -> Vec<String> {
        let files = release.tables["orders"].files.iter();
        files.map(|file| file.partition["month"].clone()).collect()
    };
    assert_eq!(months(&whole), ["2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]);
    privacy(&project, "retention = { orders = 40 }");
    assert!(project.run().await.expect("kept for forty days").published);
    let kept = project.release().await.expect("a release");
    assert_eq!(months(&kept), ["2024-04-01", "2024-05-01"]);
    let differ_by = differ(&content(&whole, &[]), &content(&kept, &[]));
    assert_eq!(differ_by, BTreeSet::from(["orders".to_owned()]));
    assert!(!project.run().await.expect("nothing to do").published);
    privacy(&project, "");
    project.run().await.expect("kept for good");
    let again = project.release().await.expect("a release");
    assert_eq!(content(&again, &[]), content(&whole, &[]));
    // What has no partitions in time, or is no table, cannot be kept by days.
    privacy(&project, "retention = { customers = 40, nothing = 1, orders = 0 }");
    let refused = cxmart::run::open("jobs/project.toml", project.settings());
    let Err(RunError::Plan(cxmart::plan::PlanError::Problems(problems))) = refused else {
        panic!("the job is not usable");
    };
    assert_eq!(problems.len(), 3, "{problems:?}");
}
