//! Lineage, metrics and a watchdog: told of each run, and never a reason for it to fail.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use cxmart::settings::notices::{Lineage, Notices, Parent};
use serde_json::Value;

use crate::http::{Message, Reply, serve};
use crate::project::Project;
use crate::tools::left_out;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/openlineage");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/check_lineage.py");
const PARENT: &str = "airflow/nightly.run/01941f29-7c00-7087-8940-40e512bd267c";

fn cxmart(project: &Project, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
    command.args(["run", "project", "--log-format", "json"]);
    command.current_dir(project.path()).env_clear().envs(variables.iter().copied());
    command.output().expect("it starts")
}

fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// A server that keeps what it is sent.
fn listener(status: &'static str) -> (String, Arc<Mutex<Vec<Message>>>) {
    let kept: Arc<Mutex<Vec<Message>>> = Arc::default();
    let shared = Arc::clone(&kept);
    let address = serve(move |request| {
        shared.lock().expect("requests").push(request);
        async move { Reply::Answer(Message::answer(status)) }
    });
    (format!("http://{address}"), kept)
}

/// Goal: events are what the specification says, with what people look for in them. Method: a night
/// that publishes, and one that fails, to a file; held against the schema and the official client.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_valid_and_say_what_was_made_from_what() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let path = project.path().join("events.ndjson");
    let variables = [("CXMART__LINEAGE", "events.ndjson"), ("OPENLINEAGE_PARENT_ID", PARENT)];
    assert_eq!(cxmart(&project, &variables).status.code(), Some(0));
    project.write("raw/dt=2024-05-29/responses.json", "{\"data\":[{\"response_id\":\"\"}]}");
    assert_eq!(cxmart(&project, &variables).status.code(), Some(65));
    let told = events(&path);
    let kinds: Vec<_> = told.iter().filter_map(|event| event["eventType"].as_str()).collect();
    assert_eq!(kinds, ["START", "COMPLETE", "START", "FAIL"]);
    let ids: Vec<_> = told.iter().map(|event| &event["run"]["runId"]).collect();
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[1] != ids[2]);
    let done = &told[1];
    assert_eq!(done["run"]["facets"]["parent"]["job"]["name"], "nightly.run");
    assert_eq!(done["inputs"][0]["name"], "raw/dt={dt}/*.json");
    assert_eq!(done["inputs"][0]["inputFacets"]["inputStatistics"]["fileCount"], 1);
    let outputs = done["outputs"].as_array().expect("outputs");
    let named = |name: &str| {
        let ends = |output: &&Value| output["name"].as_str().is_some_and(|n| n.ends_with(name));
        outputs.iter().find(ends).unwrap_or_else(|| panic!("no `{name}`"))
    };
    let feedback = named("/tables/feedback");
    assert_eq!(feedback["outputFacets"]["outputStatistics"]["rowCount"], 3);
    let from = &feedback["facets"]["columnLineage"]["fields"]["score"]["inputFields"];
    let from = from.as_array().expect("a score comes from somewhere");
    assert!(from.iter().any(|field| {
        field["field"] == "score" && field["name"].as_str().is_some_and(|n| n.contains("/state/"))
    }));
    let with_columns =
        outputs.iter().filter(|output| output["facets"]["columnLineage"].is_object()).count();
    assert!(with_columns > 10, "{with_columns} tables tell of their columns");
    let message = told[3]["run"]["facets"]["errorMessage"]["message"].as_str();
    assert!(message.is_some_and(|text| text.contains("were rejected")), "{message:?}");
    validate(&path);
}

