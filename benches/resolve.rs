//! Time and memory of resolving a million people, from rows to ids; not part of the tests.
//!
//! `cargo bench --bench resolve [-- PEOPLE]`. Invented people with a CRM record, a shop account, a
//! help-desk identity, a log-in and one or two cookies; one in fifty shares a phone, one in a
//! hundred has a second address, one in a thousand a merged CRM record.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    clippy::unreadable_literal,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::time::Instant;

use cxmart::resolve::normalise::Normaliser;
use cxmart::resolve::{self, Evidence, Ledger, Options, Raw, Sight};
use cxmart::table::id;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PEOPLE: u32 = 1_000_000;
const OPTIONS: Options = Options { max_degree: 200, max_emails: 20, max_cluster: 500, threads: 2 };

#[expect(clippy::print_stdout, reason = "a bench speaks to the person who started it")]
fn say(what: &str, started: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
    println!("{what}: {:.1} s, peak {peak}", started.elapsed().as_secs_f64());
}

fn record(evidence: &mut Evidence, day: i32, origin: &str, raws: &[Raw<'_>]) {
    let mut parts: Vec<&str> = Vec::new();
    for raw in raws {
        parts.extend([raw.kind, raw.namespace, raw.value]);
    }
    let key = id::from_key("k", &parts);
    let sight = Sight { first: day, last: day + 30, origin, is_live: true };
    let taken = evidence.record(&key, sight, raws);
    assert!(taken.is_ok(), "fewer identifiers than numbers");
}

fn person(evidence: &mut Evidence, n: u32) {
    let day = 19_000 + i32::try_from(n % 700).unwrap_or(0);
    let email = format!("first.last{n}@mail{}.example.org", n % 50);
    let phone = format!("+4520{:06}", if n.is_multiple_of(50) { n / 2 } else { n } % 1_000_000);
    let scoped = |namespace: &'static str| {
        move |value| Raw { kind: "crm_id", namespace, value, strength: 3 }
    };
    let email = Raw { kind: "email", namespace: "", value: &email, strength: 2 };
    let phone = Raw { kind: "phone", namespace: "", value: &phone, strength: 2 };
    let crm = n.to_string();
    record(evidence, day, "hubspot:contacts", &[scoped("hubspot:main")(&crm), email, phone]);
    let shop = (7_000_000_000_u64 + u64::from(n)).to_string();
    record(evidence, day + 3, "shopify:orders", &[scoped("shopify:main")(&shop), email]);
    record(evidence, day + 5, "shopify:orders", &[email]);
    let desk = (900_000_000 + u64::from(n)).to_string();
    record(evidence, day + 9, "zendesk:conversations", &[scoped("zendesk:main")(&desk), email]);
    let login = format!("user-{n}");
    let login = Raw { kind: "external_id", namespace: "", value: &login, strength: 3 };
    record(evidence, day + 2, "ga4:events", &[login, email]);
    for device in 0..=n % 2 {
        let cookie = format!("{n}.{device}1716883200");
        let cookie = Raw { kind: "cookie", namespace: "ga4:main", value: &cookie, strength: 1 };
        record(evidence, day + 1, "ga4:events", &[login, cookie]);
        record(evidence, day, "ga4:events", &[cookie]);
    }
    if n.is_multiple_of(100) {
        let second = format!("private{n}@home.example.net");
        let second = Raw { kind: "email", namespace: "", value: &second, strength: 2 };
        record(evidence, day + 20, "hubspot:contacts", &[scoped("hubspot:main")(&crm), second]);
    }
    if n % 1_000 == 1 {
        let other = (n - 1).to_string();
        let sight = Sight {
            first: day + 40,
            last: day + 40,
            origin: "hubspot:identity_edges",
            is_live: true,
        };
        let (left, right) = (scoped("hubspot:main")(&crm), scoped("hubspot:main")(&other));
        assert!(evidence.statement("merge", sight, left, right).is_ok());
    }
}

fn main() {
    let people = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(PEOPLE);
    let started = Instant::now();
    let mut evidence = Evidence::new(Normaliser::new(Some("DK"), false, &[]));
    for n in 0..people {
        // Not in order of people: sources are not.
        person(&mut evidence, n.wrapping_mul(7_919) % people);
    }
    say(&format!("{} identifiers taken in", evidence.len()), started);
    let started = Instant::now();
    let first = resolve::resolve(evidence, OPTIONS, Ledger::default(), b"bench");
    say(&format!("{} customers resolved", first.customers()), started);
    let started = Instant::now();
    let (keys, rows) = (first.keys().count(), first.identifiers().count());
    let changes = first.changes().count() + first.quarantine().count();
    say(&format!("{keys} keys, {rows} identifiers, {changes} changes read out"), started);
}
