//! Who is told of a run beside its log: a lineage server, a metrics file, a watchdog.

use std::collections::BTreeMap;

/// From variables alone: they belong to the machine, not to the job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notices {
    /// Where `OpenLineage` events go.
    pub lineage: Lineage,
    /// Bearer token of the lineage server.
    pub lineage_key: Option<Secret>,
    /// Namespace of the job in lineage; default `cxmart`.
    pub lineage_namespace: Option<String>,
    /// The task of a scheduler that this run is part of.
    pub parent: Option<Parent>,
    /// Where traces of `OpenTelemetry` go.
    pub traces: Option<Traces>,
    /// A file in Prometheus' text format, replaced after each run.
    pub metrics_file: Option<std::path::PathBuf>,
    /// A watchdog's url: `/start` is added when a run begins, `/fail` when it failed.
    pub ping_url: Option<Secret>,
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lineage {
    #[default]
    None,
    /// One JSON object a line is added to it.
    File(std::path::PathBuf),
    /// Events are posted to it.
    Http(String),
}

/// A collector of traces, by the variables that all `OpenTelemetry` exporters read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    pub url: Secret,
    /// Headers of each request; they may hold a token.
    pub headers: Vec<(String, Secret)>,
    /// Name of the service that spans are of.
    pub service: String,
    /// Trace and span that runs are part of, from `TRACEPARENT`.
    pub parent: Option<(String, String)>,
}

/// `OPENLINEAGE_PARENT_ID`, as `Airflow` gives it: `<namespace>/<job>/<run id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub namespace: String,
    pub job: String,
    pub run_id: String,
}

/// A text that no log line shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn tell(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Notices {
    /// `CXMART__LINEAGE` (`none`, a path or a url) wins over `OPENLINEAGE_URL`; what cannot be
    /// understood is as good as not said, because no notice may keep a run from running.
    pub fn from(variables: &BTreeMap<String, String>) -> Self {
        let said = |name: &str| {
            let text = variables.get(name).map(|text| text.trim());
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let lineage = match said("CXMART__LINEAGE") {
            Some(text) if text == "none" => Lineage::None,
            Some(text) if text.starts_with("http://") || text.starts_with("https://") => {
                Lineage::Http(text)
            }
            Some(path) => Lineage::File(path.into()),
            None if said("OPENLINEAGE_DISABLED").is_some_and(|text| text == "true") => {
                Lineage::None
            }
            None => said("OPENLINEAGE_URL").map_or(Lineage::None, |url| {
                let endpoint = said("OPENLINEAGE_ENDPOINT");
                let endpoint = endpoint.unwrap_or_else(|| "api/v1/lineage".into());
                Lineage::Http(format!("{}/{endpoint}", url.trim_end_matches('/')))
            }),
        };
        let parent = said("OPENLINEAGE_PARENT_ID").and_then(|text| {
            let (rest, run_id) = text.rsplit_once('/')?;
            let (namespace, job) = rest.split_once('/')?;
            let [namespace, job, run_id] = [namespace, job, run_id].map(str::to_owned);
            is_uuid(&run_id).then_some(Parent { namespace, job, run_id })
        });
        Self {
            lineage,
            lineage_key: said("OPENLINEAGE_API_KEY").map(Secret),
            lineage_namespace: said("OPENLINEAGE_NAMESPACE"),
            parent,
            traces: Traces::from(&said),
            metrics_file: said("CXMART__METRICS_FILE").map(Into::into),
            ping_url: said("CXMART__PING_URL").map(Secret),
        }
    }
}

impl Traces {
    fn from(said: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let is_off = said("OTEL_SDK_DISABLED").is_some_and(|text| text == "true")
            || said("OTEL_TRACES_EXPORTER").is_some_and(|text| text != "otlp");
        let base = said("OTEL_EXPORTER_OTLP_ENDPOINT");
        let base = base.map(|url| format!("{}/v1/traces", url.trim_end_matches('/')));
        let url = said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(base).filter(|_| !is_off)?;
        let headers = said("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
        let headers = headers.or_else(|| said("OTEL_EXPORTER_OTLP_HEADERS")).unwrap_or_default();
        let header = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decoded(value.trim());
            Some((name.trim().to_owned(), Secret(value)))
        };
        Some(Self {
            url: Secret(url),
            headers: headers.split(',').filter_map(header).collect(),
            service: said("OTEL_SERVICE_NAME").unwrap_or_else(|| "cxmart".into()),
            parent: said("TRACEPARENT").and_then(|text| trace_parent(&text)),
        })
    }
}

/// Values of headers are escaped as in urls.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Trace and span of `00-<32 hex digits>-<16 hex digits>-<flags>`.
fn trace_parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (_, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, length: usize| {
        id.len() == length
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && id.bytes().any(|byte| byte != b'0')
    };
    (is_id(trace, 32) && is_id(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

/// Whether a text is 8-4-4-4-12 hex digits.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| is_hex(part))
}
