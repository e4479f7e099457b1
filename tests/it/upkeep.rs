//! Verbs on a warehouse that is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cxmart::run::{RunError, release};
use cxmart::settings::clock::Clock;
use cxmart::state::StateReader;
use cxmart::storage::{StorageError, Store};
use cxmart::upkeep::verify::Fault;
use cxmart::upkeep::{UpkeepError, diff, gc, rejects, verify};
use serde_json::Value;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_whole_and_says_so_last() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    let target = project.path().join("out");
    let url = target.display().to_string();
    release::export_to(&project.open(), None, &url).await.expect("an export");
    let text = std::fs::read_to_string(target.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(manifest["release"], 1);
    assert_eq!(manifest["as_of"], "2024-05-28");
    assert_eq!(manifest["tables"]["feedback"]["rows"], 2);
    assert_eq!(manifest["tables"]["rejected_records"]["files"], serde_json::json!([]));
    let exported = Store::on_disk(&target);
    for table in manifest["tables"].as_object().expect("tables").values() {
        for file in table["files"].as_array().expect("files") {
            let path = file["path"].as_str().expect("a path");
            let bytes = exported.read(path).await.expect("an exported file");
            let hash = cxmart::table::hash::Hash::of(&bytes);
            assert_eq!(file["sha256"], hash.to_string(), "`{path}`");
        }
    }
    assert!(target.join("_SUCCESS").exists());
    let checks = exported.list("check_results").await.expect("a listing");
    assert!(checks[0].path.starts_with("check_results/as_of=2024-05-28/part-"));

    let again = release::export_to(&project.open(), None, &url).await;
    assert!(matches!(again, Err(RunError::Upkeep(UpkeepError::NotEmpty { .. }))), "{again:?}");
    // A killed export goes on where it stopped: without the last file it is not done.
    std::fs::remove_file(target.join("_SUCCESS")).expect("removed");
    std::fs::remove_file(target.join("manifest.json")).expect("removed");
    release::export_to(&project.open(), Some(1), &url).await.expect("the rest of it");
    std::fs::remove_file(target.join("_SUCCESS")).expect("removed");
    std::fs::write(target.join("notes.txt"), "mine").expect("a file of somebody");
    let strange = release::export_to(&project.open(), None, &url).await;
    assert!(strange.expect_err("not ours").to_string().contains("`notes.txt`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exports_each_release_to_a_folder_of_its_own() {
    let project = Project::new("\n[publish]\nexport = \"out/r{release}\"\n");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    project.night("2024-05-29", 3, &[9]);
    project.run().await.expect("another");
    for release in ["r1", "r2"] {
        assert!(project.path().join("out").join(release).join("_SUCCESS").exists());
    }
    // A run that died before the end of its export leaves it to the next.
    std::fs::remove_file(project.path().join("out/r2/_SUCCESS")).expect("removed");
    let outcome = project.run().await.expect("nothing new");
    assert!(!outcome.published);
    assert!(project.path().join("out/r2/_SUCCESS").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_not_exported() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    let file = project.release().await.expect("one").tables["feedback"].files[0].clone();
    let path = project.path().join("warehouse").join(&file.path);
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes[40] ^= 1;
    // A new file: the old one has other names.
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, bytes).expect("one flipped bit");
    let url = project.path().join("out").display().to_string();
    let failed = release::export_to(&project.open(), None, &url).await;
    assert!(
        matches!(failed, Err(RunError::Upkeep(UpkeepError::Storage(StorageError::Damaged { .. })))),
        "{failed:?}"
    );
    assert!(!project.path().join("out/_SUCCESS").exists());
}

/// Files that waited more than twelve hours for their commit are placed again before it.
#[tokio::test(flavor = "multi_thread")]
async fn files_placed_long_ago_are_placed_again_before_the_commit() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    let asked = Arc::new(AtomicU64::new(0));
    let hours = Arc::clone(&asked);
    // Start, 13 hours later, start again, no time later.
    let clock = Clock::new(move || {
        let passed = [0, 13, 13, 13];
        let call = hours.fetch_add(1, Ordering::SeqCst);
        let hours = passed.get(usize::try_from(call).unwrap_or(usize::MAX)).copied();
        Duration::from_hours(hours.unwrap_or(13))
    });
    let settings = cxmart::settings::Settings { clock, ..project.settings() };
    let context = cxmart::run::open("jobs/project.toml", settings).expect("the job opens");
    let outcome = cxmart::run::run(Arc::new(context), None).await.expect("a release");
    assert_eq!(outcome.release, Some(1));
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

async fn release_of(project: &Project, number: u64) -> cxmart::state::Release {
    let reader = StateReader::new(project.open().store.clone());
    reader.release(number).await.expect("a release")
}

/// Goal: verify tells what is missing, cut short or changed, and a look at sizes alone misses the
/// last. Method: three files of a release, each harmed in another way.
#[tokio::test(flavor = "multi_thread")]
async fn verify_names_files_that_are_gone_cut_or_changed() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("a release");
    let release = project.release().await.expect("one");
    let store = project.open().store.clone();
    let all = [release.clone()];
    let whole = verify::verify(&store, &all, true).await.expect("looked at");
    assert!(whole.faults.is_empty() && whole.files > 20, "{whole:?}");
    let file =
        |table: &str| project.path().join("warehouse").join(&release.tables[table].files[0].path);
    let harm = |table: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(file(table)).expect("a file");
        change(&mut bytes);
        // A new file: the old one has other names.
        std::fs::remove_file(file(table)).expect("removed");
        std::fs::write(file(table), bytes).expect("written");
    };
    harm("feedback", &|bytes| bytes[40] ^= 1);
    harm("customers", &|bytes| bytes.truncate(60));
    std::fs::remove_file(file("interactions")).expect("removed");
    let faults = |found: verify::Verified| {
        let name = |path: String| path.split('/').nth(1).map(str::to_owned).expect("a table");
        found.faults.into_iter().map(|(path, fault, _)| (name(path), fault)).collect::<Vec<_>>()
    };
    let (gone, cut) =
        (("interactions".to_owned(), Fault::Missing), ("customers".to_owned(), Fault::Size));
    let quick = verify::verify(&store, &all, false).await.expect("looked at");
    assert_eq!(faults(quick), [cut.clone(), gone.clone()]);
    let deep = verify::verify(&store, &all, true).await.expect("looked at");
    assert_eq!(faults(deep), [cut, ("feedback".to_owned(), Fault::Damaged), gone]);
}

