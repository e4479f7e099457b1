//! Checks stand between the files and the release.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use cxmart::check::{self, Check, Finding, Severity};
use cxmart::engine::{Engine, Limits, Session};
use cxmart::run::{RunError, checks};
use cxmart::storage::{Store, parquet};
use cxmart::table::{Column, Contract, Kind};

use crate::project::Project;

fn contract() -> Contract {
    let required = |column: Column| Column { required: true, ..column };
    Contract {
        name: "answers".into(),
        description: "One row per answer.".into(),
        grain: vec!["id".into(), "part".into()],
        partition: Vec::new(),
        sliced: false,
        bloom: Vec::new(),
        columns: vec![
            required(Column::new("id", Kind::Int64, "Id.")),
            Column::new("part", Kind::Int64, "Part of a pair."),
            required(Column { pii: true, ..Column::new("email", Kind::Text, "Address.") }),
        ],
    }
}

fn session(rows: &[(Option<i64>, Option<i64>, Option<&str>)]) -> Session {
    let folder = std::env::temp_dir().join(format!("cxmart-check-{}", std::process::id()));
    let limits = Limits { memory_bytes: 1 << 26, scratch: folder, spill_bytes_max: 1 << 20 };
    let store = Store::open("memory://check", Path::new("/"), &BTreeMap::new());
    let engine = Engine::new(&store.expect("a store"), &limits).expect("an engine");
    let number = |pick: fn(&(Option<i64>, Option<i64>, Option<&str>)) -> Option<i64>| {
        std::sync::Arc::new(rows.iter().map(pick).collect::<Int64Array>()) as ArrayRef
    };
    let emails: StringArray = rows.iter().map(|row| row.2).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", number(|row| row.0), true),
        ("part", number(|row| row.1), true),
        ("email", std::sync::Arc::new(emails) as ArrayRef, true),
    ])
    .expect("a batch");
    let session = engine.session();
    session.batches("answers", contract().schema(), vec![batch]).expect("a table");
    session
}

async fn findings(rows: &[(Option<i64>, Option<i64>, Option<&str>)]) -> Vec<Finding> {
    let session = session(rows);
    let mut findings = Vec::new();
    for check in check::of_contract(&contract()) {
        let found = check::run(&session, &check, &|name| name == "email").await;
        findings.push(found.expect("a finding"));
    }
    findings
}

#[tokio::test]
async fn good_rows_pass_what_the_contract_asks() {
    let found = findings(&[(Some(1), Some(1), Some("a")), (Some(1), Some(2), Some("a"))]).await;
    let names: Vec<_> = found.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["answers_grain_unique", "answers_required_filled"]);
    for finding in found {
        assert_eq!((finding.n_failed, &finding.sample), (0, &None));
        assert!(!finding.blocks());
    }
}

#[tokio::test]
async fn a_grain_that_is_not_unique_is_shown_with_its_values() {
    // Two nulls are one value here: no reader could tell the rows apart either.
    let found = findings(&[
        (Some(2), None, Some("a")),
        (Some(1), Some(1), Some("a")),
        (Some(2), None, Some("b")),
        (Some(1), Some(1), Some("c")),
        (Some(1), Some(1), Some("d")),
    ])
    .await;
    assert_eq!(found[0].n_failed, 2);
    let wanted = "id=1 part=1 n_rows=3; id=2 part=null n_rows=2";
    assert_eq!(found[0].sample.as_deref(), Some(wanted));
    assert_eq!(found[1].n_failed, 0);
}

#[tokio::test]
async fn a_null_in_a_required_column_is_found_and_personal_values_are_masked() {
    let found = findings(&[
        (None, Some(1), Some("a@example.com")),
        (Some(1), Some(1), None),
        (Some(2), Some(1), Some("b@example.com")),
    ])
    .await;
    assert_eq!(found[1].n_failed, 2);
    let wanted = "id=null part=1 email=(masked); id=1 part=1 email=null";
    assert_eq!(found[1].sample.as_deref(), Some(wanted));
}

