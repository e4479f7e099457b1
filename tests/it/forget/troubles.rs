//! Deaths in the middle, runs beside it, and going back: nobody who is forgotten comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cxmart::engine::{Engine, Limits};
use cxmart::run::forget;
use cxmart::run::work::Work;
use cxmart::run::{Context, RunError, promote, release, repair};
use cxmart::settings::Settings;
use cxmart::settings::clock::Clock;
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;
use cxmart::table::dataset::FileRef;
use cxmart::upkeep::verify;
use url::Url;

use super::shop::{ANA, content, forget_ana, named_in, named_in_warehouse, night, shop};
use crate::faulty::{Fault, Faulty};
use crate::project::Project;

/// Memory with the objects of a folder, that takes so many writes and deletions, and then none.
async fn dying(folder: &Path, left: &Arc<AtomicUsize>) -> Store {
    let count = Arc::clone(left);
    let rule = move |_: &_, _: &_| {
        let spend = |left: usize| left.checked_sub(1);
        let spent = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend);
        spent.is_err().then_some(Fault::Lost)
    };
    let url = Url::parse("memory:///").expect("a url");
    let store = Store::over(Arc::new(Faulty::new(rule).with_deletions()), &url);
    let from = Store::on_disk(folder);
    let granted = left.swap(usize::MAX, Ordering::SeqCst);
    for object in from.list("").await.expect("a listing") {
        let bytes = from.read(&object.path).await.expect("an object");
        store.replace(&object.path, bytes).await.expect("copied");
    }
    left.store(granted, Ordering::SeqCst);
    store
}

async fn apply(project: &Project, store: &Store) -> Result<(), RunError> {
    let mut context: Context = project.open();
    let scratch = project.path().join("scratch");
    context.work = Work::new(store, Some(&scratch), "test").expect("scratch");
    let limits = Limits {
        memory_bytes: 1 << 28,
        scratch: context.work.scratch.join("engine"),
        spill_bytes_max: 1 << 30,
    };
    context.engine = Engine::new(store, &limits).expect("an engine");
    context.store = store.clone();
    // A killed process is known to be dead; this one lives on.
    context.settings.without_lease = true;
    forget::apply(&Arc::new(context), &[ANA.to_owned()]).await.map(|_| ())
}

async fn latest(store: &Store) -> Release {
    StateReader::new(store.clone()).latest().await.expect("readable").expect("a release")
}

async fn whole(store: &Store, release: &Release) -> BTreeMap<String, String> {
    for file in release.tables.values().flat_map(|table| &table.files) {
        store.read_verified(&file.path, &file.file_hash).await.expect("a whole file");
    }
    content(release, &[])
}

/// Goal: whatever write or deletion forgetting dies at, readers keep a whole release, and asked
/// again it ends where an undisturbed one does, with nothing of the person left. Method: one night
/// in memory that takes n changes, for several n up to what is needed, then once more without limit.
#[tokio::test(flavor = "multi_thread")]
async fn forgetting_that_dies_anywhere_goes_on_when_it_is_asked_again() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    let folder = project.path().join("warehouse");
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let undisturbed = dying(&folder, &left).await;
    let before = whole(&undisturbed, &latest(&undisturbed).await).await;
    left.store(1_000_000, Ordering::SeqCst);
    apply(&project, &undisturbed).await.expect("forgotten");
    let needed = 1_000_000 - left.load(Ordering::SeqCst);
    let after = whole(&undisturbed, &latest(&undisturbed).await).await;
    assert_ne!(before, after);
    assert!(needed > 100, "{needed} changes");
    // Staging rewritten, steps done, half placed; the commit and what follows is in the last third.
    for part in [3, 40, 62, 75, 85, 93, 99] {
        left.store(usize::MAX, Ordering::SeqCst);
        let store = dying(&folder, &left).await;
        left.store(needed * part / 100, Ordering::SeqCst);
        apply(&project, &store).await.expect_err("it died");
        let seen = whole(&store, &latest(&store).await).await;
        assert!(seen == before || seen == after, "readers saw a mix at {part} %");
        left.store(usize::MAX, Ordering::SeqCst);
        apply(&project, &store).await.expect("the next try");
        assert_eq!(whole(&store, &latest(&store).await).await, after, "at {part} %");
        let mut objects = Vec::new();
        for object in store.list("").await.expect("a listing") {
            let bytes = store.read(&object.path).await.expect("an object");
            objects.push((object.path, bytes.to_vec()));
        }
        assert_eq!(named_in(objects.into_iter()), Vec::<String>::new(), "at {part} %");
    }
}

