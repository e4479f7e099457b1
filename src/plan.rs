//! What is missing, and why: a pure function from job, catalogue, state and listing to a [`Plan`].
//!
//! Nothing here reads or writes; `run` does what a plan says, and `cxmart plan` prints it.

pub mod days;
pub mod document;
pub mod expect;
pub mod graph;
pub mod native;
mod options;
pub mod renew;
pub mod suppose;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;

pub use self::graph::{Graph, Node, NodeKind};
pub use self::native::Native;
use crate::catalog::{Catalog, SourceSpec};
use crate::job::schema::nearest;
use crate::job::{Job, Problem};
use crate::state::{ObjectEntry, Release};
use crate::table::dataset::{Dataset, FileRef};
use crate::table::hash::{Hash, Hasher};

/// Name of the one-row table that carries the run's values into SQL.
pub const RUN_TABLE: &str = "run";

/// An object as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Index in the job's sources.
    pub source: usize,
    /// As users write it; names the object in every message.
    pub url: String,
    /// Inside the source's store.
    pub path: String,
    /// From the `{dt}` of the template.
    pub dt: Option<NaiveDate>,
    pub etag: Option<String>,
    pub bytes: u64,
    pub modified_us: i64,
}

/// What earlier runs left.
#[derive(Debug, Clone, Copy, Default)]
pub struct Snapshot<'a> {
    pub release: Option<&'a Release>,
    pub objects: &'a [ObjectEntry],
}

/// Why something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    NewObjects(usize),
    ChangedObjects(usize),
    /// The spec, a staging model or the time zone changed.
    Restage(usize),
    /// No release has it yet.
    Missing,
    /// Its SQL, its code or an option it reads changed.
    ChangedCode,
    /// These inputs are made anew.
    Inputs(Vec<String>),
    /// A day before the horizon: late objects, or code or options that changed since.
    Stale,
    /// Somebody asked what if it changed.
    Supposed,
    Unchanged,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NewObjects(1) => f.write_str("1 new object"),
            Self::NewObjects(n) => write!(f, "{n} new objects"),
            Self::ChangedObjects(1) => f.write_str("1 changed object"),
            Self::ChangedObjects(n) => write!(f, "{n} changed objects"),
            Self::Restage(n) => write!(f, "spec, staging SQL or time zone changed, objects: {n}"),
            Self::Missing => f.write_str("not made yet"),
            Self::ChangedCode => f.write_str("its SQL, code or an option it reads changed"),
            Self::Inputs(names) => write!(f, "made from {}", names.join(", ")),
            Self::Stale => f.write_str("late objects, or its code or an option changed"),
            Self::Supposed => f.write_str("supposed to have changed"),
            Self::Unchanged => f.write_str("unchanged"),
        }
    }
}

/// Objects of one source that are staged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub source: usize,
    pub spec: String,
    pub reason: Reason,
    pub objects: Vec<Found>,
}

/// A node of the graph with the reason to run it.
#[derive(Debug, Clone)]
pub struct Step {
    pub node: Node,
    pub reason: Reason,
}

/// A frozen decision.
#[derive(Debug, Clone)]
pub struct Plan {
    pub as_of: NaiveDate,
    /// Last day that the plan's tables know of; the as-of day.
    pub horizon: NaiveDate,
    /// The day lies before the release's horizon: only daily tables are written, of that day alone,
    /// from what was known by then.
    pub is_past: bool,
    /// First instant after the horizon, in microseconds since 1970, UTC.
    pub horizon_end_us: i64,
    pub batches: Vec<Batch>,
    /// All nodes in an order in which they can run, unchanged ones too.
    pub steps: Vec<Step>,
    /// Objects left out, with the reason.
    pub left_out: Vec<(String, String)>,
    /// What readers see of the tables changes, whatever is in them.
    pub is_remasked: bool,
}

impl Plan {
    pub fn has_changes(&self) -> bool {
        !self.batches.is_empty()
            || self.is_remasked
            || self.steps.iter().any(|step| step.reason != Reason::Unchanged)
    }
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the job or its models are not usable")]
    Problems(Vec<Problem>),
    #[error("source `{spec}` lists no object at `{url}`, and no run has seen one")]
    NoObjects { spec: String, url: String },
    #[error("no object is listed and none was seen before: there is no day to run for")]
    NoDate,
    #[error("the newest release shows {horizon}, and daily tables do not keep {as_of}")]
    NotKept { as_of: NaiveDate, horizon: NaiveDate },
    #[error("`{table}` is no daily table")]
    NotDaily { table: String, daily: Vec<String> },
}

