//! One pass over the timeline for everything that follows from the order of a customer's events.
//!
//! Buckets are read, decoded and folded beside each other, one large bucket or a group of small
//! ones in memory a thread; what they give is put together in the order of the buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt};

use super::{Bench, Sink};
use crate::catalog::Model;
use crate::job::journey::{self, Order};
use crate::job::{CohortStart, Period};
use crate::measure::drawn::Drawn;
use crate::measure::fold::drop_offs::{Broken, DropOffs};
use crate::measure::fold::features::Features;
use crate::measure::fold::funnel_tables;
use crate::measure::fold::funnels::{Funnel, Funnels, Step};
use crate::measure::fold::path_tables;
use crate::measure::fold::paths::{self, Level, Paths, Shape};
use crate::measure::fold::purchases::Purchases;
use crate::measure::fold::retention::{self, Retention};
use crate::measure::fold::sessions::{Rules, Sessions};
use crate::measure::fold::stage_metrics::StageMetrics;
use crate::measure::fold::stages::{Journey, Stages};
use crate::measure::fold::{
    Attributes, Calendar, FoldError, Grain, Kind, Marks, Terms, event, mark, pass,
};
use crate::plan::graph::with_views;
use crate::plan::{Plan, RUN_TABLE};
use crate::run::{Context, RunError, model};
use crate::storage::parquet;
use crate::table::BUCKETS;
use crate::table::dataset::{Dataset, FileRef};
use crate::table::day::day_number;

/// The view with the rules of stages.
const RULES: &str = "stage_events";
/// Small buckets are walked together until they have so many rows: a question to the engine costs
/// as much as some hundred thousand rows.
const GROUP_ROWS: u64 = 250_000;

/// What is known of customers beside their events; both columns are all that is held of them.
const COUNTRIES: &str = "select customer_id, country from golden_customers
order by customer_id asc nulls first";

