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
            metrics_file: said("CXMART__METRICS_FILE").map(Into::into),
            ping_url: said("CXMART__PING_URL").map(Secret),
        }
    }
}

/// Whether a text is 8-4-4-4-12 hex digits.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| is_hex(part))
}
