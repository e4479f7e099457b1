//! What is left when somebody was forgotten, at once and on the nights after.

use std::collections::BTreeSet;
use std::sync::Arc;

use cxmart::run::forget::{self, clean};
use cxmart::state::{Release, StateReader};
use cxmart::storage::Store;

use super::shop::{ANA, content, differ, forget_ana, named_in_warehouse, night, rows, shop};
use crate::project::Project;

/// Tables whose rows are of a person, or name one.
const OF_PEOPLE: [&str; 20] = [
    "churn_ledger_customers",
    "churn_risk",
    "conversation_service",
    "conversations",
    "customer_field_provenance",
    "customer_history",
    "customer_identifiers",
    "customer_lifetime_value",
    "customer_segments",
    "customers",
    "feedback",
    "identity_changes",
    "interactions",
    "journey_stage_history",
    "load_warnings",
    "next_best_contact",
    "orders",
    "rejected_records",
    "sessions",
    "subscriptions",
];

async fn two_nights(project: &Project) -> Release {
    for number in [1, 2] {
        night(project, number, true);
        project.run().await.expect("a night");
    }
    project.release().await.expect("a release")
}

/// The number of objects in the Delta log of a table.
async fn log(store: &Store, table: &str) -> Vec<String> {
    let listed = store.list(&format!("tables/{table}/_delta_log")).await.expect("a listing");
    listed.into_iter().filter_map(|o| o.path.rsplit('/').next().map(str::to_owned)).collect()
}

/// Goal: after forgetting, no byte of the warehouse names the person, and no count, cohort or ledger
/// is another. Method: a shop's two nights, the contents of all tables before and after, and a scan
/// of all files, raw, decoded and by their bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_gone_from_every_object_and_no_count_moves() {
    let project = shop("");
    let before = two_nights(&project).await;
    let store = project.open().store.clone();
    assert!(named_in_warehouse(&project).len() > 20, "she is there");
    let done = forget_ana(&project).await.expect("forgotten");
    assert_eq!((done.people, done.unknown, done.release), (1, 0, 3));
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());

    let after = project.release().await.expect("a release");
    let moved = differ(&content(&before, &OF_PEOPLE), &content(&after, &OF_PEOPLE));
    assert_eq!(moved, BTreeSet::new(), "counts, cohorts and ledgers do not move");
    assert_eq!(before.state["headline"].content_hash, after.state["headline"].content_hash);
    let count = |release: &Release, table: &str| release.tables[table].rows;
    for fact in ["conversations", "feedback", "interactions", "orders"] {
        assert_eq!(count(&before, fact), count(&after, fact), "{fact}");
        let named = rows(&store, &after, fact, &["customer_id"]).await;
        assert!(named.iter().all(|row| !row[0].starts_with("x_")), "{fact}");
    }
    let nameless = |all: Vec<Vec<String>>| all.iter().filter(|row| row[0].is_empty()).count();
    assert_eq!(nameless(rows(&store, &after, "orders", &["customer_id"]).await), 4);
    assert_eq!(count(&before, "customers"), count(&after, "customers") + 1);
    let days = rows(&store, &after, "customer_lifetime_value", &["customer_id", "as_of"]).await;
    assert!(days.iter().all(|row| row[0].starts_with("c_")));
    let feedback =
        rows(&store, &after, "feedback", &["feedback_id", "comment_text", "score"]).await;
    assert_eq!(
        feedback.iter().filter(|row| row[1].is_empty() && !row[2].is_empty()).count(),
        4 + 8
    );

    let columns = ["kind", "from_customer_id", "to_customer_id", "cause", "evidence"];
    let changes = rows(&store, &after, "identity_changes", &columns).await;
    let erased: Vec<_> = changes.iter().filter(|row| row[0] == "erased").collect();
    assert_eq!(erased.len(), 1);
    assert!(erased[0][1].starts_with("x_"));
    assert_eq!(erased[0][2..], ["", "forget", ""]);

    let reader = StateReader::new(store.clone());
    assert_eq!(reader.numbers().await.expect("releases"), [3], "what came before is deleted");
    let entries = log(&store, "customers").await;
    assert!(entries.iter().any(|name| name.contains("checkpoint.parquet")), "{entries:?}");
    assert!(entries.iter().all(|name| !name.starts_with("00000000000000000000")), "{entries:?}");
    assert!(!project.run().await.expect("a run").published, "nothing is left to do");
}

