//! Days before the horizon, one after the other or several beside each other, each with a release
//! of its own: a day that fails holds up no other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use tokio::runtime::Handle;

use super::lease::Lease;
use super::{Asked, Context, Outcome, RunError, clear, give_back, plan_and_do, release};
use crate::plan::days::is_kept;
use crate::state::{StateError, StateReader};

/// How often a day is tried again when other days, or another run, published first.
const TRIES: usize = 20;

/// What became of a day.
#[derive(Debug)]
pub struct Day {
    pub day: NaiveDate,
    pub outcome: Result<Outcome, RunError>,
}

/// Days of a range, as the newest release sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days {
    /// Restated, oldest first.
    pub kept: Vec<NaiveDate>,
    /// In the range, but not kept by daily tables.
    pub left_out: usize,
}

/// The days from `from` to `to` that daily tables keep.
///
/// # Errors
/// There is no release yet, or the range ends after its horizon.
pub async fn days(context: &Context, from: NaiveDate, to: NaiveDate) -> Result<Days, RunError> {
    let reader = StateReader::new(context.store.clone());
    let horizon = reader.latest().await?.ok_or(StateError::NoRelease)?.horizon;
    if to > horizon {
        return Err(RunError::Ahead { day: to, horizon });
    }
    let (mut kept, mut left_out) = (Vec::new(), 0);
    for day in from.iter_days().take_while(|day| *day <= to) {
        if is_kept(day, horizon) {
            kept.push(day);
        } else {
            left_out += 1;
        }
    }
    Ok(Days { kept, left_out })
}

/// Restates days, as many beside each other as there are contexts; the days come back in order.
///
/// # Errors
/// Another run holds the lease. What went wrong with a day is told with it.
pub async fn backfill(
    contexts: &[Arc<Context>],
    days: &[NaiveDate],
    tables: Option<&BTreeSet<String>>,
) -> Result<Vec<Day>, RunError> {
    let Some(first) = contexts.first() else { return Ok(Vec::new()) };
    let lease = Lease::of(first).await?;
    // A run that died after its commit left this to the next one.
    release::project(first).await?;
    let waiting = Arc::new(Mutex::new(days.iter().copied().collect::<VecDeque<_>>()));
    let workers = contexts.iter().map(|context| {
        let (context, waiting) = (Arc::clone(context), Arc::clone(&waiting));
        let (tables, runtime) = (tables.cloned(), Handle::current());
        tokio::task::spawn_blocking(move || {
            let mut done = Vec::new();
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some(day) = next() {
                let asked = Asked { as_of: Some(day), tables: tables.clone(), restates: true };
                let outcome = runtime.block_on(patiently(&context, &asked));
                let stopped = matches!(outcome, Err(RunError::Stopped(_)));
                done.push(Day { day, outcome });
                if stopped {
                    break;
                }
            }
            done
        })
    });
    let mut done = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        done.extend(worker.await.map_err(RunError::Thread)?);
    }
    if done.iter().all(|day| day.outcome.is_ok()) {
        clear(first, lease.as_ref()).await;
    }
    give_back(lease).await;
    done.sort_by_key(|day| day.day);
    Ok(done)
}

/// Days beside each other commit one after the other; what a loser made is kept in `work/`.
async fn patiently(context: &Arc<Context>, asked: &Asked) -> Result<Outcome, RunError> {
    let mut outcome = plan_and_do(context, asked).await;
    for _ in 1..TRIES {
        if !matches!(outcome, Err(RunError::CommitLost)) {
            break;
        }
        outcome = plan_and_do(context, asked).await;
    }
    outcome
}
