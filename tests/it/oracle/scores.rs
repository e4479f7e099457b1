//! Experience scores once more, slowly: for every row the answers are gone through from the first.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;

use super::hidden::nothing_can_be_reckoned;
use super::slow::{Z, mean, shares, student, t_limit, welch, wilson};
use super::world::{Row, Terms, World, check, is, number, period, time};

/// An answer that counts.
pub struct Answer {
    pub metric: String,
    pub least: f64,
    pub most: f64,
    score: f64,
    favourable: Option<bool>,
    pub day: NaiveDate,
    pub of: BTreeMap<&'static str, String>,
}

/// A valid answer of a customer, or of nobody that is known, before repeated ones are taken out.
pub(super) struct Given {
    pub row: Row,
    pub customer: Option<String>,
    pub at: DateTime<Utc>,
    segment: Option<String>,
}

/// The valid answers, from the run's staged rows, by the words of the definitions.
pub(super) async fn given(world: &World) -> Vec<Given> {
    let keys = world.keys().await;
    let people: BTreeMap<String, Row> = world
        .rows("golden_customers")
        .await
        .into_iter()
        .map(|row| (row["customer_id"].clone(), row))
        .collect();
    let mut valid = Vec::new();
    for row in world.current("survey_responses").await {
        let customer = row.get("identity_key").and_then(|key| keys.get(key)).cloned();
        let person = customer.as_ref().and_then(|id| people.get(id));
        let known = ["nps", "enps", "csat", "ces", "star"];
        let is_known = row.get("metric").is_some_and(|metric| known.contains(&metric.as_str()));
        let status = row.get("status").map_or("answered", String::as_str);
        let (Some(score), Some(at)) = (number(&row, "score"), row.get("answered_at")) else {
            continue;
        };
        let own = person.is_some_and(|person| is(person, "is_internal"));
        let fits = is_known
            && !is(&row, "is_test")
            && ["answered", "partial"].contains(&status)
            && (row["metric"] == "enps" || !own)
            && number(&row, "scale_min").is_some_and(|least| score >= least)
            && number(&row, "scale_max").is_some_and(|most| score <= most);
        if fits {
            let segment = person.and_then(|person| person.get("segment")).cloned();
            valid.push(Given { at: time(at), row, customer, segment });
        }
    }
    valid
}

/// What it is about and whose it is; nothing where nobody knows who answered.
fn about(given: &Given) -> Option<Vec<&str>> {
    let text = |names: &[&str]| -> &str {
        names.iter().find_map(|name| given.row.get(*name)).map_or("", String::as_str)
    };
    let who = given.customer.as_ref().or_else(|| given.row.get("identity_key"))?;
    let mut about: Vec<&str> = ["source", "source_account", "metric", "question_id", "touchpoint"]
        .iter()
        .map(|name| text(&[name]))
        .collect();
    about.extend([
        text(&["survey_id", "survey_name"]),
        text(&["conversation_source_id", "order_source_id"]),
        who.as_str(),
    ]);
    Some(about)
}

