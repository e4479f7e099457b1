//! A company with a help desk, surveys, a shop and people, made up row by row, with all that goes
//! wrong.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Europe::Copenhagen;
use chrono_tz::Tz;

use crate::project::generic;

use super::world::{Dice, JOB, Terms, World, csv, shown, time};

/// The shop of the company, beside its job.
const SHOP: [(&str, &str); 3] =
    [("orders", "orders"), ("subscriptions", "subscriptions"), ("fx_rates", "fx")];

/// What [`JOB`] says.
pub fn terms() -> Terms {
    Terms {
        currency: "DKK",
        min_cell: 10,
        periods: &["day", "week", "month", "quarter", "year"],
        pairs: &["channel*country"],
        service_dimensions: &["all", "channel", "team", "priority", "channel*team"],
        resubmission_days: 2,
        weights: &[("DE", 0.3), ("DK", 0.7)],
        inactive_days: 40,
        grace_days: 5,
        cohorts: &["week", "month", "quarter"],
        open_at,
        calendars: &["nights", "office"],
        second_hours: Some("2024-05-01"),
        targets: &[
            ("first_response", None, 240 * 60, true),
            ("resolution", Some(("channel", "chat")), 4_320 * 60, false),
            ("resolution", Some(("priority", "high")), 1_200 * 60, true),
        ],
    }
}

pub async fn run() -> World {
    World::run(&format!("{JOB}{}", generic(&SHOP)), &files(), terms()).await
}

fn open_at(name: &str, at: DateTime<Utc>, version: Option<DateTime<Utc>>) -> bool {
    let zone: Tz = if name == "nights" { chrono_tz::America::New_York } else { Copenhagen };
    let local = at.with_timezone(&zone);
    let minute = local.hour() * 60 + local.minute();
    let within = |hours: &[(u32, u32)]| hours.iter().any(|(a, b)| (*a..*b).contains(&minute));
    let (morning, evening) = ((0, 360), (1200, 1440));
    if name == "nights" {
        return match local.weekday() {
            Weekday::Mon => within(&[evening]),
            Weekday::Tue => within(&[morning, evening]),
            Weekday::Sat => true,
            _ => false,
        };
    }
    let day = |day: &str| day.parse::<NaiveDate>().expect("a day");
    let in_force = version.unwrap_or(at).with_timezone(&zone).date_naive();
    if in_force >= day("2024-05-01") {
        return matches!(local.weekday(), Weekday::Mon | Weekday::Tue | Weekday::Wed)
            && within(&[(480, 1080)]);
    }
    if ["2024-03-28", "2024-03-29", "2024-04-01"].iter().any(|off| day(off) == local.date_naive()) {
        return false;
    }
    match local.weekday() {
        Weekday::Mon => within(&[(540, 720), (750, 1020)]),
        Weekday::Tue | Weekday::Wed | Weekday::Thu => within(&[(540, 1020)]),
        Weekday::Fri => within(&[(540, 960)]),
        Weekday::Sun => within(&[(90, 270)]),
        Weekday::Sat => false,
    }
}

const PEOPLE: u64 = 150;

fn people() -> String {
    let row = |i: u64| {
        vec![
            ("source_id", format!("p{i}")),
            ("customer_source_id", format!("p{i}")),
            ("email", format!("p{i}@example.com")),
            // The last ones work there.
            ("is_internal", (i >= PEOPLE - 5).to_string()),
        ]
    };
    csv(&(0..PEOPLE).map(row).collect::<Vec<_>>())
}

