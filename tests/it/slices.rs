//! A word about two people rebuilds what is theirs: every other slice keeps its file, and is what it
//! would be if it were made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cxmart::run::{Context, forget, repair};
use cxmart::state::reports::Slices;
use cxmart::state::{Release, StateReader};
use cxmart::table::dataset::{Dataset, FileRef};
use cxmart::upkeep::verify;

use crate::past::{NEVER, OVERRIDES};
use crate::project::Project;

/// Answers: id, contact, address, and the month of 2023 they were given in. Ana and Bo are one by
/// the third; the others answer in months of their own, and one of them in Bo's first.
const ANSWERS: [(u32, u32, &str, u32); 11] = [
    (1, 1, "ana", 4),
    (2, 2, "bo", 5),
    (3, 1, "bo", 6),
    (10, 10, "cid", 1),
    (11, 11, "dea", 2),
    (12, 12, "eli", 3),
    (13, 13, "fay", 5),
    (14, 14, "gus", 7),
    (15, 15, "hal", 8),
    (16, 15, "hal", 9),
    (17, 17, "ida", 9),
];

fn project(overrides: &str) -> Project {
    let project = Project::new(OVERRIDES);
    project.write("identity/overrides.toml", overrides);
    let row = |(id, contact, email, month): &(u32, u32, &str, u32)| {
        format!(
            r#"{{"response_id":"{id}","contact_id":"{contact}","email":"{email}@example.com","answer":"9","question_type":"nps","responded":"2023-{month:02}-03T10:00:00Z"}}"#
        )
    };
    let rows: Vec<_> = ANSWERS.iter().map(row).collect();
    let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
    project.write("raw/dt=2024-01-05/responses.json", &text);
    project
}

fn open(project: &Project, run_id: &str) -> Arc<Context> {
    let settings = cxmart::settings::Settings { run_id: run_id.into(), ..project.settings() };
    Arc::new(cxmart::run::open("jobs/project.toml", settings).expect("the job opens"))
}

/// Runs; gives the release and, as the run's own report tells it, the slices of what it made.
async fn run(project: &Project, run_id: &str) -> (Release, BTreeMap<String, Slices>) {
    let context = open(project, run_id);
    let reader = StateReader::new(context.store.clone());
    Box::pin(cxmart::run::run(context, None)).await.expect("the run succeeds");
    let reports = reader.reports("project", 1).await.expect("reports");
    assert_eq!(reports[0].run_id, run_id);
    let slices = reports[0].steps.iter().flat_map(|step| step.slices.clone()).collect();
    (reader.latest().await.expect("readable").expect("a release"), slices)
}

fn dataset<'a>(release: &'a Release, table: &str) -> &'a Dataset {
    // What steps made; readers may see less.
    release.state.get(table).or_else(|| release.tables.get(table)).expect("the table")
}

fn hashes(dataset: &Dataset) -> BTreeSet<&str> {
    dataset.files.iter().map(|file| file.file_hash.as_str()).collect()
}

/// Goal: nothing was made again that comes out as it was. Method: the counts of the report against
/// the files of the two releases.
fn only_what_changed(before: &Release, after: &Release, slices: &BTreeMap<String, Slices>) {
    assert!(slices.len() > 40, "{slices:?}");
    for (table, told) in slices {
        let (was, is) = (hashes(dataset(before, table)), hashes(dataset(after, table)));
        let kept = is.intersection(&was).count() as u64;
        assert_eq!((told.kept, told.all()), (kept, is.len() as u64), "{table}");
    }
}

/// The file of each month of a table.
fn months<'a>(release: &'a Release, table: &str) -> BTreeMap<&'a str, &'a FileRef> {
    let files = release.tables[table].files.iter();
    files.map(|file| (file.partition["month"].as_str(), file)).collect()
}

/// Months whose file is another.
fn moved(before: &Release, after: &Release, table: &str) -> Vec<String> {
    let (was, is) = (months(before, table), months(after, table));
    assert!(was.keys().eq(is.keys()), "{table}");
    let other = |month: &&&str| was[**month].path != is[**month].path;
    was.keys().filter(other).map(|month| (*month).to_owned()).collect()
}

