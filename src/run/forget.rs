//! Forgetting people: who they are, a release without them, and the end of everything that held
//! them.
//!
//! [`apply`] rewrites staged rows as staging them again would, makes a release from these, and then
//! deletes what is older. Whatever it dies at, it goes on from there when it is asked again: before
//! the commit nothing happened, after it the registry says what has to go.

pub mod clean;
pub mod people;
pub mod scrub;
pub mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::people::Person;
use super::lease::Lease;
use super::{
    Asked, COMMIT_TRIES, Context, RunError, Start, attempt, clear, give_back, plan_and_do, release,
};
use crate::forget::Eraser;
use crate::forget::rows::Found;
use crate::plan;
use crate::state::{ObjectEntry, Registry, Release, StateError, StateReader};
use crate::table::hash::Hash;
use crate::upkeep::gc;

/// Who is forgotten, as a run knows them.
#[derive(Debug, Clone)]
pub struct Forgotten {
    pub registry: Registry,
    salt: Vec<u8>,
    /// `None`: nobody.
    pub eraser: Option<Arc<Eraser>>,
}

impl Forgotten {
    /// As a release says.
    ///
    /// # Errors
    /// The registry or the salt cannot be read.
    pub async fn of(context: &Context, release: Option<&Release>) -> Result<Self, RunError> {
        let reader = StateReader::new(context.store.clone());
        let registry = match release {
            Some(release) => reader.registry(release).await?,
            None => Registry::default(),
        };
        if registry.is_empty() {
            return Ok(Self { registry, salt: Vec::new(), eraser: None });
        }
        Ok(Self::new(context, registry, context.salt().await?))
    }

    fn new(context: &Context, registry: Registry, salt: Vec<u8>) -> Self {
        let eraser = Eraser::new(&registry, &salt, context.normaliser()).map(Arc::new);
        Self { registry, salt, eraser }
    }

    /// Remembers the records of forgotten people that were found, and what refers to them; says
    /// whether any of it is new.
    pub fn grow(&mut self, context: &Context, found: &Found) -> bool {
        let before = self.registry.clone();
        for subject in &mut self.registry.subjects {
            let of = |codes: &BTreeMap<String, _>| codes.get(&subject.id).cloned();
            subject.records.extend(of(&found.records).unwrap_or_default());
            subject.links.extend(of(&found.links).unwrap_or_default());
        }
        let is_new = self.registry != before;
        if is_new {
            *self = Self::new(context, self.registry.clone(), self.salt.clone());
        }
        is_new
    }

    /// Changes when rows would be staged otherwise.
    pub fn hash(&self) -> Option<Hash> {
        self.eraser.as_ref()?;
        serde_json::to_vec(&self.registry).ok().map(Hash::of)
    }
}

/// Where a person was found, before anything is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// As it was asked for.
    pub name: String,
    /// `None`: nobody is called so.
    pub customer_id: Option<String>,
    /// The person is in the registry already.
    pub is_forgotten: bool,
    pub identifiers: usize,
    /// Customers whom former versions of the person's records name: perhaps the same person.
    pub others: Vec<String>,
    /// Rows by table; staged ones count every version.
    pub rows: BTreeMap<String, u64>,
    /// Raw objects that hold the person; they are the user's to delete.
    pub objects: Vec<String>,
    /// Releases that name a file with the person.
    pub releases: Vec<u64>,
}

/// What forgetting did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The newest release without them.
    pub release: u64,
    /// Of them, those who were not forgotten before.
    pub people: usize,
    /// Names that mean nobody the warehouse knows; their identifiers are registered all the same.
    pub unknown: usize,
    pub restated_days: usize,
    pub releases_deleted: usize,
    pub objects_deleted: u64,
    /// Raw objects that hold them; they are the user's to delete.
    pub raw: Vec<String>,
}

/// Says where people are; nothing is written.
///
/// # Errors
/// There is no release, or it cannot be read.
pub async fn look(context: &Arc<Context>, names: &[String]) -> Result<Vec<Whereabouts>, RunError> {
    let reader = StateReader::new(context.store.clone());
    let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let objects = reader.objects(&release).await?;
    let known = Forgotten::of(context, Some(&release)).await?;
    let (people, nobodies) = people::named(context, &release, &known, names).await?;
    if let Some(place) = nobodies.first() {
        return Err(RunError::NoPerson { place: *place });
    }
    scrub::whereabouts(context, &release, &objects, people).await
}

/// Forgets people.
///
/// # Errors
/// There is no release, another run holds the lease, a check said no, or a store failed. Asked
/// again, it goes on where it stopped.
pub async fn apply(context: &Arc<Context>, names: &[String]) -> Result<Applied, RunError> {
    let contexts = everywhere(context).await?;
    let mut leases = Vec::new();
    for context in &contexts {
        leases.push(Lease::of(context).await?);
    }
    let done = applied(&contexts, names).await;
    for (context, lease) in contexts.iter().zip(leases) {
        if done.is_ok() {
            clear(context, lease.as_ref()).await;
        }
        give_back(lease).await;
    }
    done
}

