//! Participation once more: every row from all invitations and responses.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;

use super::scores::period;
use super::world::{Row, World, time};

struct Contact {
    source: String,
    survey: String,
    who: Option<String>,
    is_invited: bool,
    at: DateTime<Utc>,
    is_delivered: bool,
    is_opened: bool,
    answered_at: Option<DateTime<Utc>>,
    is_answered: bool,
    is_incentivised: bool,
}

async fn contacts(world: &World) -> Vec<Contact> {
    let keys: BTreeMap<String, String> = world
        .rows("identity_keys")
        .await
        .into_iter()
        .map(|row| (row["identity_key"].clone(), row["customer_id"].clone()))
        .collect();
    let who = |row: &Row| row.get("identity_key").and_then(|key| keys.get(key)).cloned();
    let flag = |row: &Row, name: &str| row.get(name).is_some_and(|is| is == "true");
    let mut found = Vec::new();
    for row in world.rows("current_survey_invitations").await {
        let status = row["status"].as_str();
        let responded = row.get("responded_at").map(|at| time(at));
        found.push(Contact {
            source: row["source"].clone(),
            survey: row["survey_name"].clone(),
            who: who(&row),
            is_invited: true,
            at: time(&row["sent_at"]),
            is_delivered: status != "bounced",
            is_opened: status == "opened" || status == "answered",
            answered_at: responded,
            is_answered: responded.is_some(),
            is_incentivised: flag(&row, "is_incentivised"),
        });
    }
    for row in world.rows("current_survey_responses").await {
        if flag(&row, "is_test") {
            continue;
        }
        let status = row["status"].as_str();
        let is_answered = status == "answered" || status == "partial";
        let answered_at = row.get("answered_at").map(|at| time(at)).filter(|_| is_answered);
        let asked_at = row.get("asked_at").map(|at| time(at));
        let Some(at) = asked_at.or(answered_at) else { continue };
        found.push(Contact {
            source: row["source"].clone(),
            survey: row.get("survey_name").cloned().unwrap_or("(none)".into()),
            who: who(&row),
            is_invited: asked_at.is_some(),
            at,
            is_delivered: status != "bounced",
            is_opened: is_answered,
            answered_at,
            is_answered,
            is_incentivised: flag(&row, "is_incentivised"),
        });
    }
    found
}

fn check(row: &Row, column: &str, wanted: Option<f64>) {
    let got = row.get(column).map(|text| text.parse::<f64>().expect("a number"));
    let is_same = match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9,
        (got, wanted) => got == wanted,
    };
    assert!(is_same, "{column}: got {got:?}, wanted {wanted:?} in {row:?}");
}

/// Goal: participation is what its definition says. Method: as for scores.
pub async fn participation_is_what_its_definition_says(world: &World) {
    let contacts = contacts(world).await;
    let rows = world.rows("survey_participation").await;
    let mut expected = BTreeSet::new();
    for contact in &contacts {
        let day = contact.at.with_timezone(&Copenhagen).date_naive();
        for grain in ["day", "week", "month", "quarter", "year"] {
            expected.insert((
                contact.source.clone(),
                contact.survey.clone(),
                grain,
                period(grain, day),
            ));
        }
    }
    assert_eq!(rows.len(), expected.len());
    let mut biased = 0;
    for row in &rows {
        let start: NaiveDate = row["period_start"].parse().expect("a day");
        let own = |contact: &&Contact| {
            let day = contact.at.with_timezone(&Copenhagen).date_naive();
            contact.source == row["source"]
                && contact.survey == row["survey"]
                && period(&row["period_grain"], day) == start
        };
        let own: Vec<&Contact> = contacts.iter().filter(own).collect();
        let count = |is: &dyn Fn(&Contact) -> bool| own.iter().filter(|c| is(c)).count() as f64;
        let invited = count(&|c| c.is_invited);
        let responses = count(&|c| c.is_answered);
        check(row, "n", Some(invited.max(responses)));
        let is_small = invited.max(responses) < 10.0;
        assert_eq!(row["is_suppressed"], is_small.to_string());
        let shown = |value: f64| (!is_small).then_some(value);
        let asked = |value: f64| shown(value).filter(|_| invited > 0.0);
        let answered = count(&|c| c.is_invited && c.is_answered);
        check(row, "n_invitations", asked(invited));
        check(row, "n_delivered", asked(count(&|c| c.is_invited && c.is_delivered)));
        let opened = count(&|c| c.is_invited && c.is_delivered && c.is_opened);
        check(row, "n_opened", asked(opened));
        check(row, "n_answered", asked(answered));
        check(row, "response_rate", asked(answered / invited));
        check(row, "n_responses", shown(responses));
        let rewarded = count(&|c| c.is_answered && c.is_incentivised);
        check(row, "incentivised_share", shown(rewarded / responses).filter(|_| responses > 0.0));
        let mut waits: Vec<f64> = own
            .iter()
            .filter(|c| c.is_invited)
            .filter_map(|c| Some((c.answered_at? - c.at).num_seconds() as f64 / 3600.0))
            .collect();
        waits.sort_by(f64::total_cmp);
        let half = waits.len() / 2;
        let median = match waits.len() {
            0 => None,
            n if n % 2 == 1 => Some(waits[half]),
            _ => Some(f64::midpoint(waits[half - 1], waits[half])),
        };
        check(row, "median_hours_to_answer", median.filter(|_| !is_small));
        let asked_of = |c: &&&Contact| c.is_invited && c.who.is_some();
        let before = |c: &&Contact| {
            let of = |other: &&Contact| {
                let since = c.at - TimeDelta::days(90);
                other.is_invited && other.who == c.who && other.at > since && other.at <= c.at
            };
            contacts.iter().filter(of).count() as f64
        };
        let tired: Vec<f64> = own.iter().filter(asked_of).map(before).collect();
        let fatigue = (!tired.is_empty()).then(|| tired.iter().sum::<f64>() / tired.len() as f64);
        check(row, "contacts_90_days", fatigue.filter(|_| !is_small));
        let people: BTreeSet<&String> =
            own.iter().filter(|c| c.is_invited).filter_map(|c| c.who.as_ref()).collect();
        check(row, "n_customers", asked(people.len() as f64));
        biased += usize::from(row.contains_key("incentive_bias"));
    }
    assert!(biased > 0, "some surveys have rewarded and other answers");
}
