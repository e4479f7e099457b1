//! Matching over several nights: a model that is kept, how far it drifts, and a new fit on request.

use std::collections::BTreeMap;
use std::sync::Arc;

use cxmart::run::Outcome;
use cxmart::settings::{Refit, Settings};
use cxmart::state::Release;

use crate::profile::{get, rows};
use crate::project::Project;

const MATCHING: &str = r#"
[identity.matching]
enabled = true
field = [
    { column = "first_name", kind = "first_name" },
    { column = "last_name", kind = "last_name" },
    { column = "email", kind = "email" },
]
block = [["first_name", "last_name"], ["email"]]
"#;

fn named(id: u32) -> (String, String) {
    const FIRST: [&str; 11] =
        ["Ada", "Bea", "Cleo", "Dina", "Egon", "Finn", "Gerd", "Hugo", "Ines", "Jonas", "Klara"];
    const LAST: [&str; 23] = [
        "Abel", "Bach", "Clausen", "Dahl", "Ernst", "Falk", "Gade", "Holm", "Iversen", "Juul",
        "Krag", "Lund", "Munk", "Nygaard", "Olsen", "Poulsen", "Quist", "Rask", "Skov", "Toft",
        "Ulrich", "Vang", "Winther",
    ];
    let (first, last) = (FIRST[id as usize % 11], LAST[id as usize % 23]);
    let address = format!("{}.{}{id}", first.to_lowercase(), last.to_lowercase());
    (format!("{first} {last}"), address)
}

/// Contacts of one night; those of 1,000 and more come back under a misspelt address.
fn night(project: &Project, day: &str, ids: impl Iterator<Item = u32>) {
    let row = |id: u32| {
        let (name, address) = named(id % 1_000);
        let host = if id < 1_000 { "example.com" } else { "exmaple.com" };
        format!(
            r#"{{"response_id":"{id}","contact_id":"{id}","name":"{name}","email":"{address}@{host}","answer":"9","question_type":"nps","responded":"1716890123"}}"#
        )
    };
    let rows: Vec<_> = ids.map(row).collect();
    let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
    project.write(&format!("raw/dt={day}/responses.json"), &text);
}

const FIRST: &str = "2024-05-27";
const SECOND: &str = "2024-05-28";
const THIRD: &str = "2024-05-29";

fn first(project: &Project) {
    night(project, FIRST, (1..=210).chain(1_001..=1_006));
}

fn second(project: &Project) {
    night(project, SECOND, (1_011..=1_012).chain(211..=215));
}

fn third(project: &Project) {
    night(project, THIRD, 1_021..=1_060);
}

async fn run(project: &Project, refits: Vec<Refit>) -> (Outcome, Release) {
    let settings = Settings { refits, ..project.settings() };
    let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
    let outcome = cxmart::run::run(Arc::new(context), None).await.expect("the run succeeds");
    (outcome, project.release().await.expect("a release"))
}

/// Content of all tables, published or not, as of the last day.
fn content(release: &Release) -> BTreeMap<String, Vec<String>> {
    let today = release.as_of.to_string();
    let is_staged = |name: &String| name.starts_with("staged_");
    let all =
        release.tables.iter().chain(release.state.iter().filter(|(name, _)| !is_staged(name)));
    let of = |(name, dataset): (&String, &cxmart::table::dataset::Dataset)| {
        let files = dataset.files.iter();
        let own = files.filter(|file| file.partition.get("as_of").is_none_or(|day| *day == today));
        (name.clone(), own.map(|file| file.content_hash.to_string()).collect())
    };
    all.map(of).collect()
}

fn differing(a: &Release, b: &Release) -> Vec<String> {
    let (a, b) = (content(a), content(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    a.iter().filter(|(name, files)| b[*name] != **files).map(|(name, _)| name.clone()).collect()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

async fn largest_drift(project: &Project, release: &Release) -> f64 {
    let rows = rows(&project.open().store, release, "identity_match_drift").await;
    assert!(rows.len() > 10, "{rows:#?}");
    let drift = rows.iter().map(|row| get(row, "weight_drift").parse::<f64>().expect("a number"));
    drift.fold(0.0, |most, drift| drift.abs().max(most))
}

/// Goal: under the parameters of the first night, the nights after it give the same one by one and
/// together; they drift, which is told; and after a new fit the warehouse is what one run over all
/// nights makes, with nothing left to do.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_kept_until_somebody_asks_for_a_new_fit() {
    let project = Project::new(MATCHING);
    first(&project);
    let (_, fitted) = run(&project, Vec::new()).await;
    assert!(largest_drift(&project, &fitted).await < 1e-12, "just fitted");
    second(&project);
    run(&project, Vec::new()).await;
    third(&project);
    let (outcome, kept) = run(&project, Vec::new()).await;
    let model = |release: &Release| content(release)["identity_match_model"].clone();
    assert_eq!(model(&kept), model(&fitted), "kept over the nights");
    assert!(largest_drift(&project, &kept).await > 0.1, "forty more doubles in 225 contacts");
    let told =
        |outcome: &Outcome| outcome.warnings.iter().any(|text| text.contains("--refit match"));
    assert!(told(&outcome), "{:?}", outcome.warnings);

    let other = Project::new(MATCHING);
    first(&other);
    run(&other, Vec::new()).await;
    second(&other);
    third(&other);
    let (_, together) = run(&other, Vec::new()).await;
    assert_eq!(differing(&kept, &together), nothing(), "the same parameters, other nights");

    let (outcome, renewed) = run(&project, vec![Refit::Match]).await;
    assert!(outcome.published && !told(&outcome), "{:?}", outcome.warnings);
    assert!(largest_drift(&project, &renewed).await < 1e-12);
    assert_ne!(model(&renewed), model(&kept));
    let at_once = Project::new(MATCHING);
    first(&at_once);
    second(&at_once);
    third(&at_once);
    let (_, at_once) = run(&at_once, Vec::new()).await;
    assert_eq!(differing(&renewed, &at_once), nothing(), "N nights are one run");
    let (outcome, _) = run(&project, Vec::new()).await;
    assert!(!outcome.published && outcome.steps_run == 0, "nothing is left to do");
    let (outcome, _) = run(&project, vec![Refit::Match]).await;
    assert_eq!(differing(&project.release().await.expect("a release"), &renewed), nothing());
    assert_eq!(
        outcome.steps_run, 1,
        "a new fit to the same data gives the same, and the ripple stops"
    );
}
