//! Who the customer of a fact was, as far as anybody knew on its day.

use std::collections::{BTreeMap, BTreeSet};

use cxmart::resolve::normalise::Normaliser;
use cxmart::resolve::{
    self, Evidence, FormerRow, Ledger, Named, Options, Override, Raw, Resolution, Sight, Verb,
};
use cxmart::state::Release;
use proptest::prelude::*;

use crate::profile::{get, rows};
use crate::project::Project;

const OPTIONS: Options = Options { max_degree: 1_000, max_emails: 3, max_cluster: 8, threads: 2 };
const SALT: &[u8] = b"salt of the tests";

/// Day, and identifiers as `type:value`.
type Record = (i32, Vec<String>);

fn gather(records: &[Record], apart: &[(u32, u32)]) -> Evidence {
    let mut evidence = Evidence::new(Normaliser::new(Some("DK"), false, &[]));
    for (day, identifiers) in records {
        let raw = |text: &'_ String| {
            let (kind, value) = text.split_once(':').expect("type:value");
            let strength = match kind {
                "external_id" => 3,
                "cookie" => 1,
                _ => 2,
            };
            (kind.to_owned(), value.to_owned(), strength)
        };
        let raws: Vec<_> = identifiers.iter().map(raw).collect();
        let raws: Vec<Raw<'_>> = raws
            .iter()
            .map(|(kind, value, strength)| Raw { kind, namespace: "", value, strength: *strength })
            .collect();
        let sight = Sight { first: *day, last: *day, origin: "shop:orders", is_live: true };
        evidence.record(&identifiers.join(" "), sight, &raws).expect("taken");
    }
    let named = |n: u32| Named {
        kind: "external_id".into(),
        namespace: String::new(),
        value: format!("u{n}"),
    };
    let said: Vec<Override> = apart
        .iter()
        .map(|(left, right)| Override {
            verb: Verb::NeverLink,
            left: named(*left),
            right: Some(named(*right)),
            reason: "asked".into(),
            author: "eva".into(),
            since: None,
        })
        .collect();
    evidence.overrule(&said);
    evidence
}

fn resolved(records: &[Record], apart: &[(u32, u32)], ledger: Ledger) -> Resolution {
    resolve::resolve(gather(records, apart), OPTIONS, ledger, SALT)
}

fn record(day: i32, identifiers: &[&str]) -> Record {
    (day, identifiers.iter().map(|&text| text.to_owned()).collect())
}

/// Whom a key named on a day.
fn on(found: &Resolution, key: &str, day: i32) -> Option<String> {
    let hit = |row: &FormerRow<'_>| row.identity_key == key && (row.from..row.until).contains(&day);
    let former = found.former().find(hit).map(|row| row.customer_id);
    let now = || found.keys().find(|(of, _)| *of == key).map(|(_, id)| id.to_owned());
    former.or_else(now)
}

#[test]
fn a_merge_leaves_the_past_as_it_was_known() {
    let records = [
        record(1, &["external_id:ana"]),
        record(2, &["cookie:c"]),
        record(5, &["email:ana@example.com", "cookie:c"]),
        record(7, &["external_id:ana", "email:ana@example.com"]),
    ];
    let found = resolved(&records, &[], Ledger::default());
    assert_eq!(found.customers(), 1);
    let ana = on(&found, "external_id:ana", 1).expect("a customer");
    let visitor = on(&found, "cookie:c", 2).expect("a customer");
    assert_ne!(ana, visitor);
    for day in 2..7 {
        assert_eq!(on(&found, "cookie:c", day).as_ref(), Some(&visitor), "day {day}");
    }
    assert_eq!(on(&found, "cookie:c", 7).as_ref(), Some(&ana));
    assert_eq!(on(&found, "email:ana@example.com cookie:c", 5).as_ref(), Some(&visitor));
    assert_eq!(found.former().count(), 2, "two keys, one former customer each");
    // She was merged, and the change says from whom.
    let merged: Vec<_> = found.changes().filter(|change| change.kind == "merged").collect();
    assert_eq!(merged.iter().map(|c| c.from.as_ref()).collect::<Vec<_>>(), [Some(&visitor)]);
}

