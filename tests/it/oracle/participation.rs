//! Participation once more: every row from all invitations and responses.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;

use super::scores::given;
use super::slow::{Z, mean, normal_tail, variance, wilson};
use super::world::{Row, World, check, is, period, time};

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
    is_complete: bool,
    is_incentivised: bool,
}

fn survey(row: &Row) -> String {
    let told = row.get("survey_name").or_else(|| row.get("survey_id"));
    told.cloned().unwrap_or_else(|| "(none)".to_owned())
}

/// The answers of one response.
type Groups = BTreeMap<[String; 3], Vec<Row>>;

fn group(row: &Row) -> [String; 3] {
    let id = row.get("response_group_id").unwrap_or(&row["source_id"]);
    [row["source"].clone(), row["source_account"].clone(), id.clone()]
}

fn has(rows: &[Row], status: &[&str]) -> bool {
    rows.iter().any(|row| row.get("status").is_some_and(|own| status.contains(&own.as_str())))
}

fn first_time(rows: &[Row], column: &str, of: &[&str]) -> Option<DateTime<Utc>> {
    let rows = rows.iter().filter(|row| of.is_empty() || has(std::slice::from_ref(row), of));
    rows.filter_map(|row| row.get(column)).map(|at| time(at)).min()
}

const ANSWERED: [&str; 2] = ["answered", "partial"];

async fn contacts(world: &World) -> Vec<Contact> {
    let keys = world.keys().await;
    let who = |key: Option<&String>| key.and_then(|key| keys.get(key)).cloned();
    let mut responses: Groups = BTreeMap::new();
    for row in world.current("survey_responses").await {
        if !is(&row, "is_test") {
            responses.entry(group(&row)).or_default().push(row);
        }
    }
    let mut found = Vec::new();
    let mut inviting = BTreeSet::new();
    for row in world.current("survey_invitations").await {
        let Some(sent) = row.get("sent_at").filter(|_| !is(&row, "is_test")) else { continue };
        inviting.insert([row["source"].clone(), row["source_account"].clone(), survey(&row)]);
        let linked = row.get("response_group_id").and_then(|id| {
            responses.get(&[row["source"].clone(), row["source_account"].clone(), id.clone()])
        });
        let linked = linked.map_or(&[][..], Vec::as_slice);
        let status = row.get("status").map_or("sent", String::as_str);
        let is_delivered = !["bounced", "failed"].contains(&status);
        let is_answered = has(linked, &ANSWERED) || row.contains_key("responded_at");
        let is_opened = ["opened", "clicked", "answered"].contains(&status)
            || row.contains_key("opened_at")
            || row.contains_key("clicked_at")
            || has(linked, &ANSWERED);
        let responded = row.get("responded_at").map(|at| time(at));
        let is_whole = has(linked, &["answered"]) && !has(linked, &["partial", "disqualified"]);
        found.push(Contact {
            source: row["source"].clone(),
            survey: survey(&row),
            who: who(row.get("identity_key")),
            is_invited: true,
            at: time(sent),
            is_delivered,
            is_opened: is_delivered && is_opened,
            answered_at: first_time(linked, "answered_at", &ANSWERED).or(responded),
            is_answered,
            is_complete: is_answered && (is_whole || linked.is_empty()),
            is_incentivised: is(&row, "is_incentivised")
                || linked.iter().any(|row| is(row, "is_incentivised")),
        });
    }
    for ([source, account, _], rows) in &responses {
        let survey = rows.iter().map(survey).min().expect("a response");
        if inviting.contains(&[source.clone(), account.clone(), survey.clone()]) {
            continue;
        }
        let answered_at = first_time(rows, "answered_at", &ANSWERED);
        let asked_at = first_time(rows, "asked_at", &[]);
        let Some(at) = asked_at.or(answered_at) else { continue };
        let is_answered = has(rows, &ANSWERED);
        let is_delivered = !has(rows, &["bounced"]);
        let is_opened = first_time(rows, "opened_at", &[]).is_some() || is_answered;
        found.push(Contact {
            source: source.clone(),
            survey,
            who: who(rows.iter().filter_map(|row| row.get("identity_key")).min()),
            is_invited: asked_at.is_some(),
            at,
            is_delivered,
            is_opened: is_delivered && is_opened,
            answered_at,
            is_answered,
            is_complete: has(rows, &["answered"]) && !has(rows, &["partial", "disqualified"]),
            is_incentivised: rows.iter().any(|row| is(row, "is_incentivised")),
        });
    }
    found
}

/// An answer as the incentive may have lifted it.
struct Told {
    source: String,
    survey: String,
    kind: (String, String),
    day: NaiveDate,
    is_rewarded: bool,
    /// On 0 to 1, more is better.
    value: f64,
}

async fn told(world: &World) -> Vec<Told> {
    let given = given(world).await;
    let told = given.iter().filter_map(|one| {
        let row = &one.row;
        let number = |column: &str| row[column].parse::<f64>().expect("a number");
        let (least, most, score) = (number("scale_min"), number("scale_max"), number("score"));
        let value = (score - least) / (most - least);
        (least < most).then(|| Told {
            source: row["source"].clone(),
            survey: survey(row),
            kind: (row["metric"].clone(), format!("{least} {most}")),
            day: one.at.with_timezone(&Copenhagen).date_naive(),
            is_rewarded: is(row, "is_incentivised"),
            value: if is(row, "is_effort") { 1.0 - value } else { value },
        })
    });
    told.collect()
}

