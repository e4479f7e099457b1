//! DataFusion behind [`Engine`] and [`Session`].

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session as CatalogSession, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::merged::{LargeJoins, row_bytes};
use super::piecewise::{Chunk, is_piecewise};
use super::{Answer, EngineError, FileInput, Limits, Piecewise};
use crate::storage::Store;

/// How many ways a query is split. A constant: a number of threads must not reach any result.
const PARTITIONS: usize = 4;
const BATCH_ROWS: usize = 8_192;
/// Hash joins hold this part of the memory, the rest is for what spills.
const HASH_SHARE: usize = 2;
/// About how many sorts a query runs at once, several times over.
const SORTS_MAX: usize = 96;
/// The one store of a session, whatever it really is.
const STORE_URL: &str = "warehouse://store";

/// One per run.
#[derive(Clone)]
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    memory_bytes: usize,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// # Errors
    /// The spill folder cannot be made.
    pub fn new(store: &Store, limits: &Limits) -> Result<Self, EngineError> {
        let start = |source: DataFusionError| EngineError::Start(source.into());
        std::fs::create_dir_all(&limits.scratch).map_err(|e| EngineError::Start(e.into()))?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![limits.scratch.clone()]))
            .with_max_temp_directory_size(limits.spill_bytes_max);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(start)?;
        let url = ObjectStoreUrl::parse(STORE_URL).map_err(start)?;
        runtime.register_object_store(url.as_ref(), store.raw());
        Ok(Self { runtime, memory_bytes: limits.memory_bytes })
    }

    /// A view of no tables yet.
    pub fn session(&self) -> Session {
        self.session_of(PARTITIONS)
    }

    /// As [`Engine::session`], for queries over one stream of rows: nothing is split, so that what
    /// only maps and filters keeps the order of its rows.
    pub fn session_in_order(&self) -> Session {
        self.session_of(1)
    }

    fn session_of(&self, partitions: usize) -> Session {
        let mut config = SessionConfig::new()
            .with_target_partitions(partitions)
            .with_batch_size(BATCH_ROWS)
            .with_information_schema(false);
        let options = config.options_mut();
        options.execution.parquet.schema_force_view_types = false;
        options.execution.parquet.pushdown_filters = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.optimizer.prefer_hash_join = true;
        // Filters here take away what is odd: a side of a join is not small because of one.
        options.optimizer.default_filter_selectivity = 100;
        // Each sort of each partition holds this back for its last step: more lets wide rows merge,
        // too much would be all that small limits have.
        options.execution.sort_spill_reservation_bytes =
            (self.memory_bytes / SORTS_MAX).clamp(1 << 20, 16 << 20);
        let rules = self.rules();
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_physical_optimizer_rules(rules)
            .build();
        Session { context: SessionContext::new_with_state(state) }
    }

    /// The engine's own rules, and ours behind the one that chooses how to join.
    fn rules(&self) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
        let mut rules = PhysicalOptimizer::default().rules;
        let chosen = rules.iter().position(|rule| rule.name() == "join_selection");
        let large = LargeJoins { hash_bytes_max: self.memory_bytes / HASH_SHARE };
        rules.insert(chosen.map_or(0, |at| at + 1), Arc::new(large));
        rules
    }
}

/// The tables one step may read.
pub struct Session {
    context: SessionContext,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Registers Parquet files of the engine's store as one table.
    ///
    /// # Errors
    /// The name is taken.
    pub fn files(
        &self,
        name: &str,
        schema: SchemaRef,
        files: Vec<FileInput>,
    ) -> Result<(), EngineError> {
        self.register(name, Arc::new(FilesTable { schema, files }))
    }

