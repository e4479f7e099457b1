//! Asks the checks of exactly the files that are about to be published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;

use super::sink::{Sink, Spread};
use super::{Context, RunError, Tables, drift, model};
use crate::catalog::{Catalog, Layer};
use crate::check::sources::Source;
use crate::check::{self, Check, Finding, Severity};
use crate::engine::Session;
use crate::job::schema::nearest;
use crate::job::{Job, Problem};
use crate::plan::graph::{is_view, with_views};
use crate::plan::{self, Plan, RUN_TABLE};
use crate::state::{ObjectEntry, Release, StateError, StateReader};
use crate::table::TableError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;
use crate::table::hash::Hasher;

/// What checks found, as a table; written after them and itself unchecked.
pub const RESULTS: &str = "check_results";

/// All checks of the catalogue over these tables, by name.
fn checks(context: &Context, tables: &Tables) -> Vec<Check> {
    let catalog = &context.catalog;
    let published = catalog.tables.values().filter(|table| {
        let name = &table.contract.name;
        table.published && name != RESULTS && tables.contains_key(name)
    });
    let mut checks: Vec<Check> =
        published.flat_map(|table| check::of_contract(&table.contract)).collect();
    for model in catalog.models.values().filter(|model| model.layer == Layer::Check) {
        checks.push(Check {
            name: model.name.clone(),
            description: model.header.description.clone(),
            severity: if model.header.only_warns { Severity::Warn } else { Severity::Block },
            sql: model.sql.trim_end().trim_end_matches(';').to_owned(),
            reads: model.references.iter().cloned().collect(),
        });
    }
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    for check in &mut checks {
        if context.job.checks.block.contains(&check.name) {
            check.severity = Severity::Block;
        }
        if context.job.checks.warn.contains(&check.name) {
            check.severity = Severity::Warn;
        }
    }
    checks
}

/// What was read of each source, by batch date.
pub fn sources(job: &Job, objects: &[ObjectEntry]) -> Vec<Source> {
    let mut newest: BTreeMap<&str, &ObjectEntry> = BTreeMap::new();
    for entry in objects {
        let known = newest.entry(&entry.url).or_insert(entry);
        if entry.version > known.version {
            *known = entry;
        }
    }
    let mut all = Vec::new();
    for source in &job.sources {
        let (spec, account) = (format!("{}/{}", source.source, source.entity), &source.account);
        let twins = job
            .sources
            .iter()
            .filter(|other| (&other.source, &other.entity) == (&source.source, &source.entity));
        let name = if twins.count() > 1 { format!("{spec} ({account})") } else { spec.clone() };
        let mut records = BTreeMap::new();
        let own = newest.values().filter(|entry| entry.spec == spec && entry.account == *account);
        for entry in own {
            *records.entry(entry.dt).or_default() += entry.counts.read;
        }
        let fresh_days = source.freshness_days.or(job.checks.freshness_days);
        all.push(Source { name, fresh_days, records });
    }
    all
}

/// The checks that compare sources with themselves.
async fn of_sources(
    context: &Context,
    plan: &Plan,
    tables: &Tables,
    objects: &[ObjectEntry],
) -> Result<Vec<Finding>, RunError> {
    let sources = sources(&context.job, objects);
    let mut findings = check::sources::check(&sources, plan.as_of).to_vec();
    findings.extend(drift::findings(context, plan, tables, &sources).await?);
    for finding in &mut findings {
        if context.job.checks.block.contains(&finding.name) {
            finding.severity = Severity::Block;
        }
    }
    Ok(findings)
}

