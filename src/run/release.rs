//! The end of a run: checks, final names, the one commit, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::forget::{Forgotten, sweep};
use super::lease::Lease;
use super::mask::{self, Mask, Shown as Seen};
use super::{Context, RunError, Tables, checks, give_back};
use crate::catalog::Catalog;
use crate::plan::{AS_OF, Graph, Plan, PlanError, days};
use crate::publish::{self, Shown};
use crate::state::{
    Commit, Counts, LAYOUT, ObjectEntry, Release, StateError, StateReader, StateWriter, salt_check,
};
use crate::storage::Store;
use crate::table::dataset::{Dataset, FileRef};
use crate::upkeep::{export, verify};

/// Files placed longer ago than this are placed again before the commit: a clean-up takes what no
/// release names and what is older than a day.
const PLACED_MAX: Duration = Duration::from_hours(12);

/// What a run made.
#[derive(Debug)]
pub struct Made<'a> {
    pub tables: Tables,
    pub objects: &'a [ObjectEntry],
    pub counts: Counts,
    pub forgotten: Forgotten,
}

/// Checks the tables, names their files, makes the commit and projects it; `None` when another
/// run's commit came first.
///
/// # Errors
/// A check said no, the store failed, or a name holds other bytes.
pub async fn publish(
    context: &Arc<Context>,
    plan: &Plan,
    parent: Option<&Release>,
    made: Made<'_>,
) -> Result<Option<Release>, RunError> {
    let Made { mut tables, objects, counts, forgotten } = made;
    let past = parent.filter(|_| plan.is_past);
    let is_whole = past.is_none() || has_all_days(context, &tables);
    let found = checks::audit(context, plan, &tables, objects).await?;
    if let Some(found) = found.filter(|_| is_whole) {
        tables.insert(found.name.clone(), found);
    }
    let horizon = past.map_or(plan.horizon, |release| release.horizon);
    let mask = Mask::new(context, parent, !forgotten.registry.is_empty())?;
    let made = tables;
    let Seen { mut tables, whole } = mask.show(context, horizon, parent, &made).await?;
    match past {
        Some(release) => keep_all_but_the_day(context, plan, release, &mut tables),
        None => carry_over(context, plan, parent, &mut tables),
    }
    mask::retire(context, horizon, &mut tables);
    let graph = Graph::new(&context.job, &context.catalog).map_err(PlanError::Problems)?;
    let made_from = days::key(&context.job, &context.catalog, &graph, objects, plan.as_of);
    let made_from = is_whole.then_some(made_from);
    let writer = StateWriter::new(context.store.clone());
    let clock = &context.settings.clock;
    let (published, state, pointer) = loop {
        let started = clock.elapsed();
        let (published, mut state) = place(context, parent, &tables).await?;
        place_whole(context, parent, &whole, &mut state).await?;
        let pointer = match past {
            // A restated day knows less than the release it goes into.
            Some(release) => release.objects.clone(),
            None => Some(writer.objects(objects).await?),
        };
        if clock.elapsed().saturating_sub(started) <= PLACED_MAX {
            break (published, state, pointer);
        }
    };
    let release = Release {
        layout: LAYOUT,
        number: parent.map_or(1, |release| release.number + 1),
        parent: parent.map(|release| release.number),
        writer: context.settings.run_id.clone(),
        job: context.job.name.clone(),
        as_of: past.map_or(plan.as_of, |release| release.as_of),
        horizon,
        tables: published,
        state: past.map_or(state, |release| release.state.clone()),
        objects: pointer,
        registry: writer.registry(&forgotten.registry).await?,
        masking: past.map_or(mask.masking, |release| release.masking.clone()),
        salt_check: Some(salt_check(&context.salt().await?)),
        days: days::with(parent, horizon, plan.as_of, made_from),
        summary: BTreeMap::from([("records".into(), serde_json::json!(counts))]),
    };
    if is_forgotten_otherwise(context, parent).await?
        || writer.commit(&release).await? == Commit::Lost
    {
        return Ok(None);
    }
    project(context).await?;
    Ok(Some(release))
}

/// Whether the newest release forgets other people than the one that the run began with: what the
/// run wrote may hold them.
///
/// # Errors
/// The newest release cannot be read.
pub async fn is_forgotten_otherwise(
    context: &Context,
    parent: Option<&Release>,
) -> Result<bool, RunError> {
    let newest = StateReader::new(context.store.clone()).latest().await?;
    let registry = |release: Option<&Release>| release.and_then(|r| r.registry.clone());
    Ok(registry(newest.as_ref()) != registry(parent))
}

