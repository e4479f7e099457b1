//! Steps in Rust: reads their inputs by SQL, calls the room that computes, writes their tables.
//!
//! One file a room in `native/`; what each reads and makes is declared in `plan::native`.

pub mod accounts;
pub mod changes;
pub mod clv;
pub mod folds;
pub mod pains;
pub mod participation;
pub mod profile;
pub mod resolve;
pub mod risk;
pub mod rows;
pub mod scores;
pub mod segments;
pub mod service;
pub mod timeline;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::sink::{Sink, Spread};
use super::{Context, RunError, Tables, checks, model};
use crate::engine::{Answer, Session};
use crate::plan::graph::{FORGOTTEN, is_view, with_views};
use crate::plan::native::NATIVE;
use crate::plan::{self, Native, Node, NodeKind, Plan};
use crate::state::{Release, StateError, StateReader};
use crate::storage::parquet;
use crate::table::dataset::Dataset;
use crate::table::hash::{Hash, Hasher};

/// What a native step works at: its inputs as SQL tables, and sinks for its outputs.
#[derive(Debug)]
pub struct Bench<'a> {
    pub context: &'a Arc<Context>,
    pub plan: &'a Plan,
    pub parent: Option<&'a Release>,
    pub tables: &'a Tables,
    pub fingerprint: &'a Hash,
    session: Session,
}

impl<'a> Bench<'a> {
    /// Registers the inputs of a node, tables and views, under their names.
    async fn new(
        context: &'a Arc<Context>,
        plan: &'a Plan,
        node: &Node,
        native: &Native,
        fingerprint: &'a Hash,
        tables: &'a Tables,
        parent: Option<&'a Release>,
    ) -> Result<Self, RunError> {
        let session = context.engine.session();
        model::register(context, plan, &session, node.inputs.iter(), tables).await?;
        let catalog = &context.catalog;
        let mut known = BTreeSet::new();
        for name in native.inputs.iter().filter(|name| is_view(catalog, name)) {
            let Some(view) = catalog.models.get(*name) else { continue };
            // Views may rest on the same view.
            for part in with_views(catalog, view).into_iter().filter(|v| known.insert(&v.name)) {
                session.view(&part.name, &part.sql).await?;
            }
        }
        Ok(Self { context, plan, parent, tables, fingerprint, session })
    }

    /// Rows of a query over the inputs; `name` names it in errors.
    ///
    /// # Errors
    /// The SQL is wrong; later batches fail when running does.
    pub async fn query(&self, name: &str, sql: &str) -> Result<Answer, RunError> {
        Ok(self.session.query(name, sql).await?)
    }

    /// All rows of a query that is known to be small.
    ///
    /// # Errors
    /// As [`Bench::query`].
    pub async fn collect(&self, name: &str, sql: &str) -> Result<Vec<RecordBatch>, RunError> {
        Ok(self.session.collect(name, sql).await?)
    }

    /// A sink for an output, spread as its contract says.
    ///
    /// # Errors
    /// The catalogue has no contract for it.
    pub fn sink(&self, table: &str) -> Result<Sink, RunError> {
        self.sink_spread(table, Spread::Contract)
    }

    /// A sink for an output, spread otherwise.
    ///
    /// # Errors
    /// The catalogue has no contract for it.
    pub fn sink_spread(&self, table: &str, spread: Spread) -> Result<Sink, RunError> {
        let contract = self.context.contract(table);
        let contract = contract.ok_or_else(|| RunError::NoTable(table.to_owned()))?;
        let scratch = self.context.work.folder(self.fingerprint).join(table);
        let known = self.context.work.known(self.parent, table);
        Sink::new(contract, spread, &scratch).keeping(known)
    }

    /// Writes an output whose rows are all there.
    ///
    /// # Errors
    /// Rows that do not follow the contract, or a full disk.
    pub async fn write(&self, table: &str, rows: &[RecordBatch]) -> Result<Dataset, RunError> {
        let mut sink = self.sink(table)?;
        for rows in rows {
            sink.push(rows)?;
        }
        self.keep(table, sink).await
    }

    /// Rows of a table as the parent release has it; none where there is no such release or table.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub async fn before(&self, table: &str) -> Result<Vec<RecordBatch>, RunError> {
        let known = self.parent.and_then(|release| plan::dataset(release, table));
        let mut rows = Vec::new();
        for file in known.iter().flat_map(|known| &known.files) {
            let store = &self.context.store;
            rows.extend(parquet::read(store, &file.path, &file.file_hash, None).await?);
        }
        Ok(rows)
    }

    /// Sorts and writes what a sink took, but for slices that the parent release has.
    ///
    /// # Errors
    /// A full disk.
    pub async fn keep(&self, table: &str, sink: Sink) -> Result<Dataset, RunError> {
        let threads = self.context.settings.threads;
        let files = tokio::task::spawn_blocking(move || sink.files(threads)).await;
        let files = files.map_err(RunError::Thread)??;
        self.context.work.keep_files(self.fingerprint, table, files).await
    }
}

/// Lays out a step's inputs as the newest release has them, for those who ask how it came to its
/// tables; nothing is written.
///
/// # Errors
/// There is no release, or it lacks an input; then what `work` says.
pub async fn reopened<T>(
    context: &Arc<Context>,
    name: &str,
    work: impl AsyncFnOnce(&Bench<'_>) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let native = NATIVE.iter().find(|native| native.name == name);
    let native = native.ok_or_else(|| RunError::NoTable(name.to_owned()))?;
    let reader = StateReader::new(context.store.clone());
    let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let plan = checks::standing(context, &release);
    let mut tables: Tables =
        release.tables.clone().into_iter().chain(release.state.clone()).collect();
    // Releases of before anybody could be forgotten have no such table.
    let nobody = || Dataset::new(FORGOTTEN, Hasher::new(FORGOTTEN).finish(), Vec::new());
    tables.entry(FORGOTTEN.to_owned()).or_insert_with(nobody);
    let code = Hasher::new("reopened").finish();
    let node = Node {
        name: name.to_owned(),
        kind: NodeKind::Native(native),
        inputs: native.inputs.iter().map(|&input| input.to_owned()).collect(),
        outputs: Vec::new(),
        code: code.clone(),
    };
    let parent = Some(&release);
    let bench = Bench::new(context, &plan, &node, native, &code, &tables, parent).await?;
    work(&bench).await
}

/// Runs a native step; gives one dataset for each of its outputs.
///
/// # Errors
/// What the step's own room says.
pub async fn run(
    context: &Arc<Context>,
    plan: &Plan,
    node: &Node,
    native: &'static Native,
    fingerprint: &Hash,
    tables: &Tables,
    parent: Option<&Release>,
) -> Result<Vec<Dataset>, RunError> {
    let bench = Bench::new(context, plan, node, native, fingerprint, tables, parent).await?;
    match native.name {
        // One line a step; its file in native/ has the function.
        "resolve" => resolve::resolve(&bench).await,
        "accounts" => accounts::accounts(&bench).await,
        "profile" => profile::profile(&bench).await,
        "timeline" => timeline::timeline(&bench).await,
        "folds" => folds::folds(&bench).await,
        "clv" => clv::clv(&bench).await,
        "segments" => segments::segments(&bench).await,
        "risk" => risk::risk(&bench).await,
        "resubmissions" => scores::resubmissions(&bench).await,
        "scores" => scores::scores(&bench).await,
        "changes" => changes::changes(&bench).await,
        "pains" => pains::pains(&bench).await,
        "participation" => participation::participation(&bench).await,
        "service" => service::service(&bench).await,
        other => Err(RunError::NoTable(other.to_owned())),
    }
}
