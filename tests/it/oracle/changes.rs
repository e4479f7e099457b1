//! Effects of a change and the cube, counted again from the run's current rows.

use chrono::NaiveDate;

use super::scores::{Answer, answers, cell, compared};
use super::world::{World, check};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn metric_of(definition: &str) -> &str {
    definition.split('_').next().map_or("", |name| if name == "ltr" { "nps" } else { name })
}

/// Goal: a change's rows hold the answers of its days and scope against each other. Method: answers
/// are picked by day and channel, and read by the oracle of scores.
pub async fn effects_are_of_the_days_and_the_scope(world: &World) {
    let answers = answers(world).await;
    let rows = world.rows("change_effects").await;
    let phases = [
        ("before", day("2024-02-16"), day("2024-04-15")),
        ("during", day("2024-04-16"), day("2024-04-25")),
        ("after", day("2024-04-26"), day("2024-06-24")),
    ];
    let mut told = 0;
    for row in rows.iter().filter(|row| row["change_name"] == "texts" && row["scale"] != "(none)") {
        let (definition, scale) = (row["metric"].as_str(), row["scale"].as_str());
        let of = |phase: &str, is_inside: bool| -> Vec<&Answer> {
            let (_, first, last) =
                phases.iter().find(|(name, ..)| *name == phase).expect("a phase");
            let fits = |answer: &&Answer| {
                answer.metric == metric_of(definition)
                    && format!("{}-{}", answer.least, answer.most) == scale
                    && (*first..=*last).contains(&answer.day)
                    && (answer.of["channel"] == "sms") == is_inside
            };
            answers.iter().filter(fits).collect()
        };
        let phase = row["phase"].as_str();
        let (now, rest) = (cell(definition, &of(phase, true)), cell(definition, &of(phase, false)));
        let n = now.map_or(0, |cell| cell.n);
        assert_eq!(row["n"], n.to_string(), "{row:?}");
        assert_eq!(row["n_rest"], rest.map_or(0, |cell| cell.n).to_string(), "{row:?}");
        assert_eq!(row["is_suppressed"] == "true", n < 10, "{row:?}");
        if n < 10 {
            continue;
        }
        let now = now.expect("answers");
        check(row, "value", Some(now.score));
        check(row, "ci_low", now.limits.map(|limits| limits.0));
        let before = cell(definition, &of("before", true)).filter(|cell| cell.n >= 10);
        if let Some(before) = before.filter(|_| phase != "before") {
            check(row, "difference", Some(now.score - before.score));
            let test = compared(definition, &of(phase, true), &of("before", true));
            check(row, "p_value", test.and_then(|(_, p_value)| p_value));
            told += 1;
        } else {
            assert!(!row.contains_key("difference"), "{row:?}");
        }
    }
    assert!(told >= 6, "{told} differences");
    let service = rows.iter().filter(|row| row["scale"] == "(none)");
    assert!(service.filter(|row| row["metric"] == "first_response").count() >= 2, "{rows:?}");
}

/// Goal: each cell of the cube holds its answers, and totals hold all. Method: answers are picked by
/// stage and channel; nobody has a segment here.
pub async fn the_cube_holds_every_answer_once(world: &World) {
    let answers = answers(world).await;
    let (mut shown, mut wholes) = (0, 0);
    let rows = world.rows("experience_cube").await;
    for row in rows.iter().filter(|row| row["metric"] == "nps" && row["period_grain"] == "year") {
        let fits = |answer: &&Answer| {
            let is =
                |column: &str, of: &str| row[column] == "(all)" || row[column] == answer.of[of];
            answer.metric == "nps"
                && answer.day.format("%Y-01-01").to_string() == row["period_start"]
                && is("journey_stage", "journey_stage")
                && is("channel", "channel")
                && is("segment", "segment")
        };
        let own: Vec<&Answer> = answers.iter().filter(fits).collect();
        assert_eq!(row["n"], own.len().to_string(), "{row:?}");
        if row["is_suppressed"] == "false" {
            check(row, "score", cell("nps", &own).map(|cell| cell.score));
            shown += 1;
        }
        wholes += usize::from(row["journey_stage"] == "(all)" && row["channel"] == "(all)");
    }
    assert!(shown > 10 && wholes >= 2, "{shown} shown");
}
