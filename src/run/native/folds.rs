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
use crate::measure::fold::stage_metrics::StageMetrics;
use crate::measure::fold::stages::{Journey, Stages};
use crate::measure::fold::{Attributes, Calendar, Grain, Marks, Terms, event, pass};
use crate::plan::graph::with_views;
use crate::plan::{Plan, RUN_TABLE};
use crate::run::{Context, RunError, model};
use crate::storage::parquet;
use crate::table::BUCKETS;
use crate::table::dataset::{Dataset, FileRef};

/// What is known of customers beside their events; both columns are all that is held of them.
const COUNTRIES: &str = "select customer_id, country from golden_customers
order by customer_id asc nulls first";

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
        conversion_days: days(job.stages.conversion_days),
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

/// All folds as one.
type All = ((Purchases, Retention), Journey);

fn all(context: &Context, terms: &Terms) -> All {
    let metrics = &context.job.metrics;
    let ledger = calendar(context, terms, &metrics.periods);
    let cohorts = calendar(context, terms, &metrics.cohorts);
    let months: Vec<_> = metrics.periods.iter().copied().chain([Period::Month]).collect();
    let journey = Journey {
        terms: terms.clone(),
        stages: Stages::new(&context.job.stages.order),
        calendar: calendar(context, terms, &months),
    };
    let purchases = Purchases { terms: terms.clone() };
    ((purchases, Retention { terms: terms.clone(), ledger, cohorts }), journey)
}

/// Makes the tables of all folds.
///
/// # Errors
/// A file is missing or damaged, or the timeline's rows are not what they should be.
pub async fn folds(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench.context, bench.plan);
    let folds = Arc::new(all(bench.context, &terms));
    let (mut retained, mut staged) = (retention::Rows::default(), StageMetrics::default());
    let mut purchases = bench.sink("customer_purchases")?;
    let mut history = bench.sink("journey_stage_history")?;
    let known = Arc::new(Attributes::new(&bench.collect("golden_customers", COUNTRIES).await?)?);
    let buckets = buckets(bench)?.into_iter();
    let folded = buckets.map(|files| bucket(bench, Arc::clone(&folds), Arc::clone(&known), files));
    let mut folded = futures::stream::iter(folded).buffered(bench.context.settings.threads.max(1));
    while let Some(bucket) = folded.try_next().await? {
        purchases.push(&bucket.purchases)?;
        history.push(&bucket.history)?;
        retained.merge(bucket.retained);
        staged.merge(bucket.staged);
    }
    let ((_, retention), journey) = folds.as_ref();
    let grains: Vec<_> = bench.context.job.metrics.periods.iter().copied().map(grain).collect();
    let churn = retained.churn.batch(&retention.ledger, &terms)?;
    let cohorts = retained.cohorts.batch(&retention.cohorts, &terms)?;
    Ok(vec![
        bench.keep("customer_purchases", purchases).await?,
        bench.keep("journey_stage_history", history).await?,
        keep(bench, "churn_ledger", &churn).await?,
        keep(bench, "retention_cohorts", &cohorts).await?,
        keep(bench, "journey_stage_metrics", &staged.batch(journey, &grains)?).await?,
    ])
}

/// Writes a table whose rows are few.
async fn keep(bench: &Bench<'_>, table: &str, rows: &RecordBatch) -> Result<Dataset, RunError> {
    let mut sink = bench.sink(table)?;
    sink.push(rows)?;
    bench.keep(table, sink).await
}

/// The timeline's files by bucket; a bucket has several when it is large.
fn buckets(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let timeline = bench.tables.get("timeline");
    let timeline = timeline.ok_or_else(|| RunError::NoTable("timeline".to_owned()))?;
    let mut buckets: BTreeMap<usize, Vec<FileRef>> = BTreeMap::new();
    for file in &timeline.files {
        buckets.entry(file.ordinal as usize % BUCKETS).or_default().push(file.clone());
    }
    let dataset = |files| Dataset::new("timeline", timeline.fingerprint.clone(), files);
    Ok(buckets.into_values().map(dataset).collect())
}

/// What all folds give for one bucket.
struct Folded {
    purchases: RecordBatch,
    history: RecordBatch,
    retained: retention::Rows,
    staged: StageMetrics,
}

/// Reads one bucket and walks it.
async fn bucket(
    bench: &Bench<'_>,
    folds: Arc<All>,
    known: Arc<Attributes>,
    timeline: Dataset,
) -> Result<Folded, RunError> {
    let marks = marks(bench, &timeline).await?;
    let mut bytes = Vec::with_capacity(timeline.files.len());
    for file in timeline.files {
        let content = bench.context.store.read_verified(&file.path, &file.file_hash).await?;
        bytes.push((file.path, content));
    }
    let work = move || {
        let ((purchases, _), journey) = folds.as_ref();
        let marks = Marks::new(&marks, &journey.stages.names)?;
        let mut rows = Vec::new();
        for (path, bytes) in bytes {
            rows.extend(parquet::decode(&path, bytes, Some(&event::COLUMNS))?);
        }
        let ((bought, retained), staged) = pass(folds.as_ref(), &rows, &marks, &known)?;
        Ok(Folded {
            purchases: bought.batch(&purchases.terms)?,
            history: staged.history(journey, &marks.rules)?,
            retained,
            staged: staged.metrics,
        })
    };
    tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)?
}

/// The stage rules, asked of one bucket of the timeline: all of a customer's events lie in it.
async fn marks(bench: &Bench<'_>, timeline: &Dataset) -> Result<Vec<RecordBatch>, RunError> {
    let (context, plan) = (bench.context, bench.plan);
    let session = context.engine.session();
    let names = ["timeline".to_owned(), RUN_TABLE.to_owned()];
    let tables = BTreeMap::from([("timeline".to_owned(), timeline.clone())]);
    model::register(context, plan, &session, names.iter(), &tables).await?;
    let none = || RunError::NoTable("stage_events".to_owned());
    let rules = context.catalog.models.get("stage_events").ok_or_else(none)?;
    for view in with_views(&context.catalog, rules) {
        session.view(&view.name, &view.sql).await?;
    }
    Ok(session.collect("stage_events", "select * from stage_events").await?)
}
