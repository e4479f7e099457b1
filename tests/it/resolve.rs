//! Who is who: spelling, merging, guards, ids that last; as tables of cases and as laws.

use std::collections::{BTreeMap, BTreeSet};

use cxmart::resolve::normalise::{Blocked, Normaliser};
use cxmart::resolve::{self, Evidence, Ledger, Options, Raw, Resolution, Sight};
use proptest::prelude::*;

const OPTIONS: Options = Options { max_degree: 20, max_emails: 3, max_cluster: 12, threads: 2 };
const SALT: &[u8] = b"salt of the tests";

fn normal(kind: &str, source: &str, raw: &str) -> (String, Option<Blocked>) {
    let block = ["email:*@partner.example".to_owned(), "external_id:bot-*-x".to_owned()];
    let normaliser = Normaliser::new(Some("DK"), true, &block);
    let normal = normaliser.normalise(kind, source, raw);
    normal.map_or_else(|| ("<none>".into(), None), |normal| (normal.value, normal.blocked))
}

#[test]
fn each_identifier_has_one_spelling() {
    for (kind, source, raw, expected) in [
        ("email", "", "  Ana.Perez@Example.COM ", "ana.perez@example.com"),
        ("email", "", "mailto:ana@example.com", "ana@example.com"),
        ("email", "", "Ana Perez <ana@example.com>", "ana@example.com"),
        ("email", "", "ａｎａ@example.com", "ana@example.com"),
        ("email", "", "A.N.A+shop@googlemail.com", "ana@gmail.com"),
        ("email", "", "a.na+shop@example.com", "a.na+shop@example.com"),
        ("phone", "", "20 30 40 50", "+4520304050"),
        ("phone", "", "+45 20304050", "+4520304050"),
        ("phone", "", "0045 20-30-40-50", "+4520304050"),
        ("phone", "", "4520304050", "+4520304050"),
        ("phone", "", "'+34 612 345 678", "+34612345678"),
        ("phone", "", "tel:+1-202-555-0147", "+12025550147"),
        ("phone", "", "+44 (0)20 7946 0958", "+442079460958"),
        ("phone", "", "+46 070-123 45 67", "+46701234567"),
        ("phone", "", "+1 (202) 555-0147 ext. 12", "+12025550147"),
        ("crm_id", "shopify", "gid://shopify/Customer/5501", "5501"),
        ("crm_id", "shopify", " 5501 ", "5501"),
        ("crm_id", "salesforce", "0015000000Gv7qJ", "0015000000Gv7qJAAR"),
        ("crm_id", "salesforce", "0015000000Gv7qJAAR", "0015000000Gv7qJAAR"),
        ("crm_id", "hubspot", "0015000000Gv7qJ", "0015000000Gv7qJ"),
        ("external_id", "", " CRM-0001 ", "CRM-0001"),
        ("external_id", "", "   ", "<none>"),
    ] {
        let (value, blocked) = normal(kind, source, raw);
        assert_eq!((value.as_str(), blocked), (expected, None), "{kind} `{raw}`");
    }
}

