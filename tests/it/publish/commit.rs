//! The one commit when answers get lost: what was committed counts as won, exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;

use cxmart::state::{Commit, LAYOUT, Release, StateError, StateReader, StateWriter};
use cxmart::storage::{StorageError, Store};
use url::Url;

use super::day;
use crate::faulty::{Fault, Faulty};

fn release(writer: &str) -> Release {
    Release {
        layout: LAYOUT,
        number: 1,
        parent: None,
        writer: writer.into(),
        job: "test".into(),
        as_of: day("2024-06-30"),
        horizon: day("2024-06-30"),
        tables: BTreeMap::new(),
        state: BTreeMap::new(),
        objects: None,
        registry: None,
        masking: None,
        days: BTreeMap::new(),
        salt_check: None,
        summary: BTreeMap::new(),
    }
}

fn store(fault: Option<Fault>) -> Store {
    let url = Url::parse("memory://commit").expect("a url");
    let at_releases = move |path: &object_store::path::Path, _: &_| {
        fault.filter(|_| path.as_ref().starts_with("releases/"))
    };
    Store::over(Arc::new(Faulty::new(at_releases)), &url)
}

async fn commit(store: &Store, writer: &str) -> Result<Commit, StateError> {
    StateWriter::new(store.clone()).commit(&release(writer)).await
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_won() {
    for fault in [Fault::CommittedThenError, Fault::CommittedThenExists] {
        let store = store(Some(fault));
        assert_eq!(commit(&store, "me").await.expect("an answer"), Commit::Won, "{fault:?}");
        let found = StateReader::new(store).latest().await.expect("a release").expect("one");
        assert_eq!(found.writer, "me");
    }
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_an_error_and_nothing_is_there() {
    let store = store(Some(Fault::Lost));
    let failed = commit(&store, "me").await;
    assert!(
        matches!(failed, Err(StateError::Storage(StorageError::Unavailable { .. }))),
        "{failed:?}"
    );
    assert_eq!(StateReader::new(store).numbers().await.expect("a listing"), Vec::<u64>::new());
}

#[tokio::test]
async fn the_second_of_two_writers_has_lost() {
    let store = store(None);
    assert_eq!(commit(&store, "one").await.expect("an answer"), Commit::Won);
    assert_eq!(commit(&store, "two").await.expect("an answer"), Commit::Lost);
    assert_eq!(commit(&store, "one").await.expect("asked again"), Commit::Won);
    let found = StateReader::new(store).latest().await.expect("a release").expect("one");
    assert_eq!(found.writer, "one");
}
