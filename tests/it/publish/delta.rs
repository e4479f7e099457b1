//! Delta logs follow the newest release, whoever projects, however often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cxmart::publish::{self, PublishError, Shown, delta};
use cxmart::storage::Store;
use cxmart::storage::delta::{DeltaLog, Snapshot};
use cxmart::table::Contract;
use cxmart::table::dataset::{Dataset, FileRef};
use object_store::PutMode;
use serde_json::{Value, json};

use super::{contract, dataset, day, file, in_memory};
use crate::faulty::{Fault, Faulty};
use crate::storage::everywhere;

const AS_OF_MS: i64 = 1_719_705_600_000; // 2024-06-30T00:00:00Z

/// The actions of each entry of a table's log.
async fn entries(store: &Store, table: &str) -> Vec<Vec<Value>> {
    let mut entries = Vec::new();
    for object in store.list(&format!("tables/{table}/_delta_log")).await.expect("a listing") {
        if object.path.ends_with(".json") {
            let text = store.read(&object.path).await.expect("an entry");
            let text = String::from_utf8(text.to_vec()).expect("text");
            let actions = text.lines().map(|line| serde_json::from_str(line).expect("json"));
            entries.push(actions.collect());
        }
    }
    entries
}

fn kinds(actions: &[Value]) -> Vec<&str> {
    let key = |action: &'_ Value| action.as_object().and_then(|o| o.keys().next().cloned());
    let all = ["commitInfo", "txn", "protocol", "metaData", "add", "remove"];
    actions.iter().filter_map(key).map(|k| *all.iter().find(|a| **a == k).expect("known")).collect()
}

async fn snapshot(store: &Store, table: &str) -> Option<Snapshot> {
    let log = DeltaLog::new(store, &format!("tables/{table}"));
    log.newest("cxmart").await.expect("a readable log")
}