/// Goal: a run that began before somebody was forgotten, and ends after, takes back what it wrote
/// and publishes without them. Method: a night without a lease, held up before its files get their
/// names until she is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_did_not_know_takes_back_what_it_wrote() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    night(&project, 2, true);
    let (tell, told) = mpsc::channel::<()>();
    let (go, gone) = mpsc::channel::<()>();
    let (tell, gone) = (std::sync::Mutex::new(Some(tell)), std::sync::Mutex::new(gone));
    let clock = Clock::new(move || {
        // Asked first before files are placed.
        if let Some(tell) = tell.lock().expect("a channel").take() {
            tell.send(()).expect("heard");
            gone.lock().expect("a channel").recv().expect("told to go on");
        }
        Duration::ZERO
    });
    let settings =
        Settings { clock, run_id: "slow".into(), without_lease: true, ..project.settings() };
    let slow = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
    let runtime = tokio::runtime::Handle::current();
    let run = move || runtime.block_on(cxmart::run::run(Arc::new(slow), None));
    let slow = tokio::task::spawn_blocking(run);
    tokio::task::spawn_blocking(move || told.recv()).await.expect("a thread").expect("it works");
    let done = forget_ana(&project).await.expect("forgotten");
    assert_eq!(done.release, 2);
    go.send(()).expect("it waits");
    let outcome = slow.await.expect("a thread").expect("planned again");
    assert_eq!(outcome.release, Some(3));
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());

    let other = shop("");
    night(&other, 1, true);
    other.run().await.expect("a night");
    forget_ana(&other).await.expect("forgotten");
    night(&other, 2, true);
    other.run().await.expect("a night");
    let (one, other) = (project.release().await.unwrap(), other.release().await.unwrap());
    assert_eq!(content(&one, &[]), content(&other, &[]));
}

/// Goal: a backup brings nobody back for good. Method: the warehouse of before laid over the one of
/// after; going back to the old release is refused, and forgetting again deletes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_release_that_comes_back_is_refused_and_deleted_again() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    let old = Store::on_disk(&project.path().join("warehouse"));
    let mut backup = Vec::new();
    for object in old.list("").await.expect("a listing") {
        let is_kept = ["tables/", "state/", "releases/"].iter().any(|k| object.path.starts_with(k));
        if is_kept && !object.path.contains("_delta_log") {
            backup.push((object.path.clone(), old.read(&object.path).await.expect("an object")));
        }
    }
    forget_ana(&project).await.expect("forgotten");
    let release = project.release().await.expect("a release");
    for (path, bytes) in backup {
        old.replace(&path, bytes).await.expect("laid back");
    }
    assert!(!named_in_warehouse(&project).is_empty());
    let refused = release::roll_back(&project.open(), 1).await;
    assert!(matches!(refused, Err(RunError::Forgotten { number: 1 })), "{refused:?}");
    let done = forget_ana(&project).await.expect("once more");
    assert_eq!((done.people, done.releases_deleted), (0, 1));
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());
    assert_eq!(project.release().await.expect("a release"), release);
}

