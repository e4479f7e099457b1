//! A run as one trace of `OpenTelemetry`, in the JSON that collectors take over HTTP: a span for the
//! run, one for staging and one for each step.
//!
//! It is made from the run's report when the run has ended, so no step knows of it. Ids are hashes
//! of the run's id: whoever knows the run finds its trace.

use serde_json::{Value, json};

use crate::settings::notices::Traces;
use crate::state::reports::{Report, StepDone};
use crate::table::hash::Hasher;

/// Codes of a span's end, and the kind of work that nobody outside asked for.
const OK: u8 = 1;
const ERROR: u8 = 2;
const INTERNAL: u8 = 1;

/// The trace of a run that ended at `end_us`, as a collector takes it.
pub fn spans(to: &Traces, report: &Report, end_us: i64) -> Value {
    let trace = match &to.parent {
        Some((trace, _)) => trace.clone(),
        None => id(report, "trace", 32),
    };
    let began_us = end_us - micros(report.seconds);
    let of = |name: &str, key: &str, from: f64, seconds: f64, attributes: Vec<Value>| {
        let start = began_us + micros(from);
        json!({
            "traceId": trace,
            "spanId": id(report, key, 16),
            "parentSpanId": id(report, "run", 16),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(start),
            "endTimeUnixNano": nanos(start + micros(seconds)),
            "attributes": attributes,
            "status": { "code": OK },
        })
    };
    let mut run = of(&format!("run {}", report.job), "run", 0.0, report.seconds, of_run(report));
    run["parentSpanId"] = to.parent.as_ref().map_or("", |(_, span)| span.as_str()).into();
    if !report.error.is_empty() {
        run["status"] = json!({ "code": ERROR, "message": report.error.join(": ") });
    }
    let mut spans = vec![run];
    if report.staging_seconds > 0.0 {
        let read = vec![
            number("cxmart.objects", report.objects as u64),
            number("cxmart.records", report.records.read),
        ];
        spans.push(of("stage", "stage", 0.0, report.staging_seconds, read));
    }
    for (i, step) in report.steps.iter().enumerate() {
        let (key, seconds) = (format!("step {i}"), step.seconds);
        spans.push(of(&step.step, &key, step.at_seconds, seconds, of_step(step)));
    }
    let service = [text("service.name", &to.service), text("service.version", &report.version)];
    let scope = json!({ "name": "cxmart", "version": report.version });
    json!({ "resourceSpans": [{
        "resource": { "attributes": service },
        "scopeSpans": [{ "scope": scope, "spans": spans }],
    }] })
}

fn of_run(report: &Report) -> Vec<Value> {
    let day = report.as_of.map(|day| text("cxmart.as_of", &day.to_string()));
    let release = report.release.map(|release| number("cxmart.release", release));
    let always = [
        text("cxmart.job", &report.job),
        text("cxmart.run_id", &report.run_id),
        text("cxmart.outcome", &report.outcome),
        number("cxmart.warnings", report.warnings.len() as u64),
    ];
    always.into_iter().chain(day).chain(release).collect()
}

fn of_step(step: &StepDone) -> Vec<Value> {
    vec![
        text("cxmart.reason", &step.reason),
        json!({ "key": "cxmart.reused", "value": { "boolValue": step.reused } }),
        number("cxmart.rows", step.rows.values().sum()),
    ]
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Whole numbers are texts in this JSON.
fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn id(report: &Report, key: &str, digits: usize) -> String {
    let hash = Hasher::new("trace").part(&report.run_id).part(key).finish();
    hash.as_str().chars().take(digits).collect()
}

fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

fn nanos(us: i64) -> String {
    format!("{us}000")
}