/// Puts what readers see in part among the intermediates, whole.
async fn place_whole(
    context: &Context,
    parent: Option<&Release>,
    whole: &Tables,
    state: &mut BTreeMap<String, Dataset>,
) -> Result<(), RunError> {
    for (name, dataset) in whole {
        let before = parent.and_then(|release| release.state.get(name));
        let path = |file: &_| publish::state_path("tables", file);
        dataset.files.iter().for_each(|file| context.work.note(path(file)));
        let placed = publish::place(&context.store, dataset, before, path).await?;
        state.insert(name.clone(), placed);
    }
    let paths = whole.keys().filter_map(|name| state.get(name));
    let paths = paths.flat_map(|dataset| &dataset.files).map(|file| file.path.as_str());
    Ok(context.store.settle(paths)?)
}

/// Gives daily tables the days of the parent release that are kept.
fn carry_over(context: &Context, plan: &Plan, parent: Option<&Release>, tables: &mut Tables) {
    let is_daily = |name: &str| days::is_daily(&context.catalog, name);
    for (name, dataset) in tables.iter_mut().filter(|(name, _)| is_daily(name)) {
        let Some(before) = parent.and_then(|release| release.tables.get(name)) else { continue };
        let kept = |file: &&FileRef| {
            let day = file.partition.get(AS_OF).and_then(|day| day.parse().ok());
            day.is_some_and(|day| day != plan.as_of && days::is_kept(day, plan.horizon))
        };
        let files = dataset.files.iter().chain(before.files.iter().filter(kept)).cloned();
        *dataset = Dataset::new(name, dataset.fingerprint.clone(), files.collect());
    }
}

/// Whether all daily tables were made, but for what checks found.
fn has_all_days(context: &Context, tables: &Tables) -> bool {
    let daily = days::daily(&context.catalog);
    daily.iter().all(|name| name == checks::RESULTS || tables.contains_key(name))
}

/// Leaves of the tables made for a former day those files that are of that day, in the place of the
/// release's own; all else is as the release has it.
fn keep_all_but_the_day(context: &Context, plan: &Plan, release: &Release, tables: &mut Tables) {
    let day = plan.as_of.to_string();
    let is_of_day = |file: &&FileRef| file.partition.get(AS_OF).is_some_and(|found| *found == day);
    let made = std::mem::take(tables);
    for (name, before) in &release.tables {
        let new = made.get(name).filter(|_| days::is_daily(&context.catalog, name));
        let dataset = match new {
            None => before.clone(),
            Some(new) => {
                let kept = before.files.iter().filter(|file| !is_of_day(file));
                let files = kept.chain(new.files.iter().filter(is_of_day)).cloned();
                // The fingerprint is that of the newest day: former days are no input of any step.
                Dataset::new(name, before.fingerprint.clone(), files.collect())
            }
        };
        tables.insert(name.clone(), dataset);
    }
}

type Placed = (BTreeMap<String, Dataset>, BTreeMap<String, Dataset>);

/// Puts all files under their final names: published tables, then intermediates.
async fn place(
    context: &Context,
    parent: Option<&Release>,
    tables: &Tables,
) -> Result<Placed, RunError> {
    let store = &context.store;
    let (mut published, mut state) = (BTreeMap::new(), BTreeMap::new());
    for (name, dataset) in tables {
        let before =
            parent.and_then(|release| release.tables.get(name).or_else(|| release.state.get(name)));
        let contract = context.catalog.tables.get(name).filter(|table| table.published);
        if let Some(table) = contract {
            let path = |file: &_| publish::table_path(name, &table.contract, file);
            dataset.files.iter().for_each(|file| context.work.note(path(file)));
            let dataset = publish::place(store, dataset, before, path).await?;
            published.insert(name.clone(), dataset);
        } else {
            let kind = state_kind(name);
            let path = |file: &_| publish::state_path(kind, file);
            dataset.files.iter().for_each(|file| context.work.note(path(file)));
            let dataset = publish::place(store, dataset, before, path).await?;
            state.insert(name.clone(), dataset);
        }
    }
    let placed = published.values().chain(state.values());
    let paths = placed.flat_map(|dataset: &Dataset| &dataset.files);
    store.settle(paths.map(|file| file.path.as_str()))?;
    Ok((published, state))
}