fn responses() -> String {
    let mut dice = Dice::new(7);
    let mut rows = Vec::new();
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..2_500_u64 {
        let metric = dice.pick(&["nps", "nps", "nps", "csat", "csat", "ces", "star", "enps"]);
        let (least, most) = match metric {
            "csat" | "star" => (1, 5),
            "ces" => (1, 7),
            _ => (0, 10),
        };
        let survey = if metric == "csat" { dice.pick(&["delivery", "support"]) } else { "" };
        let at = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        // The exporter lets through what the scale forbids, now and then.
        let mut score = least + dice.below(most - least + 1);
        if dice.below(60) == 0 {
            score = most + 1;
        }
        let mut row = vec![
            ("source_id", format!("r{i}")),
            ("metric", metric.to_owned()),
            ("score", score.to_string()),
            ("survey_name", survey.to_owned()),
            ("channel", dice.pick(&["email", "sms", "web", ""]).to_owned()),
            ("country", dice.pick(&["DK", "DK", "DE", "SE"]).to_owned()),
            ("touchpoint", dice.pick(&["checkout", "delivery"]).to_owned()),
            ("is_effort", (metric == "ces" && survey.is_empty()).to_string()),
            ("is_incentivised", (dice.below(3) == 0).to_string()),
            ("is_test", (dice.below(50) == 0).to_string()),
            ("answered_at", shown(at)),
        ];
        if dice.below(4) > 0 {
            row.push(("customer_source_id", format!("p{}", dice.below(PEOPLE))));
        }
        if dice.below(2) == 0 {
            row.push(("asked_at", shown(at - TimeDelta::minutes(dice.below(5_000) as i64))));
        }
        rows.push(row);
        // Some press the button twice.
        if dice.below(12) == 0 {
            let mut again = rows[rows.len() - 1].clone();
            again[0].1 = format!("r{i}-again");
            again[2].1 = least.to_string();
            let later = at + TimeDelta::hours(dice.below(72) as i64);
            again.iter_mut().filter(|(name, _)| *name == "answered_at").for_each(|cell| {
                cell.1 = shown(later);
            });
            rows.push(again);
        }
    }
    for i in 0..300_u64 {
        let asked = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        rows.push(vec![
            ("source_id", format!("u{i}")),
            ("metric", "nps".to_owned()),
            ("customer_source_id", format!("p{}", dice.below(PEOPLE))),
            ("status", dice.pick(&["unanswered", "bounced"]).to_owned()),
            ("asked_at", shown(asked)),
        ]);
    }
    csv(&rows)
}

fn events() -> String {
    let mut dice = Dice::new(3);
    let mut text = String::new();
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..600_u64 {
        let name = dice.pick(&["page_view", "sign_up", "product_view", "add_to_cart"]);
        let at = start + TimeDelta::minutes(dice.below(200 * 24 * 60) as i64);
        let who = dice.below(PEOPLE);
        writeln!(
            text,
            r#"{{"source_id":"e{i}","name":"{name}","customer_source_id":"p{who}","occurred_at":"{}"}}"#,
            shown(at)
        )
        .expect("text");
    }
    visits(&mut text);
    text
}