/// What the folds read of the job and the run.
fn terms(context: &Context, plan: &Plan) -> Terms {
    let job = &context.job;
    let days = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let fit = job.clv.fit_until.as_deref().and_then(|day| day.parse::<NaiveDate>().ok());
    let horizon_day = day_number(plan.horizon);
    let fit_day = fit.map_or(horizon_day, |day| day_number(day).min(horizon_day));
    // A job that fits to a former day has its holdout already.
    let is_now = fit_day == horizon_day;
    let held_out = if is_now { days(job.clv.holdout_days) } else { 0 };
    Terms {
        horizon_day,
        fit_day,
        backtest_day: fit_day.saturating_sub(held_out),
        cohorts_from_contact: job.metrics.cohort_start == CohortStart::Contact,
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
    let zone = context.job.zone();
    let grains: Vec<_> = periods.iter().copied().map(grain).collect();
    Arc::new(Calendar::new(zone, terms.horizon_day, &grains))
}

/// All folds as one.
type All = ((((Purchases, Retention), Features), Sessions), (Funnels, Paths));

fn all(context: &Context, terms: &Terms, people: usize) -> All {
    let metrics = &context.job.metrics;
    let ledger = calendar(context, terms, &metrics.periods);
    let cohorts = calendar(context, terms, &metrics.cohorts);
    let months: Vec<_> = metrics.periods.iter().copied().chain([Period::Month]).collect();
    let journey = Journey {
        terms: terms.clone(),
        stages: Stages::new(&context.job.stages.order, journey::LAPSED),
        calendar: calendar(context, terms, &months),
    };
    let purchases = Purchases { terms: terms.clone() };
    let months = calendar(context, terms, &[Period::Month]);
    let retention = Retention { terms: terms.clone(), ledger, cohorts, months };
    let paths = |level| {
        let told = &context.job.paths;
        let touches_max = usize::try_from(told.touches_max).unwrap_or(usize::MAX);
        Paths::new(terms.clone(), Shape { level, touches_max, collapses: told.collapse_repeats })
    };
    let wanted = u64::from(context.job.risk.train_customers);
    let drawn = Drawn::new("churn_risk", wanted, people as u64);
    let features = Features { terms: terms.clone(), drawn };
    let since = terms.horizon_day.saturating_sub(pain_days(context)).saturating_add(1);
    let since = journey.calendar.midnight(since);
    let sessions = sessions(&context.job.sessions, Arc::clone(&retention.months));
    let funnels = Funnels {
        funnels: context.job.funnels().iter().map(|told| funnel(told, &journey.stages)).collect(),
        grains: metrics.periods.iter().copied().map(grain).collect(),
        drop_offs: DropOffs { journey, paths: paths(Level::Touchpoint), since },
    };
    ((((purchases, retention), features), sessions), (funnels, paths(Level::Channel)))
}

fn sessions(told: &journey::Sessions, calendar: Arc<Calendar>) -> Sessions {
    let rules = Rules {
        inactive_minutes: i64::from(told.inactive_minutes),
        cuts_at_midnight: told.cut_at_midnight,
        cuts_at_campaign: told.cut_at_campaign,
        page_events: told.page_events.clone(),
        key_events: told.key_events.clone(),
    };
    Sessions { rules, calendar }
}

fn funnel(told: &journey::Funnel, stages: &Stages) -> Funnel {
    let step = |step: &journey::Step| Step {
        name: step.name.clone(),
        stages: step.stages.iter().filter_map(|name| stages.place(name)).collect(),
        kinds: step.kinds.iter().filter_map(|kind| Kind::of(kind)).collect(),
        events: step.events.clone(),
        touchpoints: step.touchpoints.clone(),
        channels: step.channels.clone(),
    };
    Funnel {
        name: told.name.clone(),
        steps: told.steps.iter().map(step).collect(),
        days: i32::try_from(told.days).unwrap_or(i32::MAX),
        is_strict: told.order == Order::Strict,
    }
}

/// Days up to the horizon in which pain points are looked for.
pub(super) fn pain_days(context: &Context) -> i32 {
    i32::try_from(context.job.paths.pain_days).unwrap_or(i32::MAX)
}

/// Makes the tables of all folds.
///
/// # Errors
/// A file is missing or damaged, or the timeline's rows are not what they should be.
pub async fn folds(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench.context, bench.plan);
    let known = Arc::new(Attributes::new(&bench.collect("golden_customers", COUNTRIES).await?)?);
    let folds = Arc::new(all(bench.context, &terms, known.people()));
    let (mut counted, mut staged) = (retention::Counted::default(), StageMetrics::default());
    let mut walked = [paths::Counted::default(), paths::Counted::default()];
    let (mut broken, mut gone) = (Broken::default(), funnel_tables::Counted::default());
    let mut sinks = PER_CUSTOMER
        .map(|table| bench.sink(table))
        .into_iter()
        .collect::<Result<Vec<Sink>, RunError>>()?;
    let groups = groups(bench)?.into_iter();
    let folded = groups.map(|files| group(bench, Arc::clone(&folds), Arc::clone(&known), files));
    let mut folded = futures::stream::iter(folded).buffered(bench.context.settings.threads.max(1));
    while let Some(group) = folded.try_next().await? {
        for (sink, batches) in sinks.iter_mut().zip(&group.rows) {
            for rows in batches {
                sink.push(rows)?;
            }
        }
        counted.merge(group.counted);
        staged.merge(group.staged);
        broken.merge(group.broken);
        gone.merge(group.gone);
        for (all, more) in walked.iter_mut().zip(group.walked) {
            all.merge(more);
        }
    }
    let mut made = Vec::new();
    for (table, sink) in PER_CUSTOMER.into_iter().zip(sinks) {
        made.push(bench.keep(table, sink).await?);
    }
    for (table, rows) in few(bench, &folds, &counted, &staged, &terms)? {
        made.push(bench.write(table, &[rows]).await?);
    }
    made.push(bench.write("funnels", &[gone.batch(&folds.1.0)?]).await?);
    let folded = Arc::clone(&folds);
    let [by_touchpoint, by_channel] = walked;
    // Chains of many touchpoints take their time.
    let work = move || {
        let (Funnels { drop_offs: DropOffs { paths, .. }, .. }, channels) = &folded.1;
        Ok((path_tables::tables(paths, by_touchpoint)?, path_tables::tables(channels, by_channel)?))
    };
    let tables = tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)?;
    let (by_touchpoint, by_channel) = tables.map_err(|error: FoldError| RunError::from(error))?;
    for (table, rows) in [
        ("journey_transitions", [by_touchpoint.transitions, by_channel.transitions]),
        ("journey_paths", [by_touchpoint.paths, by_channel.paths]),
        ("touchpoint_attribution", [by_touchpoint.attribution, by_channel.attribution]),
    ] {
        made.push(bench.write(table, &rows).await?);
    }
    let stages = &folds.1.0.drop_offs.journey.stages;
    let broken = broken.batch(&by_touchpoint.touchpoints, stages)?;
    made.push(bench.write("path_drop_offs", &[broken]).await?);
    Ok(made)
}

