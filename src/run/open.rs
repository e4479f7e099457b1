//! From the name of a job to all that a command needs, with every problem told at once.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;

use super::{Context, RunError, checks, listing, work};
use crate::catalog::{Catalog, Files};
use crate::engine::Engine;
use crate::job::identity::Said;
use crate::job::{self, Job, Origin, Problem};
use crate::plan::{self, Graph, Plan, PlanError, Snapshot};
use crate::settings::Settings;
use crate::state::{ObjectEntry, Release, StateReader};
use crate::storage::Store;

/// Of the memory limit, what queries may hold.
const ENGINE_SHARE: usize = 2;

/// A job and what it rests on; nothing in the warehouse was touched.
#[derive(Debug)]
pub struct Desk {
    /// Path of the job file, as it names itself in messages.
    pub path: String,
    pub job: Job,
    /// Where the job's values come from.
    pub origins: BTreeMap<String, Origin>,
    pub catalog: Catalog,
    pub settings: Settings,
    pub store: Store,
}

/// What a plan was made from.
#[derive(Debug)]
pub struct Planned {
    pub plan: Plan,
    pub parent: Option<Release>,
    pub objects: Vec<ObjectEntry>,
}

impl Desk {
    /// Reads a job and the catalogue it rests on.
    ///
    /// # Errors
    /// There is no such job, or any problem of the job and the catalogue.
    pub fn read(job: &str, settings: Settings) -> Result<Self, RunError> {
        let wrong = |found| RunError::Plan(PlanError::Problems(found));
        let files = files(&settings.project)?;
        let (path, text) = find(job, &settings.project, &files)?;
        let (catalog, mut problems) = Catalog::read(&files);
        let (read, found) = job::read(&path, &text, &settings.overrides);
        if let Some(read) = &read {
            let mut more = plan::fit(&path, &read.job, &catalog);
            more.extend(checks::fit(&path, &read.job, &catalog));
            problems.extend(job::unsaid(&found, more));
        }
        problems.splice(0..0, found);
        let mut read = read;
        if let Some(read) = &mut read {
            match said(&read.job, &settings.project) {
                Ok(said) => read.job.identity.said = said,
                Err(found) => problems.extend(found),
            }
        }
        let Some(job::Read { job, origins }) = read.filter(|_| problems.is_empty()) else {
            return Err(wrong(problems));
        };
        let warehouse = settings.warehouse.as_deref().unwrap_or(&job.warehouse);
        let store = Store::open(warehouse, &settings.project, &settings.store_options)?;
        let store = store.of_environment(settings.environment.as_deref());
        Ok(Self { path, job, origins, catalog, settings, store })
    }

    /// Reads the state and lists the objects, and decides what a run would do.
    ///
    /// # Errors
    /// A store that failed, or nothing to plan on.
    pub async fn plan(&self, as_of: Option<NaiveDate>) -> Result<Planned, RunError> {
        let reader = StateReader::new(self.store.clone());
        let parent = reader.latest().await?;
        let objects = match &parent {
            Some(release) => reader.objects(release).await?,
            None => Vec::new(),
        };
        let listing = listing::list(&self.job, &self.settings).await?;
        let snapshot = Snapshot { release: parent.as_ref(), objects: &objects };
        let plan = plan::plan(&self.job, &self.catalog, snapshot, &listing, as_of)?;
        Ok(Planned { plan, parent, objects })
    }

    /// Days of the newest release that would come out differently today; only a backfill writes
    /// them again.
    ///
    /// # Errors
    /// A store that failed.
    pub async fn stale(&self) -> Result<Vec<NaiveDate>, RunError> {
        let reader = StateReader::new(self.store.clone());
        let Some(release) = reader.latest().await? else { return Ok(Vec::new()) };
        let objects = reader.objects(&release).await?;
        let graph = Graph::new(&self.job, &self.catalog).map_err(PlanError::Problems)?;
        Ok(plan::days::stale(&self.job, &self.catalog, &graph, &release, &objects))
    }

    /// Opens engine and scratch space.
    ///
    /// # Errors
    /// Scratch space cannot be made.
    pub fn open(self) -> Result<Context, RunError> {
        let Self { job, catalog, settings, store, .. } = self;
        let work = work::Work::new(&store, settings.scratch.as_deref(), &settings.run_id)?;
        let limits = crate::engine::Limits {
            // The other half is for what no engine counts: rows that are read, sorted and written.
            memory_bytes: settings.memory_bytes / ENGINE_SHARE,
            scratch: work.scratch.join("engine"),
            spill_bytes_max: job.limits.spill_bytes_max,
        };
        let engine = Engine::new(&store, &limits)?;
        let (stop, record) = Default::default();
        Ok(Context { job, catalog, settings, store, engine, work, stop, record })
    }
}

impl Context {
    /// The same job on another environment of its warehouse.
    ///
    /// # Errors
    /// Scratch space cannot be made.
    pub fn of_environment(&self, name: Option<&str>) -> Result<Self, RunError> {
        let mut settings = self.settings.clone();
        settings.environment = name.map(str::to_owned);
        let desk = Desk {
            path: String::new(),
            job: self.job.clone(),
            origins: BTreeMap::new(),
            catalog: self.catalog.clone(),
            store: self.store.of_environment(name),
            settings,
        };
        Ok(Self { stop: self.stop.clone(), ..desk.open()? })
    }
}

/// Text files of the binary with those of the project over them.
///
/// # Errors
/// The project folder is missing, or a file in it cannot be read.
pub fn files(project: &Path) -> Result<Files, RunError> {
    if !project.is_dir() {
        return Err(RunError::NoProject { path: project.display().to_string() });
    }
    let files = Files::embedded().overlay(project);
    files.map_err(|problem| RunError::Plan(PlanError::Problems(vec![problem])))
}

/// What people say about who is who, if the job names a file of it.
fn said(job: &Job, project: &Path) -> Result<Vec<Said>, Vec<Problem>> {
    let Some(path) = &job.identity.overrides else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(project.join(path)).map_err(|error| {
        vec![Problem::new(path, format!("cannot be read: {error}")).hint("`identity.overrides`")]
    })?;
    job::identity::read(path, &text)
}

/// Path and text of a job: a file as it is named, or one of `jobs/`.
fn find(job: &str, project: &Path, files: &Files) -> Result<(String, String), RunError> {
    let path = match job.strip_suffix(".toml") {
        Some(_) => job.to_owned(),
        None => format!("jobs/{job}.toml"),
    };
    match std::fs::read_to_string(project.join(&path)) {
        Ok(text) => return Ok((path, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let problem = Problem::new(path, format!("cannot be read: {error}"));
            return Err(RunError::Plan(PlanError::Problems(vec![problem])));
        }
    }
    if let Some(text) = files.get(&path) {
        return Ok((path.clone(), text.to_owned()));
    }
    let known = files.under("jobs/").map(|(path, _)| crate::catalog::files::stem(path).to_owned());
    Err(RunError::NoJob { path, known: known.collect() })
}

/// Reads a job and everything it rests on, and opens its warehouse.
///
/// # Errors
/// Problems of the job or the catalogue, or a warehouse that cannot be opened.
pub fn open(job: &str, settings: Settings) -> Result<Context, RunError> {
    Desk::read(job, settings)?.open()
}
