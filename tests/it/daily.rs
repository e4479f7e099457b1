//! Daily tables: a night adds its day, keeps the former ones, and no step reads those.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use cxmart::plan::PlanError;
use cxmart::run::RunError;
use cxmart::state::Release;

use crate::project::Project;

/// Goal: what a night published of a daily table is still there after the next, and a third run
/// finds nothing to do. Method: two nights, and the days in the files of each daily table.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_adds_its_day_and_keeps_the_days_before() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    project.run().await.expect("the first night");
    project.night("2024-05-29", 4, &[2, 8]);
    project.run().await.expect("the second night");
    let release = project.release().await.expect("a release");
    for table in ["clv_model_parameters", "customer_lifetime_value", "check_results"] {
        let files = &release.tables[table].files;
        let days: BTreeSet<&str> = files.iter().map(|f| f.partition["as_of"].as_str()).collect();
        let either = table == "customer_lifetime_value" && days.is_empty();
        assert!(
            either || days == BTreeSet::from(["2024-05-28", "2024-05-29"]),
            "{table}: {days:?}"
        );
    }
    assert_eq!(release.tables["customers"].rows, 5);
    assert!(!project.run().await.expect("a third run").published);
}

const ORDERS: &str = r#"
[[source]]
source = "generic"
entity = "orders"
url = "orders/dt={dt}/*.csv"
"#;

/// A shop's nights: each adds orders, and the last one tells of an order that lies days back.
fn shop() -> Project {
    let project = Project::new(ORDERS);
    for (night, day) in ["2024-05-28", "2024-05-29", "2024-05-30"].into_iter().enumerate() {
        add_night(&project, night, day);
    }
    project
}

fn add_night(project: &Project, night: usize, day: &str) {
    let first = u32::try_from(night * 3 + 1).expect("small");
    project.night(day, first, &[9, 3, 10]);
    let mut text = String::from("order_id,email,total,currency,placed_at\n");
    for order in 0..12_usize {
        let (who, back) = (order % 7 + night, (order * 5) % 27 + 1);
        let line = format!(
            "{night}-{order},p{who}@example.com,{}.50,EUR,2024-{:02}-{back:02}T10:00:00Z\n",
            10 + order,
            5 - (order + night) % 3,
        );
        text.push_str(&line);
    }
    project.write(&format!("orders/dt={day}/orders.csv"), &text);
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// Files of the daily tables, by table and day.
fn partitions(release: &Release) -> BTreeMap<(String, String), Vec<String>> {
    let mut all = BTreeMap::new();
    for (name, table) in &release.tables {
        for file in table.files.iter().filter(|file| file.partition.contains_key("as_of")) {
            let day = file.partition["as_of"].clone();
            let files: &mut Vec<String> = all.entry((name.clone(), day)).or_default();
            files.push(file.file_hash.to_string());
        }
    }
    all
}

/// Goal: nights in order, and the last night followed by the former ones backwards, give the same
/// days to the byte, and restating a day touches nothing else. Method: a shop's three nights.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_made_afterwards_is_the_day_as_its_night_made_it() {
    let days = ["2024-05-28", "2024-05-29", "2024-05-30"];
    let in_order = shop();
    for night in days {
        in_order.run_at(day(night)).await.expect("a night");
    }
    let backwards = shop();
    for night in days.into_iter().rev() {
        backwards.run_at(day(night)).await.expect("a night");
    }
    let (one, other) = (in_order.release().await, backwards.release().await);
    let (one, other) = (one.expect("a release"), other.expect("a release"));
    let (first, second) = (partitions(&one), partitions(&other));
    assert!(first.contains_key(&("customer_lifetime_value".to_owned(), days[0].to_owned())));
    assert_eq!(first, second);
    assert_eq!(one.tables["customers"].content_hash, other.tables["customers"].content_hash);
    assert_eq!((one.as_of, one.horizon, one.days.len()), (other.as_of, other.horizon, 3));
    assert_eq!(one.days, other.days);
    assert!(!backwards.run_at(day(days[0])).await.expect("once more").published);
    assert!(!backwards.run().await.expect("the newest").published);
}

/// Goal: a late object makes the days from its date on stale, a run leaves them so, and restating
/// them gives what nights that knew it would have given. Method: an object of the first day that
/// arrives after the third.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_object_makes_days_stale_until_they_are_restated() {
    let days = ["2024-05-28", "2024-05-29", "2024-05-30"];
    let late = "order_id,email,total,currency,placed_at\nlate,p1@example.com,99.00,EUR,2024-05-02T10:00:00Z\n";
    let project = shop();
    for night in days {
        project.run_at(day(night)).await.expect("a night");
    }
    let before = partitions(&project.release().await.expect("a release"));
    project.write("orders/dt=2024-05-29/late.csv", late);
    assert!(project.run().await.expect("the night after").published);
    let release = project.release().await.expect("a release");
    let kept = partitions(&release);
    let clv = |night: &str| ("customer_lifetime_value".to_owned(), night.to_owned());
    assert_eq!(before[&clv(days[1])], kept[&clv(days[1])]);
    assert_eq!(project.stale().await, [day(days[1])]);
    project.run_at(day(days[1])).await.expect("restated");
    assert!(project.stale().await.is_empty());
    let restated = partitions(&project.release().await.expect("a release"));
    assert_ne!(before[&clv(days[1])], restated[&clv(days[1])]);
    assert_eq!(before[&clv(days[0])], restated[&clv(days[0])]);

    let known = shop();
    known.write("orders/dt=2024-05-29/late.csv", late);
    for night in days {
        known.run_at(day(night)).await.expect("a night");
    }
    assert_eq!(partitions(&known.release().await.expect("a release")), restated);
}

/// Goal: a day that daily tables do not keep is refused. Method: a day two months back that ends
/// no month.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_kept_is_refused() {
    let project = shop();
    project.run().await.expect("a night");
    let refused = project.run_at(day("2024-03-15")).await;
    assert!(matches!(refused, Err(RunError::Plan(PlanError::NotKept { .. }))), "{refused:?}");
}
