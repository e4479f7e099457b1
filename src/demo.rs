//! Realistic raw exports of an invented company, the same bytes for the same size and seed.
//!
//! A shop for things of the home sells in five countries from January 2024 to December 2025. Each
//! customer's life is told ([`life`]) as small events; events are cut into the exports that each
//! vendor would have given, and written as the vendor writes them. Whatever a record says is drawn
//! again from (seed, customer, purpose), so a million customers need no more memory than ten
//! thousand: lives are told anew for each run of exports, and only events in it are kept.
//!
//! Exports are not clean: see [`event::Shape`]. How much of what went out is known to
//! [`tally::Tally`], and a run over it must find the same numbers.

pub mod calendar;
pub mod chance;
pub mod event;
pub mod tally;
pub mod truth;

mod asknicely;
mod behaviour;
mod desk;
mod files;
mod hubspot;
mod json;
mod life;
mod person;
mod shopify;
mod stripe;
mod words;
mod zendesk;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::calendar::Exports;
use self::event::{Entity, Event};
use self::tally::Tally;

/// Name of the job that reads the exports.
pub const JOB: &str = "demo";
/// Changes when the same size and seed give other bytes.
const FORMAT: u32 = 1;
/// Phone numbers and ids have room for so many.
pub const CUSTOMERS_MAX: u64 = 9_999_999;
/// Events held at once; about 20 a customer are told.
const EVENTS_AT_ONCE: u64 = 4_000_000;
const EVENTS_A_CUSTOMER: u64 = 20;
/// From this size on one upload breaks off: fewer records and it would pass `rejects_max`.
const TRUNCATED_FROM: u64 = 200;

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("`{path}` holds a demo of {customers} customers with seed {seed}")]
    Other { path: PathBuf, customers: u64, seed: u64 },
    #[error("`{path}` holds a demo of another version of this program")]
    Format { path: PathBuf },
    #[error("`{path}` is not the note of a demo")]
    Note { path: PathBuf },
    #[error("a demo has 1 to {CUSTOMERS_MAX} customers, not {customers}")]
    Customers { customers: u64 },
    #[error("cannot write `{path}`")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("a thread that wrote the demo ended early")]
    Thread,
}

/// `demo.json`: what lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
    pub format: u32,
    pub customers: u64,
    pub seed: u64,
    /// What a reader should find; there once all files are.
    pub expected: Option<Tally>,
}

/// What [`write_raw`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Files of the demo.
    pub files: usize,
    /// Those that were not there yet.
    pub written: usize,
    pub expected: Tally,
}

/// The last day of the exports, and the day the demo's job runs for.
pub fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default()
}

/// The secret that the demo's customer ids are made under, in hex.
pub fn salt(seed: u64) -> String {
    let digest = Sha256::digest(format!("cxmart-demo-{seed}"));
    data_encoding::HEXLOWER.encode(&digest)
}

/// Writes the exports of `customers` customers below `dir`; files that are there stay untouched.
///
/// `progress` hears how many of the customers' records are written, as a number of customers.
///
/// # Errors
/// The folder holds another demo, or cannot be written.
pub fn write_raw(
    dir: &Path,
    customers: u64,
    seed: u64,
    progress: &dyn Fn(u64),
) -> Result<Written, DemoError> {
    let demo = claim(dir, customers, seed)?;
    let exports = Exports::new(customers);
    let set = FileSet::new(dir, customers, &exports);
    let files = set.count();
    let mut done = Progress { of: files, customers, done: 0, tell: progress };
    if let Some(expected) = &demo.expected
        && set.is_complete()
        && (customers > truth::CUSTOMERS_MAX || truth::path(dir).exists())
    {
        progress(customers);
        return Ok(Written { files, written: 0, expected: expected.clone() });
    }
    let mut expected = Tally::default();
    let mut written = 0;
    for window in windows(customers, exports.dates.len() as u16) {
        let (mut events, tally) = tell(customers, seed, &exports, &window)?;
        expected.add(&tally);
        events.sort_unstable();
        let tasks = set.tasks(&window, &events, &mut expected);
        written += write_window(seed, &tasks, &mut done)?;
    }
    if customers <= truth::CUSTOMERS_MAX && !truth::path(dir).exists() {
        truth::write(dir, customers, seed, &exports)?;
    }
    note(dir, &Demo { expected: Some(expected.clone()), ..demo })?;
    progress(customers);
    Ok(Written { files, written, expected })
}

fn note_path(dir: &Path) -> PathBuf {
    dir.join("demo.json")
}

/// The note of a demo, if `dir` holds one.
///
/// # Errors
/// The note is there and cannot be read.
pub fn read_note(dir: &Path) -> Result<Option<Demo>, DemoError> {
    let path = note_path(dir);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| DemoError::Note { path })
}

fn note(dir: &Path, demo: &Demo) -> Result<(), DemoError> {
    files::create(&note_path(dir), |out| {
        serde_json::to_writer_pretty(&mut *out, demo)?;
        out.write_all(b"\n")
    })
}

/// Takes the folder for this demo, or finds that it is another's.
fn claim(dir: &Path, customers: u64, seed: u64) -> Result<Demo, DemoError> {
    if !(1..=CUSTOMERS_MAX).contains(&customers) {
        return Err(DemoError::Customers { customers });
    }
    if let Some(demo) = read_note(dir)? {
        if demo.format != FORMAT {
            return Err(DemoError::Format { path: dir.to_owned() });
        }
        if (demo.customers, demo.seed) != (customers, seed) {
            let Demo { customers, seed, .. } = demo;
            return Err(DemoError::Other { path: dir.to_owned(), customers, seed });
        }
        return Ok(demo);
    }
    let demo = Demo { format: FORMAT, customers, seed, expected: None };
    note(dir, &demo)?;
    Ok(demo)
}