#[test]
fn national_numbers_follow_the_country_of_the_job() {
    for (country, raw, expected) in [
        ("GB", "020 7946 0958", "+442079460958"),
        ("SE", "070-123 45 67", "+46701234567"),
        ("NO", "22 12 34 56", "+4722123456"),
        ("DE", "030 1234567", "+49301234567"),
        ("US", "1-202-555-0147", "+12025550147"),
        ("US", "011 45 20304050", "+4520304050"),
        ("FR", "06 12 34 56 78", "+33612345678"),
        ("ES", "612345678", "+34612345678"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("HU", "06 20 123 4567", "+36201234567"),
        ("CH", "044 668 18 00", "+41446681800"),
        ("AT", "01 58858", "+43158858"),
        ("FI", "040 1234567", "+358401234567"),
    ] {
        let normal = Normaliser::new(Some(country), false, &[]).normalise("phone", "", raw);
        let value = normal.expect("a value").value;
        assert_eq!(value, expected, "{country} `{raw}`");
    }
}

#[test]
fn numbers_of_the_north_and_of_germany_are_one_with_and_without_prefix() {
    for (country, number, written) in [
        ("DK", "+4520304050", ["20304050", "20 30 40 50", "4520304050", "0045 20304050"]),
        ("NO", "+4741234567", ["41234567", "412 34 567", "4741234567", "0047 41 23 45 67"]),
        (
            "SE",
            "+46701234567",
            ["0701234567", "070-123 45 67", "46701234567", "+46 (0)70 123 45 67"],
        ),
        (
            "DE",
            "+4915123456789",
            ["015123456789", "0151/23456789", "4915123456789", "0049 151 23456789"],
        ),
        (
            "DE",
            "+491761234567",
            ["01761234567", "0176 1234567", "491761234567", "+49 (0)176 1234567"],
        ),
        ("DE", "+49301234567", ["0301234567", "030/123 45 67", "49301234567", "+49 30 1234567"]),
        // The area code of Emden begins like the country's own.
        ("DE", "+49492112345", ["0492112345", "04921/12345", "492112345", "+49 4921 12345"]),
    ] {
        let normaliser = Normaliser::new(Some(country), false, &[]);
        for raw in written {
            let normal = normaliser.normalise("phone", "", raw).expect("a value");
            assert_eq!(
                (normal.value.as_str(), normal.blocked),
                (number, None),
                "{country} `{raw}`"
            );
        }
    }
}

#[test]
fn dots_and_tags_of_gmail_count_unless_the_job_says_otherwise() {
    let spelt = |gmail_dots, raw| {
        let normaliser = Normaliser::new(None, gmail_dots, &[]);
        normaliser.normalise("email", "", raw).expect("a value").value
    };
    for raw in ["a.na+shop@gmail.com", "Ana@GoogleMail.com", "an.a@gmail.com"] {
        assert_eq!(spelt(true, raw), "ana@gmail.com");
    }
    assert_eq!(spelt(false, "a.na+shop@gmail.com"), "a.na+shop@gmail.com");
    assert_eq!(spelt(true, "a.na+shop@example.com"), "a.na+shop@example.com", "others keep them");
}

#[test]
fn values_that_name_nobody_are_blocked() {
    use Blocked::{Listed, Malformed, Placeholder, RoleMailbox};
    for (kind, raw, expected) in [
        ("email", "noemail@shop.example.com", Placeholder),
        ("email", "xxx@example.com", Placeholder),
        ("email", "test@test.com", Placeholder),
        ("email", "N/A", Placeholder),
        ("email", "nobody", Malformed),
        ("email", "a b@example.com", Malformed),
        ("email", "a@localhost", Malformed),
        ("email", "Info@Example.com", RoleMailbox),
        ("email", "support@example.com", RoleMailbox),
        ("email", "sales@example.com", RoleMailbox),
        ("email", "anyone@partner.example", Listed),
        ("external_id", "bot-17-x", Listed),
        ("external_id", "0", Placeholder),
        ("external_id", "-1", Placeholder),
        ("external_id", "(not set)", Placeholder),
        ("external_id", "NULL", Placeholder),
        ("email_md5", "D41D8CD98F00B204E9800998ECF8427E", Placeholder),
        ("device_id", "00000000-0000-0000-0000-000000000000", Placeholder),
        ("phone", "00000000", Placeholder),
        ("phone", "+45 00 00 00 00", Placeholder),
        ("phone", "12345", Malformed),
        ("phone", "call me", Malformed),
        ("phone", "+999 123", Malformed),
    ] {
        let (value, blocked) = normal(kind, "", raw);
        assert_eq!(blocked, Some(expected), "{kind} `{raw}` became `{value}`");
    }
    // A sample's domain is nobody's fault.
    assert_eq!(normal("email", "", "ana.perez@example.com").1, None);
    // Without a country nobody knows whose number it is.
    let nowhere = Normaliser::new(None, false, &[]).normalise("phone", "", "20304050");
    assert_eq!(nowhere.and_then(|normal| normal.blocked), Some(Malformed));
}

/// What a test says a source holds.
#[derive(Debug, Clone)]
enum Fact {
    /// Day, source, identifiers as `type:value`.
    Record(i32, &'static str, Vec<String>),
    /// As a record, but no longer what its newest version says.
    Former(i32, &'static str, Vec<String>),
    /// Day, left, right.
    Merge(i32, String, String),
}

fn record(day: i32, source: &'static str, identifiers: &[&str]) -> Fact {
    Fact::Record(day, source, identifiers.iter().map(|&text| text.to_owned()).collect())
}

fn merge(day: i32, left: &str, right: &str) -> Fact {
    Fact::Merge(day, left.to_owned(), right.to_owned())
}

fn raw<'a>(text: &'a str, source: &str) -> Raw<'a> {
    let (kind, value) = text.split_once(':').expect("type:value");
    let (strength, scoped) = match kind {
        "crm_id" => (3, true),
        "external_id" => (3, false),
        "cookie" => (1, true),
        _ => (2, false),
    };
    let namespace = match (scoped, source) {
        (false, _) => "",
        (true, "hubspot") => "hubspot:main",
        (true, _) => "other:main",
    };
    Raw { kind, namespace, value, strength }
}

fn gather(facts: &[Fact]) -> Evidence {
    let mut evidence = Evidence::new(Normaliser::new(Some("DK"), false, &[]));
    for fact in facts {
        match fact {
            Fact::Record(day, source, identifiers) | Fact::Former(day, source, identifiers) => {
                let key = format!("{source} {}", identifiers.join(" "));
                let raws: Vec<_> = identifiers.iter().map(|text| raw(text, source)).collect();
                let is_live = matches!(fact, Fact::Record(..));
                let sight = Sight { first: *day, last: *day, origin: source, is_live };
                evidence.record(&key, sight, &raws).expect("taken");
            }
            Fact::Merge(day, left, right) => {
                let sight = Sight { first: *day, last: *day, origin: "hubspot", is_live: true };
                let (left, right) = (raw(left, "hubspot"), raw(right, "hubspot"));
                evidence.statement("merge", sight, left, right).expect("taken");
            }
        }
    }
    evidence
}

fn resolve(facts: &[Fact]) -> Resolution {
    resolve::resolve(gather(facts), OPTIONS, Ledger::default(), SALT)
}

fn resolve_with(facts: &[Fact], ledger: &Ledger) -> Resolution {
    resolve::resolve(gather(facts), OPTIONS, ledger.clone(), SALT)
}

/// Customer of each identifier, as `type:value`, with `@other` outside the CRM.
fn people(found: &Resolution) -> BTreeMap<String, Option<String>> {
    let row = |row: resolve::IdentifierRow<'_>| {
        let (kind, value) = (row.kind, row.value);
        let place = if row.namespace == "other:main" { "@other" } else { "" };
        (format!("{kind}:{value}{place}"), row.customer_id.map(str::to_owned))
    };
    found.identifiers().map(row).collect()
}