/// Goal: a rollback says what the older release said, readers see it, and the next run takes up
/// what came after. Method: two nights, back to the first, and a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_a_new_release_that_says_what_an_older_one_said() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("the first night");
    project.night("2024-05-29", 3, &[9]);
    project.run().await.expect("the second night");
    let back = release::roll_back(&project.open(), 1).await.expect("rolled back");
    let (first, second) = (release_of(&project, 1).await, release_of(&project, 2).await);
    assert_eq!((back.number, back.parent, back.horizon), (3, Some(2), first.horizon));
    assert_eq!(back.tables, first.tables);
    let views = std::fs::read_to_string(project.path().join("warehouse/catalog/views.sql"));
    let file = &first.tables["feedback"].files[0].path;
    assert!(views.expect("views").contains(file.as_str()));
    let outcome = project.run().await.expect("the second night again");
    assert_eq!(outcome.release, Some(4));
    let again = release_of(&project, 4).await;
    assert_eq!(again.tables["feedback"].content_hash, second.tables["feedback"].content_hash);
    let none = release::roll_back(&project.open(), 9).await;
    assert!(matches!(none, Err(RunError::State(_))), "{none:?}");
}

/// Goal: gc deletes old releases with what only they name, spares the young, the salt and Delta
/// logs, and leaves every retained release whole. Method: three nights, one retained, and a look
/// from two days later.
#[tokio::test(flavor = "multi_thread")]
async fn gc_deletes_what_no_retained_release_names() {
    let project = Project::new("");
    for (first, night) in [(1, "2024-05-28"), (3, "2024-05-29"), (5, "2024-05-30")] {
        project.night(night, first, &[3, 8]);
        project.run().await.expect("a night");
    }
    let store = project.open().store.clone();
    let now_us = cxmart::settings::machine::now_us();
    let young = gc::find(&store, 1, now_us).await.expect("listed");
    assert_eq!(young, gc::Garbage::default());
    let later = now_us + 48 * 60 * 60 * 1_000_000;
    let all = gc::find(&store, 3, later).await.expect("listed");
    assert!(all.objects.iter().all(|object| object.path.starts_with("work/")), "{all:?}");
    let old = gc::find(&store, 1, later).await.expect("listed");
    assert_eq!(old.releases, [1, 2]);
    let logs = store.list("tables").await.expect("listed");
    let logs = logs.iter().filter(|object| object.path.contains("_delta_log")).count();
    let feedback = release_of(&project, 1).await.tables["feedback"].files[0].path.clone();
    let number = old.objects.len() as u64;
    assert_eq!(gc::sweep(&store, old).await.expect("deleted"), number);
    assert!(store.head(&feedback).await.expect("asked").is_none());
    let newest = project.release().await.expect("one");
    assert_eq!(newest.number, 3);
    let found = verify::verify(&store, &[newest], true).await.expect("looked at");
    assert!(found.faults.is_empty(), "{found:?}");
    let left = store.list("tables").await.expect("listed");
    assert_eq!(left.iter().filter(|object| object.path.contains("_delta_log")).count(), logs);
    assert!(store.head("state/v1/salt").await.expect("asked").is_none(), "the salt is given");
    assert!(!project.run().await.expect("nothing new").published);
}

