//! A query asked again for each chunk of rows, where that gives what one long query would.
//!
//! A model that maps and filters rows, joins them with constants, or groups the rows of one record
//! says of every record the same whatever records are beside it. Asked chunk by chunk it holds one
//! chunk in memory (one long cross join would hold all rows), and gives rows in the order they came.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, JoinType};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect};

use super::EngineError;

/// A query that is asked chunk by chunk.
pub struct Piecewise {
    pub(super) model: String,
    pub(super) chunk: Arc<Chunk>,
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) tasks: Arc<TaskContext>,
}

impl fmt::Debug for Piecewise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piecewise").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Piecewise {
    /// What the query says of the next rows, in their order.
    ///
    /// # Errors
    /// Running failed, or needed more than the memory limit.
    pub async fn rows(&mut self, chunk: RecordBatch) -> Result<Vec<RecordBatch>, EngineError> {
        let fail = |source| super::datafusion::failed(&self.model, source);
        self.chunk.put(chunk);
        let plan = reset_plan_states(Arc::clone(&self.plan)).map_err(fail)?;
        collect(plan, Arc::clone(&self.tasks)).await.map_err(fail)
    }
}

/// The rows at hand, each read once.
pub(super) struct Chunk {
    schema: SchemaRef,
    rows: Mutex<Option<RecordBatch>>,
}

impl Chunk {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, rows: Mutex::new(None) }
    }

    fn put(&self, rows: RecordBatch) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = Some(rows);
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").finish_non_exhaustive()
    }
}

impl PartitionStream for Chunk {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rows = taken.ok_or_else(|| {
            DataFusionError::Execution("rows of a chunk were read twice".to_owned())
        });
        let rows = futures::stream::once(async { rows });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

/// Whether a plan says of each streamed record the same whatever records are beside it; rows with
/// one value of the column `record` are a record, and lie in one chunk.
pub(super) fn is_piecewise(plan: &Arc<dyn ExecutionPlan>, record: &str) -> bool {
    if plan.output_partitioning().partition_count() != 1 || plan.fetch().is_some() {
        return false;
    }
    if plan.is::<StreamingTableExec>() {
        return true;
    }
    let children = plan.children();
    let streams: Vec<bool> = children.iter().map(|child| streams(child)).collect();
    let keeps = match streams.as_slice() {
        [true] => {
            plan.is::<ProjectionExec>()
                || plan.is::<FilterExec>()
                || plan.is::<CooperativeExec>()
                || groups_records(plan, record)
        }
        // Rows of the other side that match nothing would come once a chunk.
        [left, right] if left != right => match join_type(plan) {
            Some(JoinType::Inner) => true,
            Some(JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti) => *left,
            Some(JoinType::Right | JoinType::RightSemi | JoinType::RightAnti) => *right,
            _ => false,
        },
        _ => false,
    };
    let mut streamed = children.iter().zip(&streams).filter(|(_, streams)| **streams);
    keeps && streamed.all(|(child, _)| is_piecewise(child, record))
}

fn groups_records(plan: &Arc<dyn ExecutionPlan>, record: &str) -> bool {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return false };
    let groups = aggregate.group_expr();
    let is_record = |(expression, _): &(Arc<dyn PhysicalExpr>, String)| {
        expression.downcast_ref::<Column>().is_some_and(|column| column.name() == record)
    };
    // Several grouping sets would group over records as well.
    groups.is_single() && groups.expr().iter().any(is_record)
}

/// Whether the streamed rows come from below here.
fn streams(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<StreamingTableExec>() || plan.children().into_iter().any(streams)
}

fn join_type(plan: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    if plan.is::<CrossJoinExec>() {
        return Some(JoinType::Inner);
    }
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| join.join_type());
    let nested = plan.downcast_ref::<NestedLoopJoinExec>().map(|join| join.join_type());
    hash.or(nested).copied()
}
