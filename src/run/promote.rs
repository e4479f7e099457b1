//! What an environment made becomes the warehouse's newest release, without making it again.

use std::collections::BTreeMap;

use super::lease::Lease;
use super::{Context, RunError, give_back, listing, release};
use crate::plan::{self, Snapshot};
use crate::state::{Commit, Release, StateError, StateReader, StateWriter};

/// Names the environment's tables and state in a new release of the warehouse.
///
/// All fingerprints have to agree with what a run would compute now: on the objects that are
/// listed, with the job and the models of the caller.
///
/// # Errors
/// The environment has no release, a run would change something, or another run published first.
pub async fn promote(context: &Context, environment: &str) -> Result<Release, RunError> {
    let lease = Lease::of(context).await?;
    let done = under_lease(context, environment).await;
    give_back(lease).await;
    done
}

async fn under_lease(context: &Context, environment: &str) -> Result<Release, RunError> {
    let source = StateReader::new(context.store.of_environment(Some(environment)));
    let Some(number) = source.numbers().await?.last().copied() else {
        return Err(StateError::NoRelease.into());
    };
    let tried = source.release(number).await?;
    let objects = source.objects(&tried).await?;
    let listing = listing::list(&context.job, &context.settings).await?;
    let snapshot = Snapshot { release: Some(&tried), objects: &objects };
    let plan = plan::plan(&context.job, &context.catalog, snapshot, &listing, None)?;
    let newest = StateReader::new(context.store.clone()).latest().await?;
    let is_behind = newest.as_ref().is_some_and(|newest| newest.horizon > tried.horizon);
    if plan.has_changes() || is_behind {
        let steps = plan.steps.iter().filter(|step| super::is_due(&step.reason)).count();
        return Err(RunError::Behind { environment: environment.to_owned(), steps });
    }
    let mut registry = source.registry(&tried).await?;
    if let Some(newest) = &newest {
        // Forgetting is done in every environment. One that missed it may hold somebody.
        let own = StateReader::new(context.store.clone()).registry(newest).await?;
        let missed = own.subjects.into_iter().map(|subject| registry.add(subject));
        if missed.filter(|is_new| *is_new).count() > 0 {
            return Err(RunError::Forgotten { number: tried.number });
        }
    }
    let writer = StateWriter::new(context.store.clone());
    let registry = writer.registry(&registry).await?;
    let from = serde_json::json!({ "environment": environment, "release": tried.number });
    let release = Release {
        number: newest.as_ref().map_or(1, |newest| newest.number + 1),
        parent: newest.map(|newest| newest.number),
        writer: context.settings.run_id.clone(),
        summary: BTreeMap::from([("promoted_from".into(), from)]),
        registry,
        ..tried
    };
    if writer.commit(&release).await? == Commit::Lost {
        return Err(RunError::CommitLost);
    }
    release::project(context).await?;
    Ok(release)
}
