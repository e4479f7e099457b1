//! Events and metrics for others: sent or written with a short patience, and never a reason to fail.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::settings::notices::{Lineage, Secret, Traces};

/// So long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands an event to wherever lineage goes.
pub async fn lineage(to: &Lineage, key: Option<&Secret>, event: &serde_json::Value) {
    let bearer = key.map(|key| ("authorization", format!("Bearer {}", key.tell())));
    let done = match to {
        Lineage::None => Ok(()),
        Lineage::File(path) => append(path, event).map_err(|error| error.to_string()),
        Lineage::Http(url) => post(url, bearer.as_slice(), event.to_string()).await,
    };
    if let Err(error) = done {
        tracing::warn!(error = super::mask(&error), "a lineage event was not taken");
    }
}

/// Hands spans to a collector.
pub async fn traces(to: &Traces, spans: &serde_json::Value) {
    let headers: Vec<_> =
        to.headers.iter().map(|(name, value)| (name.as_str(), value.tell().to_owned())).collect();
    if let Err(error) = post(to.url.tell(), &headers, spans.to_string()).await {
        tracing::warn!(error = super::mask(&error), "a trace was not taken");
    }
}

/// Tells a watchdog; `words` is what it keeps for people.
pub async fn ping(url: &Secret, path: &str, words: String) {
    let url = format!("{}{path}", url.tell().trim_end_matches('/'));
    if let Err(error) = post(&url, &[], words).await {
        tracing::warn!(error = super::mask(&error), "the watchdog was not told");
    }
}

/// Replaces a file in one step, so that a collector never reads half of it.
pub fn metrics(path: &Path, text: &str) {
    let beside = path.with_extension("prom.tmp");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = written {
        tracing::warn!(%error, "the metrics file was not written");
    }
}

fn append(path: &Path, event: &serde_json::Value) -> std::io::Result<()> {
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    file.write_all(format!("{event}\n").as_bytes())
}

async fn post(url: &str, headers: &[(&str, String)], body: String) -> Result<(), String> {
    // Errors name no url: it may carry a token.
    let told = |error: reqwest::Error| {
        let chain = super::chain(&error.without_url());
        chain.join(": ")
    };
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(told)?;
    let mut request = client.post(url).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.map_err(told)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("the answer was {status}")),
    }
}
