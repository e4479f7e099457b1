//! The only sequencer: lists, plans, calls the steps, checks, publishes; stops cleanly.
//!
//! It moves tables between steps and computes nothing on rows. What a step made lies in
//! `work/<fingerprint>/` with a receipt, so a killed run goes on where it stopped; a release is
//! visible only after the one create in [`crate::state`].

pub mod arrivals;
pub mod backfill;
pub mod checks;
pub mod current;
pub mod detect;
pub mod drift;
pub mod forget;
pub mod headline;
pub mod lease;
pub mod ledger;
pub mod lineage;
pub mod listing;
pub mod mask;
pub mod model;
pub mod native;
pub mod notify;
pub mod open;
pub mod promote;
pub mod record;
pub mod release;
pub mod repair;
pub mod retired;
pub mod scale;
pub mod sink;
pub mod slices;
pub mod staging;
pub mod stop;
pub mod traces;
pub mod work;
pub mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use self::forget::Forgotten;
pub use self::open::open;
use self::record::Record;
use self::stop::{Signal, Stop};
use crate::catalog::Catalog;
use crate::check::{CheckError, Finding};
use crate::engine::{Engine, EngineError};
use crate::extract::ExtractError;
use crate::job::Job;
use crate::plan::graph::STAGED;
use crate::plan::renew::RESOLVE;
use crate::plan::{self, Node, NodeKind, Plan, PlanError, RUN_TABLE, Reason, Snapshot};
use crate::publish::PublishError;
use crate::resolve::ResolveError;
use crate::resolve::normalise::Normaliser;
use crate::settings::{Refit, Settings};
use crate::stage::StageError;
use crate::state::{self, Counts, ObjectEntry, Release, StateError, StateReader, StateWriter};
use crate::storage::{StorageError, Store};
use crate::table::dataset::Dataset;
use crate::table::hash::{Hash, Hasher};
use crate::table::{Contract, TableError};
use crate::upkeep::UpkeepError;
use crate::upkeep::verify::Fault;

