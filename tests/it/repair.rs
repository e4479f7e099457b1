//! Files that are lost or damaged are made again from what they were made from.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use cxmart::run::repair;
use cxmart::state::{Release, StateReader};
use cxmart::table::dataset::FileRef;
use cxmart::upkeep::verify;

use crate::project::Project;

fn files(release: &Release) -> impl Iterator<Item = (&String, &FileRef)> {
    let all = release.tables.iter().chain(&release.state);
    all.flat_map(|(name, dataset)| dataset.files.iter().map(move |file| (name, file)))
}

fn on_disk(project: &Project, file: &FileRef) -> PathBuf {
    project.path().join("warehouse").join(&file.path)
}

/// Turns one bit; as a new file, because the old one may have other names.
fn damage(project: &Project, file: &FileRef) {
    let path = on_disk(project, file);
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, bytes).expect("written");
}

async fn nights(project: &Project, count: usize) {
    let nights: [(&str, u32, &[u32]); 3] = [
        ("2024-05-28", 1, &[9, 3, 10]),
        ("2024-05-29", 3, &[2, 8]),
        ("2024-05-30", 2, &[7, 7, 7, 1]),
    ];
    for (day, first, scores) in nights.into_iter().take(count) {
        project.night(day, first, scores);
        project.run().await.expect("a night");
    }
}

async fn faults(project: &Project, release: &Release) -> Vec<String> {
    let store = project.open().store.clone();
    let found = verify::verify(&store, std::slice::from_ref(release), true).await;
    found.expect("looked at").faults.into_iter().map(|(path, ..)| path).collect()
}

/// Goal: whatever of a release is lost, it can be made again as long as the raw objects, the
/// ledger and the release itself are there. Method: two nights; every second file is damaged, the
/// others are deleted, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_back_from_its_raw_objects() {
    let project = Project::new("");
    nights(&project, 2).await;
    let release = project.release().await.expect("a release");
    // A former day of a daily table is no result of the newest run.
    let is_former = |file: &FileRef| {
        file.partition.get("as_of").is_some_and(|day| *day != release.as_of.to_string())
    };
    let mut harmed = BTreeSet::new();
    for (i, (_, file)) in files(&release).filter(|(_, file)| !is_former(file)).enumerate() {
        if !harmed.insert(file.path.clone()) {
            continue;
        }
        match i % 2 {
            0 => damage(&project, file),
            _ => std::fs::remove_file(on_disk(&project, file)).expect("removed"),
        }
    }
    assert!(harmed.len() > 30, "{}", harmed.len());
    assert_eq!(faults(&project, &release).await.len(), harmed.len());
    let context = Arc::new(project.open());
    let releases = StateReader::new(context.store.clone()).numbers().await.expect("numbers");
    assert_eq!(releases, [1, 2]);
    let done = repair::repair(&context, &[release.clone()]).await.expect("repaired");
    let lost: Vec<_> = done.iter().filter(|(_, is_whole)| !**is_whole).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(done.len(), harmed.len());
    assert_eq!(faults(&project, &release).await, Vec::<String>::new());
    project.night("2024-05-30", 2, &[7, 7, 7, 1]);
    project.run().await.expect("the next night");
}

/// Goal: a run that meets a damaged file mends it by itself, and says so. Method: before the third
/// night one staged file and one merged one are damaged; the night ends as an undisturbed one.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_mends_what_it_reads() {
    let (harmed, sound) = (Project::new(""), Project::new(""));
    nights(&sound, 3).await;
    nights(&harmed, 2).await;
    let release = harmed.release().await.expect("a release");
    let first = |name: &str| &release.state[name].files[0];
    let broken = [first("staged_survey_responses"), first("versions_survey_responses")];
    for file in broken {
        damage(&harmed, file);
    }
    harmed.night("2024-05-30", 2, &[7, 7, 7, 1]);
    let outcome = harmed.run().await.expect("the third night");
    for file in broken {
        let told = outcome.warnings.iter().any(|warning| warning.contains(&file.path));
        assert!(told, "`{}` in {:?}", file.path, outcome.warnings);
    }
    let content = |release: Release| {
        let tables = release.tables.into_iter();
        tables.map(|(name, table)| (name, table.content_hash)).collect::<Vec<_>>()
    };
    let release = harmed.release().await.expect("a release");
    assert_eq!(release.number, 3);
    assert_eq!(faults(&harmed, &release).await, Vec::<String>::new());
    assert_eq!(content(release), content(sound.release().await.expect("a release")));
}

/// Goal: what cannot be made again is told, not made up. Method: a staged file is damaged whose raw
/// object has changed since.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_object_changed_is_told_as_lost() {
    let project = Project::new("");
    nights(&project, 1).await;
    let release = project.release().await.expect("a release");
    let file = &release.state["staged_survey_responses"].files[0];
    damage(&project, file);
    project.night("2024-05-28", 1, &[1, 1, 1]);
    let context = Arc::new(project.open());
    let done = repair::repair(&context, &[release.clone()]).await.expect("looked at");
    assert_eq!(done.get(&file.path), Some(&false));
    assert_eq!(faults(&project, &release).await, [file.path.clone()]);
}
