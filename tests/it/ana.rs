//! The sample contact of all formats: one person under thirty keys, and nobody else in her.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use cxmart::settings::{self, Settings};
use cxmart::state::StateReader;
use cxmart::storage::parquet;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder of samples") {
        let entry = entry.expect("a sample");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// What each customer has: identifiers as `type namespace value`, and per table the sources of
/// their rows; those of nobody stand under the empty customer.
type People = BTreeMap<String, BTreeSet<String>>;

async fn people(project: &Path) -> (People, BTreeMap<&'static str, People>) {
    let settings = Settings {
        project: project.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some("00".repeat(32)),
        ..settings::from_environment()
    };
    let context = cxmart::run::open("job.toml", settings).expect("the job opens");
    let store = context.store.clone();
    let outcome = cxmart::run::run(Arc::new(context), None).await.expect("a release");
    let counts = outcome.counts;
    assert_eq!(
        (counts.rejected, counts.read),
        (0, counts.used + counts.duplicate + counts.skipped)
    );
    let release = StateReader::new(store.clone()).latest().await.expect("readable").expect("one");
    let by_customer = async |table: &str, columns: &[&str]| {
        let mut people = People::new();
        for file in &release.tables[table].files {
            let rows = parquet::read(&store, &file.path, &file.file_hash, Some(columns)).await;
            for batch in rows.expect("a whole file") {
                let text = |name: &str, i: usize| {
                    let column = batch.column_by_name(name).expect("a column").as_string::<i32>();
                    if column.is_valid(i) { column.value(i).to_owned() } else { String::new() }
                };
                for i in 0..batch.num_rows() {
                    let told = columns[1..].iter().map(|name| text(name, i)).collect::<Vec<_>>();
                    people.entry(text("customer_id", i)).or_default().insert(told.join(" "));
                }
            }
        }
        people
    };
    let identifiers = ["customer_id", "identifier_type", "namespace", "identifier"];
    let mut facts = BTreeMap::new();
    for table in ["conversations", "feedback", "orders", "subscriptions"] {
        facts.insert(table, by_customer(table, &["customer_id", "source"]).await);
    }
    (by_customer("customer_identifiers", &identifiers).await, facts)
}

/// Goal: Ana Perez, whose key, spelling and device differ from export to export, is one customer
/// with all of them and all her facts, and the others do not melt into her. Method: all 58 samples of 25 systems as
/// one company's exports, one run.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_contact_of_all_formats_is_one_customer() {
    let project = tempfile::tempdir().expect("a temporary folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ana"), project.path());
    let (people, facts) = people(project.path()).await;
    let whose = |identifier: &str| {
        let mut owners = people.iter().filter(|(_, all)| all.contains(identifier));
        owners.next().map(|(customer, _)| customer.clone())
    };
    let ana = whose("email  ana.perez@example.com").expect("Ana is known");
    for hers in [
        "cookie amplitude:main 2ff5d160-21b5-5101-87e8-ba5aa69d7961",
        "cookie ga4:main 1234567890.1716880000",
        "cookie zendesk_chat:main 21432-1JDmGTcw35VtqY",
        "crm_id acquire:main 82",
        "crm_id amplitude:main 75805000999",
        "crm_id asknicely:main 9121",
        "crm_id delighted:main 1046789984",
        "crm_id heyday:main psid-771",
        "crm_id hootsuite:main cp-9001",
        "crm_id hubspot:main 46897301",
        "crm_id hubspot:main 76340251",
        "crm_id hubspot:main 78971951",
        "crm_id intercom:main 63ea41aaeddb9b627ce9b882",
        "crm_id lemlist:main lea_L5RZ",
        "crm_id livechat:main b7eff798-f8df-4364-8059-649c35c9ed0c",
        "crm_id netigate:main 990112",
        "crm_id sas_ci360:main 11111111-1111-3111-8111-111111111111",
        "crm_id sas_ci360:main 22222222-2222-3222-8222-222222222222",
        "crm_id salesforce:main 0034W00002abcDEQAY",
        "crm_id salesforce:main 0034W00002abcDFQAY",
        "crm_id shopify:main 5501",
        "crm_id smile:main 304169228",
        "crm_id stripe:main cus_Q1",
        "crm_id trustpilot:main 5f0aa1",
        "crm_id zendesk:main 396331237134",
        "email  ana@example.org",
        "external_id  C-1001",
        "external_id  crm-0001",
        "phone  +33100000001",
        "phone  +34600000000",
    ] {
        assert_eq!(whose(hers).as_ref(), Some(&ana), "{hers}");
    }
    let lund = whose("email  b.lund@example.org").expect("B. Lund is known");
    let ito = whose("email  c.ito@example.com").expect("C. Ito is known");
    assert_eq!(BTreeSet::from([&ana, &lund, &ito]).len(), 3);
    assert_eq!(whose("external_id  crm-0002").as_ref(), Some(&lund));

    let hers = |table: &str| facts[table][&ana].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        hers("feedback").join(" "),
        "acquire amplitude asknicely delighted feedier feefo heyday hootsuite hubspot intercom \
         livechat netigate qualtrics surveymonkey trustpilot typeform zendesk zendesk_chat"
    );
    assert_eq!(
        hers("conversations").join(" "),
        "acquire heyday hootsuite intercom livechat zendesk zendesk_chat"
    );
    assert_eq!(hers("orders"), ["ga4", "shopify", "stripe"]);
    assert_eq!(hers("subscriptions"), ["stripe"]);
    // What is not hers: the export names another person, or nobody.
    for (table, whose, source) in [
        ("orders", "", "salesforce"),
        ("orders", ito.as_str(), "stripe"),
        ("conversations", lund.as_str(), "acquire"),
        ("feedback", lund.as_str(), "qualtrics"),
        ("feedback", "", "typeform"),
    ] {
        assert!(facts[table][whose].contains(source), "{table} of {whose}: {source}");
    }
}