/// Runs of exports whose events fit into memory at once.
fn windows(customers: u64, exports: u16) -> Vec<Range<u16>> {
    let count = (customers * EVENTS_A_CUSTOMER).div_ceil(EVENTS_AT_ONCE).max(1);
    let count = u16::try_from(count).unwrap_or(exports).min(exports);
    let start = |i: u16| (u32::from(i) * u32::from(exports) / u32::from(count)) as u16;
    (0..count).map(|i| start(i)..start(i + 1)).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Tells all lives, on all threads.
fn tell(
    customers: u64,
    seed: u64,
    exports: &Exports,
    window: &Range<u16>,
) -> Result<(Vec<Event>, Tally), DemoError> {
    let threads = threads() as u64;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|i| {
                let range = customers * i / threads..customers * (i + 1) / threads;
                scope.spawn(move || {
                    let (mut events, mut tally) = (Vec::new(), Tally::default());
                    for number in range {
                        life::live(seed, number as u32, exports, window, &mut events, &mut tally);
                    }
                    (events, tally)
                })
            })
            .collect();
        let (mut events, mut tally) = (Vec::new(), Tally::default());
        for worker in workers {
            let (more, counts) = worker.join().map_err(|_| DemoError::Thread)?;
            events.extend(more);
            tally.add(&counts);
        }
        Ok((events, tally))
    })
}

/// The files of a demo: a matter of its size alone.
struct FileSet<'a> {
    dir: &'a Path,
    exports: &'a Exports,
    /// Place of the export with the upload that broke off.
    truncated: Option<u16>,
    /// Place of the export with a part that has nothing.
    empty: u16,
    /// Place of the shop's own export.
    lines: u16,
}

enum Content<'a> {
    Records(Entity, &'a [Event]),
    Truncated(Vec<Event>),
    Empty,
}

struct Task<'a> {
    path: PathBuf,
    content: Content<'a>,
}

impl<'a> FileSet<'a> {
    fn new(dir: &'a Path, customers: u64, exports: &'a Exports) -> Self {
        let day = |y, m, d| exports.of_date(NaiveDate::from_ymd_opt(y, m, d).unwrap_or_default());
        Self {
            dir,
            exports,
            truncated: (customers >= TRUNCATED_FROM).then(|| day(2025, 3, 10)),
            empty: day(2024, 10, 15),
            lines: exports.of(calendar::moment(life::LINES_MONTH.end - 0.5)),
        }
    }

    fn has(&self, entity: Entity, export: u16) -> bool {
        entity != Entity::OrderLines || export == self.lines
    }

    fn count(&self) -> usize {
        let exports = self.exports.dates.len();
        (Entity::ALL.len() - 1) * exports + 2 + usize::from(self.truncated.is_some())
    }

    fn is_complete(&self) -> bool {
        let whole = 0..self.exports.dates.len() as u16;
        self.tasks(&whole, &[], &mut Tally::default()).iter().all(|task| task.path.exists())
    }

    /// The files of a window, with their events out of all of the window in order.
    fn tasks<'e>(
        &self,
        window: &Range<u16>,
        events: &'e [Event],
        expected: &mut Tally,
    ) -> Vec<Task<'e>> {
        let mut tasks = Vec::new();
        for export in window.clone() {
            let Some(date) = self.exports.dates.get(usize::from(export)).copied() else { continue };
            for entity in Entity::ALL.into_iter().filter(|entity| self.has(*entity, export)) {
                let key = (export, entity);
                let start = events.partition_point(|e| (e.export, e.entity) < key);
                let end = events.partition_point(|e| (e.export, e.entity) <= key);
                let slice = events.get(start..end).unwrap_or_default();
                expected.of(entity).objects += 1;
                let path = files::path(self.dir, entity, date);
                tasks.push(Task { path, content: Content::Records(entity, slice) });
                if entity == Entity::Contact && self.truncated == Some(export) {
                    let before = files::before_truncation(slice);
                    let expected = expected.of(entity);
                    expected.objects += 1;
                    expected.truncated += 1;
                    expected.before_truncation += before.len() as u64;
                    let path = files::truncated_path(self.dir, date);
                    tasks.push(Task { path, content: Content::Truncated(before) });
                }
            }
            if self.empty == export {
                expected.of(Entity::Rating).objects += 1;
                let path = files::empty_path(self.dir, date);
                tasks.push(Task { path, content: Content::Empty });
            }
        }
        tasks
    }
}

impl Task<'_> {
    /// Whether the file had to be written.
    fn run(&self, seed: u64) -> Result<bool, DemoError> {
        if self.path.exists() {
            return Ok(false);
        }
        match &self.content {
            Content::Records(entity, events) => files::write(seed, *entity, &self.path, events)?,
            Content::Truncated(events) => files::write_truncated(seed, &self.path, events)?,
            Content::Empty => files::create(&self.path, |_| Ok(()))?,
        }
        Ok(true)
    }
}

struct Progress<'a> {
    of: usize,
    customers: u64,
    done: usize,
    tell: &'a dyn Fn(u64),
}

impl Progress<'_> {
    fn step(&mut self) {
        self.done += 1;
        (self.tell)(self.customers * self.done as u64 / self.of.max(1) as u64);
    }
}

/// Writes the files of a window on all threads; how many were not there.
fn write_window(
    seed: u64,
    tasks: &[Task<'_>],
    progress: &mut Progress<'_>,
) -> Result<usize, DemoError> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || sender.send(task.run(seed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut written = 0;
        for done in receiver {
            match done {
                Ok(was_missing) => written += usize::from(was_missing),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            progress.step();
        }
        Ok(written)
    })
}
