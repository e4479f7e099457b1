//! Companies and households: which records are one, who belonged to which and when; as tables of
//! cases, as laws, and as a whole job over several nights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cxmart::resolve::account::membership::{Stretch, Word, joined, stretches};
use cxmart::resolve::account::{
    self, Company, CompanyKey, Groups, Mail, Options, domain, household,
};
use cxmart::state::Release;
use proptest::prelude::*;

use crate::profile::{get, rows, source};
use crate::project::Project;

fn key(source: &str, id: &str) -> CompanyKey {
    CompanyKey { source: source.into(), source_account: "main".into(), id: id.into() }
}

fn company(first: i32, external: Option<&str>, domains: &[&str]) -> Company {
    let domains = domains.iter().map(|&name| name.to_owned()).collect();
    Company { external_id: external.map(str::to_owned), domains, first }
}

fn options() -> Options {
    let free_mail = BTreeSet::from(["isp.example".to_owned()]);
    Options { people_min: 2, people_max: 50, free_mail }
}

/// Groups as sets of `source:id` and domains.
fn sets(groups: &Groups) -> BTreeSet<BTreeSet<String>> {
    let names = |group: &account::Group| {
        let companies = group.companies.iter().map(|key| format!("{}:{}", key.source, key.id));
        companies.chain(group.domains.iter().cloned()).collect()
    };
    groups.groups.iter().map(names).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_domain_has_one_spelling() {
    for (raw, expected) in [
        ("https://www.Acme.example/about?x=1", Some("acme.example")),
        ("acme.example:8080", Some("acme.example")),
        (" ACME.example. ", Some("acme.example")),
        ("info@acme.example", Some("acme.example")),
        ("blåbær.example", Some("blåbær.example")),
        ("acme", None),
        ("acme..example", None),
        ("", None),
    ] {
        assert_eq!(domain(raw).as_deref(), expected, "{raw}");
    }
}

#[test]
fn records_of_companies_are_joined_by_domain_and_by_the_own_id() {
    let companies = BTreeMap::from([
        (key("crm", "10"), company(3, None, &["acme.example"])),
        (key("erp", "A7"), company(2, Some("E1"), &["acme.example", "acme.test"])),
        (key("desk", "5"), company(4, Some("E1"), &[])),
        (key("crm", "20"), company(1, None, &["gmail.com", "isp.example"])),
        (key("desk", "6"), company(1, None, &["gmail.com", "isp.example"])),
    ]);
    let found = account::group(&companies, &BTreeMap::new(), &options());
    let wanted = BTreeSet::from([
        set(&["crm:10", "erp:A7", "desk:5", "acme.example", "acme.test"]),
        set(&["crm:20"]),
        set(&["desk:6"]),
    ]);
    assert_eq!(sets(&found), wanted, "a provider of mail joins nobody");
    let acme = found.of_domain("acme.example").expect("a company");
    assert_eq!(found.groups[acme].anchor, ["company", "erp", "main", "A7"], "seen first");
    assert_eq!(found.of_domain("mail.eu.acme.example"), Some(acme));
    assert_eq!(found.of_domain("other.example"), None);
}

#[test]
fn a_domain_of_two_companies_of_one_system_tells_nothing() {
    let companies = BTreeMap::from([
        (key("crm", "10"), company(1, None, &["group.example"])),
        (key("crm", "11"), company(1, None, &["group.example", "part.example"])),
        (key("erp", "A7"), company(1, None, &["group.example"])),
    ]);
    let mail = BTreeMap::from([("group.example".to_owned(), Mail { people: 9, first: 1 })]);
    let found = account::group(&companies, &mail, &options());
    assert_eq!(found.groups.len(), 3);
    assert_eq!(found.of_domain("group.example"), None);
    assert_eq!(found.of_domain("sub.group.example"), None);
    assert!(found.of_domain("part.example").is_some());
    // Two records of one system with one id of the company's own are a double.
    let doubled = BTreeMap::from([
        (key("crm", "10"), company(1, Some("E1"), &["group.example"])),
        (key("crm", "11"), company(1, Some("E1"), &["group.example"])),
    ]);
    assert_eq!(account::group(&doubled, &mail, &options()).groups.len(), 1);
}

#[test]
fn a_domain_is_a_company_when_neither_one_nor_everybody_writes_from_it() {
    let mail = |people| Mail { people, first: 7 };
    let mails = BTreeMap::from([
        ("one.example".to_owned(), mail(1)),
        ("two.example".to_owned(), mail(2)),
        ("isp.example".to_owned(), mail(10)),
        ("web.de".to_owned(), mail(10)),
        ("huge.example".to_owned(), mail(51)),
    ]);
    let found = account::group(&BTreeMap::new(), &mails, &options());
    assert_eq!(sets(&found), BTreeSet::from([set(&["two.example"])]));
    let never = Options { people_min: 0, ..options() };
    assert!(account::group(&BTreeMap::new(), &mails, &never).groups.is_empty());
    // The account keeps its id when a system's record of it comes later.
    let anchor = found.groups[0].anchor.clone();
    let late = BTreeMap::from([(key("crm", "1"), company(9, None, &["two.example"]))]);
    let found = account::group(&late, &mails, &options());
    assert_eq!(found.groups.len(), 1);
    assert_eq!((&found.groups[0].anchor, found.groups[0].first), (&anchor, 7));
}

#[test]
fn circles_of_parents_are_cut() {
    let mut parents = vec![Some(1), Some(2), Some(0), Some(0), None, Some(4)];
    account::without_circles(&mut parents);
    assert_eq!(parents, [None, Some(2), Some(0), Some(0), None, Some(4)]);
    assert_eq!(account::top(&parents, 1), 0);
    assert_eq!(account::top(&parents, 5), 4);
}

#[test]
fn a_household_is_a_name_at_an_address_however_written() {
    let home = |name, street, code| household(name, street, code, "DE");
    let first = home("Müller", "Hauptstraße 5", "10115");
    assert!(first.is_some());
    for (name, street, code) in
        [("MUELLER", "Hauptstr. 5", "D-10115"), ("Mueller", "Haupt Straße 5", "DE 10115")]
    {
        assert_eq!(home(name, street, code), first, "{name}, {street}, {code}");
    }
    for (name, street, code) in [
        ("Meier", "Hauptstraße 5", "10115"),
        ("Müller", "Hauptstraße 6", "10115"),
        ("Müller", "Hauptstraße 5", "10117"),
    ] {
        assert_ne!(home(name, street, code), first, "{name}, {street}, {code}");
    }
    assert_eq!(home("Müller", "Hauptstraße", "10115"), None, "no number, no address");
    assert_eq!(home("", "Hauptstraße 5", "10115"), None);
    let danish = |street| household("Sørensen", street, "2100", "DK");
    assert_eq!(danish("Ægirsgade 3, 2. tv"), danish("aegirsgade 3 2 TV"));
}

fn word(series: u32, record: u32, company: Option<u32>, day: i32) -> Word {
    Word {
        series,
        record,
        customer: 1,
        company,
        day,
        since: None,
        until: None,
        role: None,
        is_primary: true,
        is_gone: false,
    }
}

/// Company, first day and first day no longer.
fn days(words: Vec<Word>) -> Vec<(u32, i32, Option<i32>)> {
    joined(stretches(words, 1)).iter().map(|found| (found.company, found.from, found.to)).collect()
}

#[test]
fn a_main_company_takes_the_place_of_the_one_before() {
    let moved = vec![word(1, 1, Some(7), 1), word(1, 1, Some(8), 5), word(1, 1, Some(7), 9)];
    assert_eq!(days(moved), [(7, 1, Some(5)), (7, 9, None), (8, 5, Some(9))]);
    // Two rows of one day: the last one holds.
    let twice = vec![word(1, 1, Some(7), 1), word(1, 1, Some(8), 1)];
    assert_eq!(days(twice), [(8, 1, None)]);
    // Further companies stand side by side.
    let more = vec![word(1, 1, Some(7), 1), word(2, 2, Some(8), 3)];
    assert_eq!(days(more), [(7, 1, None), (8, 3, None)]);
}

#[test]
fn a_membership_ends_when_its_record_says_so_or_is_gone() {
    let left = vec![word(1, 1, Some(7), 1), word(1, 1, None, 4)];
    assert_eq!(days(left), [(7, 1, Some(4))]);
    // Another record of the person that never named a company takes nothing back.
    let silent = vec![word(1, 1, Some(7), 1), word(1, 2, None, 4)];
    assert_eq!(days(silent), [(7, 1, None)]);
    let mut gone = word(9, 1, None, 6);
    gone.is_gone = true;
    assert_eq!(days(vec![word(1, 1, Some(7), 1), gone]), [(7, 1, Some(6))]);
    let mut told = word(1, 1, Some(7), 10);
    (told.since, told.until) = (Some(2), Some(30));
    assert_eq!(days(vec![told]), [(7, 2, Some(30))]);
    // The day that a record was made is not the day of each later company.
    let (mut first, mut second) = (word(1, 1, Some(7), 5), word(1, 1, Some(8), 9));
    (first.since, second.since) = (Some(2), Some(2));
    assert_eq!(days(vec![first, second]), [(7, 2, Some(9)), (8, 9, None)]);
}

#[test]
fn stretches_that_touch_are_one() {
    let stretch = |from, to, origins| Stretch {
        company: 1,
        customer: 1,
        from,
        to,
        role: None,
        is_primary: false,
        origins,
    };
    let found = joined(vec![stretch(5, Some(9), 2), stretch(1, Some(5), 1), stretch(12, None, 1)]);
    assert_eq!(found, [stretch(1, Some(9), 3), stretch(12, None, 1)]);
    assert_eq!(joined(vec![stretch(3, Some(4), 1), stretch(1, None, 1)]), [stretch(1, None, 1)]);
}

fn any_companies() -> impl Strategy<Value = Vec<(CompanyKey, Company)>> {
    let one = (
        prop_oneof![Just("crm"), Just("erp"), Just("desk")],
        0..6_u32,
        prop::option::of(0..4_u32),
        prop::collection::btree_set(0..6_u32, 0..3),
        0..9,
    );
    let one = one.prop_map(|(source, id, external, domains, first)| {
        let external = external.map(|n| format!("E{n}"));
        let domains: Vec<String> = domains.iter().map(|n| format!("d{n}.example")).collect();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        (key(source, &id.to_string()), company(first, external.as_deref(), &domains))
    });
    prop::collection::vec(one, 0..12)
}

proptest! {
    /// Every company is in one group, groups share no domain, and records that carry one id of the
    /// company's own are one.
    #[test]
    fn companies_are_parted(rows in any_companies()) {
        let companies: BTreeMap<_, _> = rows.into_iter().collect();
        let found = account::group(&companies, &BTreeMap::new(), &options());
        let mut seen = BTreeSet::new();
        for group in &found.groups {
            for name in group.domains.iter().cloned() {
                prop_assert!(seen.insert(name));
            }
        }
        let grouped: Vec<_> = found.groups.iter().flat_map(|group| &group.companies).collect();
        prop_assert_eq!(grouped.len(), companies.len());
        for (a, one) in &companies {
            for (b, other) in &companies {
                if one.external_id.is_some() && one.external_id == other.external_id {
                    prop_assert_eq!(found.of_company[a], found.of_company[b]);
                }
            }
        }
    }
}

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
source = "crm"
entity = "companies"
url = "raw/companies/dt={dt}/*.json"

[[source]]
source = "erp"
entity = "firms"
url = "raw/firms/dt={dt}/*.json"

[profile]
source_priority = ["crm"]

[accounts]
household = true
"#;

fn project() -> Project {
    let project = Project::new("");
    project.write("jobs/project.toml", JOB);
    source(
        project.path(),
        "crm/contacts",
        "id email name street code company updated:timestamp",
        "contacts",
        "id as customer_source_id, email, name as last_name, street, code as postal_code, \
         company as account_source_id, updated as source_updated_at",
    );
    source(
        project.path(),
        "crm/companies",
        "id name site parent staff:int64 worth:decimal gone:bool updated:timestamp",
        "accounts",
        "name, site as domain, parent as parent_source_id, staff as employees, \
         worth as annual_revenue, coalesce(gone, false) as is_deleted, \
         updated as source_updated_at",
    );
    source(
        project.path(),
        "erp/firms",
        "id name site currency",
        "accounts",
        "name, site as domain, currency, cast('wholesale' as string) as industry",
    );
    project
}

fn put(project: &Project, entity: &str, day: &str, rows: &str) {
    project.write(&format!("raw/{entity}/dt={day}/x.json"), &format!(r#"{{"data":[{rows}]}}"#));
}

fn night_one(project: &Project) {
    put(
        project,
        "companies",
        "2024-05-27",
        r#"{"id":"10","name":"Acme","site":"https://www.acme.example/","staff":12,"worth":"1000.5","updated":"2024-05-01T10:00:00Z"},
        {"id":"11","name":"Acme Nord","site":"nord.example","parent":"10","updated":"2024-05-01T10:00:00Z"},
        {"id":"12","name":"Gone","site":"gone.example","updated":"2024-05-01T10:00:00Z"}"#,
    );
    put(
        project,
        "firms",
        "2024-05-27",
        r#"{"id":"A7","name":"ACME A/S","site":"acme.example","currency":"DKK"}"#,
    );
    put(
        project,
        "contacts",
        "2024-05-27",
        r#"{"id":"1","email":"ana@gmail.com","name":"Sørensen","street":"Ægirsgade 3","code":"2200","company":"10","updated":"2024-05-02T10:00:00Z"},
        {"id":"2","email":"bo@mail.nord.example","name":"Bach","company":null,"updated":"2024-05-02T10:00:00Z"},
        {"id":"3","email":"cy@gmail.com","name":"Soerensen","street":"Aegirsgade 3","code":"DK-2200","company":"12","updated":"2024-05-02T10:00:00Z"},
        {"id":"4","email":"di@new.example","name":"Dahl","company":"77","updated":"2024-05-02T10:00:00Z"},
        {"id":"5","email":"ed@new.example","name":"Ernst","company":null,"updated":"2024-05-02T10:00:00Z"}"#,
    );
}

fn night_two(project: &Project) {
    put(
        project,
        "contacts",
        "2024-05-28",
        r#"{"id":"1","email":"ana@gmail.com","name":"Sørensen","street":"Ny Gade 9","code":"2100","company":"11","updated":"2024-05-28T10:00:00Z"}"#,
    );
    put(
        project,
        "companies",
        "2024-05-28",
        r#"{"id":"12","gone":true,"updated":"2024-05-28T10:00:00Z"}"#,
    );
}

fn night_three(project: &Project) {
    put(
        project,
        "contacts",
        "2024-05-30",
        r#"{"id":"1","email":"ana@gmail.com","name":"Sørensen","street":"Ny Gade 9","code":"2100","company":"10","updated":"2024-05-30T10:00:00Z"}"#,
    );
}

async fn table(project: &Project, release: &Release, name: &str) -> Vec<BTreeMap<String, String>> {
    rows(&project.open().store, release, name).await
}

/// Content of the tables of this room.
fn content(release: &Release) -> Vec<String> {
    let names = ["accounts", "account_members", "account_member_history"];
    names.map(|name| release.tables[name].content_hash.to_string()).into()
}

async fn at_once() -> Vec<String> {
    let project = project();
    night_one(&project);
    night_two(&project);
    night_three(&project);
    project.run().await.expect("the run succeeds");
    content(&project.release().await.expect("a release"))
}

/// Goal: companies of two systems, a domain without a record, a parent, a move and a return, a
/// deleted company and a household come out over three nights, and at once, as they are.
#[tokio::test(flavor = "multi_thread")]
async fn people_belong_to_companies_and_households_over_time() {
    let project = project();
    night_one(&project);
    project.run().await.expect("the run succeeds");
    let before = project.release().await.expect("a release");
    let first = table(&project, &before, "accounts").await;
    night_two(&project);
    project.run().await.expect("the run succeeds");
    night_three(&project);
    project.run().await.expect("the run succeeds");
    let release = project.release().await.expect("a release");
    let accounts = table(&project, &release, "accounts").await;
    let by = |rows: &[BTreeMap<String, String>], column: &str, text: &str| {
        let found = rows.iter().find(|row| get(row, column) == text).cloned();
        found.unwrap_or_else(|| panic!("`{text}` in {rows:#?}"))
    };
    let acme = by(&accounts, "account_name", "Acme");
    for (column, expected) in [
        ("account_kind", "company"),
        ("company_ids", "crm:main:10, erp:main:A7"),
        ("domain", "acme.example"),
        ("industry", "wholesale"),
        ("employees", "12"),
        ("annual_revenue", "1000.5000"),
        ("currency", ""),
        ("sources", "crm, erp"),
        ("n_records", "2"),
        ("n_members", "1"),
        ("n_members_ever", "1"),
        ("first_seen_date", "2024-05-27"),
    ] {
        assert_eq!(get(&acme, column), expected, "{column}");
    }
    let acme_id = get(&acme, "account_id").to_owned();
    assert_eq!(get(&by(&first, "account_name", "Acme"), "account_id"), acme_id);
    let nord = by(&accounts, "account_name", "Acme Nord");
    assert_eq!(get(&nord, "parent_account_id"), acme_id);
    assert_eq!(get(&nord, "top_account_id"), acme_id);
    assert_eq!(get(&nord, "n_members_ever"), "2", "Ana for two days, Bo by his address");
    let new = by(&accounts, "domain", "new.example");
    assert_eq!((get(&new, "company_ids"), get(&new, "n_members")), ("", "2"));
    let named = by(&accounts, "company_ids", "crm:main:77");
    assert_eq!((get(&named, "n_records"), get(&named, "n_members")), ("0", "1"));
    assert!(accounts.iter().all(|row| get(row, "account_name") != "Gone"));
    assert_eq!(accounts.len(), 5, "and a household: {accounts:#?}");
    let home = by(&accounts, "account_kind", "household");
    assert_eq!((get(&home, "n_members"), get(&home, "n_members_ever")), ("1", "2"));

    let history = table(&project, &release, "account_member_history").await;
    let days = |account: &BTreeMap<String, String>| {
        let id = get(account, "account_id");
        let own = history.iter().filter(|row| get(row, "account_id") == id);
        own.map(|row| (get(row, "valid_from"), get(row, "valid_to"), get(row, "known_by")))
            .collect::<BTreeSet<_>>()
    };
    let wanted = BTreeSet::from([
        ("2024-05-02", "2024-05-28", "company_id"),
        ("2024-05-30", "", "company_id"),
    ]);
    assert_eq!(days(&acme), wanted);
    let wanted = BTreeSet::from([
        ("2024-05-27", "", "email_domain"),
        ("2024-05-28", "2024-05-30", "company_id"),
    ]);
    assert_eq!(days(&nord), wanted);
    let wanted =
        BTreeSet::from([("2024-05-02", "", "address"), ("2024-05-02", "2024-05-28", "address")]);
    assert_eq!(days(&home), wanted);
    let members = table(&project, &release, "account_members").await;
    let hers = by(&members, "account_id", &acme_id);
    for (column, expected) in [
        ("valid_from", "2024-05-02"),
        ("valid_to", ""),
        ("is_current", "true"),
        ("is_primary", "true"),
        ("n_stretches", "2"),
    ] {
        assert_eq!(get(&hers, column), expected, "{column}");
    }
    assert_eq!(at_once().await, content(&release), "N nights are one run");
    let context = Arc::new(project.open());
    assert!(context.contract("account_members").is_some());
}