fn customer(found: &Resolution, identifier: &str) -> String {
    let people = people(found);
    let id = people.get(identifier).unwrap_or_else(|| panic!("`{identifier}` was seen"));
    id.clone().unwrap_or_else(|| panic!("`{identifier}` has a customer"))
}

fn rules(found: &Resolution) -> Vec<&'static str> {
    found.quarantine().map(|row| row.rule).collect()
}

#[test]
fn records_are_joined_by_what_they_share() {
    let found = resolve(&[
        record(1, "hubspot", &["crm_id:1", "email:ana@example.com"]),
        record(2, "stripe", &["crm_id:cus_1", "email:ANA@example.com", "phone:20304050"]),
        record(3, "shop", &["phone:+45 20 30 40 50"]),
        record(3, "shop", &["email:bo@example.com"]),
    ]);
    assert_eq!(found.customers(), 2);
    let ana = customer(&found, "crm_id:1");
    assert_eq!(customer(&found, "phone:+4520304050"), ana);
    assert_eq!(customer(&found, "crm_id:cus_1@other"), ana);
    assert_ne!(customer(&found, "email:bo@example.com"), ana);
    let keys: BTreeMap<_, _> = found.keys().collect();
    assert_eq!(keys.get("shop phone:+45 20 30 40 50"), Some(&ana.as_str()));
}