/// Tables of single customers, which buckets hand on as they are walked; `plan::native` names the
/// outputs in the order of these and then of [`few`].
const PER_CUSTOMER: [&str; 6] = [
    "customer_purchases",
    "journey_stage_history",
    "churn_ledger_customers",
    "customer_contracts",
    "customer_features",
    "sessions",
];

/// Tables of what is counted over all customers.
fn few(
    bench: &Bench<'_>,
    folds: &All,
    counted: &retention::Counted,
    staged: &StageMetrics,
    terms: &Terms,
) -> Result<[(&'static str, RecordBatch); 7], RunError> {
    let ((((_, retention), _), _), (Funnels { drop_offs, .. }, _)) = folds;
    let journey = &drop_offs.journey;
    let job = &bench.context.job;
    let grains: Vec<_> = job.metrics.periods.iter().copied().map(grain).collect();
    let monthly_rate = (1.0 + job.clv.discount_rate).powf(1.0 / 12.0) - 1.0;
    let cohorts = &retention.cohorts;
    let (curves, summary) = counted.survival.batches(cohorts, terms)?;
    Ok([
        ("churn_ledger", counted.churn.batch(&retention.ledger, terms)?),
        ("retention_cohorts", counted.cohorts.batch(cohorts, terms)?),
        ("journey_stage_metrics", staged.batch(journey, &grains)?),
        ("survival_curves", curves),
        ("survival_summary", summary),
        ("retention_projection", counted.renewals.batch(cohorts, terms, monthly_rate)?),
        ("churn_by_feedback", counted.feedback.batch(terms)?),
    ])
}

/// The timeline's files by bucket, as many buckets together as one question of the rules is worth.
///
/// A bucket has several files when it is large, and is a group of its own then.
fn groups(bench: &Bench<'_>) -> Result<Vec<Vec<Vec<FileRef>>>, RunError> {
    let timeline = bench.tables.get("timeline");
    let timeline = timeline.ok_or_else(|| RunError::NoTable("timeline".to_owned()))?;
    let mut buckets: BTreeMap<usize, Vec<FileRef>> = BTreeMap::new();
    for file in &timeline.files {
        buckets.entry(file.ordinal as usize % BUCKETS).or_default().push(file.clone());
    }
    let mut groups: Vec<Vec<Vec<FileRef>>> = Vec::new();
    let mut rows = GROUP_ROWS;
    for files in buckets.into_values() {
        if rows >= GROUP_ROWS {
            groups.push(Vec::new());
            rows = 0;
        }
        rows += files.iter().map(|file| file.rows).sum::<u64>();
        if let Some(group) = groups.last_mut() {
            group.push(files);
        }
    }
    Ok(groups)
}

/// What all folds give for one group of buckets.
#[derive(Default)]
struct Folded {
    /// Of [`PER_CUSTOMER`].
    rows: [Vec<RecordBatch>; PER_CUSTOMER.len()],
    counted: retention::Counted,
    staged: StageMetrics,
    /// By touchpoint and by channel.
    walked: [paths::Counted; 2],
    broken: Broken,
    gone: funnel_tables::Counted,
}

/// Reads a group of buckets and walks each.
async fn group(
    bench: &Bench<'_>,
    folds: Arc<All>,
    known: Arc<Attributes>,
    buckets: Vec<Vec<FileRef>>,
) -> Result<Folded, RunError> {
    let mut read = Vec::with_capacity(buckets.len());
    for files in buckets {
        let mut bytes = Vec::with_capacity(files.len());
        for file in files {
            let content = bench.context.store.read_verified(&file.path, &file.file_hash).await?;
            bytes.push((file.path, content));
        }
        read.push(bytes);
    }
    let columns = columns(bench)?;
    let decode = move || -> Result<Vec<Vec<RecordBatch>>, RunError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let bucket = |files: Vec<(String, Bytes)>| {
            let mut rows = Vec::new();
            for (path, bytes) in files {
                rows.extend(parquet::decode(&path, bytes, Some(&names))?);
            }
            Ok(rows)
        };
        read.into_iter().map(bucket).collect()
    };
    let rows = tokio::task::spawn_blocking(decode).await.map_err(RunError::Thread)??;
    let fired = marks(bench, &rows).await?;
    let work = move || walk(&folds, &known, &rows, &fired);
    tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)?
}