/// All files by table and place.
fn bytes(release: &Release) -> BTreeMap<(String, String, u32), String> {
    let tables = release.tables.iter().chain(&release.state);
    let files = tables.flat_map(|(name, dataset)| dataset.files.iter().map(move |f| (name, f)));
    let of = |(name, file): (&String, &FileRef)| {
        let place = (name.clone(), format!("{:?}", file.partition), file.ordinal);
        (place, file.file_hash.to_string())
    };
    files.map(of).collect()
}

/// Goal: two people who are parted, and one who is forgotten, cost the slices they are in and no
/// other; what was kept is what making it anew gives. Method: months in which somebody else
/// answered, counts of the report and names of files; then the same from nothing in another
/// warehouse, and for forgetting every file is deleted and made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_about_somebody_rebuilds_what_is_theirs() {
    let tried = project("");
    let (first, slices) = run(&tried, "run-1").await;
    assert_eq!(slices["feedback"], Slices { made: 9, kept: 0 });

    tried.write("identity/overrides.toml", NEVER);
    let (parted, slices) = run(&tried, "run-2").await;
    // Ana's answer stays Ana's; the third goes to her by its contact, or to Bo by its address.
    let theirs = moved(&first, &parted, "feedback");
    assert!(!theirs.is_empty() && theirs.len() < 4, "{theirs:?}");
    let may = ["2023-04-01", "2023-05-01", "2023-06-01"];
    assert!(theirs.iter().all(|month| may.contains(&month.as_str())), "{theirs:?}");
    let made = theirs.len() as u64;
    assert_eq!(slices["feedback"], Slices { made, kept: 9 - made });
    assert_eq!(moved(&first, &parted, "interactions"), theirs);
    only_what_changed(&first, &parted, &slices);

    let anew = project(NEVER);
    let (at_once, slices) = run(&anew, "run-1").await;
    assert!(slices.values().all(|slices| slices.kept == 0), "{slices:?}");
    assert_eq!(bytes(&at_once), bytes(&parted));

    let context = open(&tried, "forget");
    let done = forget::apply(&context, &["gus@example.com".to_owned()]).await.expect("forgotten");
    assert_eq!(done.people, 1);
    let quiet = StateReader::new(context.store.clone()).latest().await.expect("readable");
    let quiet = quiet.expect("a release");
    let slices = context.record.slices();
    assert_eq!(slices["feedback"], Slices { made: 1, kept: 8 });
    assert_eq!(moved(&parted, &quiet, "feedback"), ["2023-07-01"]);
    only_what_changed(&parted, &quiet, &slices);
    made_again(&tried, &quiet).await;
}

/// Deletes all that steps made and makes it again: each file comes back with its hash.
async fn made_again(project: &Project, release: &Release) {
    let context = open(project, "repair");
    let mut gone = BTreeSet::new();
    let made = |name: &&String| !name.starts_with("staged_");
    let tables = release.tables.iter().chain(&release.state).filter(|(name, _)| made(name));
    for file in tables.flat_map(|(_, dataset)| &dataset.files) {
        if gone.insert(file.path.clone()) {
            context.store.delete(&file.path).await.expect("deleted");
        }
    }
    assert!(gone.len() > 60, "{}", gone.len());
    let done = repair::repair(&context, std::slice::from_ref(release)).await.expect("repaired");
    let lost: Vec<_> = done.iter().filter(|(_, is_whole)| !**is_whole).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(done.len(), gone.len());
}

/// Goal: a damaged file is not kept for another release. Method: the file of a month that nobody's
/// word touches is damaged, and then two people are parted.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_slice_is_mended_before_it_is_named_again() {
    let project = project("");
    let (first, _) = run(&project, "run-1").await;
    let file = months(&first, "feedback")["2023-01-01"].clone();
    let path = project.path().join("warehouse").join(&file.path);
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // As a new file: the old one may have other names.
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, bytes).expect("written");

    project.write("identity/overrides.toml", NEVER);
    let (second, _) = run(&project, "run-2").await;
    assert_eq!(months(&second, "feedback")["2023-01-01"], &file, "the same file");
    let store = open(&project, "look").store.clone();
    let found = verify::verify(&store, std::slice::from_ref(&second), true).await;
    assert!(found.expect("looked at").faults.is_empty());
}
