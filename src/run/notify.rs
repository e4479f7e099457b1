//! Tells others of a run: lineage, traces, a watchdog, metrics. Nothing here can fail a run.

use std::fmt::Write as _;

use super::{Context, lineage, traces};
use crate::settings::machine;
use crate::state::reports::Report;
use crate::telemetry::notice;

/// A run begins.
pub async fn begin(context: &Context) {
    let notices = &context.settings.notices;
    if let Some(url) = &notices.ping_url {
        notice::ping(url, "/start", String::new()).await;
    }
    if let Some(event) = lineage::start(context) {
        notice::lineage(&notices.lineage, notices.lineage_key.as_ref(), &event).await;
    }
}

/// A run ended, and this is its report.
pub async fn end(context: &Context, report: &Report) {
    let notices = &context.settings.notices;
    if let Some(event) = lineage::end(context, report).await {
        notice::lineage(&notices.lineage, notices.lineage_key.as_ref(), &event).await;
    }
    if let Some(to) = &notices.traces {
        notice::traces(to, &traces::spans(to, report, machine::now_us())).await;
    }
    if let Some(path) = &notices.metrics_file {
        notice::metrics(path, &metrics(report, machine::now_us()));
    }
    if let Some(url) = &notices.ping_url {
        let path = if is_good(report) { "" } else { "/fail" };
        let words = match report.error.as_slice() {
            [] => format!("{} release {}", report.outcome, report.release.unwrap_or_default()),
            chain => chain.join("\n"),
        };
        notice::ping(url, path, words).await;
    }
}

fn is_good(report: &Report) -> bool {
    report.error.is_empty()
}

/// The last run of a job in Prometheus' text format, for a textfile collector.
pub fn metrics(report: &Report, now_us: i64) -> String {
    let job = label(&report.job);
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: Vec<(String, f64)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP cxmart_{name} {help}\n# TYPE cxmart_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(text, "cxmart_{name}{{job=\"{job}\"{labels}}} {value}");
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    gauge("run_success", "1 if the last run ended well.", one(f64::from(is_good(report))));
    gauge("run_end_timestamp_seconds", "When the last run ended.", one(now_us as f64 / 1e6));
    gauge("run_duration_seconds", "How long it took.", one(report.seconds));
    gauge("run_staging_seconds", "How long staging took of it.", one(report.staging_seconds));
    let release = report.release.map(|number| (String::new(), number as f64));
    gauge("release", "The newest release.", release.into_iter().collect());
    let as_of = report.as_of.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp());
    let as_of = as_of.map(|second| (String::new(), second as f64));
    gauge(
        "as_of_timestamp_seconds",
        "The day it shows, at 00:00 UTC.",
        as_of.into_iter().collect(),
    );
    gauge("run_objects", "Raw objects that were staged.", one(report.objects as f64));
    let records = report.records;
    let records = [
        ("read", records.read),
        ("used", records.used),
        ("duplicate", records.duplicate),
        ("rejected", records.rejected),
        ("skipped", records.skipped),
    ];
    let records = records.map(|(of, n)| (format!(",of=\"{of}\""), n as f64));
    gauge("run_records", "Records of those objects.", records.into());
    gauge("run_warnings", "What a person should look at.", one(report.warnings.len() as f64));
    let steps = [true, false].map(|reused| {
        let count = report.steps.iter().filter(|step| step.reused == reused).count();
        (format!(",reused=\"{reused}\""), count as f64)
    });
    gauge("run_steps", "Steps that ran, or were reused.", steps.into());
    if let Some(bytes) = report.peak_bytes {
        gauge("run_memory_peak_bytes", "The most memory it held.", one(bytes as f64));
    }
    let rows = report.tables.iter();
    let rows = rows.map(|(table, rows)| (format!(",table=\"{}\"", label(table)), *rows as f64));
    gauge("table_rows", "Rows of the published tables.", rows.collect());
    text
}

/// A label's value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
