//! Whatever fails, and wherever: readers see the old release or the new one, never a mix; nothing
//! is lost or doubled; and the next run finishes the work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cxmart::cli::{Exit, Failure};
use cxmart::run::{Context, Outcome, RunError};
use cxmart::settings::Settings;
use cxmart::settings::clock::Clock;
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;
use object_store::memory::InMemory;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::chaos::{Chaos, Fault};
use crate::project::Project;

/// Runs that go on beside each other.
const AT_ONCE: usize = 2;
/// Calls of each fault that are struck; `CXMART_TEST_FAULTS` says another number, or `all`.
const STRIKES: usize = 8;

/// SQL planning recurses deeply.
const STACK_BYTES: usize = 8 << 20;

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "memory://HOST/warehouse"

[[source]]
source = "asknicely"
entity = "responses"
url = "memory://HOST/raw/dt={dt}/*.json"

[limits]
batch_objects = 1
"#;

/// A job whose objects and warehouse lie in one store.
struct World {
    project: Project,
    host: String,
    chaos: Arc<Chaos>,
}

impl World {
    /// One at a time for a host: tables name the objects by their urls.
    fn over(memory: &InMemory, host: &str) -> Self {
        let host = host.to_owned();
        let chaos = Arc::new(Chaos::over(memory));
        Store::mount(&host, Arc::clone(&chaos) as _);
        let project = Project::new("");
        project.write("jobs/project.toml", &JOB.replace("HOST", &host));
        Self { project, host, chaos }
    }

    fn settings(&self, run_id: &str, without_lease: bool) -> Settings {
        Settings {
            scratch: Some(self.project.path().join("scratch")),
            run_id: run_id.into(),
            without_lease,
            ..self.project.settings()
        }
    }

    fn open(&self, run_id: &str, without_lease: bool) -> Result<Arc<Context>, RunError> {
        let settings = self.settings(run_id, without_lease);
        Ok(Arc::new(cxmart::run::open("jobs/project.toml", settings)?))
    }

    async fn run(&self, run_id: &str, without_lease: bool) -> Result<Outcome, RunError> {
        Box::pin(cxmart::run::run(self.open(run_id, without_lease)?, None)).await
    }

    fn store(&self) -> Store {
        let url = format!("memory://{}/warehouse", self.host);
        Store::open(&url, Path::new("/"), &BTreeMap::new()).expect("the warehouse")
    }

    async fn night(&self, day: &str, text: &str) {
        let url = format!("memory://{}/raw", self.host);
        let raw = Store::open(&url, Path::new("/"), &BTreeMap::new()).expect("the raw objects");
        let path = format!("dt={day}/responses.json");
        raw.replace(&path, text.to_owned().into()).await.expect("written");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The process would keep the bytes.
        Store::mount(&self.host, Arc::new(InMemory::new()));
    }
}

fn responses(first: u32, scores: &[u32]) -> String {
    let project = Project::new("");
    project.night("2024-01-01", first, scores);
    let path = project.path().join("raw/dt=2024-01-01/responses.json");
    std::fs::read_to_string(path).expect("a night")
}

/// Content and bytes of every published table.
type Content = BTreeMap<String, Vec<(String, String)>>;

fn content(release: &Release) -> Content {
    let files = |table: &cxmart::table::dataset::Dataset| {
        let of = |f: &cxmart::table::dataset::FileRef| {
            (f.content_hash.to_string(), f.file_hash.to_string())
        };
        table.files.iter().map(of).collect()
    };
    release.tables.iter().map(|(name, table)| (name.clone(), files(table))).collect()
}

/// Names of tables that are not the same.
fn differing(one: &Content, other: &Content) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

fn paths(release: &Release) -> BTreeMap<String, BTreeSet<String>> {
    let files = |table: &cxmart::table::dataset::Dataset| {
        table.files.iter().map(|file| file.path.clone()).collect()
    };
    release.tables.iter().map(|(name, table)| (name.clone(), files(table))).collect()
}

/// Files that `views.sql` reads, and the release it names.
async fn viewed(store: &Store) -> Option<(u64, BTreeSet<String>)> {
    let text = store.read("catalog/views.sql").await.ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = text.strip_prefix("-- Release ")?.split('.').next()?.parse().ok()?;
    let quoted = text.split('\'').filter(|part| part.ends_with(".parquet"));
    let paths = quoted.filter_map(|part| part.split_once("/warehouse/"));
    Some((number, paths.map(|(_, path)| path.to_owned()).collect()))
}

