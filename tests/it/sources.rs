//! Sources that are late, or bring unusually much or little.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use cxmart::check::drift::{self, Filled, NULLS, SCORES, Scored};
use cxmart::check::sources::{FRESHNESS, Source, VOLUME, check};
use cxmart::cli::{Exit, Failure};

use crate::project::Project;

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, 1).expect("a day") + Days::new(u64::from(number))
}

fn source(records: &[u64]) -> Source {
    let records: BTreeMap<_, _> = (0..).map(day).zip(records.iter().copied()).collect();
    Source { name: "hubspot/contacts".into(), fresh_days: Some(2), records }
}

#[test]
fn a_source_is_late_after_as_many_days_as_it_may_take() {
    let source = source(&[10, 10, 10]);
    assert_eq!(source.late_by(day(4)), None);
    assert_eq!(source.late_by(day(5)), Some(3));
    assert_eq!(Source { fresh_days: None, ..source.clone() }.late_by(day(90)), None);
    let [late, _] = check(&[source], day(5));
    assert_eq!((late.name.as_str(), late.n_failed), (FRESHNESS, 1));
    assert_eq!(late.sample.as_deref(), Some("hubspot/contacts has brought nothing for 3 days"));
}

/// The band is worked out by hand: median 100 and median deviation 2 give 5 × 1.4826 × 2 = 14.8,
/// less than half of the median; a source that swings gets a wider one.
#[test]
fn a_day_is_unusual_outside_a_robust_band() {
    let steady = [100, 98, 102, 100, 97, 103, 102, 98];
    let with = |last: u64| source(&[&steady[..], &[last]].concat()).unusual(day(8));
    assert_eq!(with(51), None);
    assert_eq!(with(149), None);
    assert_eq!(with(40), Some((day(8), 40, (50.0, 150.0))));
    assert_eq!(with(0), Some((day(8), 0, (50.0, 150.0))));
    assert_eq!(with(151), Some((day(8), 151, (50.0, 150.0))));
    // One day that was far off moves neither median nor band.
    let with_outlier = [&steady[..7], &[90_000, 150]].concat();
    assert_eq!(source(&with_outlier).unusual(day(8)), None);
    let swinging = [20, 180, 20, 180, 20, 180, 20, 180, 1];
    assert_eq!(source(&swinging).unusual(day(8)), None);
    assert_eq!(source(&[100; 7]).unusual(day(6)), None, "six days say nothing");
    let [_, volume] = check(&[source(&[&steady[..], &[9]].concat())], day(8));
    assert_eq!((volume.name.as_str(), volume.n_failed), (VOLUME, 1));
}

fn filled(filled: &[u64]) -> Filled {
    let days = (0..).map(day).zip(filled.iter().map(|n| (100, *n))).collect();
    Filled { name: "email of hubspot/contacts".into(), days }
}

/// The band is worked out by hand: of 100 rows 10 are empty, give or take 1, and 5 × 1.4826 × 0.01 is
/// less than the fifth that is always usual; a column that swings gets a wider one.
#[test]
fn a_column_that_stays_empty_is_unusual() {
    let steady = [90, 91, 89, 90, 91, 90, 89, 90];
    let with = |last: u64| filled(&[&steady[..], &[last]].concat()).unusual(day(8));
    let near = |found: Option<(NaiveDate, f64, (f64, f64))>, empty: f64| {
        let (at, share, (low, high)) = found.expect("unusual");
        let is_near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(at == day(8) && is_near(share, empty), "{found:?}");
        assert!(is_near(low, 0.0) && is_near(high, 0.3), "{found:?}");
    };
    assert_eq!(with(71), None);
    near(with(69), 0.31);
    near(with(0), 1.0);
    assert_eq!(with(100), None, "less than a fifth fewer than usual");
    let swinging = [10, 90, 10, 90, 10, 90, 10, 90, 0];
    assert_eq!(filled(&swinging).unusual(day(8)), None);
    assert_eq!(filled(&[100, 100, 100, 100, 100, 100, 0]).unusual(day(6)), None, "six days");
    let mut few = filled(&[&steady[..], &[0]].concat());
    few.days.insert(day(8), (19, 0));
    assert_eq!(few.unusual(day(8)), None, "nineteen rows are chance");
    let [nulls, _] = drift::check(&[filled(&[&steady[..], &[0]].concat())], &[], day(8));
    let wanted = "email of hubspot/contacts is empty in 100 % of the rows of 2024-05-09, usual are \
                  0 % to 30 %";
    assert_eq!((nulls.name.as_str(), nulls.sample.as_deref()), (NULLS, Some(wanted)));
}

fn scored(days: &[&[(&str, u64)]]) -> Scored {
    let scores = days
        .iter()
        .map(|scores| scores.iter().map(|(score, n)| ((*score).to_owned(), *n)).collect());
    Scored { name: "nps of hubspot/answers".into(), days: (0..).map(day).zip(scores).collect() }
}