#[tokio::test]
async fn a_sample_is_the_smallest_five_rows_cut_to_size() {
    let rows: Vec<_> = (0..40).rev().map(|i| (Some(i), Some(1), Some("x"))).collect();
    let session = session(&rows);
    let check = Check {
        name: "all".into(),
        description: "Each row is a row.".into(),
        severity: Severity::Warn,
        sql: "select id, repeat('y', 200) as words from answers -- all of them".into(),
        reads: vec!["answers".into()],
    };
    let found = check::run(&session, &check, &|_| false).await.expect("a finding");
    assert_eq!(found.n_failed, 40);
    let sample = found.sample.clone().expect("a sample");
    let shown: Vec<_> = sample.split("; ").collect();
    assert_eq!(shown.len(), 5);
    assert_eq!(shown[4], format!("id=4 words={}", "y".repeat(80)));
    assert!(!found.blocks(), "a warning blocks nothing");
}

/// Nobody may answer a nine.
const NO_NINES: &str = "-- Each row is an answer of nine.\n\
    select feedback_id, score from feedback where score = cast(9 as decimal(18, 4));\n";

async fn results(project: &Project) -> Vec<(String, String, i64, Option<String>)> {
    let release = project.release().await.expect("a release");
    let dataset = release.tables.get("check_results").expect("the table of what was found");
    let store = project.open().store;
    let mut rows = Vec::new();
    for file in &dataset.files {
        let batches = parquet::read(&store, &file.path, &file.file_hash, None).await;
        for batch in batches.expect("rows") {
            let text = |name: &str| batch.column_by_name(name).expect(name).as_string::<i32>();
            let failed = batch.column_by_name("n_failed").expect("a count");
            let failed = failed.as_primitive::<Int64Type>();
            let sample = text("sample");
            for row in 0..batch.num_rows() {
                let shown = arrow::array::Array::is_valid(sample, row);
                rows.push((
                    text("check_name").value(row).to_owned(),
                    text("severity").value(row).to_owned(),
                    failed.value(row),
                    shown.then(|| sample.value(row).to_owned()),
                ));
            }
        }
    }
    rows
}

/// Goal: a check that says no leaves readers the release they had; set to warn, it only tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_check_keeps_the_last_release_in_place() {
    let project = Project::new("");
    project.write("sql/check/no_nines.sql", NO_NINES);
    project.night("2024-05-28", 1, &[3, 8]);
    project.run().await.expect("nothing to complain about");
    let passed = results(&project).await;
    assert!(passed.contains(&("no_nines".into(), "block".into(), 0, None)), "{passed:?}");
    assert!(passed.iter().any(|row| row.0 == "load_reconciliation_balances"));
    assert!(passed.iter().any(|row| row.0 == "feedback_grain_unique"));
    assert!(!passed.iter().any(|row| row.0.starts_with("check_results")));

    project.night("2024-05-29", 3, &[9, 9]);
    let failed = project.run().await.expect_err("two nines");
    let RunError::Check { failed: found } = &failed else { panic!("{failed}") };
    let names: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.n_failed)).collect();
    assert_eq!(names, [("no_nines", 2)]);
    assert!(failed.to_string().contains("`no_nines` found 2 rows"), "{failed}");
    assert_eq!(project.release().await.expect("the last one").number, 1);
    let work = std::fs::read_dir(project.path().join("warehouse/work")).expect("work");
    assert!(work.count() > 0, "what was refused stays for inspection");
    // The release that stayed passes them all.
    let again = checks::recheck(&project.open()).await.expect("the checks run");
    assert!(again.iter().all(|finding| finding.n_failed == 0));

    let job = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("a job");
    project.write("jobs/project.toml", &format!("{job}\n[checks]\nwarn = [\"no_nines\"]\n"));
    let outcome = project.run().await.expect("only a warning");
    assert_eq!(outcome.release, Some(2));
    let told = results(&project).await;
    let nines = told.iter().find(|row| row.0 == "no_nines" && row.2 == 2).expect("a finding");
    assert_eq!(nines.1, "warn");
    assert!(nines.3.as_ref().expect("a sample").contains("score=9"), "{nines:?}");
    let days = told.iter().filter(|row| row.0 == "no_nines").count();
    assert_eq!(days, 2, "the day before is kept");
}