/// The answers that count, from the run's staged rows, by the words of the definitions.
pub(super) async fn answers(world: &World) -> Vec<Answer> {
    let valid = given(world).await;
    let stays = world.rows("journey_stage_history").await;
    let mut of_customer: BTreeMap<&String, Vec<&Row>> = BTreeMap::new();
    for stay in &stays {
        of_customer.entry(&stay["customer_id"]).or_default().push(stay);
    }
    let mut alike: BTreeMap<Vec<&str>, Vec<(DateTime<Utc>, &String)>> = BTreeMap::new();
    for one in &valid {
        if let Some(about) = about(one) {
            alike.entry(about).or_default().push((one.at, &one.row["feedback_id"]));
        }
    }
    let within = TimeDelta::days(world.terms.resubmission_days);
    let replaced = |one: &Given| -> bool {
        let Some(about) = about(one) else { return false };
        let key = (one.at, &one.row["feedback_id"]);
        let later = alike[&about].iter().filter(|other| **other > key);
        later.min().is_some_and(|(next, _)| *next - one.at <= within)
    };
    valid
        .iter()
        .filter(|one| !replaced(one))
        .map(|one| {
            let Given { row, customer, at, segment } = one;
            let stays = customer.as_ref().and_then(|customer| of_customer.get(customer));
            let stage = stays.into_iter().flatten().find(|stay| {
                time(&stay["entered_at"]) <= *at
                    && stay.get("left_at").is_none_or(|left| *at < time(left))
            });
            let text = |names: &[&str]| names.iter().find_map(|name| row.get(*name)).cloned();
            let none = || "(none)".to_owned();
            let mut of: BTreeMap<&'static str, String> = BTreeMap::new();
            for name in ["channel", "touchpoint", "country", "language", "product", "source"] {
                of.insert(name, text(&[name]).unwrap_or_else(none));
            }
            of.insert(
                "segment",
                text(&["segment"]).or_else(|| segment.clone()).unwrap_or_else(none),
            );
            of.insert("survey", text(&["survey_name", "survey_id"]).unwrap_or_else(none));
            of.insert("journey_stage", stage.map_or_else(none, |stay| stay["stage"].clone()));
            of.insert("all", "all".into());
            for pair in world.terms.pairs {
                let (one, other) = pair.split_once('*').expect("two columns");
                of.insert(pair, format!("{}\u{1f}{}", of[one], of[other]));
            }
            let (least, most) =
                (number(row, "scale_min").expect("least"), number(row, "scale_max").expect("most"));
            let score = number(row, "score").expect("a score");
            Answer {
                metric: row["metric"].clone(),
                least,
                most,
                score: if is(row, "is_effort") { least + most - score } else { score },
                favourable: row.get("is_favourable").map(|is| is == "true"),
                day: at.with_timezone(&Copenhagen).date_naive(),
                of,
            }
        })
        .collect()
}

fn agreed(answer: &Answer) -> Option<f64> {
    let scale = (answer.least as i64, answer.most as i64);
    match (answer.metric.as_str(), scale) {
        ("csat" | "ces" | "star", (1, 5)) => Some(4.0),
        ("csat", (0, 1)) => Some(1.0),
        ("csat", (1, 3)) => Some(3.0),
        ("csat", (1, 7)) => Some(6.0),
        ("ces", (1, 7)) => Some(5.0),
        ("csat", (1, 10)) => Some(9.0),
        _ => None,
    }
}

fn is_favourable(answer: &Answer) -> Option<bool> {
    answer.favourable.or_else(|| agreed(answer).map(|first| answer.score >= first))
}

/// n, promoters, passives, detractors, favourable, score, limits.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Cell {
    pub n: i64,
    nps: Option<[i64; 3]>,
    favourable: Option<i64>,
    pub score: f64,
    pub limits: Option<(f64, f64)>,
}

pub(super) fn cell(definition: &str, answers: &[&Answer]) -> Option<Cell> {
    let n = answers.len() as i64;
    let count = |is: &dyn Fn(&Answer) -> bool| answers.iter().filter(|a| is(a)).count() as i64;
    let scores: Vec<f64> = answers.iter().map(|a| a.score).collect();
    if n == 0 {
        return None;
    }
    match definition {
        "nps" | "nps_strict5" | "enps" => {
            let most = if definition == "nps_strict5" { 5.0 } else { 6.0 };
            let (p, d) = (count(&|a| a.score >= 9.0), count(&|a| a.score <= most));
            let score = 100.0 * (p - d) as f64 / n as f64;
            let size = n as f64 + 3.0;
            let (up, down) = ((p as f64 + 0.75) / size, (d as f64 + 0.75) / size);
            let half = Z * ((up + down - (up - down).powi(2)) / size).sqrt();
            let low = (100.0 * (up - down - half)).max(-100.0).min(score);
            let high = (100.0 * (up - down + half)).min(100.0).max(score);
            Some(Cell {
                n,
                nps: Some([p, n - p - d, d]),
                favourable: None,
                score,
                limits: Some((low, high)),
            })
        }
        "csat" | "ces" | "star_share" => {
            let told: Vec<bool> = answers.iter().filter_map(|a| is_favourable(a)).collect();
            let (n, k) = (told.len() as i64, told.iter().filter(|is| **is).count() as i64);
            let (low, high) = wilson(k as f64, n as f64);
            let limits = Some((100.0 * low, 100.0 * high));
            let score = 100.0 * k as f64 / n as f64;
            (n > 0).then_some(Cell { n, nps: None, favourable: Some(k), score, limits })
        }
        "ces_norm" => {
            let norm = |a: &&Answer| (a.score - a.least) / (a.most - a.least);
            let values: Vec<f64> = answers.iter().map(norm).collect();
            Some(Cell { n, score: mean(&values), limits: student(&values), ..Cell::default() })
        }
        "ltr_mean" => {
            Some(Cell { n, score: mean(&scores), limits: student(&scores), ..Cell::default() })
        }
        _ => {
            let told: Vec<bool> = answers.iter().filter_map(|a| is_favourable(a)).collect();
            let k = told.iter().filter(|is| **is).count() as i64;
            let favourable = (!told.is_empty()).then_some(k);
            let limits = student(&scores);
            Some(Cell { n, favourable, score: mean(&scores), limits, ..Cell::default() })
        }
    }
}