/// Goal: a diff counts keys that came, went and changed, and by which column. Method: two nights,
/// the second with a new answer and an edited one.
#[tokio::test(flavor = "multi_thread")]
async fn a_diff_counts_rows_by_key_and_column() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("the first night");
    project.night("2024-05-29", 2, &[10, 9]);
    project.run().await.expect("the second night");
    let context = project.open();
    let (before, after) = (release_of(&project, 1).await, release_of(&project, 2).await);
    let contract = |name: &str| context.catalog.tables.get(name).map(|table| &table.contract);
    let (engine, store) = (&context.engine, &context.store);
    let found = diff::diff(engine, store, &before, &after, contract).await.expect("compared");
    let feedback = &found["feedback"];
    assert_eq!((feedback.rows_before, feedback.rows_after), (2, 3));
    assert_eq!((feedback.added, feedback.removed, feedback.changed), (1, 0, 1));
    assert_eq!(feedback.columns["score"], 1);
    assert_eq!(feedback.columns["bucket"], 1);
    assert!(!feedback.columns.contains_key("metric"));
    assert!(!found.contains_key("metric_definitions"));
    let back = diff::diff(engine, store, &after, &before, contract).await.expect("compared");
    assert_eq!((back["feedback"].added, back["feedback"].removed), (0, 1));
    let same = diff::diff(engine, store, &after, &after, contract).await.expect("compared");
    assert!(same.is_empty());
}

/// Goal: rejects are told by rule, most frequent first, with how many objects and a sample; once
/// the spec or the SQL reads them, the next run takes their objects up again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_told_by_rule_and_taken_up_again_after_a_fix() {
    let source = "\n[limits]\nrejects_max = 1.0\n[[source]]\nsource = \"till\"\nentity = \"sales\"\nurl = \"till/dt={dt}/*\"\n";
    let project = Project::new(source);
    project.night("2024-05-28", 1, &[9]);
    let spec = "description = \"Sales.\"\nkey = [\"id\"]\n[[column]]\nname = \"id\"\n[[column]]\nname = \"amount\"\ntype = \"money\"\n";
    project.write("sql/stage/till/sales.toml", spec);
    let sql = "-- One row per sale.\n-- grain: source_id\n-- canonical: orders\nselect record_id, id as source_id, amount as total from raw_till__sales\n";
    project.write("sql/stage/till/stg_till__sales.sql", sql);
    project.write("till/dt=2024-05-27/a.csv", "id,amount\n1,\"1,50\"\n2,\"2,50\"\n,3\n");
    project.write("till/dt=2024-05-28/b.csv", "id,amount\n3,\"3,50\"\n4,4\n");
    project.run().await.expect("a release");
    let release = project.release().await.expect("a release");
    let store = project.open().store;
    let found = rejects::list(&store, &release, Some("till"), 2).await.expect("rejects");
    assert_eq!((found.rows.len(), found.count), (2, 4));
    let told: Vec<_> = found
        .rules
        .iter()
        .map(|r| (r.rule.as_str(), r.column.as_str(), r.count, r.objects, r.sample.as_str()))
        .collect();
    assert_eq!(
        told,
        [("not_a_number", "amount", 3, 2, "1,50"), ("missing_required", "id", 1, 1, "")]
    );
    let other = rejects::list(&store, &release, Some("asknicely"), 2).await.expect("none");
    assert_eq!(other, rejects::Rejects::default());

    let fixed = format!("{spec}decimal_mark = \",\"\n");
    project.write("sql/stage/till/sales.toml", &fixed);
    let outcome = project.run().await.expect("a release");
    assert_eq!(outcome.objects, 2);
    let release = project.release().await.expect("a release");
    let found = rejects::list(&store, &release, None, 10).await.expect("rejects");
    assert_eq!((found.count, found.rules[0].rule.as_str()), (1, "missing_required"));
    // Each record counts once, in the ledger and among the orders.
    let counts = ["object_version", "n_read", "n_used", "n_rejected"];
    let till = project.rows("load_reconciliation", &counts).await;
    assert_eq!(till, ["1|1|1|0", "1|2|2|0", "1|3|2|1"], "answers, second and first day");
    let orders = ["1|1.5000", "2|2.5000", "3|3.5000", "4|4.0000"];
    assert_eq!(project.rows("current_orders", &["source_id", "total"]).await, orders);

    // The object itself is mended at its place: its rejects stand no more, its records count once.
    project.write("till/dt=2024-05-27/a.csv", "id,amount\n1,\"1,50\"\n2,\"2,50\"\n7,3\n");
    project.run().await.expect("a release");
    let release = project.release().await.expect("a release");
    assert_eq!(
        rejects::list(&store, &release, None, 10).await.expect("rejects"),
        rejects::Rejects::default()
    );
    let told = project.rows("rejected_records", &["object_version", "is_superseded"]).await;
    assert_eq!(told, ["1|true"]);
    let till = project.rows("load_reconciliation", &counts).await;
    assert_eq!(till, ["1|1|1|0", "1|2|2|0", "1|3|2|1", "2|3|3|0"]);
    let orders = ["1|1.5000", "2|2.5000", "3|3.5000", "4|4.0000", "7|3.0000"];
    assert_eq!(project.rows("current_orders", &["source_id", "total"]).await, orders);
}