/// Files that the Delta log of a table shows.
async fn logged(store: &Store, table: &str) -> BTreeSet<String> {
    let folder = format!("tables/{table}");
    let listed = store.list(&format!("{folder}/_delta_log")).await.expect("a listing");
    let mut active = BTreeSet::new();
    for entry in listed.iter().filter(|entry| entry.path.ends_with(".json")) {
        let text = store.read(&entry.path).await.expect("a log entry");
        for line in String::from_utf8_lossy(&text).lines() {
            let action: Value = serde_json::from_str(line).expect("an action");
            let path = |of: &str| action[of]["path"].as_str().map(|p| format!("{folder}/{p}"));
            if let Some(path) = path("remove") {
                assert!(active.remove(&path), "`{path}` is taken away twice");
            }
            if let Some(path) = path("add") {
                assert!(active.insert(path.clone()), "`{path}` is there twice");
            }
        }
    }
    active
}

/// What readers of all three kinds see; each kind one whole release. Gives the newest one.
async fn readers_see(store: &Store) -> Option<Release> {
    let reader = StateReader::new(store.clone());
    let mut releases = Vec::new();
    for number in reader.numbers().await.expect("a listing") {
        releases.push(reader.release(number).await.expect("a whole release"));
    }
    for file in releases.iter().flat_map(|r| r.tables.values()).flat_map(|t| &t.files) {
        store.read_verified(&file.path, &file.file_hash).await.expect("a whole file");
    }
    if let Some((number, files)) = viewed(store).await {
        let shown = releases.iter().find(|release| release.number == number);
        let all: BTreeSet<String> =
            paths(shown.expect("a release")).into_values().flatten().collect();
        assert_eq!(files, all, "the views of release {number}");
    }
    let names = releases.iter().flat_map(|release| release.tables.keys());
    for table in names.collect::<BTreeSet<_>>() {
        let files = logged(store, table).await;
        let is_of = |release: &Release| paths(release).get(table) == Some(&files);
        assert!(files.is_empty() || releases.iter().any(is_of), "the log of `{table}` is a mix");
    }
    releases.pop()
}

/// That all projections show the newest release.
async fn all_is_projected(store: &Store, release: &Release) {
    assert_eq!(viewed(store).await.expect("views").0, release.number);
    for (table, files) in paths(release) {
        assert_eq!(logged(store, &table).await, files, "the log of `{table}`");
    }
}

/// The warehouse before a night, and what comes out of that night.
struct Night {
    host: String,
    start: InMemory,
    before: Content,
    after: Content,
    number: u64,
    calls: BTreeMap<Fault, usize>,
}

impl Night {
    /// The `count`-th night, undisturbed.
    async fn of(count: usize, host: String) -> Self {
        let world = World::over(&InMemory::new(), &host);
        let nights =
            [("2024-05-28", responses(1, &[9, 3, 10])), ("2024-05-29", responses(3, &[2, 8]))];
        let mut before = Content::new();
        for (day, text) in nights.iter().take(count - 1) {
            world.night(day, text).await;
            world.run("before", false).await.expect("a night before");
            before = content(&readers_see(&world.store()).await.expect("a release"));
        }
        let (day, text) = &nights[count - 1];
        world.night(day, text).await;
        let start = world.chaos.memory();
        drop(world);
        let undisturbed = World::over(&start, &host);
        undisturbed.run("undisturbed", false).await.expect("the night");
        let calls = undisturbed.chaos.calls().into_iter().collect();
        let store = undisturbed.store();
        let release = readers_see(&store).await.expect("a release");
        all_is_projected(&store, &release).await;
        let after = content(&release);
        assert_ne!(before, after);
        Self { host, start, before, after, number: release.number, calls }
    }

    /// The night with a fault at its n-th call; whether the run came through it by itself.
    async fn strike(&self, fault: Fault, n: usize) -> Option<bool> {
        let world = World::over(&self.start, &self.host);
        world.chaos.arm(fault, n).await;
        let disturbed = world.run("disturbed", false).await;
        // Calls that go beside each other differ in number from run to run, by a few.
        let call = world.chaos.disarm()?;
        let at = format!("{fault:?} at call {n}, {call}");
        let store = world.store();
        let seen = readers_see(&store).await.map(|release| content(&release)).unwrap_or_default();
        assert!(seen == self.before || seen == self.after, "a mix after {at}");
        let came_through = match disturbed {
            Ok(outcome) => outcome.published,
            Err(error) => {
                let told = format!("{error:?}");
                let exit = Failure::from(error).exit();
                let fair = match fault {
                    // What a store says twice is its word: an object that is not listed is not there.
                    Fault::StaleList => vec![Exit::NoInput, Exit::TryAgain],
                    Fault::Flipped | Fault::Rotten => vec![Exit::Data],
                    _ => vec![Exit::Unavailable],
                };
                assert!(fair.contains(&exit), "{exit:?} of {told} after {at}");
                false
            }
        };
        world.run("next", true).await.unwrap_or_else(|e| panic!("the run after {at}: {e:?}"));
        self.is_done(&world, &at).await;
        Some(came_through)
    }