fn walk(
    folds: &All,
    known: &Attributes,
    buckets: &[Vec<RecordBatch>],
    fired: &[RecordBatch],
) -> Result<Folded, RunError> {
    let ((((purchases, _), _), sessions), (Funnels { drop_offs, .. }, _)) = folds;
    let journey = &drop_offs.journey;
    let marks = Marks::new(fired, &journey.stages.names)?;
    let mut folded = Folded::default();
    for rows in buckets {
        let ((((bought, retained), described), visited), (went, channels)) =
            pass(folds, rows, &marks, known)?;
        let dropped = went.drop_offs;
        let (staged, touchpoints) = (dropped.stages, dropped.paths);
        let tables = [
            bought.batch(&purchases.terms)?,
            staged.history(journey, &marks.rules)?,
            retained.months.batch(&purchases.terms)?,
            retained.contracts.batch()?,
            described.batch()?,
            visited.batch(sessions)?,
        ];
        for (batches, rows) in folded.rows.iter_mut().zip(tables) {
            batches.push(rows);
        }
        folded.counted.merge(retained.counted);
        folded.staged.merge(staged.metrics);
        folded.broken.merge(dropped.broken);
        folded.gone.merge(went.counted);
        for (all, more) in folded.walked.iter_mut().zip([touchpoints, channels]) {
            all.merge(more);
        }
    }
    Ok(folded)
}

fn rules<'a>(bench: &Bench<'a>) -> Result<&'a Model, RunError> {
    let rules = bench.context.catalog.models.get(RULES);
    rules.ok_or_else(|| RunError::NoTable(RULES.to_owned()))
}

/// Columns of the timeline that folds or rules read, in the contract's order.
fn columns(bench: &Bench<'_>) -> Result<Vec<String>, RunError> {
    let catalog = &bench.context.catalog;
    let views = with_views(catalog, rules(bench)?);
    // A name in a comment costs a column decoded in vain, and nothing else.
    let is_read = |name: &str| {
        event::COLUMNS.contains(&name)
            || event::VISIT_COLUMNS.contains(&name)
            || name == event::FAVOURABLE
            || views.iter().any(|view| view.sql.contains(name))
    };
    let contract = bench.context.contract("timeline");
    let columns = contract.into_iter().flat_map(|contract| &contract.columns);
    Ok(columns.map(|column| column.name.clone()).filter(|name| is_read(name)).collect())
}

/// The stage rules, asked of whole buckets.
async fn marks(
    bench: &Bench<'_>,
    buckets: &[Vec<RecordBatch>],
) -> Result<Vec<RecordBatch>, RunError> {
    let (context, plan) = (bench.context, bench.plan);
    let rows: Vec<RecordBatch> = buckets.iter().flatten().cloned().collect();
    let rows = mark::numbered(&rows)?;
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let session = context.engine.session();
    session.batches("timeline", first.schema(), rows)?;
    let run = [RUN_TABLE.to_owned()];
    model::register(context, plan, &session, run.iter(), &BTreeMap::new()).await?;
    for view in with_views(&context.catalog, rules(bench)?) {
        session.view(&view.name, &view.sql).await?;
    }
    Ok(session.collect(RULES, "select * from stage_events").await?)
}
