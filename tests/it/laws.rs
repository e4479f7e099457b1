//! Laws of the whole job: the same objects give the same rows and bytes, whatever the nights.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use proptest::prelude::*;

const JOB: &str = r#"
name = "laws"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/dt={dt}/*.json"

[limits]
batch_objects = 3
"#;

/// One response as it is in one night's export.
#[derive(Debug, Clone)]
struct Row {
    id: u32,
    answer: u8,
    responded: u32,
}

/// What one night's export says: its day of May 2024, and its rows.
type Night = (u32, Vec<Row>);

fn write(project: &Path, path: &str, text: &str) {
    let path = project.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, text).expect("a file");
}

fn write_night(project: &Path, (day, rows): &Night) {
    let row = |row: &Row| {
        format!(
            r#"{{"response_id":"{}","contact_id":"{}","email":"p{}@example.com","answer":"{}","question_type":"nps","responded":"{}"}}"#,
            row.id,
            row.id % 64,
            row.id % 64,
            row.answer,
            row.responded
        )
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let text = format!(r#"{{"data":[{}]}}"#, rows.join(","));
    write(project, &format!("raw/dt=2024-05-{day:02}/r.json"), &text);
}

async fn run(project: &Path, threads: usize) -> Release {
    let settings = Settings {
        project: project.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        threads,
        identity_salt: Some("00".repeat(32)),
        ..settings::from_environment()
    };
    let context = cxmart::run::open("jobs/laws.toml", settings).expect("the job opens");
    let store = context.store.clone();
    let as_of = chrono::NaiveDate::from_ymd_opt(2024, 6, 1);
    cxmart::run::run(Arc::new(context), as_of).await.expect("the run succeeds");
    StateReader::new(store).latest().await.expect("readable").expect("a release")
}

/// Content of every published table and of every merged one.
fn content(release: &Release) -> BTreeMap<String, Vec<(String, String)>> {
    let merged = |name: &str| name.starts_with("current_") || name.starts_with("versions_");
    let state = release.state.iter().filter(|(name, _)| merged(name));
    let files = |dataset: &cxmart::table::dataset::Dataset| {
        let of = |f: &cxmart::table::dataset::FileRef| {
            (f.content_hash.to_string(), f.file_hash.to_string())
        };
        dataset.files.iter().map(of).collect()
    };
    release.tables.iter().chain(state).map(|(name, d)| (name.clone(), files(d))).collect()
}

/// Runs once after each group of nights has arrived; tables as of the last one.
async fn nights(groups: &[&[Night]], threads: usize) -> BTreeMap<String, Vec<(String, String)>> {
    let project = tempfile::tempdir().expect("a temporary folder");
    write(project.path(), "jobs/laws.toml", JOB);
    let mut last = None;
    for group in groups {
        for night in *group {
            write_night(project.path(), night);
        }
        last = Some(run(project.path(), threads).await);
    }
    content(&last.expect("at least one run"))
}

fn some_nights() -> impl Strategy<Value = Vec<Night>> {
    let row = (0..4_u32, 0..3_u8, 0..2_u32).prop_map(|(id, answer, late)| Row {
        id,
        answer,
        responded: 1_716_890_000 + late * 86_400,
    });
    let rows = proptest::collection::vec(row, 1..4);
    proptest::collection::vec(rows, 2..5).prop_map(|nights| (10..).zip(nights).collect())
}

/// Goal: N nightly runs in order, in reverse and in one go publish the same bytes; late nights
/// change what was newest in between. Method: random exports in which few keys change often.
#[test]
fn any_order_of_nights_gives_the_same_bytes() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = ProptestConfig { cases: 6, ..ProptestConfig::default() };
    proptest!(config, |(exports in some_nights())| {
        let (at_once, in_order, reversed) = runtime.block_on(async {
            let single: Vec<&[Night]> = exports.chunks(1).collect();
            let backwards: Vec<&[Night]> = exports.chunks(1).rev().collect();
            (
                nights(&[&exports], 2).await,
                nights(&single, 1).await,
                nights(&backwards, 2).await,
            )
        });
        prop_assert_eq!(&at_once, &in_order);
        prop_assert_eq!(&at_once, &reversed);
    });
}

/// Goal: a table that outgrows one file, and is spread over buckets from then on, has the same bytes
/// as one that was so from the beginning. Method: three nights, of which the second passes the
/// bound and the third comes after it; each changes answers of the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_outgrows_one_file_has_the_same_bytes() {
    let a_night = u32::try_from(cxmart::table::BUCKETED_ROWS_MIN).expect("a count") * 2 / 3;
    let night = |number: u32| -> Night {
        let first = number * a_night - number * 100;
        let row = |id: u32| Row {
            id,
            answer: u8::try_from((id + number) % 11).expect("an answer"),
            responded: 1_716_890_000 + number * 86_400,
        };
        (10 + number, (first..first + a_night).map(row).collect())
    };
    let exports: Vec<Night> = (0..3).map(night).collect();
    let single: Vec<&[Night]> = exports.chunks(1).collect();
    let at_once = nights(&[&exports], 2).await;
    let in_order = nights(&single, 2).await;
    assert!(at_once["versions_survey_responses"].len() > 32, "buckets");
    for (name, files) in &at_once {
        assert_eq!(in_order.get(name), Some(files), "{name}");
    }
    assert_eq!(at_once.len(), in_order.len());
}
