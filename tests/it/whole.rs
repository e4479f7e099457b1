//! The whole customer: consent out of a ledger and of records, what was bought, sent and asked, and a
//! history that is the same however the nights came.

use std::collections::{BTreeMap, BTreeSet};

use cxmart::state::Release;

use crate::profile::{get, rows, source};
use crate::project::Project;

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"
country = "DK"

[[source]]
source = "crm"
entity = "contacts"
url = "raw/contacts/dt={dt}/*.json"

[[source]]
source = "post"
entity = "said"
url = "raw/said/dt={dt}/*.json"
optional = true

[[source]]
source = "mailer"
entity = "touches"
url = "raw/touches/dt={dt}/*.json"
optional = true

[[source]]
source = "shop"
entity = "orders"
url = "raw/orders/dt={dt}/*.json"
optional = true

[profile]
tracked = ["display_name", "city", "plan"]

[profile.field_rules]
email = ["verified"]
city = ["longest"]
"#;

fn project() -> Project {
    let project = Project::new("");
    project.write("jobs/project.toml", JOB);
    source(
        project.path(),
        "crm/contacts",
        "id email first last city plan birth:date job verified:bool consent gone:bool \
         said:timestamp updated:timestamp company",
        "contacts",
        "id as customer_source_id, email, first as first_name, last as last_name, city, plan, \
         birth as birth_date, job as job_title, verified as is_email_verified, \
         consent as email_consent, said as email_consent_at, updated as source_updated_at, \
         company as account_source_id, coalesce(gone, false) as is_deleted",
    );
    source(
        project.path(),
        "post/said",
        "id email purpose channel state basis at:timestamp snapshot:bool",
        "consents",
        "email, purpose, channel, state, basis as legal_basis, at as effective_at, \
         snapshot as is_snapshot",
    );
    source(
        project.path(),
        "mailer/touches",
        "id email action bot:bool at:timestamp",
        "campaign_touches",
        "email, 'email' as channel, action, bot as is_bot, at as occurred_at",
    );
    source(
        project.path(),
        "shop/orders",
        "id email total:decimal refunded:decimal placed:timestamp",
        "orders",
        "email, total, refunded, 'EUR' as currency, 'placed' as status, placed as placed_at",
    );
    project
}