/// Problems of a job that names checks which are not there.
pub fn fit(path: &str, job: &Job, catalog: &Catalog) -> Vec<Problem> {
    let published = catalog.tables.values().filter(|table| table.published);
    let named = published.flat_map(|table| check::of_contract(&table.contract));
    let mut known: BTreeSet<String> = named.map(|check| check.name).collect();
    let models = catalog.models.values().filter(|model| model.layer == Layer::Check);
    known.extend(models.map(|model| model.name.clone()));
    known.extend([check::sources::FRESHNESS, check::sources::VOLUME].map(str::to_owned));
    known.extend([check::drift::NULLS, check::drift::SCORES].map(str::to_owned));
    let problem = |list: &str, i: usize, name: &String| {
        let at = format!("{path}: checks.{list}[{i}]");
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the table `check_results` of a release lists them".into(),
        };
        Problem::new(at, format!("there is no check `{name}`")).hint(hint)
    };
    let lists = [("warn", &job.checks.warn), ("block", &job.checks.block)];
    let named = lists
        .into_iter()
        .flat_map(|(list, names)| names.iter().enumerate().map(move |(i, name)| (list, i, name)));
    let unknown = named.filter(|(.., name)| !known.contains(*name));
    unknown.map(|(list, i, name)| problem(list, i, name)).collect()
}

/// The tables a check reads, its views looked through.
fn rests_on(catalog: &Catalog, check: &Check) -> BTreeSet<String> {
    let through = |name: &String| match catalog.models.get(name) {
        Some(view) if is_view(catalog, name) => {
            let parts = with_views(catalog, view).into_iter();
            let reads = parts.flat_map(|part| part.references.iter().cloned());
            reads.filter(|name| !is_view(catalog, name) && name != RUN_TABLE).collect()
        }
        _ => vec![name.clone()],
    };
    check.reads.iter().flat_map(through).filter(|name| name != RUN_TABLE).collect()
}

/// Asks all checks; a finding is not an error here.
async fn ask(
    context: &Context,
    plan: &Plan,
    tables: &Tables,
    objects: &[ObjectEntry],
) -> Result<Vec<Finding>, RunError> {
    let catalog = &context.catalog;
    let mut checks = checks(context, tables);
    if plan.is_past {
        // Only daily tables are made, and what they rest on.
        checks
            .retain(|check| rests_on(catalog, check).iter().all(|name| tables.contains_key(name)));
    }
    let mut needed = BTreeSet::new();
    let mut views = Vec::new();
    for name in checks.iter().flat_map(|check| &check.reads) {
        let Some(view) = catalog.models.get(name).filter(|_| is_view(catalog, name)) else {
            needed.insert(name.clone());
            continue;
        };
        for part in with_views(catalog, view) {
            let reads = part.references.iter().filter(|name| !is_view(catalog, name));
            needed.extend(reads.cloned());
            if !views.iter().any(|known: &&crate::catalog::Model| known.name == part.name) {
                views.push(part);
            }
        }
    }
    let session = context.engine.session();
    model::register(context, plan, &session, needed.iter(), tables).await?;
    for view in views {
        session.view(&view.name, &view.sql).await?;
    }
    let mut findings = Vec::with_capacity(checks.len());
    for check in &checks {
        let finding = ask_one(context, &session, check).await?;
        if finding.n_failed > 0 {
            context.record.warn(format!("check {finding}"));
        }
        findings.push(finding);
    }
    for finding in of_sources(context, plan, tables, objects).await? {
        if finding.n_failed > 0 {
            context.record.warn(format!("check {finding}"));
        }
        findings.push(finding);
    }
    findings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(findings)
}