#[test]
fn a_row_of_blocked_values_has_no_customer() {
    let found = resolve(&[
        record(1, "hubspot", &["email:info@example.com", "external_id:0"]),
        record(1, "hubspot", &["crm_id:1", "email:info@example.com"]),
        record(1, "hubspot", &["crm_id:2", "email:info@example.com"]),
    ]);
    let keys: BTreeSet<_> = found.keys().map(|(key, _)| key.to_owned()).collect();
    assert!(!keys.contains("hubspot email:info@example.com external_id:0"));
    assert_eq!(found.customers(), 2, "a role mailbox joins nobody");
    assert_eq!(people(&found).get("email:info@example.com"), Some(&None));
}

#[test]
fn a_vendor_merge_joins_and_the_older_person_keeps_the_id() {
    let before = [
        record(1, "hubspot", &["crm_id:201", "email:ana@example.com"]),
        record(2, "hubspot", &["crm_id:101", "email:a.perez@example.com"]),
    ];
    let first = resolve(&before);
    assert_ne!(customer(&first, "crm_id:101"), customer(&first, "crm_id:201"));
    // The merged record is gone by then; only the statement names it.
    let after = [
        record(1, "hubspot", &["crm_id:201", "email:ana@example.com"]),
        Fact::Former(2, "hubspot", vec!["crm_id:101".into(), "email:a.perez@example.com".into()]),
        record(4, "shop", &["email:a.perez@example.com"]),
        merge(5, "crm_id:201", "crm_id:101"),
    ];
    let second = resolve_with(&after, first.ledger());
    assert_eq!(customer(&second, "crm_id:101"), customer(&first, "crm_id:201"));
    // The former record did not join its e-mail to the merged person.
    assert_ne!(customer(&second, "email:a.perez@example.com"), customer(&first, "crm_id:201"));
    let merged: Vec<_> = second.changes().filter(|change| change.kind == "merged").collect();
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].from.as_deref(), Some(customer(&first, "crm_id:101").as_str()));
    assert_eq!(merged[0].to, customer(&first, "crm_id:201"));
    assert_eq!((merged[0].day, merged[0].cause.as_str()), (5, "merge"));
    assert!(!merged[0].evidence.contains("201"), "evidence names kinds, not values");
}

#[test]
fn a_value_seen_with_too_many_others_is_shared() {
    let mut facts: Vec<Fact> = (0..30)
        .map(|i| record(1, "shop", &[&format!("email:p{i}@example.com"), "phone:20304050"]))
        .collect();
    let found = resolve(&facts);
    assert_eq!(found.customers(), 30);
    assert_eq!(people(&found).get("phone:+4520304050"), Some(&None));
    assert_eq!(rules(&found), ["max_degree"]);
    // Many devices are one person's own.
    facts =
        (0..30).map(|i| record(1, "web", &["external_id:u1", &format!("cookie:c{i}")])).collect();
    let options = Options { max_cluster: 100, ..OPTIONS };
    let found = resolve::resolve(gather(&facts), options, Ledger::default(), SALT);
    assert_eq!(found.customers(), 1);
}

