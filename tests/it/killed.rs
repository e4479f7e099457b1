//! A process that is killed leaves the old release or the new one, and the next run finishes its
//! work.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use cxmart::settings::Settings;
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;

use crate::project::Project;

async fn latest(store: &Store) -> Option<Release> {
    StateReader::new(store.clone()).latest().await.expect("readable state")
}

/// Content of all published tables, and that every file of them is there and whole.
async fn content(store: &Store, release: &Release) -> BTreeMap<String, String> {
    for file in release.tables.values().flat_map(|table| &table.files) {
        store.read_verified(&file.path, &file.file_hash).await.expect("a whole file");
    }
    release.tables.iter().map(|(name, t)| (name.clone(), t.content_hash.to_string())).collect()
}

/// Spawns a run of a night, kills it when it has told of so many receipts and then of so many lines
/// more, and says whether it was still running then.
fn kill_after(project: &Project, receipts: usize, lines: usize) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cxmart"))
        .args(["run", "project", "--verbose", "--threads", "2"])
        .current_dir(project.path())
        .env_clear()
        .env("CXMART__IDENTITY__SALT", "00".repeat(32))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let log = BufReader::new(child.stderr.take().expect("stderr"));
    let mut told = log.lines().map_while(Result::ok);
    let is_receipt = |line: &String| line.contains("step done") || line.contains("batch staged");
    let found = told.by_ref().filter(is_receipt).take(receipts).count();
    let read = told.take(lines).count();
    let running = found == receipts && read == lines && child.try_wait().expect("asked").is_none();
    // SIGKILL: nothing of the process runs after it.
    child.kill().expect("killed");
    let status = child.wait().expect("it ended");
    assert!(running || status.success() || status.code().is_none(), "{status}");
    running
}

/// Whether a run is killed at every receipt, and not at a sample of them.
fn all_receipts() -> bool {
    std::env::var("CXMART_TEST_FAULTS").is_ok_and(|asked| asked == "all")
}

/// Goal: a process that is killed, again and again, at any moment of its work loses nothing and
/// doubles nothing, and readers keep a whole release. Method: a second night whose run is killed
/// with SIGKILL after one receipt more each time, or some lines later, every try going on from what
/// the last one left.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_again_and_again_ends_in_the_same_release() {
    let (killed, undisturbed) = (Project::new(""), Project::new(""));
    for project in [&killed, &undisturbed] {
        project.night("2024-05-28", 1, &[9, 3, 10]);
        project.run().await.expect("the first night");
        project.night("2024-05-29", 3, &[2, 8]);
    }
    let store = killed.open().store.clone();
    let before = content(&store, &latest(&store).await.expect("a release")).await;
    undisturbed.run().await.expect("the second night");
    let other = undisturbed.open().store.clone();
    let after = content(&other, &latest(&other).await.expect("a release")).await;
    let mut kills = 0;
    let stride = |i: usize| if all_receipts() { i } else { i * 7 };
    for (i, receipts) in (0..).map(|i| (i, stride(i))) {
        // Between receipts, too: 0, 3, 1, 4, 2 lines after one.
        if !kill_after(&killed, receipts, i * 3 % 5) {
            break;
        }
        kills += 1;
        let seen = content(&store, &latest(&store).await.expect("a release")).await;
        assert!(seen == before || seen == after, "a mix after {receipts} receipts");
    }
    println!("{kills} runs were killed with SIGKILL");
    assert!(kills > 3, "only {kills} runs were killed");
    killed.run().await.expect("the last try");
    let release = latest(&store).await.expect("a release");
    assert_eq!(release.number, 2);
    assert_eq!(content(&store, &release).await, after);
}

/// Files of `work/` that steps made.
fn work_files(project: &Project) -> Vec<std::path::PathBuf> {
    let folders = std::fs::read_dir(project.path().join("warehouse/work")).expect("work");
    let files = folders.flat_map(|folder| {
        let folder = folder.expect("an entry").path();
        std::fs::read_dir(folder).into_iter().flatten().map(|file| file.expect("a file").path())
    });
    files.filter(|file| file.extension().is_some_and(|end| end == "parquet")).collect()
}

/// Goal: nothing of `work/` is on disk for sure when the power goes, and a receipt that outlived it
/// vouches for nothing. Method: all but `work/` is lost after a run. With `work/` whole no step
/// runs again; with zeros in its files, as many as there were bytes, all do. Both give what was.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_work_that_was_torn_is_made_again() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let store = Store::on_disk(&project.path().join("warehouse"));
    let lose = || {
        for folder in ["releases", "tables", "state", "catalog"] {
            std::fs::remove_dir_all(project.path().join("warehouse").join(folder)).expect("lost");
        }
    };
    // Without the lease, `work/` is left: others might be reading it.
    let unleased = async || {
        let settings = Settings { without_lease: true, ..project.settings() };
        let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
        cxmart::run::run(Arc::new(context), None).await
    };
    unleased().await.expect("a first run");
    let made = content(&store, &latest(&store).await.expect("a release")).await;
    lose();
    let again = unleased().await.expect("a run on whole files");
    assert_eq!(again.steps_run, 0, "receipts answer");
    assert_eq!(content(&store, &latest(&store).await.expect("a release")).await, made);
    lose();
    let files = work_files(&project);
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::metadata(&file).expect("a size").len();
        std::fs::remove_file(&file).expect("its other names keep their bytes");
        std::fs::write(&file, vec![0; usize::try_from(bytes).expect("small")]).expect("torn");
    }
    let again = project.run().await.expect("a run on torn files");
    assert!(again.steps_run > 0, "torn files are made again");
    assert!(work_files(&project).is_empty(), "a run that held the lease leaves nothing");
    assert_eq!(content(&store, &latest(&store).await.expect("a release")).await, made);
}
