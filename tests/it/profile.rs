//! One person over several sources: the golden record, how it came to be, and what is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::profile::golden::{self, Golden, Rule};
use cxmart::profile::history::{self, TRACKED, Tracked, Version};
use cxmart::profile::{Criterion, Field, Origin, Policy, Record};
use cxmart::settings::{self, Settings};
use cxmart::state::{Release, StateReader};
use cxmart::storage::{Store, parquet};

fn record(source: &str, id: &str, updated_at: Option<i64>, values: &[(Field, &str)]) -> Record {
    let mut record = Record {
        source: source.into(),
        source_id: id.into(),
        record_id: format!("n_{source}_{id}"),
        updated_at,
        ..Record::default()
    };
    for (field, value) in values {
        record.values[*field as usize] = Some((*value).into());
    }
    record
}

fn policy() -> Policy {
    let special = BTreeMap::from([("phone".to_owned(), vec!["shop".to_owned()])]);
    Policy::new(&["crm".into(), "shop".into()], &special)
}

fn all() -> Tracked {
    Tracked::new(&cxmart::job::TRACKABLE.map(String::from))
}

#[test]
fn a_field_is_chosen_by_trust_then_age_then_a_fixed_order() {
    use Field::{City, Country, Phone};
    let crm = |at, values| record("crm", "1", at, values);
    for (what, records, field, value, rule) in [
        (
            "the trusted source wins over the newer record",
            vec![
                crm(Some(1), &[(Country, "DK")]),
                record("shop", "9", Some(5), &[(Country, "SE")]),
            ],
            Country,
            "DK",
            Rule::SourcePriority,
        ),
        (
            "a field has a trust of its own",
            vec![crm(Some(9), &[(Phone, "+451")]), record("shop", "9", None, &[(Phone, "+452")])],
            Phone,
            "+452",
            Rule::SourcePriority,
        ),
        (
            "of one source the newer record wins",
            vec![crm(Some(1), &[(City, "Vejle")]), record("crm", "2", Some(2), &[(City, "Ribe")])],
            City,
            "Ribe",
            Rule::Newest,
        ),
        (
            "a record without a time is older than any with one",
            vec![crm(None, &[(City, "Vejle")]), record("crm", "2", Some(0), &[(City, "Ribe")])],
            City,
            "Ribe",
            Rule::Newest,
        ),
        (
            "an empty value never overwrites",
            vec![crm(Some(9), &[]), record("shop", "9", Some(1), &[(City, "Ribe")])],
            City,
            "Ribe",
            Rule::OnlyValue,
        ),
        (
            "sources that are not named come last, by name",
            vec![
                record("zeta", "1", Some(9), &[(City, "Ribe")]),
                record("alpha", "1", Some(1), &[(City, "Vejle")]),
            ],
            City,
            "Vejle",
            Rule::SourcePriority,
        ),
        (
            "the id decides at last",
            vec![record("crm", "2", None, &[(City, "Ribe")]), crm(None, &[(City, "Vejle")])],
            City,
            "Vejle",
            Rule::TieBreak,
        ),
    ] {
        let forward: Vec<&Record> = records.iter().collect();
        let backward: Vec<&Record> = records.iter().rev().collect();
        for records in [forward, backward] {
            let golden = Golden::new(&policy(), &records);
            let pick = golden.0[field as usize].expect(what);
            assert_eq!((pick.value, pick.rule), (value, rule), "{what}");
        }
    }
}

