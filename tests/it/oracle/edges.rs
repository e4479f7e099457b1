//! Edge cases of scores and service levels, each from the raw file to the published row.

use super::company;
use super::world::{JOB, Row, World, csv};

fn find<'a>(rows: &'a [Row], wanted: &[(&str, &str)]) -> Vec<&'a Row> {
    let fits = |row: &&Row| {
        wanted.iter().all(|(name, value)| row.get(*name).is_some_and(|own| own == value))
    };
    rows.iter().filter(fits).collect()
}

fn answer(id: &str, metric: &str, score: &str, at: &str) -> Vec<(&'static str, String)> {
    vec![
        ("source_id", id.to_owned()),
        ("metric", metric.to_owned()),
        ("score", score.to_owned()),
        ("answered_at", at.to_owned()),
        ("country", "DK".to_owned()),
        ("channel", "email".to_owned()),
    ]
}

fn with(
    mut row: Vec<(&'static str, String)>,
    more: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    row.retain(|(name, _)| !more.iter().any(|(own, _)| own == name));
    row.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    row
}

fn first_night() -> String {
    let mut rows = vec![
        // The last second of the day on which clocks went forward, and the first one after it.
        answer("a1", "nps", "9", "2024-03-31T21:59:59Z"),
        answer("a2", "nps", "9", "2024-03-31T22:00:00Z"),
        // The last second of the day on which they went back: 25 hours after its first.
        answer("a3", "nps", "9", "2024-10-27T22:59:59Z"),
        answer("a4", "nps", "9", "2024-10-26T22:00:00Z"),
        // 0 is an answer on 0 to 10, and none on 1 to 5.
        answer("z1", "nps", "0", "2024-02-10T10:00:00Z"),
        answer("z2", "star", "0", "2024-02-10T10:00:00Z"),
        answer("z3", "star", "1", "2024-02-10T10:00:00Z"),
        // Nobody knows who said it.
        answer("n1", "ces", "7", "2024-02-10T10:00:00Z"),
        with(answer("n2", "ces", "1", "2024-02-10T10:00:00Z"), &[("customer_source_id", "p1")]),
        // Corrected two weeks later.
        with(answer("e1", "enps", "2", "2024-02-28T10:00:00Z"), &[("customer_source_id", "p2")]),
        answer("t1", "enps", "9", "2024-02-28T10:00:00Z"),
        with(answer("t2", "enps", "9", "2024-02-28T10:00:00Z"), &[("is_test", "true")]),
    ];
    // Five points until the last day of February, ten from March on.
    for (id, score, day) in [
        ("s1", "4", "2024-02-29"),
        ("s2", "6", "2024-02-29"),
        ("s3", "4", "2024-03-01"),
        ("s4", "8", "2024-03-01"),
        ("s5", "11", "2024-03-01"),
    ] {
        let row = answer(id, "csat", score, &format!("{day}T11:00:00Z"));
        rows.push(with(row, &[("survey_name", "delivery")]));
    }
    csv(&rows)
}

fn desk() -> [(&'static str, String); 6] {
    let ticket = |id: &str, more: &[(&'static str, &str)]| {
        let row = vec![
            ("source_id", id.to_owned()),
            ("customer_source_id", "d1".to_owned()),
            ("channel", id.to_owned()),
            ("created_at", "2024-03-04T09:00:00Z".to_owned()),
            ("status", "resolved".to_owned()),
        ];
        with(row, more)
    };
    let tickets = csv(&[
        ticket("bot", &[("resolved_at", "2024-03-04T09:10:00Z"), ("handled_by", "bot")]),
        ticket("loser", &[("merged_into", "winner"), ("resolved_at", "2024-03-04T09:20:00Z")]),
        ticket(
            "winner",
            &[("resolved_at", "2024-03-04T11:00:00Z"), ("vendor_first_response_seconds", "60")],
        ),
        ticket(
            "chat",
            &[("status", "open"), ("linked_source", "desk"), ("linked_source_id", "ticket")],
        ),
        ticket("silent", &[("status", "open"), ("vendor_first_response_seconds", "600")]),
        ticket("outbound", &[("resolved_at", "2024-03-04T12:00:00Z")]),
        // What the chat about the same thing became.
        ticket(
            "after talk",
            &[("created_at", "2024-03-04T09:06:00Z"), ("resolved_at", "2024-03-04T11:00:00Z")],
        ),
    ]);
    let message = |id: &str, of: &str, who: &str, public: &str, at: &str| {
        vec![
            ("source_id", id.to_owned()),
            ("conversation_source_id", of.to_owned()),
            ("author_kind", who.to_owned()),
            ("is_public", public.to_owned()),
            ("kind", if public == "true" { "comment" } else { "note" }.to_owned()),
            ("sent_at", format!("2024-03-04T{at}Z")),
        ]
    };
    let messages = csv(&[
        message("m1", "bot", "customer", "true", "09:00:00"),
        message("m2", "bot", "bot", "true", "09:00:05"),
        message("m3", "winner", "customer", "true", "09:00:00"),
        message("m4", "winner", "bot", "true", "09:01:00"),
        message("m5", "winner", "agent", "false", "09:20:00"),
        message("m6", "winner", "agent", "true", "10:30:00"),
        message("m7", "loser", "agent", "true", "09:05:00"),
        message("m8", "outbound", "agent", "true", "09:00:00"),
        message("m9", "outbound", "customer", "true", "10:00:00"),
        message("m10", "outbound", "agent", "true", "10:15:00"),
        message("m11", "after talk", "agent", "true", "09:30:00"),
        message("m12", "after talk", "agent", "true", "11:00:00"),
    ]);
    // A chat tool of its own: a bot answers, nobody else, and the chat ends as a ticket of the desk.
    let talks = csv(&[ticket(
        "talk",
        &[
            ("created_at", "2024-03-04T09:00:00Z"),
            ("resolved_at", "2024-03-04T09:05:00Z"),
            ("linked_source", "desk"),
            ("linked_source_id", "after talk"),
            ("vendor_first_response_seconds", "1800"),
        ],
    )]);
    let said = csv(&[
        message("m1", "talk", "customer", "true", "09:00:00"),
        message("m2", "talk", "bot", "true", "09:00:20"),
        message("m3", "talk", "customer", "true", "09:01:00"),
    ]);
    let change = |id: &str, kind: &str, who: &str, at: &str| {
        vec![
            ("source_id", id.to_owned()),
            ("conversation_source_id", "winner".to_owned()),
            ("kind", kind.to_owned()),
            ("author_kind", who.to_owned()),
            ("changed_at", format!("2024-03-04T{at}Z")),
        ]
    };
    let changes = csv(&[
        change("c1", "resolved", "agent", "10:30:00"),
        change("c2", "reopened", "customer", "10:40:00"),
        change("c3", "resolved", "agent", "11:00:00"),
    ]);
    let invitations = csv(&[vec![
        ("source_id", "i1".to_owned()),
        ("survey_name", "yearly".to_owned()),
        ("sent_at", "2024-03-04T09:00:00Z".to_owned()),
    ]]);
    [
        ("raw/tickets/dt=2024-11-01/tickets.csv", tickets),
        ("raw/messages/dt=2024-11-01/messages.csv", messages),
        ("raw/changes/dt=2024-11-01/changes.csv", changes),
        ("raw/invitations/dt=2024-11-01/invitations.csv", invitations),
        ("raw/talks/dt=2024-11-01/talks.csv", talks),
        ("raw/said/dt=2024-11-01/said.csv", said),
    ]
}

/// Of the chat tool.
const TALK: &str = r#"
[[source]]
source = "talk"
entity = "tickets"
url = "raw/talks/dt={dt}/*.csv"

[[source]]
source = "talk"
entity = "messages"
url = "raw/said/dt={dt}/*.csv"
"#;

async fn edges() -> World {
    let job = JOB.replace("[metrics]", "[limits]\nrejects_max = 0.5\n\n[metrics]\nmin_cell = 1");
    let job = job + TALK;
    let correction = csv(&[with(
        answer("e1", "enps", "10", "2024-02-28T10:00:00Z"),
        &[("customer_source_id", "p2"), ("updated_at", "2024-03-13T10:00:00Z")],
    )]);
    let mut files = vec![
        ("raw/responses/dt=2024-11-01/answers.csv", first_night()),
        ("raw/responses/dt=2024-11-02/answers.csv", correction),
        ("raw/contacts/dt=2024-11-01/people.csv", "source_id,email\np1,p1@example.com\n".into()),
        (
            "raw/events/dt=2024-11-01/events.ndjson",
            r#"{"source_id":"e1","name":"page_view","customer_source_id":"p1","occurred_at":"2024-01-01T10:00:00Z"}"#
                .into(),
        ),
    ];
    files.extend(desk());
    World::run(&job, &files, company::terms()).await
}

/// Goal: what is rare is right. Method: one run over one row of each kind.
#[tokio::test(flavor = "multi_thread")]
async fn edge_cases_come_out_right() {
    let world = edges().await;
    let scores = world.rows("experience_scores").await;
    let of = |more: &[(&str, &str)]| find(&scores, more);
    let day = |day: &str| {
        of(&[
            ("metric", "nps"),
            ("period_grain", "day"),
            ("period_start", day),
            ("dimension", "all"),
        ])
    };
    assert_eq!(day("2024-03-31")[0]["n"], "1");
    assert_eq!(day("2024-04-01")[0]["n"], "1");
    assert_eq!(day("2024-10-27")[0]["n"], "2");
    let zero = day("2024-02-10");
    assert_eq!((&*zero[0]["detractors"], &*zero[0]["score"]), ("1", "-100.0"));
    let month = |metric: &str, scale: &str, start: &str| -> Vec<Row> {
        let wanted = [("metric", metric), ("scale", scale), ("period_grain", "month")];
        let found = of(&wanted).into_iter();
        let all = found.filter(|row| row["period_start"] == start && row["dimension"] == "all");
        all.cloned().collect()
    };
    let stars = month("star", "1-5", "2024-02-01");
    assert_eq!((&*stars[0]["n"], &*stars[0]["score"]), ("1", "1.0"));
    // A person without a name counts, and is nobody's.
    assert_eq!(month("ces", "1-7", "2024-02-01")[0]["n"], "2");
    let feedback = world.rows("feedback").await;
    let known =
        feedback.iter().filter(|row| row["metric"] == "ces" && row.contains_key("customer_id"));
    assert_eq!(known.count(), 1);
    // The correction replaced the answer where it was given; the test is nowhere.
    let employees = month("enps", "0-10", "2024-02-01");
    assert_eq!((&*employees[0]["n"], &*employees[0]["promoters"]), ("2", "2"));
    assert!(month("enps", "0-10", "2024-03-01").is_empty());
    let before = month("csat", "1-5", "2024-02-01");
    assert_eq!((&*before[0]["n"], &*before[0]["favourable"]), ("1", "1"));
    let after = month("csat", "1-10", "2024-03-01");
    assert_eq!((&*after[0]["n"], &*after[0]["favourable"]), ("2", "1"));
    let rejects = world.rows("rejected_records").await;
    let off = find(&rejects, &[("reject_rule", "off_scale")]);
    assert_eq!(off.len(), 3, "{off:?}");

    desk_is_right(&world).await;
}

async fn desk_is_right(world: &World) {
    let rows = world.rows("conversation_service").await;
    let ticket = |id: &str| find(&rows, &[("source_id", id)]).first().copied();
    let bot = ticket("bot").expect("a ticket");
    assert_eq!(bot.get("first_response_seconds"), None);
    assert_eq!((&*bot["first_bot_response_seconds"], &*bot["is_contained"]), ("5", "true"));
    assert!(ticket("loser").is_none(), "the winner counts");
    let winner = ticket("winner").expect("a ticket");
    assert_eq!((&*winner["first_response_seconds"], &*winner["n_replies"]), ("5400", "1"));
    assert_eq!(winner["vendor_first_response_cause"], "bot_reply");
    assert_eq!(winner["vendor_first_response_difference"], "5340");
    assert_eq!(
        (&*winner["first_resolution_seconds"], &*winner["full_resolution_seconds"]),
        ("5400", "7200")
    );
    assert_eq!((&*winner["n_reopens"], &*winner["is_first_contact"]), ("1", "false"));
    let silent = ticket("silent").expect("a ticket");
    assert_eq!(silent["vendor_first_response_cause"], "no_messages");
    assert_eq!(silent.get("vendor_first_response_difference"), None);
    let outbound = ticket("outbound").expect("a ticket");
    assert_eq!((&*outbound["first_response_seconds"], &*outbound["is_outbound"]), ("900", "true"));
    let levels = world.rows("service_levels").await;
    let all = find(
        &levels,
        &[
            ("metric", "first_response"),
            ("clock", "calendar"),
            ("period_grain", "month"),
            ("dimension", "all"),
        ],
    );
    // bot, winner, chat, silent, outbound, and the talk with its ticket; three of them answered.
    assert_eq!((&*all[0]["n"], &*all[0]["answered"], &*all[0]["open"]), ("6", "3", "3"));
    assert_eq!(all[0]["mean"], "2700.0");
    // The chat and the ticket it became are one request, which the earlier of the two began.
    assert!(ticket("after talk").is_none(), "its talk counts");
    let talk = ticket("talk").expect("a request");
    assert_eq!((&*talk["source"], &*talk["created_at"]), ("talk", "2024-03-04T09:00:00Z"));
    assert_eq!(
        (&*talk["first_response_seconds"], &*talk["first_bot_response_seconds"]),
        ("1800", "20")
    );
    assert_eq!((&*talk["full_resolution_seconds"], &*talk["n_reopens"]), ("7200", "0"));
    assert_eq!(
        (&*talk["n_replies"], &*talk["n_bot_messages"], &*talk["n_customer_messages"]),
        ("2", "1", "2")
    );
    assert_eq!(talk["vendor_first_response_cause"], "equal");
    let (one, other) = (&*talk["is_contained"], &*talk["is_first_contact"]);
    assert_eq!((one, other), ("false", "false"));
}

/// Goal: a day before anything happened has tables and no rows, and is no error. Method: the same
/// files, asked of the day on which they came, with all events after it.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_event_all_tables_are_empty() {
    let later = |(path, text): (&'static str, String)| (path, text.replace("2024-", "2025-"));
    let mut files: Vec<(&str, String)> =
        vec![("raw/responses/dt=2024-11-01/answers.csv", first_night())];
    files.push((
        "raw/contacts/dt=2024-11-01/people.csv",
        "source_id,email\np1,p1@example.com\n".into(),
    ));
    files.push((
        "raw/events/dt=2024-11-01/events.ndjson",
        r#"{"source_id":"e1","name":"page_view","customer_source_id":"p1","occurred_at":"2024-12-01T10:00:00Z"}"#
            .into(),
    ));
    files.extend(desk());
    let files: Vec<_> = files.into_iter().map(later).collect();
    let job = JOB.replace("[metrics]", "[limits]\nrejects_max = 0.5\n\n[metrics]\nmin_cell = 1");
    let world = World::run(&(job + TALK), &files, company::terms()).await;
    for table in [
        "experience_scores",
        "survey_participation",
        "service_levels",
        "conversation_service",
        "churn_ledger",
        "churn_ledger_customers",
        "retention_cohorts",
        "survival_curves",
        "survival_summary",
        "retention_projection",
        "churn_by_feedback",
        "customer_lifetime_value",
    ] {
        let rows = world.rows(table).await;
        assert!(rows.is_empty(), "{table}: {:?}", rows[0]);
    }
    assert!(!world.rows("metric_definitions").await.is_empty());
}
