//! Verbs on a warehouse that is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cxmart::run::{RunError, release};
use cxmart::settings::clock::Clock;
use cxmart::storage::{StorageError, Store};
use cxmart::upkeep::UpkeepError;
use serde_json::Value;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_whole_and_says_so_last() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    let target = project.path().join("out");
    let url = target.display().to_string();
    release::export_to(&project.open(), None, &url).await.expect("an export");
    let text = std::fs::read_to_string(target.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(manifest["release"], 1);
    assert_eq!(manifest["as_of"], "2024-05-28");
    assert_eq!(manifest["tables"]["feedback"]["rows"], 2);
    assert_eq!(manifest["tables"]["rejected_records"]["files"], serde_json::json!([]));
    let exported = Store::on_disk(&target);
    for table in manifest["tables"].as_object().expect("tables").values() {
        for file in table["files"].as_array().expect("files") {
            let path = file["path"].as_str().expect("a path");
            let bytes = exported.read(path).await.expect("an exported file");
            let hash = cxmart::table::hash::Hash::of(&bytes);
            assert_eq!(file["sha256"], hash.to_string(), "`{path}`");
        }
    }
    assert!(target.join("_SUCCESS").exists());
    let checks = exported.list("check_results").await.expect("a listing");
    assert!(checks[0].path.starts_with("check_results/as_of=2024-05-28/part-"));

    let again = release::export_to(&project.open(), None, &url).await;
    assert!(matches!(again, Err(RunError::Upkeep(UpkeepError::NotEmpty { .. }))), "{again:?}");
    // A killed export goes on where it stopped: without the last file it is not done.
    std::fs::remove_file(target.join("_SUCCESS")).expect("removed");
    std::fs::remove_file(target.join("manifest.json")).expect("removed");
    release::export_to(&project.open(), Some(1), &url).await.expect("the rest of it");
    std::fs::remove_file(target.join("_SUCCESS")).expect("removed");
    std::fs::write(target.join("notes.txt"), "mine").expect("a file of somebody");
    let strange = release::export_to(&project.open(), None, &url).await;
    assert!(strange.expect_err("not ours").to_string().contains("`notes.txt`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exports_each_release_to_a_folder_of_its_own() {
    let project = Project::new("\n[publish]\nexport = \"out/r{release}\"\n");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    project.night("2024-05-29", 3, &[9]);
    project.run().await.expect("another");
    for release in ["r1", "r2"] {
        assert!(project.path().join("out").join(release).join("_SUCCESS").exists());
    }
    // A run that died before the end of its export leaves it to the next.
    std::fs::remove_file(project.path().join("out/r2/_SUCCESS")).expect("removed");
    let outcome = project.run().await.expect("nothing new");
    assert!(!outcome.published);
    assert!(project.path().join("out/r2/_SUCCESS").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_not_exported() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    let file = project.release().await.expect("one").tables["feedback"].files[0].clone();
    let path = project.path().join("warehouse").join(&file.path);
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[40] ^= 1;
    // A new file: the old one has other names.
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, bytes).expect("one flipped bit");
    let url = project.path().join("out").display().to_string();
    let failed = release::export_to(&project.open(), None, &url).await;
    assert!(
        matches!(failed, Err(RunError::Upkeep(UpkeepError::Storage(StorageError::Damaged { .. })))),
        "{failed:?}"
    );
    assert!(!project.path().join("out/_SUCCESS").exists());
}

/// Files that waited more than twelve hours for their commit are placed again before it.
#[tokio::test(flavor = "multi_thread")]
async fn files_placed_long_ago_are_placed_again_before_the_commit() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    let asked = Arc::new(AtomicU64::new(0));
    let hours = Arc::clone(&asked);
    // Start, 13 hours later, start again, no time later.
    let clock = Clock::new(move || {
        let passed = [0, 13, 13, 13];
        let call = hours.fetch_add(1, Ordering::SeqCst);
        let hours = passed.get(usize::try_from(call).unwrap_or(usize::MAX)).copied();
        Duration::from_hours(hours.unwrap_or(13))
    });
    let settings = cxmart::settings::Settings { clock, ..project.settings() };
    let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
    let outcome = cxmart::run::run(Arc::new(context), None).await.expect("a release");
    assert_eq!(outcome.release, Some(1));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}