    /// A run without the lease is held at its n-th call, while another one with it begins, ends and
    /// clears what both have made; whether the first one came through by itself.
    async fn overtake(&self, n: usize) -> Option<bool> {
        let world = World::over(&self.start, &self.host);
        let chaos = &world.chaos;
        chaos.arm(Fault::Held, n).await;
        let context = world.open("overtaken", true).expect("the job opens");
        let overtaken = async {
            let ended = Box::pin(cxmart::run::run(context, None)).await;
            // Whoever waits for a call that never came goes on.
            chaos.holds.notify_one();
            ended
        };
        let overtaking = async {
            chaos.holds.notified().await;
            // From here on the url leads past the call that is held.
            Store::mount(&self.host, Arc::new(chaos.beside()));
            let ended = world.run("overtaking", false).await;
            chaos.goes_on.notify_one();
            ended
        };
        let (overtaken, overtaking) = tokio::join!(overtaken, overtaking);
        let at = format!("being overtaken at call {n}, {}", chaos.disarm()?);
        overtaking.unwrap_or_else(|e| panic!("the run with the lease, {at}: {e:?}"));
        let came_through = match overtaken {
            Ok(outcome) => {
                assert_eq!(outcome.release, Some(self.number), "{at}");
                true
            }
            Err(error) => {
                let told = format!("{error:?}");
                assert_eq!(Failure::from(error).exit(), Exit::TryAgain, "{told} {at}");
                false
            }
        };
        self.is_done(&world, &at).await;
        Some(came_through)
    }

    /// That the night's one release is there, shows what it would undisturbed, and nothing is left
    /// to do.
    async fn is_done(&self, world: &World, after: &str) {
        let store = world.store();
        let release = readers_see(&store).await.expect("a release");
        let differs = differing(&content(&release), &self.after);
        assert!(differs.is_empty(), "{differs:?} differ after {after}");
        assert_eq!(release.number, self.number, "a release too many after {after}");
        all_is_projected(&store, &release).await;
        let again = world.run("again", true).await.expect("nothing to do");
        assert!(!again.published, "something to do after {after}");
    }
}

/// Which calls are struck: all, or so many, spread evenly with the first and the last among them.
fn sample(calls: usize) -> Vec<usize> {
    let asked = std::env::var("CXMART_TEST_FAULTS").unwrap_or_default();
    let strikes = match asked.as_str() {
        "all" => calls,
        text => text.parse().unwrap_or(STRIKES).min(calls),
    };
    let spread = |i: usize| i * calls.saturating_sub(1) / strikes.saturating_sub(1).max(1);
    (0..strikes).map(spread).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Strikes a night at each of these calls, in as many worlds beside each other as there are.
fn strike_all(nights: &[Night], fault: Fault, strikes: &[usize]) -> Vec<bool> {
    let next = AtomicUsize::new(0);
    let ends = Mutex::new(Vec::new());
    let worker = |night: &Night| {
        let runtime = runtime();
        while let Some(n) = strikes.get(next.fetch_add(1, Ordering::SeqCst)) {
            let end = match fault {
                Fault::Held => runtime.block_on(night.overtake(*n)),
                fault => runtime.block_on(night.strike(fault, *n)),
            };
            ends.lock().expect("no worker panicked").extend(end);
        }
    };
    let worker = &worker;
    std::thread::scope(|scope| {
        for night in nights {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, move || worker(night)).expect("a thread");
        }
    });
    ends.into_inner().expect("no worker panicked")
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_stack_size(STACK_BYTES).enable_all();
    builder.build().expect("a runtime")
}

/// Goal: no fault of a store, at no call of a night, tears or loses or doubles anything, and the
/// next run ends in the release of an undisturbed night, byte for byte. Method: two nights, the
/// first on an empty warehouse; each with one fault at its n-th call, for a sample of all n.
#[test]
fn a_fault_at_any_call_is_survived() {
    let mut table = String::from("fault             calls  tried  by itself  by the next run\n");
    let mut tried = 0;
    for count in [1, 2] {
        let night = |i| runtime().block_on(Night::of(count, format!("faults-{i}")));
        let nights: Vec<Night> = (0..AT_ONCE).map(night).collect();
        for fault in Fault::ALL {
            let calls = nights[0].calls[&fault];
            // The first night has nobody to read beside it: a few calls of it are enough.
            let skip = if count == 1 { 4 } else { 1 };
            let strikes: Vec<usize> = sample(calls).into_iter().step_by(skip).collect();
            let ends = strike_all(&nights, fault, &strikes);
            let through = ends.iter().filter(|through| **through).count();
            let (name, all) = (format!("{fault:?}"), ends.len());
            let next = all - through;
            table.push_str(&format!("{name:<16} {calls:>6} {all:>6} {through:>10} {next:>16}\n"));
            tried += all;
        }
    }
    println!("{table}{tried} faults tried, {tried} survived");
    assert!(tried > 60, "only {tried} faults were tried");
}

