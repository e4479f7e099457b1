//! The next best contact: who may be written to, how, from when, and about what.

use std::collections::BTreeMap;

use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::project::Project;

const SOURCES: &str = r#"
[[source]]
source = "web"
entity = "facts"
url = "web/dt={dt}/*"
"#;

const SPEC: &str = r#"
description = "Of this test."
key = ["id"]

[[column]]
name = "id"

[[column]]
name = "kind"

[[column]]
name = "who"

[[column]]
name = "what"

[[column]]
name = "at"
type = "timestamp"
"#;

/// One file of facts, staged to as many tables as there are kinds.
fn facts(project: &Project) {
    project.write("sql/stage/web/facts.toml", SPEC);
    let email = "who || '@example.com' as email";
    for (kind, canonical, columns) in [
        ("person", "contacts", format!("{email}, '+45' || what as phone, at as created_at")),
        (
            "consent",
            "consents",
            format!(
                "{email}, split_part(what, ' ', 1) as purpose, split_part(what, ' ', 2) as channel, \
                 split_part(what, ' ', 3) as state, at as effective_at"
            ),
        ),
        (
            "sent",
            "campaign_touches",
            format!("{email}, 'email' as channel, 'sent' as action, at as occurred_at"),
        ),
        (
            "chat",
            "conversations",
            format!(
                "{email}, 'chat' as kind, split_part(what, ' ', 1) as channel, \
                 split_part(what, ' ', 2) as status, at as created_at"
            ),
        ),
        (
            "answer",
            "survey_responses",
            format!(
                "{email}, 'nps' as metric, cast(0 as decimal(18, 4)) as scale_min, \
                 cast(10 as decimal(18, 4)) as scale_max, try_cast(what as decimal(18, 4)) as score, \
                 at as asked_at, at as answered_at"
            ),
        ),
    ] {
        let sql = format!(
            "-- One row per {kind}.\n-- grain: source_id\n-- canonical: {canonical}\n\
             select record_id, id as source_id, {columns} from raw_web__facts where kind = '{kind}'\n"
        );
        project.write(&format!("sql/stage/web/stg_web__{kind}.sql"), &sql);
    }
}

/// Goal: nobody is to be contacted by a channel they have not allowed, nor too often. Method: one
/// person for each way it can go.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_allowed_not_too_often_and_about_what_matters() {
    let project = Project::new(SOURCES);
    facts(&project);
    project.night("2024-05-28", 1, &[9]);
    let mut lines = Vec::new();
    let mut tell = |kind: &str, who: &str, what: &str, at: &str| {
        let id = lines.len();
        lines.push(format!(
            r#"{{"id":"f{id}","kind":"{kind}","who":"{who}","what":"{what}","at":"{at}T10:00:00Z"}}"#
        ));
    };
    let people = ["ida", "mia", "liv", "tom", "kay", "ole", "bob", "sam"];
    for (who, number) in people.into_iter().zip(20_000_001..) {
        tell("person", who, &number.to_string(), "2024-04-01");
    }
    for who in ["mia", "liv", "tom", "kay", "ole", "bob"] {
        tell("consent", who, "email_marketing email granted", "2024-01-01");
    }
    tell("consent", "liv", "sms sms granted", "2024-01-01");
    tell("chat", "liv", "sms closed", "2024-04-20");
    // What was taken back later counts.
    tell("consent", "bob", "email_marketing email withdrawn", "2024-03-01");
    for day in 1..=12 {
        tell("sent", "tom", "", &format!("2024-05-{day:02}"));
        // Long ago.
        tell("sent", "mia", "", &format!("2024-01-{day:02}"));
    }
    tell("answer", "kay", "2", "2024-05-20");
    for day in ["2024-05-01", "2024-05-05", "2024-05-09"] {
        tell("answer", "sam", "10", day);
    }
    tell("consent", "sam", "phone phone granted", "2024-01-01");
    tell("chat", "ole", "web open", "2024-05-27");
    project.write("web/dt=2024-05-28/facts.ndjson", &lines.join("\n"));
    assert!(project.run().await.expect("a run").published);

    let sql = "select customers.primary_email, next_action, contact_channel, \
               contact_from, n_messages_90d, last_touch_kind, n_asked_90d \
               from next_best_contact join customers \
               on next_best_contact.customer_id = customers.customer_id";
    let rows = project.query(sql).await;
    let options = FormatOptions::default();
    let cell = |column: usize, row: usize| {
        let shown = ArrayFormatter::try_new(rows.column(column), &options).expect("a format");
        shown.value(row).to_string()
    };
    let told: BTreeMap<String, Vec<String>> = (0..rows.num_rows())
        .map(|row| {
            let who = cell(0, row).split('@').next().expect("a name").to_owned();
            (who, (1..rows.num_columns()).map(|column| cell(column, row)).collect())
        })
        .collect();
    assert_eq!(told.len(), people.len() + 1, "{told:?}");
    let short = |who: &str| told[who][..3].join(" ");
    assert_eq!(short("ida"), "no_contact  ");
    assert_eq!(short("bob"), "no_contact  ");
    assert_eq!(short("mia"), "help_to_decide email 2024-05-29");
    assert_eq!(told["mia"][3], "0", "what was sent in January is forgiven");
    assert_eq!(short("liv"), "help_to_decide sms 2024-05-29", "the way they came last");
    // A chat is still open: it comes first, whatever is allowed.
    assert_eq!(short("ole"), "answer_conversation  ");
    assert_eq!(told["ole"][4], "conversation_opened");
    assert_eq!(short("tom"), "rest email 2024-06-11");
    assert_eq!(told["tom"][3], "12");
    assert_eq!(short("kay"), "follow_up_feedback email 2024-05-29");
    assert_eq!(short("sam"), "rest phone 2024-06-08");
    assert_eq!(told["sam"][5], "3");
}