/// The folder of `state/v1/` that an intermediate's files go to.
fn state_kind(name: &str) -> &'static str {
    match name.split_once('_').map_or(name, |(kind, _)| kind) {
        "staged" => "staged",
        "current" | "versions" => "current",
        "timeline" => "timeline",
        "identity" => "identity",
        _ => "tables",
    }
}

/// Delta logs, views and export of the newest release: done again by any later run.
///
/// # Errors
/// A store failed, or a log is damaged.
pub async fn project(context: &Context) -> Result<(), RunError> {
    let reader = StateReader::new(context.store.clone());
    let newest = || async {
        let release = reader.latest().await?;
        Ok::<_, RunError>(release.map(|release| shown(&context.catalog, release)))
    };
    // Logs and exports have one place each, and that is the warehouse's own.
    let is_environment = context.store.environment().is_some();
    let with_delta = !context.job.publish.without_delta && !is_environment;
    let Some(shown) = publish::project(&context.store, with_delta, newest).await? else {
        return Ok(());
    };
    let target = context.job.publish.export.as_ref().filter(|_| !is_environment);
    let Some(target) = target else { return Ok(()) };
    let target = target.replace("{release}", &shown.number.to_string());
    let settings = &context.settings;
    let to = Store::open(&target, &settings.project, &settings.store_options)?;
    if !export::is_done(&to).await? {
        let tables = shown.tables.into_iter().map(|(name, (_, dataset))| (name, dataset));
        export::export(&context.store, &to, shown.number, shown.as_of, &tables.collect()).await?;
    }
    Ok(())
}

fn shown(catalog: &Catalog, release: Release) -> Shown {
    let contract = |name: &str| catalog.tables.get(name).map(|table| table.contract.clone());
    let tables = release.tables.into_iter();
    Shown {
        number: release.number,
        as_of: release.as_of,
        tables: tables.map(|(name, dataset)| (name.clone(), (contract(&name), dataset))).collect(),
    }
}

/// Makes an older release current again: a new release with its tables, state and days.
///
/// The next run takes up what it does not know of, as if the releases in between had never been.
///
/// # Errors
/// There is no such release, a file of it is gone, another run holds the lease or published first.
pub async fn roll_back(context: &Context, number: u64) -> Result<Release, RunError> {
    let lease = Lease::of(context).await?;
    let done = rolled_back(context, number).await;
    give_back(lease).await;
    done
}

async fn rolled_back(context: &Context, number: u64) -> Result<Release, RunError> {
    let reader = StateReader::new(context.store.clone());
    let newest = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let target = reader.release(number).await?;
    let found = verify::verify(&context.store, std::slice::from_ref(&target), false).await?;
    if let Some((path, fault, _)) = found.faults.first() {
        return Err(RunError::Unusable { number, path: path.clone(), fault: *fault });
    }
    if newest.registry != target.registry {
        let known = Forgotten::of(context, Some(&newest)).await?;
        if let Some(eraser) = &known.eraser
            && sweep::holding(context, eraser, Some(&newest)).await?.contains(&number)
        {
            return Err(RunError::Forgotten { number });
        }
    }
    let release = Release {
        number: newest.number + 1,
        parent: Some(newest.number),
        writer: context.settings.run_id.clone(),
        // Whom people asked to forget stays forgotten.
        registry: newest.registry,
        salt_check: newest.salt_check,
        summary: BTreeMap::from([("rolled_back_to".into(), serde_json::json!(number))]),
        ..target
    };
    let done = StateWriter::new(context.store.clone()).commit(&release).await?;
    if done == Commit::Lost {
        return Err(RunError::CommitLost);
    }
    project(context).await?;
    Ok(release)
}

/// Copies a release to `url`, by number or the newest, as plain Parquet.
///
/// # Errors
/// There is no such release, the target is not empty, or a store failed.
pub async fn export_to(
    context: &Context,
    number: Option<u64>,
    url: &str,
) -> Result<export::Manifest, RunError> {
    let reader = StateReader::new(context.store.clone());
    let release = match number {
        Some(number) => reader.release(number).await?,
        None => reader.latest().await?.ok_or(StateError::NoRelease)?,
    };
    let settings = &context.settings;
    let to = Store::open(url, &settings.project, &settings.store_options)?;
    let (number, day) = (release.number, release.as_of);
    Ok(export::export(&context.store, &to, number, day, &release.tables).await?)
}