/// The numbers whose mean is the score, as a fraction.
fn numbers(definition: &str, answers: &[&Answer]) -> Vec<f64> {
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let nps = |a: &Answer, most: f64| flag(a.score >= 9.0) - flag(a.score <= most);
    let of = |a: &&Answer| match definition {
        "nps" | "enps" => Some(nps(a, 6.0)),
        "nps_strict5" => Some(nps(a, 5.0)),
        "csat" | "ces" | "star_share" => is_favourable(a).map(flag),
        "ces_norm" => Some((a.score - a.least) / (a.most - a.least)),
        _ => Some(a.score),
    };
    answers.iter().filter_map(of).collect()
}

fn is_share(definition: &str) -> bool {
    ["csat", "ces", "star_share"].contains(&definition)
}

fn is_nps(definition: &str) -> bool {
    ["nps", "nps_strict5", "enps"].contains(&definition)
}

/// Score, limits and design effect.
type Weighted = (f64, Option<(f64, f64)>, f64);

/// By strata of a country, each with its share; those of other countries have none.
fn weighted(definition: &str, answers: &[&Answer], terms: &Terms) -> Option<Weighted> {
    // Each answer with its weight; the weights of all are one.
    let mut told: Vec<(f64, f64)> = Vec::new();
    for (country, share) in terms.weights {
        let own: Vec<&Answer> =
            answers.iter().copied().filter(|a| a.of["country"] == *country).collect();
        let values = numbers(definition, &own);
        told.extend(values.iter().map(|value| (*value, share / values.len() as f64)));
    }
    let whole: f64 = told.iter().map(|(_, weight)| weight).sum();
    if told.is_empty() {
        return None;
    }
    let told: Vec<(f64, f64)> = told.into_iter().map(|(v, weight)| (v, weight / whole)).collect();
    let sum = |of: &dyn Fn(f64) -> f64| told.iter().map(|(v, weight)| of(*v) * weight).sum::<f64>();
    let score = sum(&|v| v);
    let effect = told.len() as f64 * told.iter().map(|(_, weight)| weight * weight).sum::<f64>();
    let worth = told.len() as f64 / effect;
    let around = |(low, high): (f64, f64)| (low.min(score), high.max(score));
    if is_nps(definition) {
        let size = worth + 3.0;
        let part = |sign: f64| sum(&|v| if v * sign > 0.5 { 1.0 } else { 0.0 });
        let up = (part(1.0) * worth + 0.75) / size;
        let down = (part(-1.0) * worth + 0.75) / size;
        let half = Z * ((up + down - (up - down).powi(2)) / size).sqrt();
        let limits = around(((up - down - half).max(-1.0), (up - down + half).min(1.0)));
        return Some((100.0 * score, Some((100.0 * limits.0, 100.0 * limits.1)), effect));
    }
    if is_share(definition) {
        let (low, high) = wilson(score * worth, worth);
        return Some((100.0 * score, Some((100.0 * low, 100.0 * high)), effect));
    }
    let spread = sum(&|v| (v - score).powi(2));
    let limits = (worth > 1.0).then(|| {
        let half = t_limit(worth - 1.0) * (spread / (worth - 1.0)).sqrt();
        (score - half, score + half)
    });
    Some((score, limits, effect))
}

