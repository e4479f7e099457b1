//! The demo's job over the demo's exports: what the generator wrote is what the run finds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::demo::{self, tally::Tally};
use cxmart::engine::FileInput;
use cxmart::run::{Context, Outcome};
use cxmart::settings::{self, Settings};
use cxmart::state::StateReader;

const CUSTOMERS: u64 = 300;
const SEED: u64 = 1;

fn open(dir: &Path) -> Context {
    let settings = Settings {
        project: dir.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some(demo::salt(SEED)),
        ..settings::from_environment()
    };
    cxmart::run::open(demo::JOB, settings).expect("the demo's job opens")
}

async fn run(dir: &Path) -> Outcome {
    let done = cxmart::run::run(Arc::new(open(dir)), Some(demo::as_of())).await;
    done.expect("the demo's job succeeds")
}

/// Rows of a query over the newest release's published tables, as text.
async fn query(dir: &Path, sql: &str) -> Vec<Vec<String>> {
    let context = open(dir);
    let release = StateReader::new(context.store.clone()).latest().await.expect("readable state");
    let session = context.engine.session();
    for (name, dataset) in release.expect("a release").tables {
        let contract = context.contract(&name).expect("a contract");
        let files = dataset.files.iter().map(|file| FileInput::of(&context.store, file));
        session.files(&name, contract.schema(), files.collect()).expect("a table");
    }
    let mut rows = Vec::new();
    for batch in session.collect("test", sql).await.expect("the query runs") {
        let options = FormatOptions::default();
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|array| ArrayFormatter::try_new(array, &options).expect("a format"))
            .collect();
        for i in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.value(i).to_string()).collect());
        }
    }
    rows
}

fn number(text: &str) -> u64 {
    text.parse().expect("a count")
}

/// What the generator knows of each export against `load_reconciliation`.
async fn reconciles(dir: &Path, expected: &Tally) {
    let sql = "select source || '/' || entity, count(*), sum(n_read), sum(n_duplicate), \
               sum(n_rejected), sum(n_skipped), sum(n_partly_rejected), \
               sum(case when n_rows_newest > 0 then 1 else 0 end) from load_reconciliation group by source, entity";
    let found: BTreeMap<String, Vec<u64>> = query(dir, sql)
        .await
        .into_iter()
        .map(|row| (row[0].clone(), row[1..].iter().map(|text| number(text)).collect()))
        .collect();
    assert!(found.keys().eq(expected.exports.keys()), "{found:?}");
    for (key, told) in &expected.exports {
        let read = told.read + told.before_truncation + told.truncated;
        let rejected = told.malformed + told.truncated + told.ragged + told.bad_date;
        let [objects, partly] = [told.objects, told.off_scale];
        let (used, counts) = found[key].split_last().expect("counts");
        assert_eq!(counts, [objects, read, told.duplicate, rejected, 0, partly], "{key}");
        assert!(*used > 0, "{key}");
    }
}

/// The rejects by rule, values that are no records among them.
async fn rejects(dir: &Path, expected: &Tally) {
    let sql = "select reject_rule, count(*) from rejected_records group by reject_rule";
    let found: BTreeMap<String, u64> =
        query(dir, sql).await.into_iter().map(|row| (row[0].clone(), number(&row[1]))).collect();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for export in expected.exports.values() {
        for (rule, count) in [
            ("malformed_json", export.malformed),
            ("truncated_object", export.truncated),
            ("ragged_row", export.ragged),
            ("off_scale", export.off_scale),
            ("not_a_time", export.bad_date),
        ] {
            if count > 0 {
                *told.entry(rule.to_owned()).or_default() += count;
            }
        }
    }
    assert_eq!(found, told);
    assert!(told.len() >= 3, "{told:?}");
}

/// Everybody who bought has a segment, those still there a risk or the reason why not, everybody
/// with a name a next contact; and `customers` says the same.
async fn segments_and_risks(dir: &Path) {
    let one = async |sql: &str| query(dir, sql).await.remove(0);
    let segmented =
        one("select count(*), count(distinct rfm_segment), count(persona), count(rfm_segment) \
         from customer_segments")
        .await;
    assert!(number(&segmented[0]) > 100 && number(&segmented[1]) >= 7, "{segmented:?}");
    let personas = one("select count(*), coalesce(sum(n), 0) from personas").await;
    assert_eq!(personas[1], segmented[2], "each customer is in one persona, or nobody is");
    let shown = one("select count(rfm_segment), count(persona), count(churn_risk) from customers");
    let shown = shown.await;
    assert_eq!(shown[..2], [segmented[3].clone(), segmented[2].clone()]);
    let risks = one("select count(*), count(churn_risk), count(distinct status) from churn_risk");
    let risks = risks.await;
    assert_eq!((risks[1].clone(), risks[2].as_str()), (shown[2].clone(), "1"));
    let active = "select count(*) from churn_risk_model where measure in ('training', 'holdout')";
    assert_eq!(one(active).await[0], "6", "two sums and four windows");
    let contacts = one("select count(*), count(distinct next_action) from next_best_contact").await;
    assert!(number(&contacts[0]) > 100 && number(&contacts[1]) >= 3, "{contacts:?}");
}

/// Goal: nothing is lost or made up between the bytes and the tables. Method: the generator counts
/// what it writes, money included, and one run over its exports must publish the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_what_the_generator_wrote() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let expected = demo::write_raw(dir, CUSTOMERS, SEED, &|_| ()).expect("written").expected;
    let outcome = run(dir).await;
    assert!(outcome.published);
    reconciles(dir, &expected).await;
    rejects(dir, &expected).await;

    let orders = "select count(*), cast(sum(total) * 100 as bigint), \
                  cast(sum(refunded) * 100 as bigint) from orders";
    let money = &expected.money;
    let told = [money.orders.to_string(), money.total_cents.to_string()];
    let found = query(dir, orders).await.remove(0);
    assert_eq!(found[..2], told);
    assert_eq!(found[2], money.refunded_cents.to_string());

    segments_and_risks(dir).await;

    // Some never say who they are on a second device or in a shop: more customers than people,
    // and a few households with one phone are fewer.
    let customers = number(&query(dir, "select count(*) from customers").await[0][0]);
    assert!((CUSTOMERS * 95 / 100..=CUSTOMERS * 115 / 100).contains(&customers), "{customers}");

    let again = run(dir).await;
    assert!(!again.published, "nothing is new");
    assert_eq!(again.release, outcome.release);
}