async fn project(store: &Store, number: u64, contract: &Contract, files: Vec<FileRef>) {
    let dataset = dataset(contract, files);
    let shown = Some((contract, &dataset));
    let done = delta::project(store, number, day("2024-06-30"), &contract.name, shown).await;
    assert_eq!(done.expect("a projection"), delta::Projected::Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_gets_protocol_and_metadata_alone() {
    let store = in_memory("delta-empty");
    project(&store, 1, &contract("orders", &[]), Vec::new()).await;
    let entries = entries(&store, "orders").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(kinds(&entries[0]), ["commitInfo", "txn", "protocol", "metaData"]);
    assert_eq!(entries[0][2], json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    let snapshot = snapshot(&store, "orders").await.expect("a log");
    assert_eq!((snapshot.version, snapshot.active.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_what_the_contract_says_and_no_more_statistics_than_rows() {
    let store = in_memory("delta-entry");
    let scores = contract("scores", &["month"]);
    let files = vec![
        file("abc", &[("month", "2024-05-01")]),
        file("de", &[("month", "__HIVE_DEFAULT_PARTITION__")]),
    ];
    project(&store, 7, &scores, files).await;
    let entries = entries(&store, "scores").await;
    let actions = &entries[0];
    assert_eq!(
        actions[1],
        json!({"txn": {"appId": "cxmart", "version": 7, "lastUpdated": AS_OF_MS}})
    );
    let meta = &actions[3]["metaData"];
    assert_eq!(meta["partitionColumns"], json!(["month"]));
    assert_eq!(meta["description"], "One row per scores.");
    assert_eq!(meta["createdTime"], AS_OF_MS);
    let schema: Value =
        serde_json::from_str(meta["schemaString"].as_str().expect("text")).expect("a schema");
    let types: Vec<_> = schema["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|field| field["type"].as_str().expect("a type").to_owned())
        .collect();
    assert_eq!(
        types,
        ["string", "date", "long", "double", "boolean", "timestamp", "decimal(18,4)"]
    );
    assert_eq!(schema["fields"][2]["metadata"], json!({"comment": "Score."}));
    let adds: Vec<&Value> = actions.iter().filter_map(|action| action.get("add")).collect();
    let null = adds.iter().find(|add| add["partitionValues"]["month"].is_null());
    assert!(null.is_some(), "a missing value is null, not the word in the path");
    let may = adds.iter().find(|add| add["partitionValues"]["month"] == "2024-05-01");
    let may = may.expect("the file of May");
    assert_eq!(may["stats"], r#"{"numRecords":3}"#);
    assert_eq!(may["modificationTime"], AS_OF_MS);
    assert_eq!(may["size"], 103);
    let path = may["path"].as_str().expect("a path");
    assert!(path.starts_with("month=2024-05-01/part-") && !path.contains("tables"), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_release_that_changed_the_table_makes_an_entry() {
    let store = in_memory("delta-idempotent");
    let mut orders = contract("orders", &[]);
    project(&store, 1, &orders, vec![file("a", &[]), file("b", &[])]).await;
    project(&store, 1, &orders, vec![file("a", &[]), file("b", &[])]).await;
    project(&store, 2, &orders, vec![file("a", &[]), file("b", &[])]).await;
    assert_eq!(entries(&store, "orders").await.len(), 1);

    project(&store, 3, &orders, vec![file("b", &[]), file("c", &[])]).await;
    // A run that comes late shows nothing older.
    project(&store, 2, &orders, vec![file("a", &[])]).await;
    let made = entries(&store, "orders").await;
    assert_eq!(made.len(), 2);
    assert_eq!(kinds(&made[1]), ["commitInfo", "txn", "remove", "add"]);
    assert_eq!(made[1][2]["remove"]["deletionTimestamp"], AS_OF_MS);

    orders.columns[2].description = "Score from 0 to 10.".into();
    project(&store, 4, &orders, vec![file("b", &[]), file("c", &[])]).await;
    let made = entries(&store, "orders").await;
    assert_eq!(kinds(&made[2]), ["commitInfo", "txn", "metaData"]);
    assert_eq!(made[2][2]["metaData"]["id"], made[0][3]["metaData"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_went_away_loses_its_files_and_keeps_its_log() {
    let store = in_memory("delta-gone");
    let orders = contract("orders", &["month"]);
    project(&store, 1, &orders, vec![file("a", &[("month", "2024-05-01")])]).await;
    for number in [2, 3] {
        let done = delta::project(&store, number, day("2024-06-30"), "orders", None).await;
        assert_eq!(done.expect("a projection"), delta::Projected::Current);
    }
    let made = entries(&store, "orders").await;
    assert_eq!(made.len(), 2);
    assert_eq!(kinds(&made[1]), ["commitInfo", "txn", "remove"]);
    assert_eq!(made[1][2]["remove"]["partitionValues"], json!({"month": "2024-05-01"}));
    // A folder that never had a log gets none.
    delta::project(&store, 2, day("2024-06-30"), "strays", None).await.expect("nothing to do");
    assert!(snapshot(&store, "strays").await.is_none());
}

/// Fifty entries make a checkpoint; the log reads the same from it, old versions stay readable.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_comes_every_fifty_entries_and_removes_nothing() {
    everywhere("checkpoint", |store| async move {
        let orders = contract("orders", &["month"]);
        for number in 1..=103_u64 {
            let files = vec![
                file("same", &[("month", "2024-05-01")]),
                file(&format!("n{number}"), &[("month", "2024-06-01")]),
            ];
            project(&store, number, &orders, files).await;
        }
        let listed = store.list("tables/orders/_delta_log").await.expect("a listing");
        let names: Vec<&str> =
            listed.iter().filter_map(|object| object.path.rsplit('/').next()).collect();
        let checkpoints: Vec<_> =
            names.iter().filter(|n| n.contains("checkpoint.parquet")).collect();
        assert_eq!(
            checkpoints,
            [
                &"00000000000000000050.checkpoint.parquet",
                &"00000000000000000100.checkpoint.parquet"
            ]
        );
        assert_eq!(names.iter().filter(|name| name.ends_with(".json")).count(), 103);
        let read = snapshot(&store, "orders").await.expect("a log");
        assert_eq!((read.version, read.transaction, read.active.len()), (102, Some(103), 2));
        // Readers replay from the checkpoint: entries before it may be lost.
        for version in 0..100 {
            let path = format!("tables/orders/_delta_log/{version:020}.json");
            store.delete(&path).await.expect("a delete");
        }
        assert_eq!(snapshot(&store, "orders").await.expect("a log"), read);
        let again = vec![
            file("same", &[("month", "2024-05-01")]),
            file("n103", &[("month", "2024-06-01")]),
        ];
        project(&store, 104, &orders, again).await;
        assert_eq!(snapshot(&store, "orders").await.expect("a log").version, 102, "no news");
    })
    .await;
}

/// Release `number` of three tables: one changes always, one at every third, one never.
fn release(number: u64) -> Shown {
    let table = |name: &str, content: String| {
        let contract = contract(name, &[]);
        let dataset = dataset(&contract, vec![file(&content, &[])]);
        (name.to_owned(), (Some(contract), dataset))
    };
    let tables: BTreeMap<String, (Option<Contract>, Dataset)> = [
        table("always", format!("a{number}")),
        table("never", "n".into()),
        table("thirds", format!("t{}", number / 3)),
    ]
    .into();
    Shown { number, as_of: day("2024-06-30"), tables }
}

/// Goal: projections that run into each other leave the newest release, whole.
/// Method: eight tasks publish and project on one store at once; then each log is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn projections_at_the_same_time_end_at_the_newest_release() {
    let store = in_memory("delta-race");
    let newest = Arc::new(AtomicU64::new(0));
    let runs = (0..8).map(|_| {
        let (store, newest) = (store.clone(), Arc::clone(&newest));
        tokio::spawn(async move {
            for _ in 0..4 {
                newest.fetch_add(1, Ordering::SeqCst);
                let read = || async {
                    Ok::<_, PublishError>(Some(release(newest.load(Ordering::SeqCst))))
                };
                match publish::project(&store, true, read).await {
                    Ok(_) | Err(PublishError::Contended) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for run in futures::future::join_all(runs).await {
        run.expect("a task");
    }
    let last = || async { Ok::<_, PublishError>(Some(release(32))) };
    publish::project(&store, true, last).await.expect("a projection");
    let wanted = release(32);
    for (name, (_, dataset)) in &wanted.tables {
        let snapshot = snapshot(&store, name).await.expect("a log");
        let active: Vec<String> =
            snapshot.active.keys().map(|path| format!("tables/{name}/{path}")).collect();
        let files: Vec<&String> = dataset.files.iter().map(|file| &file.path).collect();
        assert_eq!(active.iter().collect::<Vec<_>>(), files, "`{name}`");
    }
    assert_eq!(entries(&store, "never").await.len(), 1);
    assert_eq!(publish::views::shown(&store, true).await.expect("views"), Some(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_delta_there_is_no_log_until_it_is_wanted() {
    let store = in_memory("delta-without");
    let read = || async { Ok::<_, PublishError>(Some(release(1))) };
    publish::project(&store, false, read).await.expect("views");
    assert!(snapshot(&store, "always").await.is_none());
    assert_eq!(publish::views::shown(&store, true).await.expect("views"), None);
    publish::project(&store, true, read).await.expect("logs");
    assert!(snapshot(&store, "always").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_model_was_taken_away_stays_as_it_is() {
    let store = in_memory("delta-unknown");
    let first = || async { Ok::<_, PublishError>(Some(release(1))) };
    publish::project(&store, true, first).await.expect("a projection");
    let mut second = release(2);
    second.tables.get_mut("always").expect("a table").0 = None;
    second.tables.remove("thirds");
    let second = || async { Ok::<_, PublishError>(Some(second.clone())) };
    publish::project(&store, true, second).await.expect("a projection");
    assert_eq!(snapshot(&store, "always").await.expect("a log").active.len(), 1);
    assert_eq!(snapshot(&store, "thirds").await.expect("a log").active.len(), 0);
}

/// An entry whose answer is lost is found when the log is read again; none is made twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_answer_was_lost_is_there_once() {
    for fault in [Fault::CommittedThenExists, Fault::CommittedThenError] {
        let lost_once = AtomicU64::new(0);
        let rule = move |path: &object_store::path::Path, mode: &PutMode| {
            let is_entry = path.as_ref().contains("_delta_log") && *mode == PutMode::Create;
            (is_entry && lost_once.fetch_add(1, Ordering::SeqCst) == 1).then_some(fault)
        };
        let url = url::Url::parse("memory://lost").expect("a url");
        let store = Store::over(Arc::new(Faulty::new(rule)), &url);
        let read = || async { Ok::<_, PublishError>(Some(release(1))) };
        let first = publish::project(&store, true, read).await;
        assert_eq!(first.is_err(), fault == Fault::CommittedThenError, "{first:?}");
        publish::project(&store, true, read).await.expect("the next run");
        for name in release(1).tables.keys() {
            assert_eq!(entries(&store, name).await.len(), 1, "`{name}` after {fault:?}");
        }
        assert_eq!(publish::views::shown(&store, true).await.expect("views"), Some(1));
    }
}