/// How much higher the rewarded answers of a survey are than all unrewarded ones of the same kind,
/// with its standard error: kinds count by their rewarded answers.
fn bias(told: &[Told], row: &Row, min_cell: i64) -> Option<(f64, f64)> {
    let start: NaiveDate = row["period_start"].parse().expect("a day");
    let here: Vec<&Told> = told
        .iter()
        .filter(|t| t.source == row["source"] && period(&row["period_grain"], t.day) == start)
        .collect();
    let kinds: BTreeSet<&(String, String)> = here.iter().map(|told| &told.kind).collect();
    let (mut n, mut sum, mut spread) = (0.0, 0.0, 0.0);
    for kind in kinds {
        let of = |is: &dyn Fn(&Told) -> bool| -> Vec<f64> {
            let own = here.iter().filter(|told| told.kind == *kind && is(told));
            own.map(|told| told.value).collect()
        };
        let one = of(&|told| told.is_rewarded && told.survey == row["survey"]);
        let other = of(&|told| !told.is_rewarded);
        if (one.len().min(other.len()) as i64) < min_cell.max(2) {
            continue;
        }
        let size = one.len() as f64;
        n += size;
        sum += size * (mean(&one) - mean(&other));
        spread += size * size * (variance(&one) / size + variance(&other) / other.len() as f64);
    }
    (n > 0.0 && spread > 0.0).then(|| (sum / n, spread.sqrt() / n))
}

/// Goal: participation is what its definition says. Method: as for scores; how many rows have a
/// bias.
pub async fn participation_is_what_its_definition_says(world: &World) -> usize {
    let (contacts, told) = (contacts(world).await, told(world).await);
    let rows = world.rows("survey_participation").await;
    let mut expected = BTreeSet::new();
    for contact in &contacts {
        let day = contact.at.with_timezone(&Copenhagen).date_naive();
        for grain in world.terms.periods {
            let key = (&contact.source, &contact.survey, *grain, period(grain, day));
            expected.insert(key);
        }
    }
    assert_eq!(rows.len(), expected.len());
    let mut of_person: BTreeMap<&String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| contact.is_invited) {
        if let Some(who) = &contact.who {
            of_person.entry(who).or_default().push(contact.at);
        }
    }
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
        let size = invited.max(responses);
        check(row, "n", Some(size));
        let is_small = size < world.terms.min_cell as f64;
        assert_eq!(row["is_suppressed"], is_small.to_string());
        let shown = |value: f64| (!is_small).then_some(value);
        let asked = |value: f64| shown(value).filter(|_| invited > 0.0);
        let share = |k: f64, n: f64| shown(k / n).filter(|_| n > 0.0);
        let answered = count(&|c| c.is_invited && c.is_answered);
        let delivered = count(&|c| c.is_invited && c.is_delivered);
        check(row, "n_invitations", asked(invited));
        check(row, "n_delivered", asked(delivered));
        check(row, "delivery_rate", share(delivered, invited));
        let opened = count(&|c| c.is_invited && c.is_delivered && c.is_opened);
        check(row, "n_opened", asked(opened));
        check(row, "open_rate", share(opened, delivered));
        check(row, "n_answered", asked(answered));
        check(row, "response_rate", share(answered, invited));
        let limits = asked(0.0).map(|_| wilson(answered, invited));
        check(row, "response_low", limits.map(|limits| limits.0));
        check(row, "response_high", limits.map(|limits| limits.1));
        check(row, "n_responses", shown(responses));
        let complete = count(&|c| c.is_complete);
        check(row, "n_completed", shown(complete));
        check(row, "completion_rate", share(complete, responses));
        let rewarded = count(&|c| c.is_answered && c.is_incentivised);
        check(row, "n_incentivised", shown(rewarded));
        check(row, "incentivised_share", share(rewarded, responses));
        let mut waits: Vec<f64> = own
            .iter()
            .filter(|c| c.is_invited)
            .filter_map(|c| Some((c.answered_at? - c.at).num_seconds() as f64 / 3600.0))
            .filter(|hours| *hours >= 0.0)
            .collect();
        waits.sort_by(f64::total_cmp);
        let half = waits.len() / 2;
        let median = match waits.len() {
            0 => None,
            n if n % 2 == 1 => Some(waits[half]),
            _ => Some(f64::midpoint(waits[half - 1], waits[half])),
        };
        check(row, "median_hours_to_answer", median.filter(|_| !is_small));
        let before = |c: &&Contact| {
            let since = c.at - TimeDelta::days(90);
            let times = of_person[c.who.as_ref()?].iter();
            Some(times.filter(|at| **at > since && **at <= c.at).count() as f64)
        };
        let tired: Vec<f64> =
            own.iter().copied().filter(|c| c.is_invited).filter_map(|c| before(&c)).collect();
        let fatigue = (!tired.is_empty()).then(|| mean(&tired));
        check(row, "contacts_90_days", fatigue.filter(|_| !is_small));
        let most = tired.iter().copied().reduce(f64::max);
        check(row, "contacts_90_days_most", most.filter(|_| !is_small));
        let people: BTreeSet<&String> =
            own.iter().filter(|c| c.is_invited).filter_map(|c| c.who.as_ref()).collect();
        check(row, "n_customers", asked(people.len() as f64));
        let bias = bias(&told, row, world.terms.min_cell).filter(|_| !is_small);
        check(row, "incentive_bias", bias.map(|(bias, _)| bias));
        check(row, "incentive_bias_low", bias.map(|(bias, error)| bias - Z * error));
        check(row, "incentive_bias_high", bias.map(|(bias, error)| bias + Z * error));
        check(row, "incentive_p_value", bias.map(|(bias, error)| normal_tail(bias / error)));
        biased += usize::from(bias.is_some());
    }
    biased
}