#[test]
fn a_shared_device_does_not_make_two_people_one() {
    let found = resolve(&[
        record(1, "web", &["external_id:u1", "cookie:c1"]),
        record(2, "web", &["external_id:u2", "cookie:c1"]),
        record(3, "web", &["cookie:c1"]),
    ]);
    assert_ne!(customer(&found, "external_id:u1"), customer(&found, "external_id:u2"));
    assert_eq!(customer(&found, "cookie:c1@other"), customer(&found, "external_id:u1"));
    assert_eq!(rules(&found), ["shared_device"]);
    let keys: BTreeMap<_, _> = found.keys().collect();
    let second = keys.get("web external_id:u2 cookie:c1").copied();
    assert_eq!(second, Some(customer(&found, "external_id:u2").as_str()), "the key says who");
}

#[test]
fn guards_refuse_edges_and_not_people() {
    let found = resolve(&[
        record(1, "a", &["external_id:u1", "email:one@example.com"]),
        record(2, "a", &["external_id:u1", "email:two@example.com"]),
        record(3, "a", &["external_id:u1", "email:three@example.com"]),
        record(4, "a", &["external_id:u1", "email:four@example.com"]),
    ]);
    let first = customer(&found, "email:one@example.com");
    assert_eq!(customer(&found, "email:three@example.com"), first);
    assert_ne!(customer(&found, "email:four@example.com"), first);
    assert_eq!(rules(&found), ["max_emails"]);

    let chain: Vec<Fact> = (0..15)
        .map(|i| {
            let (left, right) =
                (format!("external_id:x{i:02}"), format!("external_id:x{:02}", i + 1));
            record(i, "a", &[&left, &right])
        })
        .collect();
    let found = resolve(&chain);
    assert_eq!(found.customers(), 2);
    assert_eq!(rules(&found), ["max_cluster"]);
}

#[test]
fn the_ledger_keeps_ids_when_older_data_comes_late() {
    let known = [record(10, "hubspot", &["crm_id:1", "email:ana@example.com"])];
    let first = resolve(&known);
    let mut late = known.to_vec();
    late.push(record(3, "shop", &["email:ana@example.com"]));
    let second = resolve_with(&late, first.ledger());
    assert_eq!(customer(&second, "crm_id:1"), customer(&first, "crm_id:1"));
    // An identifier that nobody knew is no reason to rename her, however old it is.
    late.push(record(2, "shop", &["external_id:older", "email:ana@example.com"]));
    let third = resolve_with(&late, first.ledger());
    assert_eq!(customer(&third, "external_id:older"), customer(&first, "crm_id:1"));
    // Without the ledger the older ones would have named her.
    assert_ne!(customer(&resolve(&late), "crm_id:1"), customer(&first, "crm_id:1"));
    assert_eq!(second.ledger(), first.ledger(), "nothing new was pinned");
}

#[test]
fn who_appears_and_merges_on_one_day_leaves_no_trace() {
    let found = resolve(&[
        record(1, "a", &["external_id:u1"]),
        record(2, "a", &["external_id:u2"]),
        record(2, "a", &["external_id:u1", "external_id:u2"]),
        record(3, "a", &["external_id:u3"]),
        record(4, "a", &["external_id:u3", "external_id:u2"]),
    ]);
    let changes: Vec<_> = found.changes().map(|c| (c.day, c.kind)).collect();
    assert_eq!(changes, [(1, "created"), (3, "created"), (4, "merged")]);
    assert_eq!(found.changes().last().map(|c| c.to), Some(customer(&found, "external_id:u1")));
}

/// All that a resolution says, in a form that can be compared.
fn everything(found: &Resolution) -> (BTreeSet<String>, BTreeSet<String>, Vec<String>, Ledger) {
    let keys = found.keys().map(|key| format!("{key:?}")).collect();
    let mut rest: BTreeSet<String> = found.identifiers().map(|row| format!("{row:?}")).collect();
    rest.extend(found.quarantine().map(|row| format!("{row:?}")));
    let changes = found.changes().map(|row| format!("{row:?}")).collect();
    (keys, rest, changes, found.ledger().clone())
}