#[test]
fn a_warning_about_no_check_is_a_mistake_in_the_job() {
    let project = Project::new("\n[checks]\nwarn = [\"no_such_check\"]\n");
    let failed = cxmart::run::open("jobs/project.toml", project.settings());
    let failed = failed.expect_err("no such check");
    let RunError::Plan(cxmart::plan::PlanError::Problems(problems)) = &failed else {
        panic!("{failed}")
    };
    assert!(problems[0].message.contains("`no_such_check`"), "{problems:?}");
}

/// Rows that an embedded check finds in tables given as `(name, select)`.
async fn found(check: &str, tables: &[(&str, &str)]) -> i64 {
    let files = cxmart::catalog::Files::embedded();
    let sql = files.get(&format!("sql/check/{check}.sql")).expect("an embedded check");
    let session = session(&[]);
    for (name, select) in tables {
        session.view(name, select).await.expect(name);
    }
    let check = Check {
        name: check.into(),
        description: String::new(),
        severity: Severity::Block,
        sql: sql.into(),
        reads: Vec::new(),
    };
    check::run(&session, &check, &|_| false).await.expect("a finding").n_failed
}

#[tokio::test]
async fn records_that_went_nowhere_are_found() {
    let counts = |used: u32, newest: u32| {
        format!(
            "select 'a.csv' as object_url, 1 as object_version, 10 as n_read, {used} as n_used, \
            1 as n_duplicate, 1 as n_rejected, 0 as n_skipped, 0 as n_partly_rejected, \
            8 as n_rows, {newest} as n_rows_newest, 8 - {newest} as n_rows_superseded"
        )
    };
    let check = "load_reconciliation_balances";
    assert_eq!(found(check, &[("load_reconciliation", &counts(8, 8))]).await, 0);
    assert_eq!(found(check, &[("load_reconciliation", &counts(7, 8))]).await, 1);
    assert_eq!(found(check, &[("load_reconciliation", &counts(8, 9))]).await, 1);
}

#[tokio::test]
async fn a_fact_of_an_unknown_customer_is_found() {
    let facts = |orders: &'static str| {
        let other = "select 'c_1' as customer_id";
        [
            ("customers", "select 'c_1' as customer_id"),
            ("conversations", other),
            ("feedback", other),
            ("interactions", other),
            ("orders", orders),
            ("sessions", other),
            ("subscriptions", other),
        ]
    };
    let check = "facts_name_known_customers";
    assert_eq!(found(check, &facts("select cast(null as string) as customer_id")).await, 0);
    let two = "select 'c_2' as customer_id union all select 'c_2' as customer_id";
    assert_eq!(found(check, &facts(two)).await, 1);
}

#[tokio::test]
async fn history_that_overlaps_is_found() {
    let stretch = |from: &str, to: &str, is_current: bool| {
        format!(
            "select 'c_1' as customer_id, cast('{from}' as date) as valid_from, \
            cast({to} as date) as valid_to, {is_current} as is_current"
        )
    };
    let check = "customer_history_does_not_overlap";
    let last = stretch("2024-02-01", "null", true);
    for (first, wanted) in [
        (stretch("2024-01-01", "'2024-02-01'", false), 0),
        (stretch("2024-01-01", "'2024-01-20'", false), 0),
        (stretch("2024-01-01", "'2024-02-02'", false), 1),
        (stretch("2024-01-01", "null", false), 1),
        (stretch("2024-01-01", "'2024-02-01'", true), 1),
        (stretch("2024-01-01", "'2024-01-01'", false), 1),
    ] {
        let rows = format!("{first} union all {last}");
        assert_eq!(found(check, &[("customer_history", &rows)]).await, wanted, "{first}");
    }
}