/// By the specification, and by the client where it is there.
fn validate(events: &Path) {
    let found = Command::new("python3").args(["-c", "import jsonschema, referencing"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let needed = "`pip install jsonschema[format-nongpl]`, better with openlineage-python";
        return left_out(needed, "CXMART_WITHOUT_CLIENTS");
    }
    let output = Command::new("python3").args([SCRIPT, SCHEMA]).arg(events).output();
    let output = output.expect("python3 starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "START\nCOMPLETE\nSTART\nFAIL\n10 facets\n"
    );
}

#[test]
fn events_and_pings_arrive_and_nothing_of_them_is_logged() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let (url, kept) = listener("201 Created");
    let ping = format!("{url}/ping/very-secret-uuid");
    let variables = [
        ("OPENLINEAGE_URL", url.as_str()),
        ("OPENLINEAGE_API_KEY", "very-secret-key"),
        ("CXMART__PING_URL", ping.as_str()),
        ("CXMART__METRICS_FILE", "cxmart.prom"),
    ];
    let output = cxmart(&project, &variables);
    assert_eq!(output.status.code(), Some(0));
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(!told.contains("very-secret"), "{told}");
    let kept = kept.lock().expect("requests");
    let targets: Vec<_> = kept.iter().map(|request| request.target().0).collect();
    let ping = "/ping/very-secret-uuid";
    let wanted =
        [&format!("{ping}/start"), "/api/v1/lineage", "/api/v1/lineage", ping].map(str::to_owned);
    assert_eq!(targets, wanted);
    assert_eq!(kept[1].header("authorization"), Some("Bearer very-secret-key"));
    let metrics = std::fs::read_to_string(project.path().join("cxmart.prom")).expect("metrics");
    for line in [
        "cxmart_run_success{job=\"project\"} 1",
        "cxmart_release{job=\"project\"} 1",
        "cxmart_run_records{job=\"project\",of=\"used\"} 3",
        "cxmart_table_rows{job=\"project\",table=\"feedback\"} 3",
        "cxmart_as_of_timestamp_seconds{job=\"project\"} 1716854400",
    ] {
        assert!(metrics.lines().any(|found| found == line), "no `{line}` in {metrics}");
    }
    // What a collector refuses: a metric without its help and type, or a line that is none.
    let mut known = "";
    for line in metrics.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(named) => known = named.split(' ').next().unwrap_or_default(),
            None if line.starts_with("# HELP ") => {}
            None => {
                let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
                assert!(line.starts_with(known) && value.is_some(), "`{line}`");
            }
        }
    }
}

/// Goal: a collector gets the trace of a run: who began what when, and how it ended. Method: a night
/// that publishes and one that fails, posted to a server that keeps them.
#[test]
fn a_trace_has_a_span_for_the_run_and_for_each_step() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let (url, kept) = listener("200 OK");
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let under = format!("00-{trace}-{parent}-01");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20very-secret,x-of=me"),
        ("TRACEPARENT", under.as_str()),
    ];
    assert_eq!(cxmart(&project, &variables).status.code(), Some(0));
    project.write("raw/dt=2024-05-29/responses.json", "{\"data\":[{\"response_id\":\"\"}]}");
    assert_eq!(cxmart(&project, &variables[..1]).status.code(), Some(65));
    let kept = kept.lock().expect("requests");
    let [good, failed] = kept.as_slice() else { panic!("two traces, not {}", kept.len()) };
    assert_eq!(good.target().0, "/v1/traces");
    assert_eq!(good.header("authorization"), Some("Bearer very-secret"));
    assert_eq!((good.header("x-of"), failed.header("x-of")), (Some("me"), None));
    let spans = |request: &Message| -> Vec<Value> {
        let body: Value = serde_json::from_slice(&request.body).expect("json");
        assert_eq!(body["resourceSpans"][0]["resource"]["attributes"][0]["key"], "service.name");
        let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
        spans.as_array().expect("spans").clone()
    };
    let time = |span: &Value, which: &str| -> i64 {
        span[which].as_str().and_then(|text| text.parse().ok()).expect("nanoseconds")
    };
    let (good, failed) = (spans(good), spans(failed));
    let run = &good[0];
    assert_eq!(
        (run["name"].as_str(), run["status"]["code"].as_i64()),
        (Some("run project"), Some(1))
    );
    assert_eq!(
        (run["traceId"].as_str(), run["parentSpanId"].as_str()),
        (Some(trace), Some(parent))
    );
    for span in good.iter().skip(1) {
        assert_eq!((&span["parentSpanId"], &span["traceId"]), (&run["spanId"], &run["traceId"]));
        let (start, end) = (time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano"));
        assert!(start <= end && time(run, "startTimeUnixNano") <= start, "{span}");
        assert!(end <= time(run, "endTimeUnixNano"), "{span}");
    }
    let names: Vec<_> = good.iter().filter_map(|span| span["name"].as_str()).collect();
    assert!(names.contains(&"stage") && names.contains(&"customers"), "{names:?}");
    let mut ids: Vec<_> = good.iter().filter_map(|span| span["spanId"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), good.len());
    assert!(ids.iter().all(|id| id.len() == 16));
    assert_eq!(
        (failed[0]["status"]["code"].as_i64(), &failed[0]["parentSpanId"]),
        (Some(2), &"".into())
    );
    assert_eq!(failed[0]["traceId"].as_str().map(str::len), Some(32));
    assert!(failed[0]["status"]["message"].as_str().is_some_and(|text| text.contains("rejected")));
}