/// Goal: the mart as clients see it is whole after a log was cut. Method: the next night projects on
/// the cut log, and the log replays to the files of its release.
#[tokio::test(flavor = "multi_thread")]
async fn delta_logs_go_on_from_their_checkpoint() {
    let project = shop("");
    two_nights(&project).await;
    forget_ana(&project).await.expect("forgotten");
    night(&project, 3, false);
    project.run().await.expect("a night");
    let release = project.release().await.expect("a release");
    let store = project.open().store.clone();
    for (name, table) in &release.tables {
        let log = cxmart::storage::delta::DeltaLog::new(&store, &format!("tables/{name}"));
        let snapshot = log.newest("cxmart").await.expect("a log").expect("a version");
        assert_eq!(snapshot.active.len(), table.files.len(), "{name}");
        assert!(snapshot.transaction.is_some_and(|number| number <= 4), "{name}");
    }
}

/// Goal: whatever comes of the person afterwards is forgotten on its way in, and the order of
/// nights and forgetting makes no difference. Method: a third night after forgetting, in which she
/// is in every export; against three nights and then forgetting.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_comes_out_as_if_it_had_come_before() {
    let (early, late) = (shop(""), shop(""));
    two_nights(&early).await;
    forget_ana(&early).await.expect("forgotten");
    let store = early.open().store.clone();
    let first = early.release().await.expect("a release");
    night(&early, 3, true);
    let outcome = early.run().await.expect("the night after");
    assert!(outcome.counts.balances());
    assert_eq!(named_in_warehouse(&early), Vec::<String>::new());
    let after = early.release().await.expect("a release");
    assert_eq!(after.tables["customers"].rows, first.tables["customers"].rows + 4);
    let orders = rows(&store, &after, "orders", &["customer_id"]).await;
    assert_eq!(orders.iter().filter(|row| row[0].is_empty()).count(), 6);

    two_nights(&late).await;
    night(&late, 3, true);
    late.run().await.expect("the third night");
    forget_ana(&late).await.expect("forgotten");
    let other = late.release().await.expect("a release");
    // The day on which she was forgotten is another, and on days before it people of equal worth
    // were put in the order of their ids, hers among them.
    let but = ["identity_changes", "customer_lifetime_value"];
    assert_eq!(differ(&content(&after, &but), &content(&other, &but)), BTreeSet::new());
    let columns = ["as_of", "customer_id", "frequency", "monetary", "clv_probabilistic"];
    let (one, two) = (early.open().store.clone(), late.open().store.clone());
    let worth = rows(&one, &after, "customer_lifetime_value", &columns).await;
    assert_eq!(worth, rows(&two, &other, "customer_lifetime_value", &columns).await);
    let ids = |release: Release| {
        let store = store.clone();
        async move { rows(&store, &release, "forgotten_customers", &["subject_id"]).await }
    };
    assert_eq!(ids(first).await, ids(after).await);
    let verified = clean::verify(&Arc::new(early.open())).await.expect("looked at");
    assert_eq!(verified.held, Vec::<String>::new());
}

/// Goal: rewriting staged rows gives what staging the objects again gives. Method: an option that
/// changes nothing but has all objects staged again, after forgetting.
#[tokio::test(flavor = "multi_thread")]
async fn staging_again_gives_what_rewriting_gave() {
    for erasure in ["anonymise", "delete"] {
        let privacy = format!("\n[privacy]\nerasure = \"{erasure}\"\n");
        let project = shop(&privacy);
        two_nights(&project).await;
        forget_ana(&project).await.expect("forgotten");
        let before = project.release().await.expect("a release");
        let job = project.path().join("jobs/project.toml");
        let text = std::fs::read_to_string(&job).expect("the job");
        let again = "source = \"generic\"\noptions = { from_source_id = \"nowhere\" }";
        std::fs::write(&job, text.replace("source = \"generic\"", again)).expect("written");
        let outcome = project.run().await.expect("staged again");
        assert!(outcome.published && outcome.objects == 12, "{outcome:?}");
        let after = project.release().await.expect("a release");
        let differ = differ(&content(&before, &[]), &content(&after, &[]));
        assert_eq!(differ, BTreeSet::new(), "{erasure}");
        assert_eq!(named_in_warehouse(&project), Vec::<String>::new(), "{erasure}");
    }
}