fn any_record() -> impl Strategy<Value = Record> {
    let identifier = prop_oneof![
        (0..8).prop_map(|n| format!("email:p{n}@example.com")),
        (0..6).prop_map(|n| format!("external_id:u{n}")),
        (0..5).prop_map(|n| format!("cookie:c{n}")),
    ];
    (0..12, prop::collection::btree_set(identifier, 1..4))
        .prop_map(|(day, set)| (day, set.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The id as of a day is that of a resolution that never saw what came later, under the ledger
    /// and the overrides of today.
    #[test]
    fn the_past_is_what_a_resolution_of_that_day_says(
        records in prop::collection::vec(any_record(), 1..30),
        apart in prop::collection::vec((0..6_u32, 0..6_u32), 0..2),
    ) {
        let today = resolved(&records, &apart, Ledger::default());
        for day in 0..12 {
            let seen: Vec<Record> = records.iter().filter(|(at, _)| *at <= day).cloned().collect();
            let then = resolved(&seen, &apart, today.ledger().clone());
            let ids: BTreeMap<_, _> = then.keys().collect();
            for (_, identifiers) in &seen {
                let key = identifiers.join(" ");
                let expected = ids.get(key.as_str()).map(|&id| id.to_owned());
                prop_assert_eq!(on(&today, &key, day), expected, "{} on {}", key, day);
            }
        }
    }

    /// No key names two people on one day.
    #[test]
    fn days_of_a_key_do_not_overlap(records in prop::collection::vec(any_record(), 1..30)) {
        let found = resolved(&records, &[], Ledger::default());
        let mut rows: Vec<_> =
            found.former().map(|row| (row.identity_key, row.from, row.until)).collect();
        rows.sort_unstable();
        for pair in rows.windows(2) {
            prop_assert!(pair[0].1 < pair[0].2);
            prop_assert!(pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1);
        }
    }
}

/// Answers of one night: id, contact, address, and the month they were given in.
fn night(project: &Project, day: &str, answers: &[(u32, u32, &str, &str)]) {
    let row = |(id, contact, email, month): &(u32, u32, &str, &str)| {
        format!(
            r#"{{"response_id":"{id}","contact_id":"{contact}","email":"{email}@example.com","answer":"9","question_type":"nps","responded":"2024-{month}-03T10:00:00Z"}}"#
        )
    };
    let rows: Vec<_> = answers.iter().map(row).collect();
    let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
    project.write(&format!("raw/dt={day}/responses.json"), &text);
}

pub const OVERRIDES: &str = "[identity]\noverrides = \"identity/overrides.toml\"\n";
pub const NEVER: &str = r#"
[[rule]]
kind = "never_link"
left = "crm_id[asknicely:main]:1"
right = "crm_id[asknicely:main]:2"
reason = "mother and daughter"
author = "eva"
"#;

const FIRST: (&str, [(u32, u32, &str, &str); 3]) =
    ("2024-05-10", [(1, 1, "ana", "04"), (90, 9, "other", "02"), (91, 8, "third", "04")]);
const SECOND: (&str, [(u32, u32, &str, &str); 1]) = ("2024-05-11", [(2, 2, "bo", "04")]);
/// Somebody answers with the id of the one and the address of the other.
const THIRD: (&str, [(u32, u32, &str, &str); 1]) = ("2024-05-12", [(3, 1, "bo", "05")]);

async fn at(project: &Project) -> Release {
    project.run().await.expect("the run succeeds");
    project.release().await.expect("a release")
}

/// Customer, and customer as of its day, of each answer and of each touch.
async fn ids(
    project: &Project,
    release: &Release,
    table: &str,
) -> BTreeMap<String, (String, String)> {
    let key = if table == "feedback" { "feedback_id" } else { "interaction_id" };
    let rows = rows(&project.open().store, release, table).await;
    let of = |row: &BTreeMap<String, String>| {
        let ids = (get(row, "customer_id").to_owned(), get(row, "customer_id_as_of").to_owned());
        (get(row, key).to_owned(), ids)
    };
    rows.iter().map(of).collect()
}

/// Content of all published tables, file by file, without the days before.
fn content(release: &Release) -> BTreeMap<String, Vec<String>> {
    let today = release.as_of.to_string();
    let hashes = |dataset: &cxmart::table::dataset::Dataset| {
        let files = dataset.files.iter();
        let own = files.filter(|file| file.partition.get("as_of").is_none_or(|day| *day == today));
        own.map(|file| file.content_hash.to_string()).collect()
    };
    release.tables.iter().map(|(name, dataset)| (name.clone(), hashes(dataset))).collect()
}

/// Goal: two people who turn out to be one keep, on their old facts, the ids they had then; an
/// override that parts them, restates what is theirs and nothing else; taking it back makes it
/// never have happened; and one run over all nights says the same as three.
#[tokio::test(flavor = "multi_thread")]
async fn facts_know_their_customer_of_the_day() {
    let project = Project::new(OVERRIDES);
    project.write("identity/overrides.toml", "");
    night(&project, FIRST.0, &FIRST.1);
    at(&project).await;
    night(&project, SECOND.0, &SECOND.1);
    let second = at(&project).await;
    let apart = ids(&project, &second, "feedback").await;
    assert!(apart.values().all(|(now, then)| now == then), "nobody was merged yet");
    night(&project, THIRD.0, &THIRD.1);
    let third = at(&project).await;
    for table in ["feedback", "interactions"] {
        let found = ids(&project, &third, table).await;
        let changed: Vec<_> = found.values().filter(|(now, then)| now != then).collect();
        assert_eq!(changed.len(), 1, "{table}: {found:#?}");
        let people: BTreeSet<_> = found.values().map(|(now, _)| now).collect();
        assert_eq!(people.len(), 3, "{table}: Ana who is Bo, and two others");
    }
    for (id, (now, then)) in ids(&project, &third, "feedback").await {
        if let Some(known) = apart.get(&id) {
            assert_eq!(then, known.0, "as the second night knew it");
            assert!(now == known.0 || apart.values().any(|(other, _)| *other == now));
        }
    }
    a_split_restates_what_it_touches(&project, &third).await;

    let at_once = Project::new(OVERRIDES);
    at_once.write("identity/overrides.toml", "");
    night(&at_once, FIRST.0, &FIRST.1);
    night(&at_once, SECOND.0, &SECOND.1);
    night(&at_once, THIRD.0, &THIRD.1);
    assert_eq!(content(&at(&at_once).await), content(&third), "N nights are one run");
}

async fn a_split_restates_what_it_touches(project: &Project, before: &Release) {
    project.write("identity/overrides.toml", NEVER);
    let split = at(project).await;
    let found = ids(project, &split, "feedback").await;
    assert!(
        found.values().all(|(now, then)| now == then),
        "under today's word they never were one"
    );
    let people: BTreeSet<_> = found.values().map(|(now, _)| now).collect();
    assert_eq!(people.len(), 4);
    // The two whose rows may change.
    let merged = ids(project, before, "feedback").await;
    let touched: BTreeSet<String> = found
        .iter()
        .filter(|(id, now)| merged[*id] != **now)
        .flat_map(|(id, (now, _))| [now.clone(), merged[id].0.clone()])
        .collect();
    assert_eq!(touched.len(), 2);
    let store = project.open().store;
    let mut compared = 0;
    for name in split.tables.keys() {
        let others = |rows: Vec<BTreeMap<String, String>>| {
            let own = |row: &BTreeMap<String, String>| {
                row.iter()
                    .any(|(column, id)| column.ends_with("customer_id") && touched.contains(id))
            };
            rows.into_iter().filter(|row| !own(row)).collect::<Vec<_>>()
        };
        let has_people = |rows: &[BTreeMap<String, String>]| {
            rows.iter().any(|row| row.contains_key("customer_id"))
        };
        let (was, is) = (rows(&store, before, name).await, rows(&store, &split, name).await);
        if has_people(&was) {
            assert_eq!(others(was), others(is), "{name}: rows of others");
            compared += 1;
        }
    }
    assert!(compared >= 6, "{compared}");
    // A month in which neither of them said anything keeps its file.
    let files = |release: &Release, month: &str| {
        let files = release.tables["feedback"].files.iter();
        let own = files.filter(|file| file.partition["month"] == month);
        own.map(|file| file.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(files(before, "2024-02-01"), files(&split, "2024-02-01"));
    assert_ne!(files(before, "2024-04-01"), files(&split, "2024-04-01"));
    for name in ["load_reconciliation", "metric_definitions", "rejected_records"] {
        let (was, is) = (&before.tables[name], &split.tables[name]);
        assert_eq!(was.content_hash, is.content_hash, "{name}");
    }
    project.write("identity/overrides.toml", "# taken back");
    let after = at(project).await;
    assert_eq!(content(&after), content(before), "it never happened");
}
