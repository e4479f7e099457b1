//! One run at a time, as a courtesy: correctness comes from the commit alone.
//!
//! A lease is a numbered object that is only ever created: taking, renewing and giving back each
//! create the next number, and the newest one counts. Two runs that start at once both try the
//! same number, and one create wins. A run that was killed leaves a lease behind; on the machine it
//! ran on it is known to be dead at once, elsewhere after [`TERM_S`] seconds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Context, RunError};
use crate::settings::machine as settings;
use crate::storage::{Created, Store};

/// Seconds a lease holds without being renewed.
const TERM_S: i64 = 300;
/// A lease that says it holds for longer was made by a clock that is wrong, and counts for nothing:
/// nobody is kept out for a year because a clock jumped.
const HOLDS_MAX_S: i64 = TERM_S + 3_600;
const RENEW: Duration = Duration::from_mins(1);

/// Content of `lease/<number>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    writer: String,
    host: String,
    process: u32,
    /// Microseconds since 1970; 0 when it was given back.
    expires_us: i64,
}

impl Claim {
    fn new(writer: &str, expires_us: i64) -> Self {
        let (host, process) = (settings::host(), std::process::id());
        Self { writer: writer.to_owned(), host, process, expires_us }
    }

    fn holds(&self, now_us: i64) -> bool {
        let dead = self.host == settings::host() && !settings::is_running(self.process);
        let left_us = self.expires_us.saturating_sub(now_us);
        left_us > 0 && left_us <= HOLDS_MAX_S * 1_000_000 && !dead
    }
}

/// A held lease; renewed in the background until it is given back or dropped.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    writer: String,
    renewal: tokio::task::JoinHandle<()>,
}

fn path(number: u64) -> String {
    format!("lease/{number:012}.json")
}

/// The newest claim and its number; claims that cannot be read do not hold.
async fn newest(store: &Store) -> Result<(u64, Option<Claim>), RunError> {
    let listed = store.list("lease").await?;
    let number = |path: &str| path.rsplit('/').next()?.strip_suffix(".json")?.parse::<u64>().ok();
    let Some(last) = listed.iter().filter_map(|object| number(&object.path)).max() else {
        return Ok((0, None));
    };
    let bytes = store.read(&path(last)).await;
    let claim = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok((last, claim))
}

async fn create(store: &Store, number: u64, claim: &Claim) -> Result<Created, RunError> {
    let bytes = serde_json::to_vec(claim).unwrap_or_default();
    Ok(store.create(&path(number), bytes.into()).await?)
}

impl Lease {
    /// Takes the lease of a run's warehouse; none where the run goes without.
    ///
    /// # Errors
    /// As [`Lease::take`].
    pub async fn of(context: &Context) -> Result<Option<Self>, RunError> {
        if context.settings.without_lease {
            return Ok(None);
        }
        Self::take(&context.store, &context.settings.run_id).await.map(Some)
    }

    /// Takes the lease of a warehouse.
    ///
    /// # Errors
    /// Another run holds it, or the store failed.
    pub async fn take(store: &Store, writer: &str) -> Result<Self, RunError> {
        let (last, claim) = newest(store).await?;
        let now_us = settings::now_us();
        if let Some(claim) = claim.filter(|claim| claim.holds(now_us)) {
            let for_s = (claim.expires_us - now_us) / 1_000_000;
            return Err(RunError::Leased { writer: claim.writer, for_s });
        }
        let own = Claim::new(writer, now_us + TERM_S * 1_000_000);
        if create(store, last + 1, &own).await? == Created::Exists {
            // The answer to our own create may have been lost.
            let (_, found) = newest(store).await?;
            if found.as_ref() != Some(&own) {
                let writer = found.map_or_else(|| "another run".into(), |claim| claim.writer);
                return Err(RunError::Leased { writer, for_s: TERM_S });
            }
        }
        let renewal = tokio::spawn(renew(store.clone(), writer.to_owned()));
        Ok(Self { store: store.clone(), writer: writer.to_owned(), renewal })
    }

    /// Gives it back and removes the claims that no longer count.
    ///
    /// # Errors
    /// The store failed; the lease then ends by itself.
    pub async fn give_back(self) -> Result<(), RunError> {
        self.renewal.abort();
        let (last, claim) = newest(&self.store).await?;
        if claim.is_none_or(|claim| claim.writer != self.writer) {
            return Ok(());
        }
        create(&self.store, last + 1, &Claim::new(&self.writer, 0)).await?;
        for object in self.store.list("lease").await? {
            if object.path < path(last + 1) {
                self.store.delete(&object.path).await?;
            }
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Renews until aborted; a renewal that fails is tried again at the next turn.
async fn renew(store: Store, writer: String) {
    loop {
        tokio::time::sleep(RENEW).await;
        let expires_us = settings::now_us() + TERM_S * 1_000_000;
        if let Ok((last, Some(claim))) = newest(&store).await
            && claim.writer == writer
        {
            let _ = create(&store, last + 1, &Claim::new(&writer, expires_us)).await;
        }
    }
}
