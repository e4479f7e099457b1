//! What people say about who is who, large shapes of graphs, and a naive twin; and a whole job with
//! overrides and matching.

use std::collections::{BTreeMap, BTreeSet};

use cxmart::resolve::normalise::Normaliser;
use cxmart::resolve::{
    self, Evidence, Ledger, Named, Options, Override, Pin, Raw, Resolution, Sight, Verb,
};
use proptest::prelude::*;

use crate::project::Project;

const WIDE: Options =
    Options { max_degree: 100_000, max_emails: 100_000, max_cluster: 100_000, threads: 2 };
const SALT: &[u8] = b"salt of the tests";

/// Day, and identifiers as `type:value`.
type Record = (i32, Vec<String>);

fn raw(text: &str) -> Raw<'_> {
    let (kind, value) = text.split_once(':').expect("type:value");
    let strength = match kind {
        "external_id" => 3,
        "cookie" => 1,
        _ => 2,
    };
    Raw { kind, namespace: "", value, strength }
}

fn gather(records: &[Record]) -> Evidence {
    let mut evidence = Evidence::new(Normaliser::new(Some("DK"), false, &[]));
    for (day, identifiers) in records {
        let raws: Vec<_> = identifiers.iter().map(|text| raw(text)).collect();
        let sight = Sight { first: *day, last: *day, origin: "shop:orders", is_live: true };
        evidence.record(&identifiers.join(" "), sight, &raws).expect("taken");
    }
    evidence
}

fn record(day: i32, identifiers: &[&str]) -> Record {
    (day, identifiers.iter().map(|&text| text.to_owned()).collect())
}

fn said(verb: Verb, left: &str, right: &str) -> Override {
    let named = |text: &str| {
        let (kind, value) = text.split_once(':')?;
        Some(Named { kind: kind.into(), namespace: String::new(), value: value.into() })
    };
    let (left, right) = (named(left).expect("an identifier"), named(right));
    Override { verb, left, right, reason: "asked".into(), author: "eva".into(), since: None }
}

fn resolved(records: &[Record], overrides: &[Override]) -> Resolution {
    let mut evidence = gather(records);
    evidence.overrule(overrides);
    resolve::resolve(evidence, WIDE, Ledger::default(), SALT)
}

fn people(found: &Resolution) -> BTreeMap<String, Option<String>> {
    let row = |row: resolve::IdentifierRow<'_>| {
        (format!("{}:{}", row.kind, row.value), row.customer_id.map(str::to_owned))
    };
    found.identifiers().map(row).collect()
}

fn everything(found: &Resolution) -> Vec<String> {
    let mut all: Vec<String> = found.identifiers().map(|row| format!("{row:?}")).collect();
    all.extend(found.keys().map(|row| format!("{row:?}")));
    all.extend(found.quarantine().map(|row| format!("{row:?}")));
    all.extend(found.changes().map(|row| format!("{row:?}")));
    all.sort();
    all
}

fn family() -> Vec<Record> {
    vec![
        record(1, &["external_id:ana", "email:ana@example.com"]),
        record(2, &["external_id:bo", "email:bo@example.com"]),
        record(3, &["email:ana@example.com", "email:bo@example.com"]),
        record(4, &["external_id:cy", "phone:20304050"]),
    ]
}

#[test]
fn a_never_link_splits_two_people_and_says_so() {
    let before = resolved(&family(), &[]);
    assert_eq!(before.customers(), 2, "one record joined Ana and Bo");
    let never = said(Verb::NeverLink, "external_id:ana", "external_id:bo");
    let after = resolved(&family(), &[never]);
    let people = people(&after);
    assert_eq!(after.customers(), 3);
    assert_ne!(people["external_id:ana"], people["external_id:bo"]);
    assert_eq!(people["email:ana@example.com"], people["external_id:ana"]);
    assert_eq!(people["email:bo@example.com"], people["external_id:bo"]);
    let rules: Vec<_> = after.quarantine().map(|row| row.rule).collect();
    assert_eq!(rules, ["never_link"]);
    let split: Vec<_> = after.changes().filter(|change| change.kind == "split").collect();
    assert_eq!(split.len(), 1);
    assert_eq!((split[0].day, split[0].cause.as_str()), (3, "never_link"));
    assert_eq!(split[0].from, people["external_id:ana"], "the older keeps the id");
    assert_eq!(Some(&split[0].to), people["external_id:bo"].as_ref());
}