fn put(project: &Project, entity: &str, day: &str, rows: &str) {
    project.write(&format!("raw/{entity}/dt={day}/x.json"), &format!(r#"{{"data":[{rows}]}}"#));
}

async fn at(project: &Project) -> Release {
    project.run().await.expect("the run succeeds");
    project.release().await.expect("a release")
}

async fn table(project: &Project, release: &Release, name: &str) -> Vec<BTreeMap<String, String>> {
    rows(&project.open().store, release, name).await
}

/// Goal: the words of three sources on consent come to one, by time, denial and whether they have a
/// time at all; and a customer's row sums up what is known of a life.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_known_whole() {
    let project = project();
    put(
        &project,
        "contacts",
        "2024-05-27",
        r#"{"id":"1","email":"ana@post.example","first":"Ana","last":"Perez","city":"Aarhus","plan":"pro","birth":"1980-02-29","job":"Buyer","verified":true,"consent":"granted","said":"2024-01-01T10:00:00Z","updated":"2024-05-01T10:00:00Z","company":"77"},
        {"id":"2","email":"bo@post.example","first":"Bo","last":"Bach","consent":"granted","said":"2024-03-01T10:00:00Z","updated":"2024-05-01T10:00:00Z"},
        {"id":"3","email":"cy@post.example","first":"Cy","last":"Carl","consent":"granted","updated":"2024-05-01T10:00:00Z"},
        {"id":"4","email":"di@post.example","first":"Di","last":"Dahl","updated":"2024-05-01T10:00:00Z"}"#,
    );
    put(
        &project,
        "said",
        "2024-05-27",
        r#"{"id":"1","email":"ana@post.example","purpose":"email_marketing","channel":"email","state":"withdrawn","at":"2024-02-01T10:00:00Z"},
        {"id":"2","email":"ana@post.example","purpose":"sms","channel":"sms","state":"granted","basis":"consent","at":"2024-02-01T10:00:00Z"},
        {"id":"3","email":"ana@post.example","purpose":"sms","channel":"sms","state":"unknown","at":"2024-05-01T10:00:00Z"},
        {"id":"4","email":"bo@post.example","purpose":"email_marketing","channel":"email","state":"denied","at":"2024-03-01T10:00:00Z"},
        {"id":"5","email":"cy@post.example","purpose":"email_marketing","channel":"email","state":"granted","at":"2024-03-01T10:00:00Z"},
        {"id":"6","email":"cy@post.example","purpose":"email_marketing","channel":"email","state":"withdrawn","at":"2024-05-20T10:00:00Z","snapshot":true},
        {"id":"7","email":"di@post.example","purpose":"email_marketing","channel":"email","state":"granted","snapshot":true},
        {"id":"8","email":"di@post.example","purpose":"email_marketing","channel":"email","state":"denied","snapshot":true}"#,
    );
    put(
        &project,
        "touches",
        "2024-05-27",
        r#"{"id":"1","email":"ana@post.example","action":"sent","at":"2024-05-20T10:00:00Z"},
        {"id":"2","email":"ana@post.example","action":"opened","at":"2024-05-20T11:00:00Z"},
        {"id":"3","email":"ana@post.example","action":"opened","bot":true,"at":"2024-05-20T10:01:00Z"},
        {"id":"4","email":"ana@post.example","action":"clicked","at":"2024-05-20T11:01:00Z"}"#,
    );
    put(
        &project,
        "orders",
        "2024-05-27",
        r#"{"id":"o1","email":"ana@post.example","total":"100","placed":"2024-05-20T10:00:00Z"},
        {"id":"o2","email":"ana@post.example","total":"51","refunded":"1","placed":"2024-01-20T10:00:00Z"},
        {"id":"o3","email":"ana@post.example","total":"30","placed":"2023-05-20T10:00:00Z"}"#,
    );
    let release = at(&project).await;
    let customers = table(&project, &release, "customers").await;
    let by_name = |name: &str| {
        let found = customers.iter().find(|row| get(row, "first_name") == name);
        found.unwrap_or_else(|| panic!("{name} in {customers:#?}"))
    };
    let ana = by_name("Ana");
    for (column, expected) in [
        ("email_consent", "withdrawn"),
        ("has_email_consent", "false"),
        ("has_sms_consent", "true"),
        ("birth_date", "1980-02-29"),
        ("job_title", "Buyer"),
        ("source_plan", "pro"),
        ("is_email_verified", "true"),
        ("n_orders", "3"),
        ("n_orders_365d", "2"),
        ("revenue", "180.0000"),
        ("revenue_365d", "150.0000"),
        ("average_order_value", "60.0000"),
        ("n_refunds", "1"),
        ("n_messages_sent", "1"),
        ("n_messages_opened", "1"),
        ("n_messages_answered", "1"),
        ("last_message_at", "2024-05-20T10:00:00Z"),
        ("n_interactions", "3"),
        ("n_interactions_90d", "1"),
        ("last_active_at", "2024-05-20T10:00:00Z"),
        ("n_questions_asked", "0"),
    ] {
        assert_eq!(get(ana, column), expected, "{column}");
    }
    assert!(!get(ana, "account_id").is_empty(), "the company with the id 77");
    assert_eq!(get(by_name("Bo"), "account_id"), get(by_name("Di"), "account_id"), "by domain");
    for (name, word) in [("Bo", "denied"), ("Cy", "granted"), ("Di", "denied")] {
        assert_eq!(get(by_name(name), "email_consent"), word, "{name}");
    }
    let consents = table(&project, &release, "customer_consents").await;
    assert_eq!(consents.len(), 5, "unknown says nothing: {consents:#?}");
    let sms = consents.iter().find(|row| get(row, "purpose") == "sms").expect("a row");
    assert_eq!((get(sms, "legal_basis"), get(sms, "n_statements")), ("consent", "1"));
    let verified = table(&project, &release, "customer_field_provenance").await;
    let of_birth = verified.iter().find(|row| get(row, "field") == "birth_date");
    assert_eq!(of_birth.map(|row| get(row, "winning_value")), Some("1980-02-29"));
}

/// One night of the CRM: several changes of one record, a deletion, a return.
const NIGHTS: [(&str, &str); 4] = [
    (
        "2024-05-27",
        r#"{"id":"1","email":"ana@post.example","first":"Ana","last":"Perez","city":"Ribe","plan":"free","updated":"2024-05-01T10:00:00Z"},
        {"id":"2","email":"bo@post.example","first":"Bo","last":"Bach","city":"Odense","updated":"2024-05-02T10:00:00Z"}"#,
    ),
    (
        "2024-05-28",
        r#"{"id":"1","email":"ana@post.example","first":"Ana","last":"Perez","city":"Vejle","plan":"free","updated":"2024-05-10T10:00:00Z"},
        {"id":"1","email":"ana@post.example","first":"Ana","last":"Perez","city":"Vejle","plan":"pro","updated":"2024-05-12T10:00:00Z"},
        {"id":"1","email":"ana@post.example","first":"Ana","last":"Perez","city":"Koege","plan":"pro","updated":"2024-05-20T10:00:00Z"}"#,
    ),
    (
        "2024-05-29",
        r#"{"id":"2","email":"bo@post.example","gone":true,"updated":"2024-05-29T10:00:00Z"}"#,
    ),
    (
        "2024-05-31",
        r#"{"id":"2","email":"bo@post.example","first":"Bo","last":"Bach","city":"Odense","updated":"2024-05-31T10:00:00Z"}"#,
    ),
];

/// Content of the history, and of what lies beside it.
fn history(release: &Release) -> Vec<(String, String)> {
    let names = ["customer_history", "customer_field_provenance", "customers", "identity_changes"];
    let hash = |name: &str| {
        let files = &release.tables[name].files;
        files
            .iter()
            .map(|file| (file.content_hash.to_string(), file.file_hash.to_string()))
            .collect()
    };
    names.iter().flat_map(|name| -> Vec<(String, String)> { hash(name) }).collect()
}

async fn after(nights: &[&[usize]]) -> (Project, Release) {
    let project = project();
    let mut last = None;
    for night in nights {
        for at in *night {
            let (day, rows) = NIGHTS[*at];
            put(&project, "contacts", day, rows);
        }
        last = Some(at(&project).await);
    }
    (project, last.expect("a run"))
}

/// Goal: the history has a row for each change of what the job tracks, several of one night, over a
/// deletion; and restating it from a day on (an export that comes late) is building it anew.
#[tokio::test(flavor = "multi_thread")]
async fn history_restated_is_history_rebuilt() {
    let (project, in_order) = after(&[&[0], &[1], &[2], &[3]]).await;
    let rows = table(&project, &in_order, "customer_history").await;
    let told = |row: &BTreeMap<String, String>| {
        ["display_name", "valid_from", "valid_to", "city", "plan", "change_reason"]
            .map(|column| get(row, column).to_owned())
    };
    let found: BTreeSet<_> = rows.iter().map(told).collect();
    let row = |parts: [&str; 6]| parts.map(str::to_owned);
    let wanted = BTreeSet::from([
        row(["Ana Perez", "2024-05-01", "2024-05-10", "Ribe", "free", "first_seen"]),
        row(["Ana Perez", "2024-05-10", "2024-05-12", "Vejle", "free", "city"]),
        row(["Ana Perez", "2024-05-12", "2024-05-20", "Vejle", "pro", "plan"]),
        row(["Ana Perez", "2024-05-20", "", "Koege", "pro", "city"]),
        row(["Bo Bach", "2024-05-02", "2024-05-29", "Odense", "", "first_seen"]),
        row(["Bo Bach", "2024-05-31", "", "Odense", "", "seen_again"]),
    ]);
    assert_eq!(found, wanted);
    let (_, at_once) = after(&[&[0, 1, 2, 3]]).await;
    assert_eq!(history(&at_once), history(&in_order));
    // The second night came last, and the history was restated from its day on.
    let (_, late) = after(&[&[0], &[2, 3], &[1]]).await;
    assert_eq!(history(&late), history(&in_order));
}