/// The warehouse and its environments, as far as they have releases of their own.
///
/// # Errors
/// There is no release at all, or a store failed.
pub async fn everywhere(context: &Arc<Context>) -> Result<Vec<Arc<Context>>, RunError> {
    let mut all = Vec::new();
    for store in gc::with_environments(&context.store).await? {
        if StateReader::new(store.clone()).numbers().await?.is_empty() {
            continue;
        }
        all.push(if store.environment() == context.store.environment() {
            Arc::clone(context)
        } else {
            Arc::new(context.of_environment(store.environment())?)
        });
    }
    if all.is_empty() { Err(StateError::NoRelease.into()) } else { Ok(all) }
}

async fn applied(contexts: &[Arc<Context>], names: &[String]) -> Result<Applied, RunError> {
    let mut done = Applied::default();
    let mut nobodies: Option<BTreeSet<usize>> = None;
    for context in contexts {
        let reader = StateReader::new(context.store.clone());
        let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
        let known = Forgotten::of(context, Some(&release)).await?;
        let (_, here) = people::named(context, &release, &known, names).await?;
        nobodies =
            Some(nobodies.map_or(here.clone(), |all| all.intersection(&here).copied().collect()));
    }
    if let Some(place) = nobodies.unwrap_or_default().first() {
        return Err(RunError::NoPerson { place: *place });
    }
    for context in contexts {
        // A run that died after its commit left this to the next one.
        release::project(context).await?;
        let here = committed(context, names).await?;
        done.people = done.people.max(here.people);
        done.unknown = done.unknown.max(here.unknown);
        done.restated_days += restated(context).await?;
    }
    let swept = sweep::sweep(contexts).await?;
    (done.releases_deleted, done.objects_deleted) = (swept.releases, swept.objects);
    for context in contexts {
        let reader = StateReader::new(context.store.clone());
        let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
        done.release = done.release.max(release.number);
        done.raw.extend(clean::raw(context, &reader.objects(&release).await?).await?);
    }
    done.raw.sort();
    done.raw.dedup();
    Ok(done)
}

/// Makes the release without them, unless the newest one is.
async fn committed(context: &Arc<Context>, names: &[String]) -> Result<Applied, RunError> {
    let reader = StateReader::new(context.store.clone());
    for _ in 0..COMMIT_TRIES {
        let parent = reader.latest().await?.ok_or(StateError::NoRelease)?;
        let mut objects = reader.objects(&parent).await?;
        let mut forgotten = Forgotten::of(context, Some(&parent)).await?;
        let (people, _) = people::named(context, &parent, &forgotten, names).await?;
        let unknown = people.iter().filter(|person| person.customer_id.is_none());
        let unknown = unknown.filter(|person| !person.is_forgotten).count();
        let fresh: Vec<Person> = people.into_iter().filter(|p| !p.is_forgotten).collect();
        let done = Applied { people: fresh.len(), unknown, ..Applied::default() };
        if fresh.is_empty() {
            return Ok(done);
        }
        let salt = context.salt().await?;
        let mut registry = forgotten.registry.clone();
        let deletes = context.job.privacy.erasure == crate::job::Erasure::Delete;
        for person in fresh {
            registry.add(person.subject(&salt, deletes, parent.horizon));
        }
        forgotten = Forgotten::new(context, registry, salt);
        let parent = scrub::release(context, parent, &mut objects, &mut forgotten).await?;
        let plan = plan::again(&context.job, &context.catalog, &parent, &objects)
            .map_err(RunError::Plan)?;
        context.record.planned(&plan);
        let start = Start { parent: Some(&parent), objects, forgotten };
        if Box::pin(attempt(context, &plan, start)).await?.is_some() {
            return Ok(done);
        }
    }
    Err(RunError::CommitLost)
}

/// Makes the days again that deleted people had a part in.
async fn restated(context: &Arc<Context>) -> Result<usize, RunError> {
    let reader = StateReader::new(context.store.clone());
    let release = reader.latest().await?.ok_or(StateError::NoRelease)?;
    let objects = reader.objects(&release).await?;
    let deletes = |entry: &ObjectEntry| entry.forgotten.values().any(|deletes| *deletes);
    let Some(first) = objects.iter().filter(|e| deletes(e)).map(|entry| entry.dt).min() else {
        return Ok(0);
    };
    let graph = plan::Graph::new(&context.job, &context.catalog)
        .map_err(|problems| RunError::Plan(plan::PlanError::Problems(problems)))?;
    let stale = plan::days::stale(&context.job, &context.catalog, &graph, &release, &objects);
    let touched: Vec<_> = stale.into_iter().filter(|day| *day >= first).collect();
    for day in &touched {
        let asked = Asked { as_of: Some(*day), tables: None, restates: true };
        plan_and_do(context, &asked).await?;
    }
    Ok(touched.len())
}
