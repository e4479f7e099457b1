//! Exports that tell whole days again: of each day the newest counts, and nothing older beside it.

use std::collections::BTreeMap;

use crate::project::Project;

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "google_ads"
entity = "campaign_stats"
url = "raw/ads/dt={dt}/*"
options = { currency = "EUR" }

[[source]]
source = "ga4"
entity = "events"
optional = true
url = "raw/ga4/dt={dt}/*"
"#;

fn project() -> Project {
    let project = Project::new("");
    project.write("jobs/project.toml", JOB);
    project
}

/// One line of an export: ad account, campaign, day of May 2024, cost.
type Line = (&'static str, &'static str, u32, u32);

fn export(project: &Project, dt: &str, name: &str, lines: &[Line]) {
    let mut text = "customer_id,id,date,cost_micros\n".to_owned();
    for (account, campaign, day, cost) in lines {
        text += &format!("{account},{campaign},2024-05-{day:02},{cost}000000\n");
    }
    project.write(&format!("raw/ads/dt={dt}/{name}.csv"), &text);
}

const COSTS: [&str; 4] = ["ad_account", "campaign_source_id", "cost_date", "cost"];

async fn costs(project: &Project) -> Vec<String> {
    project.rows("current_acquisition_costs", &COSTS).await
}

/// Goal: a row that the newest export of its day does not have is gone; days and ad accounts that
/// the export does not tell of stay as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_vanished_row_does_not_stay_counted() {
    let project = project();
    let first = [("1", "a", 1, 10), ("1", "a", 2, 10), ("1", "b", 2, 10), ("2", "z", 2, 70)];
    export(&project, "2024-05-03", "ads", &first);
    project.run().await.expect("a first night");
    assert_eq!(costs(&project).await.len(), 4);
    export(&project, "2024-05-04", "ads", &[("1", "a", 2, 11), ("1", "a", 3, 12)]);
    project.run().await.expect("a second night");
    let expected = [
        "1|a|2024-05-01|10.0000",
        "1|a|2024-05-02|11.0000",
        "1|a|2024-05-03|12.0000",
        "2|z|2024-05-02|70.0000",
    ];
    assert_eq!(costs(&project).await, expected);
    let known = project.rows("load_reconciliation", &["n_read", "n_used"]).await;
    assert_eq!(known, ["2|2", "4|4"], "what retires was read and used");
}

/// Goal: an export in several files is one export, and an older one that comes late changes only
/// the days that no newer one tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_export_and_parts_of_one_do_not_push_each_other_out() {
    let project = project();
    export(&project, "2024-05-04", "part-1", &[("1", "a", 2, 1)]);
    export(&project, "2024-05-04", "part-2", &[("1", "b", 2, 2)]);
    project.run().await.expect("a first night");
    export(&project, "2024-05-03", "late", &[("1", "gone", 2, 9), ("1", "gone", 1, 9)]);
    project.run().await.expect("a night with a late export");
    let expected = ["1|a|2024-05-02|1.0000", "1|b|2024-05-02|2.0000", "1|gone|2024-05-01|9.0000"];
    assert_eq!(costs(&project).await, expected);
}

/// Goal: an object that is sent again at its place stands for its days as a whole, with `merge` as
/// with any other; days that only the first version tells stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_sent_again_replaces_its_days() {
    let project = project();
    export(&project, "2024-05-04", "ads", &[("1", "a", 1, 1), ("1", "a", 2, 1), ("1", "b", 2, 1)]);
    project.run().await.expect("a first night");
    export(&project, "2024-05-04", "ads", &[("1", "b", 2, 5), ("1", "b", 3, 5)]);
    project.run().await.expect("a night with the object again");
    let expected = ["1|a|2024-05-01|1.0000", "1|b|2024-05-02|5.0000", "1|b|2024-05-03|5.0000"];
    assert_eq!(costs(&project).await, expected);
}

/// Goal: whatever the order in which three overlapping exports are loaded, the bytes are the same,
/// versions included; and a former day knows only what its exports told.
#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_overlapping_exports_gives_the_same_bytes() {
    let nights: [(&str, &[Line]); 3] = [
        ("2024-05-03", &[("1", "a", 1, 1), ("1", "b", 1, 1), ("1", "a", 2, 1), ("1", "c", 2, 4)]),
        ("2024-05-04", &[("1", "a", 2, 2), ("1", "a", 3, 2), ("1", "b", 3, 2)]),
        ("2024-05-05", &[("1", "b", 3, 3), ("1", "a", 4, 3)]),
    ];
    let mut outcomes = Vec::new();
    for groups in
        [&[&[0, 1, 2][..]][..], &[&[0], &[1], &[2]], &[&[2], &[0], &[1]], &[&[1, 2], &[0]]]
    {
        let project = project();
        let as_of = chrono::NaiveDate::from_ymd_opt(2024, 5, 6).expect("a day");
        for group in groups {
            for night in *group {
                let (dt, lines) = nights[*night];
                export(&project, dt, "ads", lines);
            }
            project.run_at(as_of).await.expect("a night");
        }
        let release = project.release().await.expect("a release");
        let merged = ["current_acquisition_costs", "versions_acquisition_costs"];
        let hashes: BTreeMap<_, _> = release
            .tables
            .iter()
            .chain(merged.map(|name| release.state.get_key_value(name).expect("a table")))
            .map(|(name, dataset)| (name.clone(), dataset.content_hash.to_string()))
            .collect();
        outcomes.push(hashes);
        let expected = [
            "1|a|2024-05-01|1.0000",
            "1|a|2024-05-02|2.0000",
            "1|a|2024-05-04|3.0000",
            "1|b|2024-05-01|1.0000",
            "1|b|2024-05-03|3.0000",
        ];
        assert_eq!(costs(&project).await, expected, "{groups:?}");
    }
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{outcomes:#?}");
}

fn events(project: &Project, dt: &str, name: &str, ids: &[u32]) {
    let line = |id: &u32| {
        format!(
            "{{\"event_date\":\"20240501\",\"event_name\":\"page_view\",\
             \"event_timestamp\":\"171455040{id}000000\",\"user_pseudo_id\":\"p.{id}\"}}\n"
        )
    };
    let text: String = ids.iter().map(line).collect();
    project.write(&format!("raw/ga4/dt={dt}/{name}.json"), &text);
}

async fn seen(project: &Project) -> Vec<String> {
    project.rows("current_events", &["anonymous_id"]).await
}

/// Goal: the intraday table counts until a daily table tells the day, on the same date or later,
/// and never after; a daily table that is extracted again stands for its day as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_intraday_table_goes_when_the_daily_one_is_there() {
    let project = project();
    export(&project, "2024-05-02", "ads", &[("1", "a", 1, 1)]);
    events(&project, "2024-05-01", "events_intraday_20240501", &[1, 2]);
    project.run().await.expect("the day itself");
    assert_eq!(seen(&project).await, ["p.1", "p.2"]);
    events(&project, "2024-05-02", "events_20240501", &[1, 3]);
    events(&project, "2024-05-02", "events_intraday_20240501", &[1, 2, 4]);
    project.run().await.expect("the daily table, and the intraday one beside it");
    assert_eq!(seen(&project).await, ["p.1", "p.3"]);
    events(&project, "2024-05-03", "events_intraday_20240501", &[5]);
    project.run().await.expect("an intraday table that should not be there any more");
    assert_eq!(seen(&project).await, ["p.1", "p.3"]);
    events(&project, "2024-05-04", "events_20240501", &[3, 6]);
    project.run().await.expect("the daily table, written again");
    assert_eq!(seen(&project).await, ["p.3", "p.6"]);
}