#[tokio::test]
async fn sessions_that_lose_an_event_or_hold_one_twice_are_found() {
    let check = "sessions_hold_every_event_once";
    let visits = "select 'c_1' as customer_id, 'ga4' as source, true as is_visit union all \
        select 'c_1', 'ga4', true union all select 'c_1', 'ga4', false union all \
        select 'c_1', 'shop', cast(null as boolean)";
    let session = |source: &str, n: u32| {
        format!("select 'c_1' as customer_id, '{source}' as source, {n} as n_events")
    };
    for (sessions, wanted) in [
        (session("ga4", 2), 0),
        (format!("{} union all {}", session("ga4", 1), session("ga4", 1)), 0),
        (session("ga4", 3), 1),
        (session("ga4", 1), 1),
        (session("shop", 2), 2),
    ] {
        let tables = [("timeline", visits), ("sessions", sessions.as_str())];
        assert_eq!(found(check, &tables).await, wanted, "{sessions}");
    }
}

#[tokio::test]
async fn a_session_that_ends_before_it_begins_is_found() {
    let session = |end: &str, pages: u32, id: &str, by: &str| {
        format!(
            "select 'se_1' as session_key, 'c_1' as customer_id, \
            cast('2024-05-31T22:30:00Z' as timestamp) as started_at, \
            cast('{end}' as timestamp) as ended_at, date '2024-06-01' as started_date, \
            date '2024-06-01' as month, 2 as n_events, {pages} as n_pages, \
            cast(null as bigint) as engagement_ms, cast({id} as string) as session_source_id, \
            '{by}' as delimited_by"
        )
    };
    for (end, pages, id, by, wanted) in [
        ("2024-05-31T22:30:00Z", 2, "'1'", "source", 0),
        ("2024-05-31T22:30:00Z", 0, "null", "inactivity", 0),
        ("2024-05-31T22:29:59Z", 0, "'1'", "source", 1),
        ("2024-05-31T22:30:00Z", 3, "'1'", "source", 1),
        ("2024-05-31T22:30:00Z", 0, "null", "source", 1),
    ] {
        let rows = session(end, pages, id, by);
        assert_eq!(found("sessions_in_range", &[("sessions", &rows)]).await, wanted, "{rows}");
    }
}

#[tokio::test]
async fn a_funnel_that_widens_or_does_not_add_up_is_found() {
    let step = |place: u32, entered: u32, before: u32, reached: u32, rate: f64| {
        format!(
            "select 'month' as period_grain, date '2024-01-01' as period_start, 'way' as funnel, \
            {place} as step_position, 'all' as dimension, 'all' as dimension_value, \
            false as is_suppressed, {entered} as n_entered, 2 as n_open, {before} as n_before, \
            {reached} as n_reached, {before} - {reached} as n_dropped, {rate} as step_rate, \
            0.2 as step_low, 1.0 as step_high, 0.5 as conversion_rate, 0.4 as conversion_low, \
            0.6 as conversion_high"
        )
    };
    let first = step(1, 12, 10, 10, 1.0);
    for (second, wanted) in [
        (step(2, 12, 10, 5, 0.5), 0),
        (step(2, 12, 10, 11, 0.5), 1),
        (step(2, 12, 9, 5, 0.5), 1),
        (step(2, 13, 10, 5, 0.5), 1),
        (step(3, 12, 10, 5, 0.5), 1),
        (step(2, 12, 10, 5, 0.1), 1),
    ] {
        let rows = format!("{first} union all {second}");
        assert_eq!(found("funnels_fall", &[("funnels", &rows)]).await, wanted, "{second}");
    }
}