/// Decides what a run has to do.
///
/// # Errors
/// Specs or tables that the job names and nobody knows, or nothing to run on.
pub fn plan(
    job: &Job,
    catalog: &Catalog,
    snapshot: Snapshot<'_>,
    listing: &[Found],
    as_of: Option<NaiveDate>,
) -> Result<Plan, PlanError> {
    let specs = resolve_specs(job, catalog)?;
    for (i, (source, spec)) in job.sources.iter().zip(&specs).enumerate() {
        let seen =
            snapshot.objects.iter().any(|e| e.spec == spec.key() && e.account == source.account);
        if !source.optional && !seen && !listing.iter().any(|found| found.source == i) {
            return Err(PlanError::NoObjects { spec: spec.key(), url: source.url.clone() });
        }
    }
    let (listing, left_out) = dated(listing);
    let horizon = snapshot.release.map(|release| release.horizon);
    if let (Some(day), Some(release)) = (as_of, snapshot.release)
        && day < release.horizon
    {
        return past(job, catalog, release, snapshot.objects, day, None);
    }
    let greatest = listing.iter().map(|(_, dt)| *dt).max();
    let as_of = as_of.or(horizon.max(greatest)).ok_or(PlanError::NoDate)?;
    let due: Vec<_> = listing.into_iter().filter(|(_, dt)| *dt <= as_of).collect();
    let batches = batches(job, catalog, &specs, snapshot, &due);
    let graph = Graph::new(job, catalog).map_err(PlanError::Problems)?;
    let horizon_end_us = end_of(as_of, job.zone());
    let values = RunValues { run: run_hash(job, as_of), horizon_end_us };
    let steps = steps(&graph, snapshot, &batches, catalog, &values);
    let is_remasked = is_remasked(job, snapshot.release);
    let horizon = as_of;
    let is_past = false;
    Ok(Plan { as_of, horizon, is_past, horizon_end_us, batches, steps, left_out, is_remasked })
}

/// Decides what has to be done when nothing is new but what was forgotten: the newest release once
/// more, from its own objects.
///
/// # Errors
/// Tables that nobody makes.
pub fn again(
    job: &Job,
    catalog: &Catalog,
    release: &Release,
    objects: &[ObjectEntry],
) -> Result<Plan, PlanError> {
    let graph = Graph::new(job, catalog).map_err(PlanError::Problems)?;
    let as_of = release.horizon;
    let horizon_end_us = end_of(as_of, job.zone());
    let values = RunValues { run: run_hash(job, as_of), horizon_end_us };
    let snapshot = Snapshot { release: Some(release), objects };
    Ok(Plan {
        as_of,
        horizon: as_of,
        is_past: false,
        horizon_end_us,
        batches: Vec::new(),
        steps: steps(&graph, snapshot, &[], catalog, &values),
        left_out: Vec::new(),
        is_remasked: true,
    })
}

/// Of the options that decide what published tables keep from their readers; `None`: nothing.
pub fn masking(job: &Job) -> Option<Hash> {
    let privacy = &job.privacy;
    let options = (privacy.pseudonyms, &privacy.key_id, &privacy.retention);
    let hash = || Hasher::new("masking").part(format!("{options:?}")).finish();
    privacy.masks().then(hash)
}

fn is_remasked(job: &Job, release: Option<&Release>) -> bool {
    let before = |release: &Release| release.masking.as_ref().map(|m| m.options.clone());
    release.is_some_and(|release| before(release) != masking(job))
}