/// Goal: correctness comes from the commit alone: a run that another one overtakes, at any call, ends
/// in the same one release, though all that it made so far is taken away under it. Method: a run
/// without the lease, held at its n-th call until one with the lease has ended.
#[test]
fn a_run_that_is_overtaken_at_any_call_ends_in_the_same_release() {
    let night = |i| runtime().block_on(Night::of(2, format!("faults-overtaken-{i}")));
    let nights: Vec<Night> = (0..AT_ONCE).map(night).collect();
    // Calls that can be held are those at which work could be cleared.
    let calls = nights[0].calls[&Fault::Cleared];
    let ends = strike_all(&nights, Fault::Held, &sample(calls));
    let through = ends.iter().filter(|through| **through).count();
    println!("overtaken {calls} calls, {} tried, {through} came through by itself", ends.len());
    assert!(ends.len() >= STRIKES / 2, "only {} runs were overtaken", ends.len());
}

/// Goal: runs at once without any lease end in one release. Method: three of them, each on threads
/// of its own, over one store.
#[test]
fn runs_at_once_without_a_lease_end_in_one_release() {
    let night = second_night("faults-at-once");
    let world = World::over(&night.start, &night.host);
    let ends = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for i in 0..3 {
            let (world, ends) = (&world, &ends);
            let run = move || {
                let ended = runtime().block_on(world.run(&format!("at-once-{i}"), true));
                ends.lock().expect("no thread panicked").push(ended);
            };
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, run).expect("a thread");
        }
    });
    let ends = ends.into_inner().expect("no thread panicked");
    let published = ends.iter().flatten().filter(|outcome| outcome.published).count();
    assert_eq!(published, 1, "{ends:?}");
    for error in ends.into_iter().filter_map(Result::err) {
        let told = format!("{error:?}");
        assert_eq!(Failure::from(error).exit(), Exit::TryAgain, "{told}");
    }
    runtime().block_on(night.is_done(&world, "runs at once"));
}

/// The second night in a world of its own, with what comes out of it undisturbed.
fn second_night(host: &str) -> Night {
    runtime().block_on(Night::of(2, host.to_owned()))
}

/// Goal: a clock that jumps changes nothing that is published. Method: a night whose clock goes
/// back and forth by hours and days before it settles.
#[test]
fn a_clock_that_jumps_changes_nothing() {
    let night = second_night("faults-clock");
    let hours = [5, 90, 0, 13, 40, 2, 700];
    let asked = AtomicUsize::new(0);
    let clock = Clock::new(move || {
        let call = asked.fetch_add(1, Ordering::SeqCst);
        std::time::Duration::from_hours(*hours.get(call).unwrap_or(&1))
    });
    let world = World::over(&night.start, &night.host);
    let settings = Settings { clock, ..world.settings("jumping", false) };
    runtime().block_on(async {
        let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
        let run = Box::pin(cxmart::run::run(Arc::new(context), None));
        assert!(run.await.expect("the night").published);
        let release = readers_see(&world.store()).await.expect("a release");
        assert_eq!(differing(&content(&release), &night.after), Vec::<String>::new());
    });
}

/// Goal: a disk that is full at any point ends a run with 69, readers keep what they had, and with
/// space again the run goes on. Method: a real disk, and a limit on the size of files that makes
/// writes fail in the kernel; larger each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_run_and_space_lets_it_go_on() {
    let (full, sound) = (Project::new(""), Project::new(""));
    for project in [&full, &sound] {
        project.night("2024-05-28", 1, &[9, 3, 10]);
        project.run().await.expect("the first night");
        project.night("2024-05-29", 3, &[2, 8]);
    }
    sound.run().await.expect("the second night");
    let before = content(&full.release().await.expect("a release"));
    let after = content(&sound.release().await.expect("a release"));
    let mut ended = 0;
    for kibibytes in [0, 1, 4, 12, 40] {
        let limited =
            format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$0\" run project --quiet");
        let output = std::process::Command::new("bash")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_cxmart")])
            .current_dir(full.path())
            .env_clear()
            .env("CXMART__IDENTITY__SALT", "00".repeat(32))
            .output()
            .expect("bash starts");
        if output.status.success() {
            break;
        }
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "at {kibibytes} KiB: {told}");
        ended += 1;
        let seen = content(&full.release().await.expect("a release"));
        assert!(seen == before || seen == after, "a mix at {kibibytes} KiB");
    }
    assert!(ended > 2, "only {ended} runs met the limit");
    full.run().await.expect("with space again");
    let seen = content(&full.release().await.expect("a release"));
    assert_eq!(differing(&seen, &after), Vec::<String>::new());
}