fn any_identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..12).prop_map(|n| format!("email:p{n}@example.com")),
        (0..8).prop_map(|n| format!("phone:203040{n}0")),
        (0..10).prop_map(|n| format!("external_id:u{n}")),
        (0..10).prop_map(|n| format!("crm_id:{}", n + 1)),
        (0..6).prop_map(|n| format!("cookie:c{n}")),
        Just("email:info@example.com".to_owned()),
    ]
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let source = prop_oneof![Just("hubspot"), Just("shop"), Just("web")];
    let record = (0..20, source, prop::collection::btree_set(any_identifier(), 1..4))
        .prop_map(|(day, source, set)| Fact::Record(day, source, set.into_iter().collect()));
    let merge = (0..20, any_identifier(), any_identifier())
        .prop_map(|(day, left, right)| Fact::Merge(day, left, right));
    prop_oneof![5 => record, 1 => merge]
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(
        facts in prop::collection::vec(any_fact(), 0..60).prop_flat_map(|facts| {
            (Just(facts.clone()), Just(facts).prop_shuffle())
        }),
    ) {
        let (facts, shuffled) = facts;
        prop_assert_eq!(everything(&resolve(&facts)), everything(&resolve(&shuffled)));
    }

    #[test]
    fn rows_seen_twice_say_nothing_new(facts in prop::collection::vec(any_fact(), 0..40)) {
        let twice: Vec<Fact> = facts.iter().chain(&facts).cloned().collect();
        prop_assert_eq!(everything(&resolve(&facts)), everything(&resolve(&twice)));
    }

    /// Days come one after the other, each run with the ledger of the one before; the last run
    /// says what one run over everything says.
    #[test]
    fn night_by_night_is_the_same_as_at_once(facts in prop::collection::vec(any_fact(), 1..50)) {
        let day = |fact: &Fact| match fact {
            Fact::Record(day, ..) | Fact::Former(day, ..) | Fact::Merge(day, ..) => *day,
        };
        let mut ledger = Ledger::default();
        let mut last = None;
        for night in 0..20 {
            let seen: Vec<Fact> = facts.iter().filter(|f| day(f) <= night).cloned().collect();
            let found = resolve_with(&seen, &ledger);
            ledger = found.ledger().clone();
            last = Some(found);
        }
        let last = last.expect("twenty nights");
        prop_assert_eq!(everything(&last), everything(&resolve(&facts)));
    }

    /// A customer may be merged into an older one, and otherwise keeps the id, whatever comes
    /// later; only a value found to be shared may let go of its records.
    #[test]
    fn more_records_never_rename_anybody(
        facts in prop::collection::vec(any_fact(), 1..30),
        more in prop::collection::vec(any_fact(), 0..10),
    ) {
        let first = resolve(&facts);
        let later = more.into_iter().map(|fact| match fact {
            Fact::Record(day, source, set) => Fact::Record(day + 20, source, set),
            Fact::Merge(day, left, right) => Fact::Merge(day + 20, left, right),
            Fact::Former(..) => unreachable!("none is made"),
        });
        let all: Vec<Fact> = facts.into_iter().chain(later).collect();
        let second = resolve_with(&all, first.ledger());
        let merged: BTreeMap<_, _> =
            second.changes().filter_map(|change| Some((change.from?, change.to))).collect();
        let (before, after) = (people(&first), people(&second));
        for (identifier, id) in before {
            let Some(mut id) = id else { continue };
            while let Some(to) = merged.get(&id) {
                id.clone_from(to);
            }
            prop_assert_eq!(after.get(&identifier).cloned().flatten(), Some(id), "{}", identifier);
        }
    }
}