/// How often a run is planned again, after a lost commit or a repair, before giving up.
const COMMIT_TRIES: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Fold(#[from] crate::measure::fold::FoldError),
    #[error(transparent)]
    Clv(#[from] crate::measure::clv::ClvError),
    #[error(transparent)]
    Features(#[from] crate::measure::features::FeatureError),
    #[error(transparent)]
    Scores(#[from] crate::measure::scores::ScoresError),
    #[error(transparent)]
    Service(#[from] crate::measure::service::ServiceError),
    #[error(transparent)]
    Participation(#[from] crate::measure::participation::ParticipationError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("records of `{object}` do not balance: {counts:?}")]
    Balance { object: String, counts: Counts },
    #[error(
        "{rejected} of {read} records of `{export}` were rejected, more than `rejects_max` of {limit}: \
         {broken}"
    )]
    Rejects { export: String, rejected: u64, read: u64, limit: f64, broken: String },
    #[error("nothing was published, because checks said no: {}", list(failed))]
    Check { failed: Vec<Finding> },
    #[error(transparent)]
    Checking(#[from] CheckError),
    #[error(transparent)]
    Upkeep(#[from] UpkeepError),
    #[error("another run published first, or cleared what this one had made, {COMMIT_TRIES} times")]
    CommitLost,
    #[error("`{path}` of release {number} is {fault}")]
    Unusable { number: u64, path: String, fault: Fault },
    #[error("`{environment}` is not what a run would make now: {steps} steps are due there")]
    Behind { environment: String, steps: usize },
    #[error("{day} lies after {horizon}, the last day of the newest release")]
    Ahead { day: NaiveDate, horizon: NaiveDate },
    #[error("a worker thread ended early")]
    Thread(#[source] tokio::task::JoinError),
    #[error("`{writer}` is running on this warehouse; its lease holds for another {for_s} s")]
    Leased { writer: String, for_s: i64 },
    #[error("a worker of `{0}` panicked")]
    Panicked(&'static str),
    #[error("name {place} of the list is nobody's, and no identifier that could be registered")]
    NoPerson { place: usize },
    #[error("release {number} holds people who are forgotten since")]
    Forgotten { number: u64 },
    #[error("the identity salt that release {number} was made under is not here")]
    NoSalt { number: u64 },
    #[error("the identity salt is not the one that release {number} was made under")]
    OtherSalt { number: u64 },
    #[error("the job wants pseudonyms, and there is no key")]
    NoKey,
    #[error("the key is not the one that was used under the name `{name}`")]
    OtherKey { name: String },
    #[error("`{0}` is not made by any step")]
    NoTable(String),
    #[error("there is no job `{path}`")]
    NoJob { path: String, known: Vec<String> },
    #[error("there is no project folder `{path}`")]
    NoProject { path: String },
    #[error("stopped by {0}; what was finished is kept")]
    Stopped(Signal),
}

fn list(failed: &[Finding]) -> String {
    failed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a run needs; one per command.
#[derive(Debug)]
pub struct Context {
    pub job: Job,
    pub catalog: Catalog,
    pub settings: Settings,
    pub store: Store,
    pub engine: Engine,
    pub work: work::Work,
    pub stop: Stop,
    pub record: Record,
}

impl Context {
    /// Contract of any table a step reads or makes.
    pub fn contract(&self, name: &str) -> Option<&Contract> {
        let canonical = |kind: &str| self.catalog.canonical_tables.get(name.strip_prefix(kind)?);
        let merged = ["current_", "versions_"].into_iter().find_map(canonical);
        let merged = merged.or_else(|| self.catalog.tables.get(name)).map(|table| &table.contract);
        match name {
            ledger::REJECTS => Some(&ledger::REJECTS_CONTRACT),
            ledger::WARNINGS => Some(&ledger::WARNINGS_CONTRACT),
            ledger::SEEN => Some(&ledger::SEEN_CONTRACT),
            ledger::WINDOWS => Some(&retired::WINDOWS_CONTRACT),
            ledger::OBJECTS => Some(&ledger::OBJECTS_CONTRACT),
            ledger::FORGOTTEN => Some(&ledger::FORGOTTEN_CONTRACT),
            _ => merged.or_else(|| canonical(STAGED)?.staged.as_ref()),
        }
    }

    /// How the job spells identifiers.
    pub fn normaliser(&self) -> Normaliser {
        let (job, identity) = (&self.job, &self.job.identity);
        Normaliser::new(job.country.as_deref(), identity.gmail_dots, &identity.block)
    }

    /// The secret that ids are made under: the one given, else the warehouse's own. Under another
    /// one every customer would have another id, and whoever is forgotten would come back.
    ///
    /// # Errors
    /// The store failed, what is given is no salt, or it is not the one of the newest release.
    pub async fn salt(&self) -> Result<Vec<u8>, RunError> {
        let newest = StateReader::new(self.store.clone()).latest().await?;
        let known = newest.and_then(|release| Some((release.number, release.salt_check?)));
        let writer = StateWriter::new(self.store.clone());
        let salt = match (&self.settings.identity_salt, &known) {
            (Some(given), _) => Some(state::salt_from_hex(given)?),
            (None, Some(_)) => writer.kept_salt().await?,
            (None, None) => Some(writer.salt().await?),
        };
        match (salt, known) {
            (None, known) => {
                Err(RunError::NoSalt { number: known.map_or(0, |(number, _)| number) })
            }
            (Some(salt), Some((number, check))) if state::salt_check(&salt) != check => {
                Err(RunError::OtherSalt { number })
            }
            (Some(salt), _) => Ok(salt),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub as_of: NaiveDate,
    /// The release it made, or the one that already says the same.
    pub release: Option<u64>,
    pub published: bool,
    pub objects: usize,
    pub counts: Counts,
    pub steps_run: usize,
    pub steps_reused: usize,
    /// Rows by published table.
    pub tables: BTreeMap<String, u64>,
    /// What a person should look at.
    pub warnings: Vec<String>,
}

/// Plans and does it.
///
/// # Errors
/// Anything that kept the release from being made; the last one stays in place.
pub async fn run(context: Arc<Context>, as_of: Option<NaiveDate>) -> Result<Outcome, RunError> {
    let asked = &Asked { as_of, ..Asked::default() };
    notify::begin(&context).await;
    let result = leased(&context, asked).await;
    let report = context.record.finish(&context, &result).await;
    notify::end(&context, &report).await;
    result
}

/// What a run is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub as_of: Option<NaiveDate>,
    /// Daily tables, of a day that is restated; default all of them.
    pub tables: Option<BTreeSet<String>>,
    /// The day is one that the newest release shows already, and is made again.
    pub restates: bool,
}

async fn leased(context: &Arc<Context>, asked: &Asked) -> Result<Outcome, RunError> {
    let lease = lease::Lease::of(context).await?;
    let done = plan_and_do(context, asked).await;
    if done.as_ref().is_ok_and(|outcome| outcome.published) {
        clear(context, lease.as_ref()).await;
    }
    give_back(lease).await;
    done
}

/// Clears `work/`, if nobody else can be at work.
async fn clear(context: &Context, lease: Option<&lease::Lease>) {
    if lease.is_some()
        && let Err(error) = context.work.clear().await
    {
        tracing::warn!(%error, "the work of this run is left; `cxmart gc` deletes it");
    }
}

/// Gives a lease back, if there is one.
async fn give_back(lease: Option<lease::Lease>) {
    if let Some(lease) = lease
        && let Err(error) = lease.give_back().await
    {
        tracing::warn!(%error, "the lease was not given back; it ends by itself");
    }
}

async fn plan_and_do(context: &Arc<Context>, asked: &Asked) -> Result<Outcome, RunError> {
    // A run that died after its commit left this to the next one.
    release::project(context).await?;
    for _ in 0..COMMIT_TRIES {
        let reader = StateReader::new(context.store.clone());
        let parent = reader.latest().await?;
        let objects = match &parent {
            Some(release) => reader.objects(release).await?,
            None => Vec::new(),
        };
        let listing = listing::list(&context.job, &context.settings).await?;
        let snapshot = Snapshot { release: parent.as_ref(), objects: &objects };
        let mut plan = match (&parent, asked.as_of) {
            (Some(parent), Some(day)) if asked.restates && day <= parent.horizon => {
                let wanted = asked.tables.as_ref();
                plan::past(&context.job, &context.catalog, parent, &objects, day, wanted)?
            }
            _ => plan::plan(&context.job, &context.catalog, snapshot, &listing, asked.as_of)?,
        };
        if is_refitted(context) {
            plan.renew(RESOLVE);
        }
        if let (false, Some(parent)) = (plan.has_changes(), &parent) {
            return Ok(Outcome {
                as_of: plan.as_of,
                release: Some(parent.number),
                published: false,
                objects: 0,
                counts: Counts::default(),
                steps_run: 0,
                steps_reused: plan.steps.len(),
                tables: rows(parent),
                warnings: context.record.warnings(),
            });
        }
        context.record.planned(&plan);
        // Another one than the release's ends the run before there is any work.
        context.salt().await?;
        let forgotten = Forgotten::of(context, parent.as_ref()).await?;
        let start = Start { parent: parent.as_ref(), objects, forgotten };
        let done = Box::pin(attempt(context, &plan, start)).await;
        if let Ok(Some(outcome)) = done {
            return Ok(outcome);
        }
        // Whoever forgets somebody takes files away under a run that does not know of it.
        if release::is_forgotten_otherwise(context, parent.as_ref()).await? {
            forget::sweep::withdraw(context).await?;
        } else if let Err(error) = done {
            Box::pin(repair::of(context, parent.as_ref(), error)).await?;
        }
    }
    Err(RunError::CommitLost)
}

/// Tables made so far in this run, by name.
type Tables = BTreeMap<String, Dataset>;

/// What an attempt rests on.
struct Start<'a> {
    parent: Option<&'a Release>,
    objects: Vec<ObjectEntry>,
    forgotten: Forgotten,
}

/// Does a plan; `None` when another run's commit came first.
async fn attempt(
    context: &Arc<Context>,
    plan: &Plan,
    Start { parent, objects, mut forgotten }: Start<'_>,
) -> Result<Option<Outcome>, RunError> {
    let mut tables = Tables::new();
    let mut staged = match parent.filter(|_| plan.is_past) {
        Some(release) => staging::known_by(context, plan.as_of, release, objects).await?,
        None => staging::stage(context, plan, parent, objects, &mut forgotten).await?,
    };
    let registered = ledger::write_forgotten(context, &forgotten.registry).await?;
    tables.insert(registered.name.clone(), registered);
    tables.append(&mut staged.tables);
    context.record.staged(staged.new_objects, staged.counts, plan.steps.len());
    let (mut steps_run, mut steps_reused) = (0, 0);
    let run_hash = plan::run_hash(&context.job, plan.as_of);
    for step in &plan.steps {
        context.stop.check()?;
        let began = context.record.begin(step);
        let reused_before = steps_reused;
        let node = &step.node;
        let content = |name: &String| match name.as_str() {
            RUN_TABLE => Ok(run_hash.clone()),
            name => tables
                .get(name)
                .map(|dataset| slice_hash(plan, name, dataset))
                .ok_or_else(|| RunError::NoTable(name.to_owned())),
        };
        let inputs: Vec<(&str, Hash)> = node
            .inputs
            .iter()
            .map(|name| Ok((name.as_str(), content(name)?)))
            .collect::<Result<_, RunError>>()?;
        let fingerprint = plan::fingerprint(node, inputs.iter().map(|(name, hash)| (*name, hash)));
        let is_renewed = node.name == RESOLVE && is_refitted(context) && !plan.is_past;
        let known = |name: &String| {
            let dataset = parent.and_then(|release| plan::dataset(release, name))?;
            (dataset.fingerprint == fingerprint && !is_renewed).then(|| dataset.into_owned())
        };
        // What was fitted anew is no answer to a run that does not ask for it.
        let work = if is_renewed { renewed(&fingerprint) } else { fingerprint.clone() };
        let made = if let Some(known) = node.outputs.iter().map(known).collect::<Option<Vec<_>>>() {
            steps_reused += 1;
            known
        } else if let Some(done) = context.work.receipt(&work).await? {
            steps_reused += 1;
            done
        } else {
            steps_run += 1;
            let made = make(context, plan, node, &work, &tables, parent, &staged).await?;
            context.work.finish(&work, &made).await?;
            made
        };
        let made = made.into_iter();
        let made: Vec<_> =
            made.map(|made| Dataset { fingerprint: fingerprint.clone(), ..made }).collect();
        context.record.end(step, began, steps_reused > reused_before, &made);
        tables.extend(made.into_iter().map(|dataset| (dataset.name.clone(), dataset)));
    }
    context.stop.check()?;
    let counts = staged.counts;
    let made = release::Made { tables, objects: &staged.objects, counts, forgotten };
    let release = release::publish(context, plan, parent, made).await?;
    Ok(release.map(|release| Outcome {
        as_of: plan.as_of,
        release: Some(release.number),
        published: true,
        objects: staged.new_objects,
        counts,
        steps_run,
        steps_reused,
        tables: rows(&release),
        warnings: context.record.warnings(),
    }))
}

/// Whether the parameters of matching are fitted anew.
fn is_refitted(context: &Context) -> bool {
    context.settings.refits.contains(&Refit::Match)
}

fn renewed(fingerprint: &Hash) -> Hash {
    Hasher::new("renewed").part(fingerprint.as_str()).finish()
}

/// Runs a step; gives one dataset for each of its outputs.
async fn make(
    context: &Arc<Context>,
    plan: &Plan,
    node: &Node,
    fingerprint: &Hash,
    tables: &Tables,
    parent: Option<&Release>,
    staged: &staging::Staged,
) -> Result<Vec<Dataset>, RunError> {
    match node.kind {
        NodeKind::Current => {
            let until = plan.is_past.then_some(plan.as_of);
            current::current(context, node, fingerprint, tables, parent, staged, until).await
        }
        NodeKind::Model => model::run(context, plan, node, fingerprint, tables, parent).await,
        NodeKind::Native(native) => {
            native::run(context, plan, node, native, fingerprint, tables, parent).await
        }
    }
}

/// Hash of the rows of an input that a step of the plan sees.
fn slice_hash(plan: &Plan, name: &str, dataset: &Dataset) -> Hash {
    let hash = dataset.input_hash_until(plan.horizon_end_us);
    if !(plan.is_past && name.starts_with(plan::graph::STAGED)) {
        return hash;
    }
    let mut hasher = Hasher::new("known by");
    hasher.part(hash.as_str()).part(plan.as_of.to_string()).finish()
}

/// Rows by published table.
fn rows(release: &Release) -> BTreeMap<String, u64> {
    release.tables.iter().map(|(name, dataset)| (name.clone(), dataset.rows)).collect()
}

/// Whether a step would run at all.
pub fn is_due(reason: &Reason) -> bool {
    *reason != Reason::Unchanged
}