/// Times on the web site, on one of two devices or none, some with a session id that is not always
/// told, and one id for both devices of a person.
fn visits(text: &mut String) {
    let mut dice = Dice::new(19);
    let start = time("2024-01-01T00:00:00Z");
    for i in 0..400_u64 {
        let who = dice.below(PEOPLE);
        let mut at = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        let is_named = dice.below(2) == 0;
        for k in 0..=dice.below(6) {
            let name = dice.pick(&["page_view", "product_view", "add_to_cart", "scroll"]);
            let mut more = String::new();
            if is_named && dice.below(4) > 0 {
                write!(more, r#","session_id":"s{}""#, i % 7).expect("text");
            }
            if dice.below(5) > 0 {
                write!(more, r#","anonymous_id":"c{who}-{}""#, dice.below(5) / 4).expect("text");
            }
            if dice.below(3) == 0 {
                more += r#","utm_source":"mail","campaign":"spring""#;
            }
            writeln!(
                text,
                r#"{{"source_id":"v{i}-{k}","name":"{name}","customer_source_id":"p{who}","channel":"web","occurred_at":"{}"{more}}}"#,
                shown(at)
            )
            .expect("text");
            at += TimeDelta::minutes([0, 0, 1, 4, 15, 30, 31][dice.below(7) as usize]);
        }
    }
}

fn invitations() -> String {
    let mut dice = Dice::new(11);
    let start = time("2024-01-01T00:00:00Z");
    let row = |i: u64| {
        let sent = start + TimeDelta::minutes(dice.below(240 * 24 * 60) as i64);
        let status = dice.pick(&["sent", "delivered", "opened", "answered", "bounced"]);
        let mut row = vec![
            ("source_id", format!("i{i}")),
            ("customer_source_id", format!("d{}", dice.below(40))),
            ("survey_name", dice.pick(&["after chat", "yearly"]).to_owned()),
            ("status", status.to_owned()),
            ("is_incentivised", (dice.below(2) == 0).to_string()),
            ("sent_at", shown(sent)),
        ];
        if status == "answered" {
            let later = sent + TimeDelta::minutes(dice.below(4_000) as i64);
            row.push(("responded_at", shown(later)));
        }
        row
    };
    csv(&(0..500).map(row).collect::<Vec<_>>())
}

/// Tickets, their messages and their changes; all times on whole minutes.
fn desk() -> [String; 3] {
    let mut dice = Dice::new(5);
    let (mut tickets, mut messages, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let start = time("2024-02-01T00:00:00Z");
    for i in 0..400_u64 {
        let id = format!("t{i}");
        let created = start + TimeDelta::minutes(dice.below(150 * 24 * 60) as i64);
        let mut at = created;
        let later = |dice: &mut Dice, most: u64| TimeDelta::minutes(1 + dice.below(most) as i64);
        let mut ticket = vec![
            ("source_id", id.clone()),
            ("customer_source_id", format!("d{}", dice.below(60))),
            ("channel", dice.pick(&["email", "web", "chat"]).to_owned()),
            ("priority", dice.pick(&["low", "normal", "high"]).to_owned()),
            ("team", dice.pick(&["night", "day", ""]).to_owned()),
            ("created_at", shown(created)),
            ("is_internal", (dice.below(40) == 0).to_string()),
        ];
        let say = |messages: &mut Vec<_>, who: &str, public: bool, at: DateTime<Utc>| {
            messages.push(vec![
                ("source_id", format!("m{}", messages.len())),
                ("conversation_source_id", id.clone()),
                ("author_kind", who.to_owned()),
                ("is_public", public.to_string()),
                ("kind", if public { "comment" } else { "note" }.to_owned()),
                ("sent_at", shown(at)),
            ]);
        };
        let change = |changes: &mut Vec<_>, kind: &str, value: &str, at: DateTime<Utc>| {
            let mut row = vec![
                ("source_id", format!("c{}", changes.len())),
                ("conversation_source_id", id.clone()),
                ("kind", kind.to_owned()),
                ("changed_at", shown(at)),
            ];
            match kind {
                "assigned" => row.push(("value_text", value.to_owned())),
                "target_applied" => {
                    row.push(("metric", "first_response".to_owned()));
                    row.push(("target_seconds", value.to_owned()));
                    row.push(("is_business_time", "false".to_owned()));
                }
                _ => row.push(("author_kind", value.to_owned())),
            }
            changes.push(row);
        };
        // One in ten is opened by an agent who calls somebody.
        let opener = if dice.below(10) == 0 { "agent" } else { "customer" };
        if dice.below(8) > 0 {
            say(&mut messages, opener, true, created);
        }
        if dice.below(3) == 0 {
            change(&mut changes, "target_applied", "7200", created);
            change(&mut changes, "target_applied", "3600", created + TimeDelta::minutes(90));
        }
        for _ in 0..dice.below(6) {
            at += later(&mut dice, 1_500);
            let who = dice.pick(&["customer", "agent", "agent", "bot"]);
            let public = who != "agent" || dice.below(4) > 0;
            say(&mut messages, who, public, at);
            if dice.below(5) == 0 {
                change(&mut changes, "assigned", dice.pick(&["night", "day"]), at);
            }
        }
        let mut status = "open";
        let told = dice.below(3) > 0;
        for round in 0..dice.below(4) {
            at += later(&mut dice, 9_000);
            status = if round % 2 == 0 { "resolved" } else { "open" };
            if told {
                let kind = if status == "open" { "reopened" } else { "resolved" };
                change(&mut changes, kind, dice.pick(&["agent", "bot"]), at);
            }
            if status == "resolved" {
                ticket.retain(|(name, _)| *name != "resolved_at");
                ticket.push(("resolved_at", shown(at)));
            }
        }
        if status == "open" && !told {
            ticket.retain(|(name, _)| *name != "resolved_at");
        }
        ticket.push(("status", status.to_owned()));
        if dice.below(20) == 0 {
            ticket.push(("merged_into", "t0".to_owned()));
        }
        if dice.below(2) == 0 {
            ticket.push(("vendor_first_response_seconds", (dice.below(90) * 60).to_string()));
            ticket.push(("vendor_replies", dice.below(4).to_string()));
            ticket.push(("vendor_reopens", dice.below(2).to_string()));
            ticket.push(("vendor_sla_breached", (dice.below(3) == 0).to_string()));
            ticket.push(("vendor_first_bot_response_seconds", (dice.below(60) * 60).to_string()));
        }
        if dice.below(3) > 0 {
            let seconds = (at - created).num_seconds() + [0, 30, 7_200][dice.below(3) as usize];
            ticket.push(("vendor_resolution_seconds", seconds.to_string()));
        }
        tickets.push(ticket);
    }
    [csv(&tickets), csv(&messages), csv(&changes)]
}

/// What people of the shop buy, in four currencies; some of it is cancelled or sent back.
fn orders() -> String {
    let mut dice = Dice::new(13);
    let start = time("2024-01-01T00:00:00Z");
    let row = |i: u64| {
        let placed = start + TimeDelta::minutes(dice.below(244 * 24 * 60) as i64);
        let total = 5 + dice.below(400);
        let status = dice.pick(&["placed", "placed", "placed", "pending", "cancelled", "refunded"]);
        let mut row = vec![
            ("source_id", format!("o{i}")),
            ("customer_source_id", format!("p{}", dice.below(PEOPLE))),
            ("total", format!("{total}.{:02}", dice.below(100))),
            ("currency", dice.pick(&["DKK", "DKK", "EUR", "USD", "GBP", "SEK", ""]).to_owned()),
            ("status", status.to_owned()),
            ("channel", dice.pick(&["web", "shop"]).to_owned()),
            ("is_test", (dice.below(60) == 0).to_string()),
            ("placed_at", shown(placed)),
        ];
        // What came back may be more than was paid.
        if status == "refunded" {
            row.push(("refunded", format!("{}.50", dice.below(total + 20))));
            if dice.below(3) > 0 {
                let later = placed + TimeDelta::minutes(dice.below(30 * 24 * 60) as i64);
                row.push(("refunded_at", shown(later)));
            }
        }
        row
    };
    csv(&(0..500).map(row).collect::<Vec<_>>())
}

/// Contracts as they stood in spring and stand now: some paused, some dearer, some in another
/// currency, some over, and some of those begun again under a new name.
fn subscriptions() -> [String; 2] {
    let mut dice = Dice::new(17);
    let start = time("2024-01-02T00:00:00Z");
    let days = |dice: &mut Dice, most: u64| TimeDelta::minutes(dice.below(most * 24 * 60) as i64);
    let (mut spring, mut now) = (Vec::new(), Vec::new());
    for i in 0..130_u64 {
        let id = format!("s{i}");
        let started = start + days(&mut dice, 110);
        let currency = dice.pick(&["DKK", "DKK", "DKK", "EUR", "USD"]);
        let row = |status: &str, mrr: u64, currency: &str, updated: DateTime<Utc>| {
            vec![
                ("source_id", id.clone()),
                ("customer_source_id", format!("p{}", 80 + i % 55)),
                ("plan", "box".to_owned()),
                ("status", status.to_owned()),
                ("mrr", format!("{mrr}.00")),
                ("currency", currency.to_owned()),
                ("started_at", shown(started)),
                ("updated_at", shown(updated)),
            ]
        };
        let mrr = 10 + dice.below(40);
        let status = dice.pick(&["active", "active", "active", "paused", "incomplete"]);
        spring.push(row(status, mrr, currency, started + TimeDelta::hours(1)));
        let mut at = started;
        for _ in 0..dice.below(4) {
            at += days(&mut dice, 25);
            let status = dice.pick(&["active", "active", "paused"]);
            let mrr = if dice.below(2) == 0 { mrr } else { 10 + dice.below(40) };
            let currency = if dice.below(6) == 0 { "EUR" } else { currency };
            now.push(row(status, mrr, currency, at));
        }
        if dice.below(5) < 3 {
            at += days(&mut dice, 40);
            let mut last = row("cancelled", mrr, currency, at);
            last.push(("ended_at", shown(at)));
            now.push(last);
        }
    }
    [csv(&spring), csv(&now)]
}

/// Banks quote the euro and, some days, the dollar against it; nobody quotes on weekends, nor in
/// the middle of March. One pound costs nothing, which cannot be.
fn rates() -> String {
    let mut dice = Dice::new(19);
    let mut rows = Vec::new();
    for day in 0..250 {
        let day = "2024-01-01".parse::<NaiveDate>().expect("a day") + TimeDelta::days(day);
        let is_silent = day.month() == 3 && (8..24).contains(&day.day());
        if is_silent || matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            continue;
        }
        let mut quote = |from: &str, to: &str, rate: String| {
            rows.push(vec![
                ("rate_date", day.to_string()),
                ("from_currency", from.to_owned()),
                ("to_currency", to.to_owned()),
                ("rate", rate),
            ]);
        };
        quote("EUR", "DKK", format!("7.4{}", 50 + dice.below(20)));
        if dice.below(3) > 0 {
            quote("EUR", "USD", format!("1.0{}", 60 + dice.below(30)));
        }
        if dice.below(2) == 0 {
            quote("DKK", "SEK", format!("1.5{}", dice.below(10)));
        }
        // A pair that is quoted both ways is read the direct way.
        if dice.below(4) == 0 {
            quote("DKK", "EUR", format!("0.13{}", dice.below(9)));
        }
        if dice.below(9) == 0 {
            quote("GBP", "DKK", "0".to_owned());
        }
    }
    csv(&rows)
}

/// The files of the whole company.
fn files() -> Vec<(&'static str, String)> {
    let [tickets, messages, changes] = desk();
    let [spring, now] = subscriptions();
    vec![
        ("raw/responses/dt=2024-09-01/answers.csv", responses()),
        ("raw/contacts/dt=2024-09-01/people.csv", people()),
        ("raw/events/dt=2024-09-01/events.ndjson", events()),
        ("raw/tickets/dt=2024-09-01/tickets.csv", tickets),
        ("raw/messages/dt=2024-09-01/messages.csv", messages),
        ("raw/changes/dt=2024-09-01/changes.csv", changes),
        ("raw/invitations/dt=2024-09-01/invitations.csv", invitations()),
        ("raw/orders/dt=2024-09-01/orders.csv", orders()),
        ("raw/subscriptions/dt=2024-05-01/subscriptions.csv", spring),
        ("raw/subscriptions/dt=2024-09-01/subscriptions.csv", now),
        ("raw/fx/dt=2024-09-01/rates.csv", rates()),
    ]
}