#[test]
fn a_link_joins_and_a_block_takes_an_identifier_out() {
    let mut link = said(Verb::Link, "external_id:cy", "email:Bo@Example.com");
    // From the day on that both are known they were always one: nobody ever saw two.
    let found = resolved(&family(), &[link.clone()]);
    assert_eq!(found.customers(), 1);
    assert!(found.changes().all(|change| change.cause != "link"));
    link.since = Some(9);
    let found = resolved(&family(), &[link]);
    assert_eq!(found.customers(), 1);
    let merged = found.changes().find(|change| change.cause == "link").expect("a merge");
    assert_eq!((merged.kind, merged.day), ("merged", 9));
    assert!(merged.evidence.contains("overrides: asked (eva)"), "{}", merged.evidence);

    let block = said(Verb::Block, "email:bo@example.com", "");
    let found = resolved(&family(), &[block]);
    assert_eq!(found.customers(), 3);
    assert_eq!(people(&found)["email:bo@example.com"], None);

    let mut evidence = gather(&family());
    let unheard = evidence.overrule(&[said(Verb::Link, "external_id:ana", "external_id:nobody")]);
    assert_eq!(unheard, 1, "nobody has seen one side");
}

#[test]
fn a_link_passes_the_guards_that_sources_do_not() {
    let records: Vec<Record> =
        (0..6).map(|i| record(i, &["external_id:u", &format!("email:p{i}@example.com")])).collect();
    let tight = Options { max_emails: 3, ..WIDE };
    let link = said(Verb::Link, "external_id:u", "email:p5@example.com");
    let mut evidence = gather(&records);
    evidence.overrule(&[link]);
    let found = resolve::resolve(evidence, tight, Ledger::default(), SALT);
    let people = people(&found);
    assert_eq!(people["email:p5@example.com"], people["external_id:u"]);
    assert_ne!(people["email:p4@example.com"], people["external_id:u"]);
}

