//! One pass over the timeline for everything that follows from the order of a customer's events.
//!
//! Buckets are read, decoded and folded beside each other, one bucket's rows in memory a thread;
//! what they give is put together in the order of the buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt};

use super::Bench;
use crate::job::Period;
use crate::measure::fold::calendar::day_number;
use crate::measure::fold::purchases::Purchases;
use crate::measure::fold::retention::{self, Retention};
use crate::measure::fold::{Attributes, Calendar, Fold, Grain, Marks, Terms, event, pass};
use crate::plan::Plan;
use crate::run::{Context, RunError};
use crate::storage::parquet;
use crate::table::BUCKETS;
use crate::table::dataset::{Dataset, FileRef};

/// What the folds read of the job and the run.
fn terms(context: &Context, plan: &Plan) -> Terms {
    let job = &context.job;
    let days = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let fit = job.clv.fit_until.as_deref().and_then(|day| day.parse::<NaiveDate>().ok());
    let horizon_day = day_number(plan.horizon);
    Terms {
        horizon_day,
        fit_day: fit.map_or(horizon_day, |day| day_number(day).min(horizon_day)),
        currency: job.currency.clone(),
        inactive_days: days(job.metrics.inactive_days),
        grace_days: days(job.metrics.grace_days),
        min_cell: i64::from(job.metrics.min_cell),
        confidence: job.metrics.confidence,
    }
}

fn grain(period: Period) -> Grain {
    match period {
        Period::Day => Grain::Day,
        Period::Week => Grain::Week,
        Period::Month => Grain::Month,
        Period::Quarter => Grain::Quarter,
        Period::Year => Grain::Year,
    }
}

/// Days up to the horizon in the job's zone, with periods of these lengths.
fn calendar(context: &Context, terms: &Terms, periods: &[Period]) -> Arc<Calendar> {
    let zone = context.job.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    let grains: Vec<_> = periods.iter().copied().map(grain).collect();
    Arc::new(Calendar::new(zone, terms.horizon_day, &grains))
}

/// Makes the tables of all folds.
///
/// # Errors
/// A file is missing or damaged, or the timeline's rows are not what they should be.
pub async fn folds(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench.context, bench.plan);
    let metrics = &bench.context.job.metrics;
    let ledger = calendar(bench.context, &terms, &metrics.periods);
    let cohorts = calendar(bench.context, &terms, &metrics.cohorts);
    let retention = Retention { terms: terms.clone(), ledger, cohorts };
    let fold = Arc::new((Purchases { terms: terms.clone() }, retention));
    let mut retained = retention::Rows::default();
    let mut purchases = bench.sink("customer_purchases")?;
    let buckets = buckets(bench)?.into_iter();
    let folded = buckets.map(|files| bucket(bench, Arc::clone(&fold), files));
    let mut folded = futures::stream::iter(folded).buffered(bench.context.settings.threads.max(1));
    while let Some((bought, retention)) = folded.try_next().await? {
        purchases.push(&bought.batch(&terms)?)?;
        retained.merge(retention);
    }
    let churn = retained.churn.batch(&fold.1.ledger, &terms)?;
    let cohorts = retained.cohorts.batch(&fold.1.cohorts, &terms)?;
    Ok(vec![
        bench.keep("customer_purchases", purchases).await?,
        keep(bench, "churn_ledger", &churn).await?,
        keep(bench, "retention_cohorts", &cohorts).await?,
    ])
}

/// Writes a table whose rows are few.
async fn keep(bench: &Bench<'_>, table: &str, rows: &RecordBatch) -> Result<Dataset, RunError> {
    let mut sink = bench.sink(table)?;
    sink.push(rows)?;
    bench.keep(table, sink).await
}

/// The timeline's files by bucket; a bucket has several when it is large.
fn buckets(bench: &Bench<'_>) -> Result<Vec<Vec<FileRef>>, RunError> {
    let timeline = bench.tables.get("timeline");
    let timeline = timeline.ok_or_else(|| RunError::NoTable("timeline".to_owned()))?;
    let mut buckets: BTreeMap<usize, Vec<FileRef>> = BTreeMap::new();
    for file in &timeline.files {
        buckets.entry(file.ordinal as usize % BUCKETS).or_default().push(file.clone());
    }
    Ok(buckets.into_values().collect())
}

/// Reads one bucket and walks it.
async fn bucket<F>(
    bench: &Bench<'_>,
    fold: Arc<F>,
    files: Vec<FileRef>,
) -> Result<F::Rows, RunError>
where
    F: Fold + Send + Sync + 'static,
    F::Rows: 'static,
{
    let mut bytes = Vec::with_capacity(files.len());
    for file in files {
        let content = bench.context.store.read_verified(&file.path, &file.file_hash).await?;
        bytes.push((file.path, content));
    }
    let work = move || {
        let mut rows = Vec::new();
        for (path, bytes) in bytes {
            rows.extend(parquet::decode(&path, bytes, Some(&event::COLUMNS))?);
        }
        Ok(pass(fold.as_ref(), &rows, &Marks::default(), &Attributes::default())?)
    };
    tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)?
}