/// Decides what has to be done to restate the daily tables of a day before the horizon: all of
/// them, or those of `wanted`. Nothing is staged for it.
///
/// # Errors
/// A day that is not kept, or a table that is not daily.
pub fn past(
    job: &Job,
    catalog: &Catalog,
    release: &Release,
    objects: &[ObjectEntry],
    day: NaiveDate,
    wanted: Option<&BTreeSet<String>>,
) -> Result<Plan, PlanError> {
    if !days::is_kept(day, release.horizon) {
        return Err(PlanError::NotKept { as_of: day, horizon: release.horizon });
    }
    let daily = days::daily(catalog);
    if let Some(table) = wanted.and_then(|wanted| wanted.difference(&daily).next()) {
        let daily = daily.iter().cloned().collect();
        return Err(PlanError::NotDaily { table: table.clone(), daily });
    }
    let graph = Graph::new(job, catalog).map_err(PlanError::Problems)?;
    let key = days::key(job, catalog, &graph, objects, day);
    let reason = match release.days.get(&day) {
        None => Reason::Missing,
        Some(made_from) if *made_from != key => Reason::Stale,
        Some(_) => Reason::Unchanged,
    };
    // Checks of the day read all tables, so all are made where the whole day is asked for.
    let nodes = match wanted {
        Some(wanted) => days::nodes_for(&graph, wanted),
        None => graph.nodes,
    };
    let steps = nodes.into_iter().map(|node| Step { node, reason: reason.clone() }).collect();
    Ok(Plan {
        as_of: day,
        horizon: day,
        is_past: true,
        horizon_end_us: end_of(day, job.zone()),
        batches: Vec::new(),
        steps,
        left_out: Vec::new(),
        is_remasked: false,
    })
}