/// Goal: whatever becomes of notices, a run ends as without them. Method: a server that refuses, one
/// that is not there, a file in no folder, variables that make no sense.
#[test]
fn no_notice_fails_a_run() {
    let project = Project::new("");
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let (refusing, _) = listener("500 Internal Server Error");
    let variables = [
        ("OPENLINEAGE_URL", refusing.as_str()),
        ("OPENLINEAGE_PARENT_ID", "no parent at all"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/x"),
        ("CXMART__PING_URL", "http://127.0.0.1:1/x"),
        ("CXMART__METRICS_FILE", "no/such/folder/cxmart.prom"),
    ];
    let output = cxmart(&project, &variables);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for line in [
        "a lineage event was not taken",
        "a trace was not taken",
        "the watchdog was not told",
        "was not written",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let failing = [("CXMART__PING_URL", refusing.as_str()), ("CXMART__LINEAGE", "/dev/full")];
    assert_eq!(cxmart(&project, &failing).status.code(), Some(0));
}

#[test]
fn notices_come_from_variables_and_a_wrong_one_is_as_good_as_none() {
    let of = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Notices::from(&pairs.collect())
    };
    assert_eq!(of(&[]), Notices::default());
    let url = ("OPENLINEAGE_URL", "http://lineage:5000/");
    let http = |url: &str| Lineage::Http(url.to_owned());
    assert_eq!(of(&[url]).lineage, http("http://lineage:5000/api/v1/lineage"));
    let endpoint = ("OPENLINEAGE_ENDPOINT", "events");
    assert_eq!(of(&[url, endpoint]).lineage, http("http://lineage:5000/events"));
    assert_eq!(of(&[url, ("OPENLINEAGE_DISABLED", "true")]).lineage, Lineage::None);
    assert_eq!(of(&[url, ("CXMART__LINEAGE", "none")]).lineage, Lineage::None);
    assert_eq!(of(&[url, ("CXMART__LINEAGE", "a/b")]).lineage, Lineage::File("a/b".into()));
    let parent = of(&[("OPENLINEAGE_PARENT_ID", PARENT)]).parent;
    let wanted = Parent {
        namespace: "airflow".into(),
        job: "nightly.run".into(),
        run_id: "01941f29-7c00-7087-8940-40e512bd267c".into(),
    };
    assert_eq!(parent, Some(wanted));
    for wrong in ["", "a/b", "a/b/not-a-uuid", "a/01941f29-7c00-7087-8940-40e512bd267c"] {
        assert_eq!(of(&[("OPENLINEAGE_PARENT_ID", wrong)]).parent, None, "`{wrong}`");
    }
}