/// Change, limits and p-value between two sets of answers, where a test can be made.
pub(super) fn compared(
    definition: &str,
    one: &[&Answer],
    two: &[&Answer],
) -> Option<((f64, f64), Option<f64>)> {
    let (one, two) = (numbers(definition, one), numbers(definition, two));
    let factor = if is_share(definition) || is_nps(definition) { 100.0 } else { 1.0 };
    let ((low, high), p_value) = if is_share(definition) {
        let (limits, p_value) = shares(&one, &two);
        (limits, Some(p_value))
    } else {
        welch(&one, &two)?
    };
    Some(((factor * low, factor * high), p_value))
}

/// Goal: every score of a made-up company is what its definition says in words. Method: each
/// published row is computed again from the run's current rows, without the code under test.
pub async fn every_score_is_what_its_definition_says(world: &World) {
    let (answers, terms) = (answers(world).await, &world.terms);
    let rows = world.rows("experience_scores").await;
    let asks = |definition: &str| match definition {
        "nps" | "nps_strict5" | "ltr_mean" => "nps",
        "csat" | "csat_mean" => "csat",
        "ces" | "ces_mean" | "ces_norm" => "ces",
        "star" | "star_share" => "star",
        other => panic!("{other}"),
    };
    let asks = |definition: &str| if definition == "enps" { "enps" } else { asks(definition) };
    // What lies where, so that a row need not look at all answers.
    let mut places: BTreeMap<(String, String, String, NaiveDate, String), Vec<&Answer>> =
        BTreeMap::new();
    for answer in &answers {
        let scale = format!("{}-{}", answer.least, answer.most);
        for grain in terms.periods {
            for dimension in answer.of.keys() {
                let start = period(grain, answer.day);
                let key = (
                    answer.metric.clone(),
                    scale.clone(),
                    (*grain).to_owned(),
                    start,
                    (*dimension).to_owned(),
                );
                places.entry(key).or_default().push(answer);
            }
        }
    }
    let place = |row: &Row, start: NaiveDate| {
        let key = (
            asks(&row["metric"]).to_owned(),
            row["scale"].clone(),
            row["period_grain"].clone(),
            start,
            row["dimension"].clone(),
        );
        places.get(&key).cloned().unwrap_or_default()
    };
    // Every cell is there, and no other.
    let expected: usize = places
        .iter()
        .map(|((metric, .., dimension), of)| {
            let values: BTreeSet<&String> = of.iter().map(|a| &a.of[dimension.as_str()]).collect();
            let readings = match metric.as_str() {
                "nps" | "ces" => 3,
                "csat" | "star" => 2,
                _ => 1,
            };
            readings * values.len()
        })
        .sum();
    assert_eq!(rows.len(), expected);
    // What is hidden is asked of the table as a whole.
    let mut metrics: BTreeMap<[&String; 2], Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        metrics.entry([&row["metric"], &row["scale"]]).or_default().push(row);
    }
    let beside: usize =
        metrics.values().map(|rows| nothing_can_be_reckoned(rows, terms.min_cell)).sum();
    assert!(beside > 0, "a second cell is hidden somewhere");
    let hidden: BTreeSet<[&String; 6]> =
        rows.iter().filter(|row| row["is_suppressed"] == "true").map(key).collect();
    for row in &rows {
        let start: NaiveDate = row["period_start"].parse().expect("a day");
        let before = period(&row["period_grain"], start - TimeDelta::days(1));
        let past = before.to_string();
        let mut at_past = key(row);
        at_past[3] = &past;
        let is_past_shown = !hidden.contains(&at_past);
        assert_eq!(row["year"], start.year().to_string(), "{row:?}");
        cell_row(row, &place(row, start), &place(row, before), is_past_shown, terms);
    }
    holm(&rows, ["p_value", "p_value_holm"]);
    holm(&rows, ["rest_p_value", "rest_p_value_holm"]);
}

fn key(row: &Row) -> [&String; 6] {
    ["metric", "scale", "period_grain", "period_start", "dimension", "dimension_value"]
        .map(|name| &row[name])
}