/// Asks one check. What it shows of rows it found is masked where a column has the name of a
/// personal one, or is made from one under any name.
async fn ask_one(context: &Context, session: &Session, check: &Check) -> Result<Finding, RunError> {
    let finding = check::run(session, check, &|_| true).await?;
    if finding.n_failed == 0 {
        return Ok(finding);
    }
    let columns = context.catalog.tables.values().flat_map(|table| &table.contract.columns);
    let personal: BTreeSet<&str> =
        columns.filter(|column| column.pii).map(|column| column.name.as_str()).collect();
    let is_personal = |(table, column): &(String, String)| {
        let column = context.contract(table).and_then(|contract| contract.column(column));
        column.is_some_and(|column| column.pii)
    };
    let schema = session.query(&check.name, &check.sql).await?.schema;
    // How many addresses there are is nobody's address.
    let is_count =
        |name: &str| schema.field_with_name(name).is_ok_and(|f| f.data_type().is_numeric());
    let origins = session.origins(&check.name, &check.sql).await?;
    let made = origins.iter().filter(|(_, from)| from.iter().any(is_personal));
    let made: BTreeSet<&str> =
        made.map(|(name, _)| name.as_str()).filter(|name| !is_count(name)).collect();
    let masked = |name: &str| personal.contains(name) || made.contains(name);
    Ok(check::run(session, check, &masked).await?)
}

/// Checks the tables of a run and gives the table of what was found.
///
/// # Errors
/// A blocking check found rows: all of them are in the error.
pub async fn audit(
    context: &Arc<Context>,
    plan: &Plan,
    tables: &Tables,
    objects: &[ObjectEntry],
) -> Result<Option<Dataset>, RunError> {
    let findings = ask(context, plan, tables, objects).await?;
    let failed: Vec<Finding> = findings.iter().filter(|f| f.blocks()).cloned().collect();
    if !failed.is_empty() {
        return Err(RunError::Check { failed });
    }
    let Some(table) = context.catalog.tables.get(RESULTS) else { return Ok(None) };
    let mut fingerprint = Hasher::new(RESULTS);
    fingerprint.part(plan.as_of.to_string()).part(format!("{findings:?}"));
    let fingerprint = fingerprint.finish();
    let scratch = context.work.folder(&fingerprint);
    let mut sink = Sink::new(&table.contract, Spread::Contract, &scratch);
    sink.push(&rows(plan.as_of, &findings)?)?;
    let finishing = tokio::task::spawn_blocking(move || sink.finish(1));
    let written = finishing.await.map_err(RunError::Thread)??;
    Ok(Some(context.work.keep(&fingerprint, RESULTS, written).await?))
}

fn rows(as_of: NaiveDate, findings: &[Finding]) -> Result<RecordBatch, RunError> {
    let text = |value: fn(&Finding) -> Option<&str>| {
        Arc::new(findings.iter().map(value).collect::<StringArray>()) as ArrayRef
    };
    let days = Date32Array::from(vec![day_number(as_of); findings.len()]);
    let failed = Int64Array::from_iter_values(findings.iter().map(|finding| finding.n_failed));
    let columns = vec![
        ("as_of", Arc::new(days) as ArrayRef),
        ("check_name", text(|finding| Some(&finding.name))),
        ("description", text(|finding| Some(&finding.description))),
        ("severity", text(|finding| Some(finding.severity.name()))),
        ("n_failed", Arc::new(failed) as ArrayRef),
        ("sample", text(|finding| finding.sample.as_deref())),
    ];
    RecordBatch::try_from_iter(columns)
        .map_err(|source| TableError::Order { table: RESULTS.into(), source }.into())
}

/// Asks the checks of the newest release again; nothing is written.
///
/// # Errors
/// There is no release, or a table that a check reads is not in it.
pub async fn recheck(context: &Context) -> Result<Vec<Finding>, RunError> {
    let reader = StateReader::new(context.store.clone());
    let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let plan = standing(context, &release);
    let objects = reader.objects(&release).await?;
    let tables: Tables = release.tables.into_iter().chain(release.state).collect();
    ask(context, &plan, &tables, &objects).await
}

/// The plan of a run that has nothing to do, over a release.
pub(super) fn standing(context: &Context, release: &Release) -> Plan {
    Plan {
        as_of: release.as_of,
        horizon: release.horizon,
        is_past: false,
        horizon_end_us: plan::end_of(release.horizon, context.job.zone()),
        batches: Vec::new(),
        steps: Vec::new(),
        left_out: Vec::new(),
        is_remasked: false,
    }
}