/// Goal: the command says who is where, forgets, and exits 65 while raw objects hold somebody.
/// Method: the binary, as people call it.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_with_65_until_the_raw_objects_are_gone() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    project.write("who.txt", &format!("# who asked\n{ANA}\n"));
    let call = |arguments: &[&str]| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_cxmart"))
            .args(["forget", "project", "--quiet"])
            .args(arguments)
            .current_dir(project.path())
            .env_clear()
            .env("CXMART__IDENTITY__SALT", "00".repeat(32))
            .output()
            .expect("the binary runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        (done.status.code(), text)
    };
    let (code, text) = call(&["--subjects", "who.txt"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("staged_orders") && text.contains("shop/orders/dt=2024-05-28"), "{text}");
    let (code, text) = call(&["--subjects", "who.txt", "--apply"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("release 2: 1 forgotten person more, 1 release and"), "{text}");
    let (code, text) = call(&["--verify"]);
    assert_eq!(code, Some(65), "{text}");
    std::fs::remove_dir_all(project.path().join("shop")).expect("deleted");
    let (code, text) = call(&["--verify", "--format", "json"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(call(&[]).0, Some(64));
    assert_eq!(call(&["--subjects", "nobody.txt"]).0, Some(66));
    project.write("who.txt", "email:info@example.com\n");
    assert_eq!(call(&["--subjects", "who.txt"]).0, Some(64));
}

/// Goal: environments share files, so forgetting is done in all of them, and none loses a file that
/// it names. Method: a warehouse and an environment with a release of its own; what both name is
/// there and whole afterwards, and nobody names her.
#[tokio::test(flavor = "multi_thread")]
async fn forgetting_is_done_in_every_environment() {
    let project = shop("");
    night(&project, 1, true);
    project.run().await.expect("a night");
    let open = || {
        let environment = Some("try".to_owned());
        let settings = Settings { environment, ..project.settings() };
        cxmart::run::open("jobs/project.toml", settings).expect("the job opens")
    };
    night(&project, 2, true);
    Box::pin(cxmart::run::run(Arc::new(open()), None)).await.expect("a night in the environment");
    let done = forget_ana(&project).await.expect("forgotten");
    assert_eq!((done.people, done.releases_deleted), (1, 2));
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());
    let (own, other) = (project.open().store.clone(), open().store.clone());
    let (one, two) = (latest(&own).await, latest(&other).await);
    assert_eq!((one.number, two.number), (2, 3));
    assert_ne!(whole(&own, &one).await, whole(&other, &two).await);
    for release in [&one, &two] {
        for file in release.state.values().flat_map(|dataset| &dataset.files) {
            own.read_verified(&file.path, &file.file_hash).await.expect("a whole file");
        }
    }
    let verified = forget::clean::verify(&Arc::new(project.open())).await.expect("looked at");
    assert_eq!(verified.held, Vec::<String>::new());
    assert_eq!(verified.raw.len(), 12, "of both nights");
    assert!(!Box::pin(cxmart::run::run(Arc::new(open()), None)).await.expect("a run").published);
    let context = project.open();
    let promoted = promote::promote(&context, "try").await.expect("promoted");
    assert_eq!((promoted.number, &promoted.registry), (3, &two.registry));
    assert!(!project.run().await.expect("a run").published);
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());
}

/// Goal: files that are made again are those that were there, with nobody in them who is forgotten
/// and with the same pseudonyms. Method: of a release after forgetting every second file is lost.
#[tokio::test(flavor = "multi_thread")]
async fn files_made_again_bring_nobody_back() {
    let project = shop("[privacy]\npseudonyms = true\nkey_id = \"one\"\n");
    let open = || {
        let settings = Settings { privacy_key: Some("11".repeat(32)), ..project.settings() };
        Arc::new(cxmart::run::open("jobs/project.toml", settings).expect("the job opens"))
    };
    for number in [1, 2] {
        night(&project, number, true);
        Box::pin(cxmart::run::run(open(), None)).await.expect("a night");
    }
    forget::apply(&open(), &[ANA.to_owned()]).await.expect("forgotten");
    let context = open();
    let release = latest(&context.store).await;
    let is_shown = |name: &&String| release.state.contains_key(*name);
    assert!(release.tables.keys().filter(is_shown).count() > 5, "tables with pseudonyms");
    let datasets = release.tables.values().chain(release.state.values());
    let today = |file: &&FileRef| {
        file.partition.get("as_of").is_none_or(|day| *day == release.as_of.to_string())
    };
    let files: BTreeSet<&str> =
        datasets.flat_map(|d| &d.files).filter(today).map(|file| file.path.as_str()).collect();
    let lost: Vec<&str> = files.into_iter().step_by(2).collect();
    for path in &lost {
        std::fs::remove_file(project.path().join("warehouse").join(path)).expect("removed");
    }
    let done = repair::repair(&context, std::slice::from_ref(&release)).await.expect("repaired");
    let failed: Vec<_> = done.iter().filter(|(_, is_whole)| !**is_whole).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(done.len(), lost.len());
    let found = verify::verify(&context.store, std::slice::from_ref(&release), true).await;
    assert!(found.expect("looked at").faults.is_empty());
    let verified = forget::clean::verify(&open()).await.expect("looked at");
    assert_eq!(verified.held, Vec::<String>::new());
}