/// One row against the answers of its dimension in its period, and in the one before.
fn cell_row(row: &Row, all: &[&Answer], past: &[&Answer], is_past_shown: bool, terms: &Terms) {
    let (metric, value) = (row["metric"].as_str(), &row["dimension_value"]);
    let is_own = |a: &&&Answer| &a.of[row["dimension"].as_str()] == value;
    let own: Vec<&Answer> = all.iter().filter(is_own).copied().collect();
    let others: Vec<&Answer> = all.iter().filter(|a| !is_own(a)).copied().collect();
    let former: Vec<&Answer> = past.iter().filter(is_own).copied().collect();
    let told = cell(metric, &own).unwrap_or_else(|| panic!("no answers: {row:?}"));
    check(row, "n", Some(told.n as f64));
    let is_shown = row["is_suppressed"] == "false";
    let shown = is_shown.then_some(told);
    for (i, column) in ["promoters", "passives", "detractors"].iter().enumerate() {
        check(row, column, shown.and_then(|cell| Some(cell.nps?[i] as f64)));
    }
    check(row, "favourable", shown.and_then(|cell| Some(cell.favourable? as f64)));
    check(row, "score", shown.map(|cell| cell.score));
    check(row, "ci_low", shown.and_then(|cell| Some(cell.limits?.0)));
    check(row, "ci_high", shown.and_then(|cell| Some(cell.limits?.1)));
    let previous = cell(metric, &former).filter(|_| is_shown && is_past_shown);
    check(row, "previous_score", previous.map(|cell| cell.score));
    let moved = previous.and_then(|_| compared(metric, &own, &former));
    differs(row, ["change", "change_low", "change_high", "p_value"], (shown, previous), moved);
    let rest = cell(metric, &others).filter(|rest| rest.n >= terms.min_cell && is_shown);
    check(row, "rest_score", rest.map(|cell| cell.score));
    let apart = rest.and_then(|_| compared(metric, &own, &others));
    let columns = ["rest_difference", "rest_low", "rest_high", "rest_p_value"];
    differs(row, columns, (shown, rest), apart);
    let told = weighted(metric, &own, terms).filter(|_| is_shown);
    check(row, "weighted_score", told.map(|(score, ..)| score));
    check(row, "weighted_low", told.and_then(|(_, limits, _)| Some(limits?.0)));
    check(row, "weighted_high", told.and_then(|(_, limits, _)| Some(limits?.1)));
    check(row, "design_effect", told.map(|(.., effect)| effect));
}

fn differs(
    row: &Row,
    columns: [&str; 4],
    (one, two): (Option<Cell>, Option<Cell>),
    told: Option<((f64, f64), Option<f64>)>,
) {
    let difference = one.zip(two).map(|(one, two)| one.score - two.score);
    check(row, columns[0], difference);
    let exact = difference.unwrap_or_default();
    check(row, columns[1], told.map(|((low, _), _)| low.min(exact)));
    check(row, columns[2], told.map(|((_, high), _)| high.max(exact)));
    check(row, columns[3], told.and_then(|(_, p_value)| p_value));
}

/// Corrected p-values from the plain ones, family by family.
fn holm(rows: &[Row], [plain, corrected]: [&str; 2]) {
    let mut families: BTreeMap<[&String; 4], Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows {
        let key = [&row["metric"], &row["period_grain"], &row["period_start"], &row["dimension"]];
        match (number(row, plain), number(row, corrected)) {
            (Some(plain), Some(corrected)) => {
                families.entry(key).or_default().push((plain, corrected));
            }
            (None, None) => {}
            other => panic!("{other:?} in {row:?}"),
        }
    }
    assert!(families.values().any(|family| family.len() > 1));
    for family in families.values() {
        for (plain, corrected) in family {
            // The step-down maximum, over everything not larger.
            let upto = family.iter().filter(|(other, _)| other <= plain);
            let most = upto.map(|(p, _)| {
                let smaller = family.iter().filter(|(other, _)| other < p).count();
                p * (family.len() - smaller) as f64
            });
            let wanted = most.fold(0.0, f64::max).min(1.0);
            assert!((corrected - wanted).abs() < 1e-9, "{corrected} {wanted}");
        }
    }
}

/// The made-up company has what the definitions are about: employees, and people who answer again.
pub async fn some_answers_are_replaced(world: &World) {
    let people = world.rows("golden_customers").await;
    let internal = people.iter().filter(|row| is(row, "is_internal")).count();
    assert!(internal >= 5, "employees are known");
    let (given, counted) = (given(world).await, answers(world).await);
    assert!(counted.len() + 100 < given.len(), "some answered again");
}
