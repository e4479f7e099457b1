//! The lease: one run at a time, and no run locked out by a dead one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cxmart::run::RunError;
use cxmart::run::lease::Lease;
use cxmart::settings::machine;
use cxmart::storage::Store;
use object_store::PutMode;
use url::Url;

use crate::faulty::{Fault, Faulty};

fn store() -> Store {
    let url = Url::parse("memory:///").expect("a url");
    Store::over(Arc::new(object_store::memory::InMemory::new()), &url)
}

async fn claim(store: &Store, host: &str, process: u32, expires_us: i64) {
    let text = format!(
        r#"{{"writer":"other","host":"{host}","process":{process},"expires_us":{expires_us}}}"#
    );
    store.create("lease/000000000001.json", text.into()).await.expect("created");
}

#[tokio::test]
async fn a_held_lease_keeps_others_out_until_it_is_given_back() {
    let store = store();
    let first = Lease::take(&store, "first").await.expect("free");
    let second = Lease::take(&store, "second").await;
    assert!(matches!(second, Err(RunError::Leased { writer, .. }) if writer == "first"));
    first.give_back().await.expect("given back");
    assert_eq!(store.list("lease").await.expect("listed").len(), 1);
    let second = Lease::take(&store, "second").await.expect("free again");
    second.give_back().await.expect("given back");
}

#[tokio::test]
async fn a_lease_of_another_machine_holds_until_it_ends() {
    let far = machine::now_us() + 3_600_000_000;
    let held = store();
    claim(&held, "elsewhere", 1, far).await;
    assert!(matches!(Lease::take(&held, "me").await, Err(RunError::Leased { .. })));
    let over = store();
    claim(&over, "elsewhere", 1, 1).await;
    assert!(Lease::take(&over, "me").await.is_ok());
}

/// A clock that was a year ahead when a lease was taken keeps nobody out for a year.
#[tokio::test]
async fn a_lease_of_a_clock_that_jumped_holds_for_nobody() {
    let year = 365 * 86_400_000_000;
    for expires_us in [machine::now_us() + year, i64::MAX, i64::MIN, machine::now_us() - year] {
        let store = store();
        claim(&store, "elsewhere", 1, expires_us).await;
        assert!(Lease::take(&store, "me").await.is_ok(), "until {expires_us}");
    }
}

#[tokio::test]
async fn a_killed_run_of_this_machine_locks_nobody_out() {
    let far = machine::now_us() + 3_600_000_000;
    let dead = store();
    // No process has the greatest number there is.
    claim(&dead, &machine::host(), u32::MAX, far).await;
    assert!(Lease::take(&dead, "me").await.is_ok());
    let alive = store();
    claim(&alive, &machine::host(), std::process::id(), far).await;
    assert!(matches!(Lease::take(&alive, "me").await, Err(RunError::Leased { .. })));
}

/// A store that did what was asked, and whose client asked again, says that the name is taken.
#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_held() {
    let lost = AtomicBool::new(false);
    let faulty = Faulty::new(move |_, mode| {
        let is_first = *mode == PutMode::Create && !lost.swap(true, Ordering::SeqCst);
        is_first.then_some(Fault::CommittedThenExists)
    });
    let url = Url::parse("memory:///").expect("a url");
    let store = Store::over(Arc::new(faulty), &url);
    let lease = Lease::take(&store, "first").await.expect("it is ours");
    let second = Lease::take(&store, "second").await;
    assert!(matches!(second, Err(RunError::Leased { writer, .. }) if writer == "first"));
    lease.give_back().await.expect("given back");
}

#[tokio::test]
async fn of_runs_that_start_at_once_one_gets_the_lease() {
    let store = store();
    let takes = (0..8).map(|i| {
        let store = store.clone();
        tokio::spawn(async move { Lease::take(&store, &format!("run-{i}")).await })
    });
    let mut held = Vec::new();
    for take in takes.collect::<Vec<_>>() {
        if let Ok(lease) = take.await.expect("no panic") {
            held.push(lease);
        }
    }
    assert_eq!(held.len(), 1);
}