#[test]
fn a_hash_of_an_address_is_the_address_when_that_is_known() {
    // MD5 and SHA-256 of `ana@example.com`, and a hash of nobody.
    let md5 = "email_md5:90C7C84C01A9E0FB1F20B4F9F5FBBA3E";
    let records = [
        record(1, &["external_id:ana", "email:Ana@Example.com"]),
        record(2, &[md5, "cookie:c1"]),
        record(3, &["email_md5:00000000000000000000000000000001", "cookie:c2"]),
    ];
    let found = resolved(&records, &[]);
    let people = people(&found);
    let known = people.keys().find(|key| key.starts_with("email_md5:90")).expect("seen");
    // The digest is checked against the crate that makes it, not typed from memory.
    let digest = {
        use md5::{Digest, Md5};
        let bytes = Md5::digest("ana@example.com");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let joined = *known == format!("email_md5:{digest}");
    assert_eq!(people[known] == people["external_id:ana"], joined);
    let hashed = [
        record(1, &["external_id:ana", "email:Ana@Example.com"]),
        record(2, &[&format!("email_md5:{}", digest.to_uppercase()), "cookie:c1"]),
    ];
    let found = resolved(&hashed, &[]);
    let people = self::people(&found);
    assert_eq!(people["cookie:c1"], people["external_id:ana"]);
}

#[test]
fn alike_records_become_one_person_with_the_weight_as_evidence() {
    // The record that is like another came when both people were known.
    let mut records = family();
    records.push(record(6, &["external_id:bo"]));
    let mut evidence = gather(&records);
    evidence.probable("external_id:cy phone:20304050", "external_id:bo", 12.5);
    evidence.probable("no such key", "external_id:bo", 30.0);
    let found = resolve::resolve(evidence, WIDE, Ledger::default(), SALT);
    assert_eq!(found.customers(), 1);
    let merged = found.changes().find(|change| change.cause == "probabilistic").expect("a merge");
    assert_eq!(merged.day, 6);
    assert_eq!(merged.evidence, "external_id ~ external_id, weight 12.500");
    // What people say is stronger.
    let mut evidence = gather(&family());
    evidence.probable("external_id:cy phone:20304050", "external_id:bo email:bo@example.com", 12.5);
    evidence.overrule(&[said(Verb::NeverLink, "external_id:cy", "email:bo@example.com")]);
    let found = resolve::resolve(evidence, WIDE, Ledger::default(), SALT);
    assert_eq!(found.customers(), 2);
}

#[test]
fn a_hub_of_twenty_thousand_and_long_chains_are_one_person_each() {
    let hub = (0..20_000).map(|i| record(i % 50, &["external_id:hub", &format!("cookie:c{i}")]));
    let chains = (0..40).flat_map(|chain| {
        (0..500).map(move |i| {
            let (a, b) =
                (format!("external_id:{chain}-{i}"), format!("external_id:{chain}-{}", i + 1));
            // In no order of days: later links come first.
            (500 - i, vec![a, b])
        })
    });
    let records: Vec<Record> = hub.chain(chains).collect();
    let found = resolved(&records, &[]);
    assert_eq!(found.customers(), 41);
    let people = people(&found);
    let of_hub: BTreeSet<_> =
        people.iter().filter(|(key, _)| key.starts_with("cookie:")).map(|(_, id)| id).collect();
    assert_eq!(of_hub.len(), 1);
    assert_eq!(people["external_id:7-0"], people["external_id:7-500"]);
    assert_eq!(found.quarantine().count(), 0);
}

/// Goal: threads save time and change nothing. Method: more identifiers than one thread is given,
/// by one thread and by several; ids, edges' outcome and the ledger are the same.
#[test]
fn threads_change_nothing() {
    let of = |n: i32| {
        let (shop, mail) = (format!("external_id:u{n}"), format!("email:p{}@x.dk", n % 30_000));
        record(n % 90, &[&shop, &mail, &format!("cookie:{}", n / 3)])
    };
    let records: Vec<Record> = (0..40_000).map(of).collect();
    let by = |threads: usize| {
        let options = Options { threads, ..WIDE };
        let found = resolve::resolve(gather(&records), options, Ledger::default(), SALT);
        (everything(&found), found.ledger().clone())
    };
    let one = by(1);
    assert!(one.0.len() > 80_000, "{}", one.0.len());
    for threads in [2, 3, 5] {
        assert!(by(threads) == one, "{threads} threads");
    }
}

/// Goal: what a release pinned is known in the next, wherever it stands in the ledger. Method: some
/// records, then all with the pins of some; a pin that is not found would come twice.
#[test]
fn what_is_pinned_is_found_again_and_pins_stand_in_order_of_their_texts() {
    let of = |n: i32| record(n % 90, &[&format!("external_id:u{n}"), &format!("cookie:{}", n / 2)]);
    let records: Vec<Record> = (0..20_000).map(of).collect();
    let before = resolved(&records[..7_000], &[]).ledger().clone();
    let after = resolve::resolve(gather(&records), WIDE, before.clone(), SALT);
    let texts: Vec<String> = after.ledger().pins().iter().map(Pin::text).collect();
    assert_eq!(texts.len(), 30_000);
    assert!(texts.is_sorted_by(|a, b| a < b));
    let kept: BTreeSet<_> = texts.iter().collect();
    assert!(before.pins().iter().all(|pin| kept.contains(&pin.text())));
    let read = |pin: &Pin| Pin::read(&pin.text(), pin.day, pin.strength);
    assert!(after.ledger().pins().iter().all(|pin| read(pin) == Some(*pin)));
    assert_eq!(Pin::read("b2", 1, 1), None);
    assert_eq!(Pin::read(&"1".repeat(32), 1, 1), None);
}

/// Goal: identifiers come in order of type and value. Method: values that begin alike for longer
/// than is looked at first, begin with each other, or end in zeros.
#[test]
fn identifiers_that_begin_alike_stand_in_order() {
    let long = "a".repeat(40);
    let ends = ["", "a", "\0", "\0\0", "b", "\u{e6}", "aaaaaaaaaaaab", "aaaaaaaaaaaa", "0", "\0b"];
    let values = ends.iter().flat_map(|end| [format!("x{long}{end}"), format!("xa{end}")]);
    let texts: Vec<String> =
        values.flat_map(|v| [format!("cookie:{v}"), format!("external_id:{v}")]).collect();
    let records: Vec<Record> = texts.iter().rev().map(|text| record(1, &[text])).collect();
    let found = resolved(&records, &[]);
    let rows: Vec<(&str, &str)> = found.identifiers().map(|row| (row.kind, row.value)).collect();
    let there: BTreeSet<(&str, &str)> = texts.iter().filter_map(|t| t.split_once(':')).collect();
    assert_eq!(rows, Vec::from_iter(there));
}

#[test]
fn one_phone_on_ten_thousand_people_joins_none_of_them() {
    let records: Vec<Record> = (0..10_000)
        .map(|i| record(i % 30, &[&format!("external_id:u{i}"), "phone:20304050"]))
        .collect();
    let options = Options { max_degree: 200, max_emails: 20, max_cluster: 500, threads: 2 };
    let found = resolve::resolve(gather(&records), options, Ledger::default(), SALT);
    assert_eq!(found.customers(), 10_000);
    assert_eq!(people(&found)["phone:+4520304050"], None);
    let told: Vec<_> = found.quarantine().map(|row| (row.rule, row.evidence)).collect();
    assert_eq!(told, [("max_degree", "seen with 10000 distinct others".to_owned())]);
}

/// Clusters as everybody would write them down who has time: join until nothing changes.
fn twin(records: &[Record]) -> BTreeSet<BTreeSet<String>> {
    let normaliser = Normaliser::new(Some("DK"), false, &[]);
    let spelt = |text: &String| {
        let (kind, value) = text.split_once(':').expect("type:value");
        let normal = normaliser.normalise(kind, "", value).expect("a value");
        normal.blocked.is_none().then(|| format!("{kind}:{}", normal.value))
    };
    let mut groups: Vec<BTreeSet<String>> =
        records.iter().map(|(_, set)| set.iter().filter_map(spelt).collect()).collect();
    groups.retain(|group| !group.is_empty());
    loop {
        let mut joined: Vec<BTreeSet<String>> = Vec::new();
        for group in &groups {
            match joined.iter_mut().find(|other| !other.is_disjoint(group)) {
                Some(other) => other.extend(group.iter().cloned()),
                None => joined.push(group.clone()),
            }
        }
        if joined.len() == groups.len() {
            return joined.into_iter().collect();
        }
        groups = joined;
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let identifier = prop_oneof![
        (0..12).prop_map(|n| format!("email:p{n}@example.com")),
        (0..8).prop_map(|n| format!("phone:203040{n}0")),
        (0..10).prop_map(|n| format!("external_id:u{n}")),
        Just("email:info@example.com".to_owned()),
    ];
    (0..20, prop::collection::btree_set(identifier, 1..4))
        .prop_map(|(day, set)| (day, set.into_iter().collect()))
}

proptest! {
    #[test]
    fn clusters_are_those_of_the_naive_twin(records in prop::collection::vec(any_record(), 0..40)) {
        let found = resolved(&records, &[]);
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (identifier, id) in people(&found) {
            if let Some(id) = id {
                groups.entry(id).or_default().insert(identifier);
            }
        }
        prop_assert_eq!(groups.into_values().collect::<BTreeSet<_>>(), twin(&records));
    }

    #[test]
    fn an_override_taken_back_never_happened(
        records in prop::collection::vec(any_record(), 1..30),
        verb in prop_oneof![Just(Verb::Link), Just(Verb::NeverLink), Just(Verb::Block)],
        ends in (0..10, 0..10),
    ) {
        let before = resolve::resolve(gather(&records), WIDE, Ledger::default(), SALT);
        let word = said(verb, &format!("external_id:u{}", ends.0), &format!("external_id:u{}", ends.1));
        let mut evidence = gather(&records);
        evidence.overrule(&[word]);
        let during = resolve::resolve(evidence, WIDE, before.ledger().clone(), SALT);
        let after = resolve::resolve(gather(&records), WIDE, during.ledger().clone(), SALT);
        prop_assert_eq!(everything(&before), everything(&after));
        prop_assert_eq!(before.ledger(), after.ledger());
    }

    /// Whatever is kept apart stays apart, and what people link is one unless they also part it.
    #[test]
    fn overrides_hold(
        records in prop::collection::vec(any_record(), 1..40),
        pairs in prop::collection::vec((any::<bool>(), 0..10, 0..10), 1..5),
    ) {
        let name = |n: i32| format!("external_id:u{n}");
        let words: Vec<Override> = pairs
            .iter()
            .filter(|(_, a, b)| a != b)
            .map(|(link, a, b)| {
                let verb = if *link { Verb::Link } else { Verb::NeverLink };
                said(verb, &name(*a), &name(*b))
            })
            .collect();
        let found = resolved(&records, &words);
        let people = people(&found);
        let has_never = pairs.iter().any(|(link, a, b)| !link && a != b);
        for (link, a, b) in pairs.iter().filter(|(_, a, b)| a != b) {
            let (Some(left), Some(right)) = (people.get(&name(*a)), people.get(&name(*b))) else {
                continue;
            };
            if !link {
                prop_assert_ne!(left, right);
            } else if !has_never {
                prop_assert_eq!(left, right);
            }
        }
    }
}

const MATCHING: &str = r#"
[identity]
overrides = "identity/overrides.toml"

[identity.matching]
enabled = true
field = [
    { column = "first_name", kind = "first_name" },
    { column = "last_name", kind = "last_name" },
    { column = "email", kind = "email" },
]
block = [["first_name", "last_name"], ["email"], ["sounds(last_name)", "first(first_name, 2)"]]
"#;

fn responses(project: &Project, day: &str, people: &[(u32, String, String)]) {
    let row = |(id, name, email): &(u32, String, String)| {
        format!(
            r#"{{"response_id":"{id}","contact_id":"{id}","name":"{name}","email":"{email}","answer":"9","question_type":"nps","responded":"1716890123"}}"#
        )
    };
    let rows: Vec<_> = people.iter().map(row).collect();
    let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
    project.write(&format!("raw/dt={day}/responses.json"), &text);
}

fn named(id: u32) -> (u32, String, String) {
    const FIRST: [&str; 13] = [
        "Ada", "Bea", "Cleo", "Dina", "Egon", "Finn", "Gerd", "Hugo", "Ines", "Jonas", "Klara",
        "Lotte", "Magnus",
    ];
    const LAST: [&str; 29] = [
        "Abel", "Bach", "Clausen", "Dahl", "Ernst", "Falk", "Gade", "Holm", "Iversen", "Juul",
        "Krag", "Lund", "Munk", "Nygaard", "Olsen", "Poulsen", "Quist", "Rask", "Skov", "Toft",
        "Ulrich", "Vang", "Winther", "Yde", "Zeuthen", "Berg", "Friis", "Kjær", "Ravn",
    ];
    let (first, last) = (FIRST[id as usize % 13], LAST[id as usize % 29]);
    let email = format!("{}.{}{id}@example.com", first.to_lowercase(), last.to_lowercase());
    (id, format!("{first} {last}"), email.replace('æ', "ae"))
}

async fn rows_of(project: &Project, name: &str) -> u64 {
    let release = project.release().await.expect("a release");
    let dataset = cxmart::plan::dataset(&release, name).expect("the table");
    dataset.files.iter().map(|file| file.rows).sum()
}

/// What `explain` and `resolve evaluate` say while Ana and her namesake are kept apart.
async fn verbs_say_why(project: &Project) {
    use cxmart::run::native::resolve::why::{self, Labels, Verdict};
    let context = std::sync::Arc::new(project.open());
    let id = "crm_id[asknicely:main]:11";
    let found = why::explain(&context, id).await.expect("a release").expect("somebody");
    let (_, _, email) = named(11);
    let same = why::explain(&context, &email).await.expect("a release").expect("somebody");
    assert_eq!(found.customer_id, same.customer_id);
    let same = why::explain(&context, &found.customer_id).await.expect("a release");
    assert_eq!(same.expect("somebody").trace, found.trace);
    assert_eq!(found.trace.identifiers, [id.to_owned(), format!("email:{email}")]);
    let ties: Vec<_> = found.trace.ties.iter().map(|t| (t.cause.as_str(), t.is_bridge)).collect();
    assert!(ties.contains(&("same_record", true)), "{ties:?}");
    let refused: Vec<_> = found.trace.refused.iter().map(|refused| refused.rule).collect();
    assert_eq!(refused, ["never_link"]);
    assert!(found.changes.iter().any(|change| change.kind == "split"));
    let of_name = found.provenance.iter().find(|field| field.field == "full_name");
    assert_eq!(of_name.map(|field| field.winning_value.clone()), Some(named(11).1));
    let nobody = why::explain(&context, "email:nobody@example.com").await.expect("a release");
    assert!(nobody.is_none());

    let twin = "crm_id[asknicely:main]:1001".to_owned();
    let labels = Labels::Pairs(vec![
        (id.to_owned(), twin, true),
        (id.to_owned(), email, true),
        (id.to_owned(), "crm_id[asknicely:main]:12".to_owned(), false),
        (id.to_owned(), "email:nobody@example.com".to_owned(), true),
    ]);
    let found = why::evaluate(&context, &labels).await.expect("a release");
    assert_eq!(found.unseen, 1);
    let job: Vec<_> = found.judged.iter().filter(|judged| judged.is_the_jobs).collect();
    assert_eq!(job.len(), 1);
    let Verdict::Pairs(quality) = job[0].quality else { panic!("pairs were asked") };
    assert_eq!((quality.precision, quality.recall), (Some(1.0), Some(0.5)));
}

#[test]
fn quality_is_as_counted_by_hand() {
    use cxmart::resolve::quality::{of_clusters, of_pairs};
    // Found {a b c} {d e}, true {a b} {c d e}: of 4 pairs found 2 are right, of 4 there 2.
    let found = of_clusters(&[(1, 1), (1, 1), (1, 2), (2, 2), (2, 2)]);
    assert_eq!((found.pairwise.precision, found.pairwise.recall), (Some(0.5), Some(0.5)));
    assert_eq!((found.cluster.precision, found.cluster.recall), (Some(0.0), Some(0.0)));
    // B-cubed precision: (2/3 + 2/3 + 1/3 + 1 + 1) / 5; recall: (1 + 1 + 1/3 + 2/3 + 2/3) / 5.
    let near = |share: Option<f64>| (share.expect("a share") - 11.0 / 15.0).abs() < 1e-12;
    assert!(near(found.b_cubed.precision) && near(found.b_cubed.recall));
    let right = of_clusters(&[(7, 1), (7, 1), (8, 2)]);
    assert_eq!(right.cluster.f1(), Some(1.0));
    let pairs = of_pairs(&[(true, true), (true, false), (false, true), (false, false)]);
    assert_eq!((pairs.precision, pairs.recall, pairs.f1()), (Some(0.5), Some(0.5), Some(0.5)));
    assert_eq!(of_pairs(&[(false, false)]).f1(), None);
}

/// The goal of matching in a job: a person who comes back under a misspelt address is one person,
/// is again two when somebody says so, and one when they take it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_matches_people_and_minds_what_people_say() {
    let project = Project::new(MATCHING);
    project.write("identity/overrides.toml", "");
    let mut people: Vec<_> = (1..=320).map(named).collect();
    let (_, name, email) = named(11);
    people.push((1_001, name, email.replace("@example", "@exmaple")));
    responses(&project, "2024-05-28", &people);
    let first = project.run().await.expect("the run succeeds");
    assert_eq!(rows_of(&project, "identity_matches").await, 1);
    assert_eq!(first.tables["customers"], 320);

    let never = r#"
[[rule]]
kind = "never_link"
left = "crm_id[asknicely:main]:11"
right = "crm_id[asknicely:main]:1001"
reason = "father and son"
author = "eva"
"#;
    project.write("identity/overrides.toml", never);
    let second = project.run().await.expect("the run succeeds");
    assert!(second.published);
    assert_eq!(second.tables["customers"], 321);
    verbs_say_why(&project).await;
    project.write("identity/overrides.toml", "# nothing");
    let third = project.run().await.expect("the run succeeds");
    assert_eq!(third.tables["customers"], 320);
    let release = |number: u64| {
        let store = project.open().store;
        async move {
            let reader = cxmart::state::StateReader::new(store);
            let release = reader.release(number).await.expect("a release");
            let hash = |(name, d): (&String, &cxmart::table::dataset::Dataset)| {
                (name.clone(), d.input_hash().to_string())
            };
            release.tables.iter().map(hash).collect::<BTreeMap<_, _>>()
        }
    };
    let numbers = [first, third].map(|outcome| outcome.release.expect("a number"));
    assert_eq!(release(numbers[0]).await, release(numbers[1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_pairs_to_compare_are_refused_by_name() {
    let limit = format!("{MATCHING}candidates_max = 0\n");
    let project = Project::new(&limit);
    project.write("identity/overrides.toml", "");
    let mut people: Vec<_> = (1..=320).map(named).collect();
    people.push((1_001, named(11).1, "other@example.com".to_owned()));
    responses(&project, "2024-05-28", &people);
    let error = project.run().await.expect_err("refused").to_string();
    assert!(error.contains("`candidates_max` of 0"), "{error}");
    assert!(error.contains("`first_name + last_name`"), "{error}");
}

#[test]
fn an_overrides_file_is_toml_or_csv_and_all_its_mistakes_are_told() {
    let toml = r#"
[[rule]]
kind = "link"
left = "email:a@example.com"
right = "crm_id[hubspot:main]:101"
reason = "r"
author = "a"
"#;
    let csv = "kind,left,right,reason,author\n\
               link,email:a@example.com,crm_id[hubspot:main]:101,r,a\n";
    let read = |path: &str, text: &str| cxmart::job::identity::read(path, text);
    assert_eq!(read("x.toml", toml), read("x.csv", csv));
    assert_eq!(read("x.toml", toml).map(|rules| rules.len()), Ok(1));
    let wrong = "kind,left,right,reason,author\n\
                 block,email:a@example.com,email:b@example.com,r,a\n\
                 never_link,nothing,,r,\n";
    let problems = read("x.csv", wrong).expect_err("mistakes");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "x.csv: rule[0].right",
            "x.csv: rule[1].left",
            "x.csv: rule[1].right",
            "x.csv: rule[1].author"
        ]
    );
    assert!(read("x.toml", "[[rule]]\nkind = \"joined\"\n").is_err());
    // What one rule joins another may not keep apart; the order and the case do not matter.
    let torn = "kind,left,right,reason,author\n\
                link,email:a@example.com,email:b@example.com,r,a\n\
                never_link,email:B@example.com,email:a@example.com,r,a\n\
                never_link,email:c@example.com,email:a@example.com,r,a\n";
    let problems = read("x.csv", torn).expect_err("a contradiction");
    let told: Vec<_> = problems.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
    assert_eq!(told, [("x.csv: rule[0]", "links the two that rule[1] keeps apart")]);
}

/// Goal: who asks for a person finds what people said about them, also under the id they had before
/// a merge, and a rule that says nothing is told. Method: a link from the second night on, beside a
/// rule about somebody nobody has seen.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_a_merge_took_away_leads_to_the_person_of_today() {
    use cxmart::run::forget;
    use cxmart::run::native::resolve::why;
    let project = Project::new("\n[identity]\noverrides = \"identity/who.csv\"\n");
    let head = "kind,left,right,reason,author,since\n";
    project.write("identity/who.csv", head);
    project.night("2026-02-01", 1, &[9, 3, 10]);
    project.run().await.expect("the first night");
    let context = std::sync::Arc::new(project.open());
    let email = |number: u32| format!("p{number}@example.com");
    let mut before = Vec::new();
    for number in [1, 2] {
        let found = why::explain(&context, &email(number)).await.expect("a release");
        before.push(found.expect("somebody").customer_id);
    }

    let rules = "block,email:stranger@example.com,,r,a,\n\
                 link,email:p1@example.com,email:p2@example.com,one person,eva,2026-02-02\n";
    project.write("identity/who.csv", &format!("{head}{rules}"));
    project.night("2026-02-02", 4, &[8]);
    let second = project.run().await.expect("the second night");
    let words = "rule[0] of the identity overrides say nothing: nobody has seen what they name";
    assert!(second.warnings.contains(&words.to_owned()), "{:?}", second.warnings);
    let context = std::sync::Arc::new(project.open());
    let mut today = Vec::new();
    for name in before.iter().chain([&email(1), &email(2)]) {
        let found = why::explain(&context, name).await.expect("a release").expect("somebody");
        let said: Vec<_> = found.said.iter().map(|rule| rule.reason.as_str()).collect();
        assert_eq!(said, ["one person"]);
        today.push(found.customer_id);
    }
    today.dedup();
    assert_eq!(today.len(), 1);
    assert!(before.contains(&today[0]) && before[0] != before[1]);
    let found = forget::look(&context, &before).await.expect("a release");
    let found: Vec<_> = found.into_iter().map(|person| person.customer_id).collect();
    assert_eq!(found, [Some(today[0].clone())], "both names are one person");
}