/// What of a job only the catalogue can tell: sources without a spec.
pub fn fit(path: &str, job: &Job, catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, source) in job.sources.iter().enumerate() {
        let key = format!("{}/{}", source.source, source.entity);
        if let Some(spec) = catalog.specs.get(&key) {
            problems.extend(options::wrong(&format!("{path}: source[{i}]"), source, spec));
        } else {
            let hint = match nearest(&key, catalog.specs.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => String::from(
                    "`cxmart sources` lists them; your own go to sql/stage/ of the project",
                ),
            };
            let message = format!("there is no source spec `{key}`");
            problems.push(Problem::new(format!("{path}: source[{i}]"), message).hint(hint));
        }
    }
    problems.extend(retained(path, job, catalog));
    let contacts = catalog.canonical_tables.get("contacts").map(|table| &table.contract.columns);
    let columns: Vec<&str> = contacts.into_iter().flatten().map(|c| c.name.as_str()).collect();
    for (i, field) in job.identity.matching.fields.iter().enumerate() {
        if !columns.contains(&field.column.as_str()) {
            let at = format!("{path}: identity.matching.field[{i}].column");
            let hint = nearest(&field.column, columns.iter().copied());
            let message = format!("`{}` is not a column of `contacts`", field.column);
            let problem = Problem::new(at, message);
            problems.push(match hint {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
    problems
}

/// Tables whose retention cannot be held: a partition goes as a whole, and says how old it is.
fn retained(path: &str, job: &Job, catalog: &Catalog) -> Vec<Problem> {
    let dated = |name: &&String| {
        let table = catalog.tables.get(*name).filter(|table| table.published);
        let by = |column: &String| days::DATED.contains(&column.as_str());
        table.is_some_and(|table| table.contract.partition.iter().any(by))
    };
    let wrong = job.privacy.retention.keys().filter(|name| !dated(name));
    let problem = |name: &String| {
        let known: Vec<&str> =
            catalog.tables.keys().filter(|k| dated(k)).map(|k| k.as_str()).collect();
        let message = format!("`{name}` is no published table with partitions in time");
        let hint = format!("these are: {}", known.join(", "));
        Problem::new(format!("{path}: privacy.retention.{name}"), message).hint(hint)
    };
    wrong.map(problem).collect()
}

fn resolve_specs<'a>(job: &Job, catalog: &'a Catalog) -> Result<Vec<&'a SourceSpec>, PlanError> {
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for (i, source) in job.sources.iter().enumerate() {
        let key = format!("{}/{}", source.source, source.entity);
        match catalog.specs.get(&key) {
            Some(spec) => specs.push(spec),
            None => problems.push(
                Problem::new(format!("source[{i}]"), format!("no source spec `{key}`"))
                    .hint("`cxmart sources` lists them; your own go to sql/stage/ of the project"),
            ),
        }
    }
    if problems.is_empty() { Ok(specs) } else { Err(PlanError::Problems(problems)) }
}

/// Objects with their batch dates, and those left out because their date cannot be right yet.
fn dated(listing: &[Found]) -> (Vec<(Found, NaiveDate)>, Vec<(String, String)>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for found in listing {
        let modified = DateTime::from_timestamp_micros(found.modified_us).unwrap_or_default();
        let modified = modified.date_naive();
        let dt = found.dt.unwrap_or(modified);
        if dt > modified.checked_add_days(Days::new(1)).unwrap_or(modified) {
            let why =
                format!("its date {dt} is more than a day after {modified}, when it was written");
            left_out.push((found.url.clone(), why));
        } else {
            kept.push((found.clone(), dt));
        }
    }
    (kept, left_out)
}

/// Raised when the same bytes are read otherwise: objects are staged again, rejects taken up again.
const READER_VERSION: u32 = 3;

/// Changes when the staged rows of a spec would come out differently.
pub fn staging_hash(job: &Job, catalog: &Catalog, spec: &SourceSpec, source: usize) -> Hash {
    let mut hasher = Hasher::new("staging");
    hasher.part(READER_VERSION.to_le_bytes());
    hasher.part(spec.code_hash().as_str()).part(&job.time_zone);
    for model in catalog.staging_models(spec) {
        hasher.part(&model.name).part(model.code_hash.as_str());
        let table =
            model.header.canonical.as_ref().and_then(|name| catalog.canonical_tables.get(name));
        if let Some(table) = table {
            hasher.part(format!("{:?}{:?}", table.contract, table.canonical));
        }
        if model.header.canonical.as_deref() == Some("survey_responses") {
            hasher.part(format!("{:?}", job.scales));
        }
    }
    if let Some(source) = job.sources.get(source) {
        hasher.part(&source.account).part(format!("{:?}", source.options));
    }
    hasher.finish()
}

fn batches(
    job: &Job,
    catalog: &Catalog,
    specs: &[&SourceSpec],
    snapshot: Snapshot<'_>,
    due: &[(Found, NaiveDate)],
) -> Vec<Batch> {
    let mut newest: BTreeMap<&str, &ObjectEntry> = BTreeMap::new();
    for entry in snapshot.objects {
        let known = newest.entry(&entry.url).or_insert(entry);
        if entry.version > known.version {
            *known = entry;
        }
    }
    let mut batches = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let staging = staging_hash(job, catalog, spec, i);
        let (mut fresh, mut changed, mut restaged) = (Vec::new(), Vec::new(), Vec::new());
        for (found, dt) in due.iter().filter(|(found, _)| found.source == i) {
            let found = Found { dt: Some(*dt), ..found.clone() };
            match newest.get(found.url.as_str()) {
                None => fresh.push(found),
                Some(entry) if entry.staging != staging => restaged.push(found),
                Some(entry) if !same(entry, &found) => changed.push(found),
                Some(_) => {}
            }
        }
        for (objects, reason) in [
            (fresh, Reason::NewObjects as fn(usize) -> Reason),
            (changed, Reason::ChangedObjects),
            (restaged, Reason::Restage),
        ] {
            for objects in cut(objects, job) {
                batches.push(Batch {
                    source: i,
                    spec: spec.key(),
                    reason: reason(objects.len()),
                    objects,
                });
            }
        }
    }
    batches
}

fn same(entry: &ObjectEntry, found: &Found) -> bool {
    entry.bytes == found.bytes && entry.etag == found.etag && entry.modified_us == found.modified_us
}

/// Cuts objects, in order of date and url, into batches within the job's limits.
fn cut(mut objects: Vec<Found>, job: &Job) -> Vec<Vec<Found>> {
    objects.sort_by(|a, b| (a.dt, &a.url).cmp(&(b.dt, &b.url)));
    let mut batches: Vec<Vec<Found>> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for object in objects {
        count += 1;
        bytes += object.bytes;
        let full = count > job.limits.batch_objects || bytes > job.limits.batch_bytes;
        match batches.last_mut() {
            Some(batch) if !full => batch.push(object),
            _ => {
                (count, bytes) = (1, object.bytes);
                batches.push(vec![object]);
            }
        }
    }
    batches
}

