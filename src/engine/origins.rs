//! Which columns of which tables a column of a query is made from.

use std::collections::BTreeSet;

use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, Join, LogicalPlan};

use super::datafusion::invalid;
use super::{EngineError, Session};

/// Table and column.
pub type Origin = (String, String);

impl Session {
    /// For each column of a query, by name, what its values are made from. What only decides which
    /// rows there are (filters, join keys) is not among it.
    ///
    /// # Errors
    /// The SQL is not valid over the tables registered so far.
    pub async fn origins(
        &self,
        model: &str,
        sql: &str,
    ) -> Result<Vec<(String, BTreeSet<Origin>)>, EngineError> {
        let frame = self.frame(sql).await.map_err(|e| invalid(model, e))?;
        let plan = frame.logical_plan();
        let fields = plan.schema().fields().iter().enumerate();
        Ok(fields.map(|(at, field)| (field.name().clone(), of_column(plan, at))).collect())
    }
}

/// Of the column at a place of a plan's output.
fn of_column(plan: &LogicalPlan, at: usize) -> BTreeSet<Origin> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            if let Some(view) = scan.source.get_logical_plan() {
                let at =
                    scan.projection.as_ref().and_then(|kept| kept.get(at)).copied().unwrap_or(at);
                return of_column(&view, at);
            }
            let field = scan.projected_schema.fields().get(at);
            let table = scan.table_name.table().to_owned();
            field.map(|field| (table, field.name().clone())).into_iter().collect()
        }
        LogicalPlan::Projection(projection) => of_expr(projection.expr.get(at), &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let exprs = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            of_expr(exprs.into_iter().nth(at), &aggregate.input)
        }
        LogicalPlan::Window(window) => {
            let before = window.input.schema().fields().len();
            match at.checked_sub(before) {
                Some(at) => of_expr(window.window_expr.get(at), &window.input),
                None => of_column(&window.input, at),
            }
        }
        LogicalPlan::Join(join) => of_join(join, at),
        LogicalPlan::Union(union) => {
            union.inputs.iter().flat_map(|input| of_column(input, at)).collect()
        }
        other => match other.inputs().as_slice() {
            [input] if input.schema().fields().len() == other.schema().fields().len() => {
                of_column(input, at)
            }
            _ => BTreeSet::new(),
        },
    }
}

fn of_join(join: &Join, at: usize) -> BTreeSet<Origin> {
    let left = join.left.schema().fields().len();
    match join.join_type {
        JoinType::RightSemi | JoinType::RightAnti => of_column(&join.right, at),
        _ if at < left => of_column(&join.left, at),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            of_column(&join.right, at - left)
        }
        _ => BTreeSet::new(),
    }
}

fn of_expr(expr: Option<&Expr>, input: &LogicalPlan) -> BTreeSet<Origin> {
    let columns = expr.map(Expr::column_refs).unwrap_or_default();
    let at = columns.into_iter().filter_map(|column| input.schema().maybe_index_of_column(column));
    at.flat_map(|at| of_column(input, at)).collect()
}