#[test]
fn a_record_beats_what_an_identifier_shows_and_losers_are_told() {
    let contact = record("shop", "1", None, &[(Field::Email, "ana@example.com")]);
    let mut carried = record("", "", None, &[(Field::Email, "old@example.com")]);
    (carried.origin, carried.dt) = (Origin::Identifier, 20_000);
    let records = [&carried, &contact];
    let golden = Golden::new(&policy(), &records);
    let pick = golden.0[Field::Email as usize].expect("an address");
    assert_eq!((pick.value, pick.rule), ("ana@example.com", Rule::ContactRecord));
    let losers = golden::losers(&policy(), &pick, &records);
    assert_eq!(losers.as_deref(), Some(r#"[["","old@example.com"]]"#));
}

#[test]
fn the_latest_word_on_consent_counts_and_denial_wins_a_tie() {
    let said = |source: &str, at: Option<i64>, word: &str| {
        let mut record = record(source, "1", Some(1), &[(Field::EmailConsent, word)]);
        record.consent_at = at;
        record
    };
    for (a, b, expected) in [
        (said("crm", Some(1), "granted"), said("shop", Some(2), "withdrawn"), "withdrawn"),
        (said("crm", Some(3), "denied"), said("shop", Some(2), "granted"), "denied"),
        (said("crm", Some(2), "granted"), said("shop", Some(2), "denied"), "denied"),
        (said("crm", None, "denied"), said("shop", Some(1), "granted"), "granted"),
    ] {
        let golden = Golden::new(&policy(), &[&a, &b]);
        assert_eq!(golden.value(Field::EmailConsent), Some(expected), "{a:?} {b:?}");
    }
}

#[test]
fn history_has_one_period_for_each_day_on_which_something_changed() {
    let version = |day: i32, source: &str, deleted: bool, values: &[(Field, &str)]| Version {
        day,
        is_deleted: deleted,
        record: record(source, "1", Some(i64::from(day)), values),
    };
    let lead = [(Field::LifecycleStage, "lead"), (Field::Country, "DK")];
    let customer = [(Field::LifecycleStage, "customer"), (Field::Country, "DK")];
    let versions = [
        version(1, "crm", false, &lead),
        version(2, "shop", false, &[(Field::City, "Ribe")]),
        // There and back within a day.
        version(3, "crm", false, &customer),
        version(3, "crm", false, &lead),
        version(5, "crm", false, &customer),
        version(6, "shop", false, &[(Field::City, "Ribe"), (Field::Country, "SE")]),
        version(8, "crm", true, &[]),
        version(9, "shop", true, &[]),
        version(12, "crm", false, &lead),
    ];
    let periods = history::periods(&policy(), &all(), &versions);
    let found: Vec<_> =
        periods.iter().map(|period| (period.from, period.to, period.reason.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, Some(2), "first_seen"),
            (2, Some(5), "city"),
            (5, Some(8), "lifecycle_stage"),
            (8, Some(9), "country, lifecycle_stage"),
            (12, None, "seen_again"),
        ]
    );
}

#[test]
fn a_job_says_what_makes_a_value_better() {
    use Criterion::{Longest, MostFrequent, Newest, SourcePriority, Verified};
    let crm = |at, id, values: &[(Field, &str)]| record("crm", id, Some(at), values);
    let shop = |at, id, values: &[(Field, &str)]| record("shop", id, Some(at), values);
    let city = [
        crm(1, "1", &[(Field::City, "Aarhus C")]),
        shop(2, "2", &[(Field::City, "Odense")]),
        shop(3, "3", &[(Field::City, "Odense")]),
        shop(4, "4", &[(Field::City, "Ribe")]),
    ];
    let email = [
        crm(9, "1", &[(Field::Email, "old@example.com"), (Field::EmailVerified, "false")]),
        shop(1, "2", &[(Field::Email, "ana@example.com"), (Field::EmailVerified, "true")]),
        shop(2, "3", &[(Field::Email, "ana@example.com")]),
    ];
    for (records, field, name, criteria, value, rule) in [
        (&city[..], Field::City, "city", vec![], "Aarhus C", Rule::SourcePriority),
        (&city, Field::City, "city", vec![SourcePriority], "Aarhus C", Rule::SourcePriority),
        (&city, Field::City, "city", vec![Newest], "Ribe", Rule::Newest),
        (&city, Field::City, "city", vec![MostFrequent], "Odense", Rule::MostFrequent),
        (&city, Field::City, "city", vec![Longest], "Aarhus C", Rule::Longest),
        (&city[1..], Field::City, "city", vec![MostFrequent, Newest], "Odense", Rule::MostFrequent),
        // What the first rule leaves open, the next ones decide.
        (&city[2..], Field::City, "city", vec![MostFrequent], "Ribe", Rule::Newest),
        (&email, Field::Email, "email", vec![], "old@example.com", Rule::SourcePriority),
        (&email, Field::Email, "email", vec![Verified], "ana@example.com", Rule::Verified),
    ] {
        let policy = policy().with_rules([(name, criteria.clone())].into_iter());
        let forward: Vec<&Record> = records.iter().collect();
        let backward: Vec<&Record> = records.iter().rev().collect();
        for records in [forward, backward] {
            let golden = Golden::new(&policy, &records);
            let pick = golden.0[field as usize].expect("a value");
            assert_eq!((pick.value, pick.rule), (value, rule), "{criteria:?}");
        }
    }
    // Verified is said of the chosen address.
    let records: Vec<&Record> = email.iter().collect();
    let verified = |policy: &Policy| {
        let golden = Golden::new(policy, &records);
        golden.value(Field::EmailVerified).map(str::to_owned)
    };
    assert_eq!(verified(&policy()).as_deref(), Some("false"));
    let by_answer = policy().with_rules([("email", vec![Verified])].into_iter());
    assert_eq!(verified(&by_answer).as_deref(), Some("true"));
}

#[test]
fn the_job_knows_the_fields_and_rules_of_the_room() {
    let names = Field::ALL.iter().map(|field| field.name());
    let names: Vec<_> = names.filter(|name| *name != "is_email_verified").collect();
    assert_eq!(names, cxmart::job::FIELDS);
    let columns = TRACKED.iter().map(|field| field.column());
    let columns: Vec<_> = ["display_name"].into_iter().chain(columns).collect();
    assert_eq!(columns, cxmart::job::TRACKABLE);
    for (name, criterion) in Criterion::ALL {
        let rule: cxmart::job::FieldRule =
            serde_json::from_value(name.into()).expect("a rule of the job");
        assert_eq!((rule.name(), Criterion::of(name)), (name, Some(criterion)));
    }
}

#[test]
fn history_follows_what_the_job_tracks() {
    let version = |day: i32, values: &[(Field, &str)]| Version {
        day,
        is_deleted: false,
        record: record("crm", "1", Some(i64::from(day)), values),
    };
    let versions = [
        version(1, &[(Field::City, "Ribe"), (Field::Plan, "free"), (Field::FirstName, "Ana")]),
        version(2, &[(Field::City, "Vejle"), (Field::Plan, "free"), (Field::FirstName, "Ana")]),
        version(3, &[(Field::City, "Vejle"), (Field::Plan, "pro"), (Field::FirstName, "Anna")]),
    ];
    let found = |columns: &[&str]| {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let periods = history::periods(&policy(), &Tracked::new(&columns), &versions);
        let told = |period: &history::Period| {
            let at = TRACKED.iter().position(|field| *field == Field::City).expect("a place");
            (period.from, period.reason.clone(), period.values[at].clone())
        };
        periods.iter().map(told).collect::<Vec<_>>()
    };
    let first = (1, "first_seen".to_owned());
    let row = |(day, reason): &(i32, String), city: Option<&str>| {
        (*day, reason.clone(), city.map(str::to_owned))
    };
    assert_eq!(found(&[]), [row(&first, None)]);
    let plan = (3, "plan".to_owned());
    assert_eq!(found(&["plan"]), [row(&first, None), row(&plan, None)]);
    let city = (2, "city".to_owned());
    assert_eq!(found(&["city"]), [row(&first, Some("Ribe")), row(&city, Some("Vejle"))]);
    let name = (3, "display_name".to_owned());
    assert_eq!(found(&["display_name"]), [row(&first, None), row(&name, None)]);
}

const JOB: &str = r#"
name = "people"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"
country = "DK"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/asknicely/dt={dt}/*.json"

[[source]]
source = "crm"
entity = "contacts"
url = "raw/crm/dt={dt}/*.json"

[[source]]
source = "shop"
entity = "sales"
url = "raw/shop/dt={dt}/*.json"

[[source]]
source = "desk"
entity = "tickets"
url = "raw/desk/dt={dt}/*.json"

[[source]]
source = "billing"
entity = "contracts"
url = "raw/billing/dt={dt}/*.json"

[profile]
source_priority = ["crm"]
"#;

/// A source of the test's own: its columns with types, the key, and the mapping.
pub fn source(project: &Path, name: &str, columns: &str, canonical: &str, select: &str) {
    let (source, entity) = name.split_once('/').expect("source/entity");
    let mut spec = String::from(
        "description = \"Of a test.\"\nkey = [\"id\"]\n[format]\nkind = \"json\"\nlist = \"data\"\n",
    );
    for column in columns.split(' ') {
        let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
        spec += &format!("[[column]]\nname = \"{name}\"\ntype = \"{kind}\"\n");
    }
    write(project, &format!("sql/stage/{source}/{entity}.toml"), &spec);
    let sql = format!(
        "-- One row per record.\n-- grain: source_id\n-- canonical: {canonical}\n\
         select record_id, id as source_id, {select} from raw_{source}__{entity}\n"
    );
    write(project, &format!("sql/stage/{source}/stg_{source}__{canonical}.sql"), &sql);
}

pub fn write(project: &Path, path: &str, text: &str) {
    let path = project.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, text).expect("a file");
}

fn sources(project: &Path) {
    write(project, "jobs/people.toml", JOB);
    source(
        project,
        "crm/contacts",
        "id email phone first_name last_name stage consent updated:timestamp",
        "contacts",
        "id as customer_source_id, email, phone, first_name, last_name, \
         stage as lifecycle_stage, consent as email_consent, updated as source_updated_at, \
         updated as created_at",
    );
    let merges = "-- One row per merge.\n-- grain: source_id\n-- canonical: identity_edges\n\
        select record_id, id as source_id, 'crm_id' as left_type, id as left_value, \
        'crm_id' as right_type, cast('101' as string) as right_value, 'merge' as kind \
        from raw_crm__contacts where id = '201'\n";
    write(project, "sql/stage/crm/stg_crm__merges.sql", merges);
    source(
        project,
        "shop/sales",
        "id email total:decimal currency status placed:timestamp refunded:decimal",
        "orders",
        "email, total, currency, status, placed as placed_at, refunded",
    );
    source(
        project,
        "desk/tickets",
        "id email phone status opened:timestamp",
        "conversations",
        "email, phone, status, opened as created_at, 'ticket' as kind",
    );
    source(
        project,
        "billing/contracts",
        "id email mrr:decimal currency status started:timestamp ended:timestamp",
        "subscriptions",
        "id as customer_source_id, email, mrr, currency, status, started as started_at, \
         ended as ended_at",
    );
}

fn night_one(project: &Path) {
    write(
        project,
        "raw/crm/dt=2024-05-27/c.json",
        r#"{"data":[
        {"id":"201","email":"Ana.Perez@Example.com","phone":"20 30 40 50","first_name":"Ana","last_name":"Perez","stage":"lead","consent":"granted","updated":"2024-05-01T10:00:00Z"},
        {"id":"101","email":"a.perez@work.example","phone":null,"first_name":"A.","last_name":"Perez","stage":"subscriber","consent":null,"updated":"2024-04-01T10:00:00Z"},
        {"id":"300","email":"noemail@example.com","phone":"call me","first_name":"B.","last_name":"Lund","stage":null,"consent":null,"updated":"2024-04-02T10:00:00Z"}]}"#,
    );
    write(
        project,
        "raw/asknicely/dt=2024-05-27/r.json",
        r#"{"data":[
        {"response_id":"1","contact_id":"9","email":"ana.perez@example.com","answer":"9","question_type":"nps","sent":"1716883200","responded":"1716890123"},
        {"response_id":"2","contact_id":"9","email":"ana.perez@example.com","answer":"3","question_type":"nps","sent":"1716883300","responded":"1716893723"},
        {"response_id":"3","contact_id":null,"email":"info@example.com","answer":"7","question_type":"nps","sent":"1716883300","responded":"1716893723"}]}"#,
    );
    write(
        project,
        "raw/desk/dt=2024-05-27/t.json",
        r#"{"data":[
        {"id":"7","email":null,"phone":"+45 20304050","status":"open","opened":"2024-05-20T10:00:00Z"},
        {"id":"8","email":"A.Perez@Work.example","phone":null,"status":"closed","opened":"2024-05-21T10:00:00Z"}]}"#,
    );
}

fn night_two(project: &Path) {
    write(
        project,
        "raw/crm/dt=2024-05-28/c.json",
        r#"{"data":[
        {"id":"201","email":"Ana.Perez@Example.com","phone":"20 30 40 50","first_name":"Ana","last_name":"Perez","stage":"customer","consent":"withdrawn","updated":"2024-05-28T10:00:00Z"}]}"#,
    );
    write(
        project,
        "raw/shop/dt=2024-05-28/o.json",
        r#"{"data":[
        {"id":"o1","email":"ANA.PEREZ@example.com","total":"100.50","currency":"EUR","status":"placed","placed":"2024-05-20T10:00:00Z","refunded":"20.25"},
        {"id":"o2","email":"a.perez@work.example","total":"10","currency":"SEK","status":"placed","placed":"2024-05-22T10:00:00Z","refunded":null},
        {"id":"o3","email":"ana.perez@example.com","total":"999","currency":"EUR","status":"cancelled","placed":"2024-05-23T10:00:00Z","refunded":null}]}"#,
    );
    write(
        project,
        "raw/billing/dt=2024-05-28/s.json",
        r#"{"data":[
        {"id":"cus_1","email":"ana.perez@example.com","mrr":"49","currency":"EUR","status":"active","started":"2024-05-02T10:00:00Z","ended":null}]}"#,
    );
}

async fn run(project: &Path) -> (Store, Release) {
    let settings = Settings {
        project: project.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some("07".repeat(32)),
        ..settings::from_environment()
    };
    let context = cxmart::run::open("jobs/people.toml", settings).expect("the job opens");
    let store = context.store.clone();
    cxmart::run::run(Arc::new(context), None).await.expect("the run succeeds");
    let release = StateReader::new(store.clone()).latest().await.expect("readable");
    (store, release.expect("a release"))
}

/// Rows of a table as column name to text; nulls are left out.
pub async fn rows(store: &Store, release: &Release, table: &str) -> Vec<BTreeMap<String, String>> {
    let dataset = release.tables.get(table).or_else(|| release.state.get(table));
    let mut rows = Vec::new();
    for file in &dataset.expect("the table is there").files {
        let batches = parquet::read(store, &file.path, &file.file_hash, None).await;
        for batch in batches.expect("readable") {
            let options = FormatOptions::default();
            for i in 0..batch.num_rows() {
                let mut row = BTreeMap::new();
                for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
                    if array.is_valid(i) {
                        let format = ArrayFormatter::try_new(array, &options).expect("a format");
                        row.insert(field.name().clone(), format.value(i).to_string());
                    }
                }
                rows.push(row);
            }
        }
    }
    rows
}

pub fn get<'a>(row: &'a BTreeMap<String, String>, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// Goal: Ana, who is in five sources under two addresses, a phone and merged CRM records, is one
/// customer with all that belongs to her; ids of the first night hold in the second.
#[tokio::test(flavor = "multi_thread")]
async fn ana_is_one_customer_over_five_sources() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = folder.path();
    sources(project);
    night_one(project);
    for path in ["shop", "billing"] {
        write(project, &format!("raw/{path}/dt=2024-05-27/none.json"), r#"{"data":[]}"#);
    }
    let (store, release) = run(project).await;
    let before = rows(&store, &release, "customers").await;
    let ana_before: Vec<_> = before.iter().filter(|row| get(row, "first_name") == "Ana").collect();
    let [ana_before] = ana_before.as_slice() else { panic!("one Ana in {before:?}") };

    night_two(project);
    let (store, release) = run(project).await;
    let customers = rows(&store, &release, "customers").await;
    assert_eq!(customers.len(), 2, "Ana, and B. Lund by his CRM id alone: {customers:#?}");
    let ana = customers.iter().find(|row| get(row, "first_name") == "Ana").expect("Ana");
    assert_eq!(get(ana, "customer_id"), get(ana_before, "customer_id"));
    for (column, expected) in [
        ("primary_email", "ana.perez@example.com"),
        ("primary_phone", "+4520304050"),
        ("display_name", "Ana Perez"),
        ("lifecycle_stage", "customer"),
        ("email_consent", "withdrawn"),
        ("has_email_consent", "false"),
        ("is_customer", "true"),
        ("is_anonymous", "false"),
        ("customer_since", "2024-05-02"),
        ("n_orders", "2"),
        ("n_orders_other_currency", "1"),
        ("revenue", "80.2500"),
        ("n_active_subscriptions", "1"),
        ("mrr", "49.0000"),
        ("n_responses", "2"),
        ("last_nps_score", "3.0000"),
        ("last_nps_bucket", "detractor"),
        ("n_conversations", "2"),
        ("n_open_conversations", "1"),
        ("n_records", "3"),
        ("sources", "asknicely, billing, crm, desk, shop"),
    ] {
        assert_eq!(get(ana, column), expected, "{column}");
    }
    let lund = customers.iter().find(|row| get(row, "last_name") == "Lund").expect("Lund");
    assert_eq!(get(lund, "primary_email"), "", "a placeholder is nobody's address");
    people_are_on_their_facts(&store, &release, get(ana, "customer_id")).await;
    her_history_is_told(&store, &release, get(ana, "customer_id")).await;
}

async fn people_are_on_their_facts(store: &Store, release: &Release, ana: &str) {
    let feedback = rows(store, release, "feedback").await;
    let by_id: BTreeMap<_, _> =
        feedback.iter().map(|row| (get(row, "score"), get(row, "customer_id"))).collect();
    assert_eq!(by_id.get("9.0000"), Some(&ana));
    assert_eq!(by_id.get("7.0000"), Some(&""), "a role mailbox is nobody");
    let nine = feedback.iter().find(|row| get(row, "score") == "9.0000").expect("the nine");
    assert_eq!((get(nine, "score_norm"), get(nine, "bucket")), ("0.9", "promoter"));
    assert_eq!((get(nine, "month"), get(nine, "scale")), ("2024-05-01", "0-10"));
    for (table, count) in [("orders", 3), ("conversations", 2), ("subscriptions", 1)] {
        let rows = rows(store, release, table).await;
        let hers = rows.iter().filter(|row| get(row, "customer_id") == ana).count();
        assert_eq!((rows.len(), hers), (count, count), "{table}");
    }
    let interactions = rows(store, release, "interactions").await;
    let kinds = |kind: &str| interactions.iter().filter(|row| get(row, "kind") == kind).count();
    assert_eq!((kinds("order"), kinds("survey_answered"), kinds("survey_asked")), (2, 3, 3));
    let nobody = interactions.iter().filter(|row| get(row, "customer_id").is_empty()).count();
    assert_eq!(nobody, 2, "asked and answered by the role mailbox");
}

async fn her_history_is_told(store: &Store, release: &Release, ana: &str) {
    let history = rows(store, release, "customer_history").await;
    let hers: Vec<_> = history
        .iter()
        .filter(|row| get(row, "customer_id") == ana)
        .map(|row| (get(row, "valid_from"), get(row, "valid_to"), get(row, "lifecycle_stage")))
        .collect();
    assert_eq!(
        hers,
        [
            ("2024-04-01", "2024-05-01", "subscriber"),
            ("2024-05-01", "2024-05-28", "lead"),
            ("2024-05-28", "", "customer"),
        ]
    );
    let provenance = rows(store, release, "customer_field_provenance").await;
    let email = |row: &&BTreeMap<String, String>| {
        get(row, "customer_id") == ana && get(row, "field") == "primary_email"
    };
    let email = provenance.iter().find(email).expect("a row for the address");
    assert_eq!((get(email, "source"), get(email, "rule")), ("crm", "newest"));
    assert!(get(email, "losing_values").contains("a.perez@work.example"));
    let changes = rows(store, release, "identity_changes").await;
    let merged: Vec<_> = changes.iter().filter(|row| get(row, "kind") == "merged").collect();
    assert!(merged.is_empty(), "all of it was known on her first day: {merged:?}");
    let identifiers = rows(store, release, "customer_identifiers").await;
    let role = identifiers.iter().find(|row| get(row, "identifier") == "info@example.com");
    let role = role.expect("the mailbox is listed");
    assert_eq!((get(role, "is_blocked"), get(role, "block_rule")), ("true", "role_mailbox"));
}
