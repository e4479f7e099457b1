//! Sources that are late, or bring unusually much or little.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
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