/// Worked out by hand: eight days of half nines and half threes are no distance from each other; a
/// day with three in four threes is a quarter away from them, one with three in five a tenth.
#[test]
fn scores_that_fall_otherwise_are_unusual() {
    let even: &[(&str, u64)] = &[("9", 20), ("3", 20)];
    let with = |last: &[(&str, u64)]| scored(&[&[even; 8][..], &[last]].concat()).unusual(day(8));
    assert_eq!(with(&[("9", 16), ("3", 24)]), None);
    let (at, share, high) = with(&[("9", 10), ("3", 30)]).expect("unusual");
    assert!(at == day(8) && (share - 0.25).abs() < 1e-9 && (high - 0.2).abs() < 1e-9);
    let (_, share, _) = with(&[("1", 40)]).expect("unusual");
    assert!((share - 1.0).abs() < 1e-9, "a score that never was: {share}");
    assert_eq!(with(&[("1", 19)]), None, "nineteen scores are chance");
    // Days that swing make a wide band: each lies half away from the others together.
    let (good, bad): (&[(&str, u64)], &[(&str, u64)]) = (&[("9", 40)], &[("3", 40)]);
    let swinging = [good, bad, good, bad, good, bad, good, bad, bad];
    assert_eq!(scored(&swinging).unusual(day(8)), None);
    let [_, scores] = drift::check(&[], &[scored(&[&[even; 8][..], &[bad]].concat())], day(8));
    let wanted = "50 % of the scores of nps of hubspot/answers on 2024-05-09 fall otherwise, usual \
                  are up to 20 %";
    assert_eq!((scores.name.as_str(), scores.sample.as_deref()), (SCORES, Some(wanted)));
}

/// Goal: what a night brings is compared with the nights before, column by column. Method: eight
/// nights alike, then one without addresses and with other scores; then a job that blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_unlike_those_before_warns_and_blocks_if_asked() {
    let project = Project::new("");
    let night = |number: u32, scores: &[u32], has_mail: bool| {
        project.night(&day(number).to_string(), number * 30, scores);
        let path = format!("raw/dt={}/responses.json", day(number));
        let text = std::fs::read_to_string(project.path().join(&path)).expect("a night");
        // Answered on the first of May: none of these nights knows of a later day.
        let mut text = text.replace("17168", "17145");
        for who in (number * 30..).take(if has_mail { 0 } else { scores.len() }) {
            text = text.replace(&format!("p{who}@example.com"), "");
        }
        project.write(&path, &text);
    };
    let scores = [9, 3, 10, 7, 9, 8].repeat(4);
    for number in 0..8 {
        night(number, &scores, true);
    }
    let calm = project.run().await.expect("eight nights");
    assert!(calm.warnings.iter().all(|warning| !warning.contains("source_")), "{calm:?}");
    night(8, &[0; 24], false);
    let odd = project.run().await.expect("an odd night");
    let told = |check: &str, words: &str| {
        let is_told = |warning: &String| warning.contains(check) && warning.contains(words);
        assert!(odd.warnings.iter().any(is_told), "`{words}` in {:?}", odd.warnings);
    };
    told(NULLS, "email of asknicely/");
    told(NULLS, "is empty in 100 % of the rows of 2024-05-09, usual are 0 % to 20 %");
    told(SCORES, "100 % of the scores of nps of asknicely/");
    let results = project.rows("check_results", &["check_name", "n_failed", "as_of"]).await;
    assert!(results.contains(&format!("{SCORES}|1|{}", day(8))), "{results:?}");

    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("the job");
    project.write("jobs/project.toml", &format!("{job}\n[checks]\nblock = [\"{NULLS}\"]\n"));
    night(9, &[9], true);
    let refused = project.run().await.expect_err("its newest day with rows enough is unlike");
    assert_eq!(Failure::from(refused).exit(), Exit::Data);
}

/// Goal: both checks have rows in `check_results`, warn, and block where the job says so. Method:
/// eight even nights and one with a single answer; then a job that blocks; then a late source.
#[tokio::test(flavor = "multi_thread")]
async fn a_thin_night_warns_and_blocks_if_asked() {
    let project = Project::new("[checks]\nfreshness_days = 3\n");
    for number in 0..8 {
        let day = day(number).to_string();
        project.night(&day, number * 10, &[9, 3, 10, 2, 8, 9, 9, 10, 7, 5]);
    }
    let calm = project.run().await.expect("eight nights");
    assert!(calm.warnings.iter().all(|warning| !warning.contains("source_")), "{calm:?}");
    project.night(&day(8).to_string(), 200, &[9]);
    let thin = project.run().await.expect("a thin night");
    let told = thin.warnings.iter().find(|warning| warning.contains(VOLUME)).expect("a warning");
    let wanted = "asknicely/responses brought 1 records on 2024-05-09, usual are 5 to 15";
    assert!(told.contains(wanted), "{told}");
    let late = project.run_at(day(12)).await.expect("a day without any object");
    assert!(late.warnings.iter().any(|warning| warning.contains("nothing for 4 days")), "{late:?}");

    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("the job");
    let job = job.replace("[checks]\n", "[checks]\nblock = [\"source_freshness\"]\n");
    project.write("jobs/project.toml", &job);
    let refused = project.run_at(day(13)).await.expect_err("it is still late");
    assert_eq!(Failure::from(refused).exit(), Exit::Data);
    assert_eq!(project.release().await.expect("a release").as_of, day(12));
}