/// Goal: with `erasure = "delete"` everything is as if the person had never been, on former days
/// too, and every record is still accounted for. Method: against a shop that she never was in.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_events_leave_what_would_be_without_them() {
    let (with, without) = (shop("\n[privacy]\nerasure = \"delete\"\n"), shop(""));
    two_nights(&with).await;
    for number in [1, 2] {
        night(&without, number, false);
        without.run().await.expect("a night");
    }
    let done = forget_ana(&with).await.expect("forgotten");
    assert_eq!(done.restated_days, 1, "the night before the last");
    assert_eq!(named_in_warehouse(&with), Vec::<String>::new());
    assert!(with.stale().await.is_empty());
    let store = with.open().store.clone();
    let release = with.release().await.expect("a release");
    let other = without.release().await.expect("a release");
    // Places in objects, and the sizes and hashes of these, are what they are.
    let but = ["identity_changes", "load_reconciliation", "rejected_records"];
    assert_eq!(differ(&content(&release, &but), &content(&other, &but)), BTreeSet::new());
    let columns = ["entity", "n_read", "n_used", "n_rejected", "n_skipped"];
    let counts = rows(&store, &release, "load_reconciliation", &columns).await;
    let orders: Vec<_> = counts.iter().filter(|row| row[0] == "orders").collect();
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|row| row[1..] == ["11", "9", "0", "2"]), "{orders:?}");
    let changes = rows(&store, &release, "identity_changes", &["kind"]).await;
    assert_eq!(changes.iter().filter(|row| row[0] == "erased").count(), 1);

    night(&with, 3, true);
    night(&without, 3, false);
    with.run().await.expect("the night after");
    without.run().await.expect("the night after");
    assert_eq!(named_in_warehouse(&with), Vec::<String>::new());
    let (release, other) = (with.release().await.unwrap(), without.release().await.unwrap());
    assert_eq!(differ(&content(&release, &but), &content(&other, &but)), BTreeSet::new());
}

/// Goal: a former day made again after forgetting is the one that forgetting left. Method: the first
/// of two nights, restated.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_day_made_again_is_the_day_that_was_left() {
    let project = shop("");
    two_nights(&project).await;
    forget_ana(&project).await.expect("forgotten");
    let before = project.release().await.expect("a release");
    let day = "2024-05-28".parse().expect("a day");
    let asked = [Arc::new(project.open())];
    let days = cxmart::run::backfill::backfill(&asked, &[day], None).await.expect("restated");
    for day in days {
        day.outcome.expect("made");
    }
    let after = project.release().await.expect("a release");
    assert_eq!(differ(&content(&before, &[]), &content(&after, &[])), BTreeSet::new());
    assert_eq!(named_in_warehouse(&project), Vec::<String>::new());
}

/// Goal: a dry run says where somebody is and writes nothing; verifying says no until the raw
/// objects are gone. Method: both, before and after.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_shown_where_they_are_and_raw_objects_until_they_are_gone() {
    let project = shop("");
    let release = two_nights(&project).await;
    let context = Arc::new(project.open());
    let names = [ANA.to_owned(), "email:stranger@example.com".to_owned()];
    let found = forget::look(&context, &names).await.expect("found");
    assert_eq!(found[0].rows["staged_orders"], 4);
    assert_eq!(found[0].rows["staged_messages"], 4);
    assert_eq!(found[0].rows["customers"], 1);
    assert_eq!(found[0].rows["identity_changes"], 5, "created, and ids that are one since");
    assert_eq!((found[0].identifiers, found[0].releases.as_slice()), (6, &[1, 2][..]));
    assert_eq!(found[0].objects.len(), 12);
    assert_eq!((&found[1].customer_id, found[1].rows.len()), (&None, 0));
    // However many are asked for at once, each is where she or he is alone.
    let customers = rows(&context.store, &release, "customers", &["customer_id"]).await;
    let ids: Vec<String> = customers.iter().take(3).map(|row| row[0].clone()).collect();
    let together = forget::look(&context, &ids).await.expect("found");
    assert_eq!(together.len(), 3);
    for (id, of_many) in ids.iter().zip(together) {
        let alone = forget::look(&context, std::slice::from_ref(id)).await.expect("found");
        assert!(!of_many.rows.is_empty() && !of_many.objects.is_empty(), "{of_many:?}");
        assert_eq!(alone, [of_many]);
    }
    assert_eq!(project.release().await.expect("a release"), release);

    let done = forget_ana(&project).await.expect("forgotten");
    assert_eq!(done.raw.len(), 12);
    let verified = clean::verify(&context).await.expect("looked at");
    assert_eq!((verified.people, verified.held.len(), verified.raw.len()), (1, 0, 12));
    assert!(!verified.is_clean());
    // Replaced by ones without her, or deleted.
    night(&project, 1, false);
    let verified = clean::verify(&context).await.expect("looked at");
    assert_eq!(verified.raw.len(), 6);
    for object in verified.raw {
        std::fs::remove_file(project.path().join(object)).expect("deleted");
    }
    assert!(clean::verify(&context).await.expect("looked at").is_clean());
    // A leftover that no release names is found all the same.
    let left = project.path().join("warehouse/tables/customers/part-0123456789abcdef-0.json");
    std::fs::write(&left, "mail to Ana.Erasmus@example.com").expect("written");
    let verified = clean::verify(&context).await.expect("looked at");
    assert_eq!(verified.held, ["tables/customers/part-0123456789abcdef-0.json"]);
}
