//! Joins by sorting, where holding one side in memory is more than a query may hold.
//!
//! A hash join holds the smaller side and does not spill; sorts do. Of a query whose hash joins
//! would hold more than their share, the largest are made merge joins until the others fit. Rows
//! come in another order then, which no result may depend on anyway.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// What a hash table holds of a row beside its values.
const ENTRY_BYTES: usize = 40;
/// About what a text takes in memory: most are keys.
pub(super) const TEXT_BYTES: usize = 44;

/// About what a row with these columns takes in memory.
pub(super) fn row_bytes(schema: &Schema) -> usize {
    let fields = schema.fields().iter();
    fields.map(|field| field.data_type().primitive_width().unwrap_or(TEXT_BYTES)).sum()
}

/// Makes merge joins of the largest hash joins of a query.
#[derive(Debug)]
pub(super) struct LargeJoins {
    /// All hash joins of a query may hold this much.
    pub hash_bytes_max: usize,
}

impl PhysicalOptimizerRule for LargeJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut sizes = Vec::new();
        plan.apply(|node| {
            sizes.extend(node.downcast_ref::<HashJoinExec>().and_then(held));
            Ok(TreeNodeRecursion::Continue)
        })?;
        let Some(least) = least_merged(sizes, self.hash_bytes_max) else { return Ok(plan) };
        plan.transform_up(|node| {
            let join = node.downcast_ref::<HashJoinExec>();
            match join.filter(|join| held(join).is_some_and(|bytes| bytes >= least)) {
                Some(join) => Ok(Transformed::yes(merged(join)?)),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "large_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The size from which on joins are merged; none where all may stay.
fn least_merged(mut sizes: Vec<usize>, bytes_max: usize) -> Option<usize> {
    sizes.sort_unstable();
    let mut held = 0_usize;
    sizes.into_iter().find(|size| {
        held = held.saturating_add(*size);
        held > bytes_max
    })
}

/// About how much a hash join holds; none where it is unknown, or where it cannot be merged.
fn held(join: &HashJoinExec) -> Option<usize> {
    if matches!(join.join_type(), JoinType::RightMark) || join.null_aware {
        return None;
    }
    let side = StatisticsContext::new().compute(join.left().as_ref(), &StatisticsArgs::new());
    let rows = *side.ok()?.num_rows.get_value()?;
    Some(rows.saturating_mul(row_bytes(&join.left().schema()) + ENTRY_BYTES))
}

fn merged(join: &HashJoinExec) -> Result<Arc<dyn ExecutionPlan>> {
    let on = join.on().to_vec();
    let sorted = vec![SortOptions::default(); on.len()];
    let merge = SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        on,
        join.filter().cloned(),
        *join.join_type(),
        sorted,
        join.null_equality(),
    )?;
    let merge: Arc<dyn ExecutionPlan> = Arc::new(merge);
    let Some(places) = &join.projection else { return Ok(merge) };
    let schema = merge.schema();
    let columns = places.iter().map(|&place| {
        let name = schema.field(place).name().clone();
        (Arc::new(Column::new(&name, place)) as Arc<dyn PhysicalExpr>, name)
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), merge)?))
}