/// First instant after `day` in `zone`, in microseconds since 1970, UTC.
pub fn end_of(day: NaiveDate, zone: Tz) -> i64 {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN);
    // Where midnight does not exist (a DST gap), the day begins an hour later.
    let local = next.and_local_timezone(zone).earliest();
    let later = || (next + chrono::Duration::hours(1)).and_local_timezone(zone).earliest();
    local.or_else(later).map_or(0, |instant| instant.timestamp_micros())
}

/// Hash of the values that the `run` table shows.
pub fn run_hash(job: &Job, as_of: NaiveDate) -> Hash {
    let mut hasher = Hasher::new(RUN_TABLE);
    hasher.part(as_of.to_string()).part(&job.time_zone).part(&job.currency);
    hasher.part(format!("{:?}{:?}{:?}", job.metrics, job.stages, job.clv)).finish()
}

/// Fingerprint of a node over inputs of known content.
pub fn fingerprint<'a>(node: &Node, inputs: impl Iterator<Item = (&'a str, &'a Hash)>) -> Hash {
    let mut hasher = Hasher::new("step");
    hasher.part(&node.name).part(node.code.as_str());
    for (name, content) in inputs {
        hasher.part(name).part(content.as_str());
    }
    hasher.finish()
}

/// What of a run goes into fingerprints.
struct RunValues {
    run: Hash,
    horizon_end_us: i64,
}

fn steps(
    graph: &Graph,
    snapshot: Snapshot<'_>,
    batches: &[Batch],
    catalog: &Catalog,
    values: &RunValues,
) -> Vec<Step> {
    let known = |name: &str| snapshot.release.and_then(|release| dataset(release, name));
    let mut dirty: BTreeSet<String> = BTreeSet::new();
    for batch in batches {
        if let Some(spec) = catalog.specs.get(&batch.spec) {
            let targets = catalog.staging_models(spec);
            let targets = targets.iter().filter_map(|model| model.header.canonical.as_ref());
            dirty.extend(targets.map(|table| graph::staged(table)));
        }
        // Every batch adds to the ledger, and may say something of its objects.
        let told = [graph::OBJECTS, graph::REJECTS, graph::WARNINGS, graph::SEEN];
        dirty.extend(told.map(str::to_owned));
    }
    let mut steps = Vec::new();
    for node in &graph.nodes {
        let new: Vec<_> =
            node.inputs.iter().filter(|name| dirty.contains(*name)).cloned().collect();
        let reason = if !new.is_empty() {
            Reason::Inputs(new)
        } else if node.outputs.iter().any(|name| known(name).is_none()) {
            Reason::Missing
        } else {
            let content = |name: &'_ String| match name.as_str() {
                RUN_TABLE => Some(values.run.clone()),
                name => known(name).map(|d| d.input_hash_until(values.horizon_end_us)),
            };
            let inputs: Vec<_> = node
                .inputs
                .iter()
                .filter_map(|name| Some((name.as_str(), content(name)?)))
                .collect();
            let now = fingerprint(node, inputs.iter().map(|(name, hash)| (*name, hash)));
            let same = |name: &String| known(name).is_some_and(|d| d.fingerprint == now);
            if node.outputs.iter().all(same) { Reason::Unchanged } else { Reason::ChangedCode }
        };
        if reason != Reason::Unchanged {
            dirty.extend(node.outputs.iter().cloned());
        }
        steps.push(Step { node: node.clone(), reason });
    }
    steps
}

/// Column by which daily tables are partitioned.
pub const AS_OF: &str = "as_of";

/// A dataset of a release, published or not, as its run made it: a daily table without the days
/// that were carried over, because no step reads a former day.
pub fn dataset<'a>(release: &'a Release, name: &str) -> Option<Cow<'a, Dataset>> {
    // Of a table that readers see in part, the whole is in the state.
    let whole = release.state.get(name).or_else(|| release.tables.get(name))?;
    let today = release.as_of.to_string();
    let is_former = |file: &FileRef| file.partition.get(AS_OF).is_some_and(|day| *day != today);
    if !whole.files.iter().any(is_former) {
        return Some(Cow::Borrowed(whole));
    }
    let files = whole.files.iter().filter(|file| !is_former(file)).cloned().collect();
    Some(Cow::Owned(Dataset::new(name, whole.fingerprint.clone(), files)))
}
