//! What users really connect: DuckDB, Polars, pandas and delta-rs read what a run published.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::project::Project;
use crate::tools::left_out;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/read_release.py");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bi.md");
const NEEDED: &str = "duckdb==1.5.5 duckdb-extensions duckdb-extension-delta==1.5.5 polars \
    deltalake pandas pyarrow";

/// Whether this machine has the clients.
fn has_clients() -> bool {
    let imports = "import duckdb, duckdb_extensions, polars, deltalake, pandas, pyarrow";
    let found = Command::new("python3").args(["-c", imports]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        left_out(&format!("`pip install {NEEDED}`"), "CXMART_WITHOUT_CLIENTS");
    }
    found
}

fn read(warehouse: &Path, release: &str, more: &[&Path]) -> String {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).arg(warehouse).arg(release).args(more);
    let output = command.output().expect("python3 starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Goal: every client sees the same rows as the release, and a pinned version stays what it was.
/// Method: two releases; after each, all tables by all clients; after the second, also the first.
#[tokio::test(flavor = "multi_thread")]
async fn all_clients_see_one_release_and_pinned_versions_stay() {
    if !has_clients() {
        return;
    }
    let project = Project::new("");
    let warehouse = project.path().join("warehouse");
    let state = project.path().join("seen.json");
    project.night("2024-05-28", 1, &[3, 8, 9, 10]);
    project.run().await.expect("a release");
    let told = read(&warehouse, "1", &[Path::new("--state"), &state]);
    assert!(told.contains("rejected_records"), "a table without rows is among them: {told}");
    project.night("2024-05-29", 3, &[0, 10, 7]);
    project.run().await.expect("another");
    let pinned = [Path::new("--pinned"), state.as_path(), Path::new("--docs"), Path::new(PAGE)];
    let told = read(&warehouse, "2", &pinned);
    assert!(told.contains("\"feedback\""), "a partitioned table is among them: {told}");
}

const LOOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/read_loop.py");
const RELEASES: u32 = 20;

/// Goal: whoever reads while releases are published sees one of them in each answer, across tables
/// by the views and per table by the Delta logs. Method: twenty nights of one answer each, with
/// DuckDB and Polars reading all the time; each release has another count and sum.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_one_release_at_a_time_while_twenty_are_published() {
    if !has_clients() {
        return;
    }
    let project = Project::new("");
    let (expected, stop) = (project.path().join("expected.json"), project.path().join("stop"));
    let sum = |release: u32| (1..=release).map(|number| number % 11).sum::<u32>();
    let rows: Vec<_> = (1..=RELEASES).map(|n| [n, n, sum(n), n]).collect();
    std::fs::write(&expected, format!("{rows:?}")).expect("written");
    let mut reader = None;
    for number in 1..=RELEASES {
        let day = chrono::NaiveDate::from_ymd_opt(2024, 5, number).expect("a day");
        project.night(&day.to_string(), number, &[number % 11]);
        let outcome = project.run().await.expect("a night");
        assert_eq!(outcome.release, Some(u64::from(number)));
        reader.get_or_insert_with(|| {
            let mut command = Command::new("python3");
            command.arg(LOOP).arg(project.path().join("warehouse")).args([&expected, &stop]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("python3 starts")
        });
    }
    std::fs::write(&stop, "").expect("written");
    let output = reader.expect("a reader").wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("reads and releases seen: {told}");
    let told: BTreeMap<String, [u32; 2]> = serde_json::from_str(&told).expect("counts");
    for (client, [reads, releases]) in told {
        assert!(reads >= 10 && releases >= 5, "{client}: {reads} reads of {releases} releases");
    }
}