    /// Registers rows held in memory as one table.
    ///
    /// # Errors
    /// The name is taken, or a batch has another schema.
    pub fn batches(
        &self,
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<(), EngineError> {
        let table = MemTable::try_new(schema, vec![batches]).map_err(|e| invalid(name, e))?;
        self.register(name, Arc::new(table))
    }

    /// Registers rows that arrive once, in order, as one table; a second scan of it fails.
    ///
    /// # Errors
    /// The name is taken.
    pub fn stream(
        &self,
        name: &str,
        schema: SchemaRef,
        rows: BoxStream<'static, Result<RecordBatch, EngineError>>,
    ) -> Result<(), EngineError> {
        let partition = Once { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)) };
        let table = datafusion::catalog::streaming::StreamingTable::try_new(
            schema,
            vec![Arc::new(partition)],
        );
        self.register(name, Arc::new(table.map_err(|e| invalid(name, e))?))
    }

    /// A query over the table `name`, whose rows come in chunks, if it says of each record the same
    /// whatever records are beside it; `None` for one that groups over records, sorts or limits.
    /// Rows with one value of the column `record` are a record, and lie in one chunk.
    ///
    /// # Errors
    /// The name is taken, or the SQL is not valid.
    pub async fn piecewise(
        &self,
        name: &str,
        schema: SchemaRef,
        record: &str,
        (model, sql): (&str, &str),
    ) -> Result<Option<Piecewise>, EngineError> {
        let chunk = Arc::new(Chunk::new(Arc::clone(&schema)));
        let rows = Arc::clone(&chunk);
        let table = datafusion::catalog::streaming::StreamingTable::try_new(schema, vec![rows]);
        self.register(name, Arc::new(table.map_err(|e| invalid(name, e))?))?;
        let frame = self.context.sql(sql).await.map_err(|e| invalid(model, e))?;
        let tasks = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(|e| invalid(model, e))?;
        let model = model.to_owned();
        Ok(is_piecewise(&plan, record).then_some(Piecewise { model, chunk, plan, tasks }))
    }

    fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), EngineError> {
        self.context.register_table(name, table).map(|_| ()).map_err(|e| invalid(name, e))
    }

    /// Gives a query a name that later queries may read; nothing runs yet.
    ///
    /// # Errors
    /// The SQL is not valid over the tables registered so far.
    pub async fn view(&self, name: &str, sql: &str) -> Result<(), EngineError> {
        let frame = self.context.sql(sql).await.map_err(|e| invalid(name, e))?;
        self.register(name, frame.into_view())
    }

    pub(super) async fn frame(&self, sql: &str) -> Result<DataFrame, DataFusionError> {
        self.context.sql(sql).await
    }

    /// Starts a query; `model` names it in errors.
    ///
    /// # Errors
    /// The SQL is not valid; later batches fail when running does.
    pub async fn query(&self, model: &str, sql: &str) -> Result<Answer, EngineError> {
        let frame = self.context.sql(sql).await.map_err(|e| invalid(model, e))?;
        let tasks = Arc::new(frame.task_ctx());
        let plan = self.planned(frame).await.map_err(|e| failed(model, e))?;
        let stream = execute_stream(plan, tasks).map_err(|e| failed(model, e))?;
        let (schema, model) = (stream.schema(), model.to_owned());
        let batches = stream.map_err(move |e| failed(&model, e)).boxed();
        Ok(Answer { schema, batches })
    }

    /// How a query is run. The planner sometimes takes rows for sorted that a filter let through,
    /// finds out itself, and refuses the merge join it made; then it plans without our rule.
    async fn planned(&self, frame: DataFrame) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let logical = frame.logical_plan().clone();
        let error = match frame.create_physical_plan().await {
            Err(error) if error.to_string().contains("SanityCheckPlan") => error,
            planned => return planned,
        };
        tracing::debug!(%error, "joined in memory after all");
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_physical_optimizer_rules(PhysicalOptimizer::default().rules)
            .build();
        let logical = state.optimize(&logical)?;
        state.query_planner().create_physical_plan(&logical, &state).await
    }

    /// All rows of a query that is known to be small.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub async fn collect(&self, model: &str, sql: &str) -> Result<Vec<RecordBatch>, EngineError> {
        self.query(model, sql).await?.batches.try_collect().await
    }
}

pub(super) fn invalid(model: &str, source: DataFusionError) -> EngineError {
    EngineError::Invalid { model: model.to_owned(), source: source.into() }
}

pub(super) fn failed(model: &str, source: DataFusionError) -> EngineError {
    let model = model.to_owned();
    match source.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            EngineError::Memory { model, source: source.into() }
        }
        _ => EngineError::Failed { model, source: source.into() },
    }
}

/// Files known by path and size: nothing is listed, and no schema is guessed from a footer.
#[derive(Debug)]
struct FilesTable {
    schema: SchemaRef,
    files: Vec<FileInput>,
}

impl FilesTable {
    /// About how large the table is: enough to hold the smaller side of a join, and never so exact
    /// that an answer is taken from it.
    fn statistics(&self) -> Statistics {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        Statistics {
            num_rows: Precision::Inexact(rows),
            total_byte_size: Precision::Inexact(rows.saturating_mul(row_bytes(&self.schema))),
            ..Statistics::new_unknown(&self.schema)
        }
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn CatalogSession,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = datafusion::physical_plan::project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut groups: Vec<Vec<PartitionedFile>> = vec![Vec::new(); PARTITIONS];
        for (i, file) in self.files.iter().enumerate() {
            groups[i % PARTITIONS].push(PartitionedFile::new(file.path.clone(), file.bytes));
        }
        groups.retain(|group| !group.is_empty());
        let source = Arc::new(ParquetSource::new(Arc::clone(&self.schema)));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, source)
            .with_file_groups(groups.into_iter().map(FileGroup::new).collect())
            .with_projection_indices(projection.cloned())?
            .with_statistics(self.statistics())
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Rows that can be taken once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<BoxStream<'static, Result<RecordBatch, EngineError>>>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.rows.lock().ok().and_then(|mut rows| rows.take());
        let rows = taken.unwrap_or_else(|| {
            let again = DataFusionError::Execution("rows of a stream were read twice".into());
            futures::stream::once(async { Err(EngineError::Start(again.into())) }).boxed()
        });
        let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
