//! Which objects are there: globs and `{dt}` templates over the users' stores.

use chrono::NaiveDate;
use globset::GlobBuilder;

use super::RunError;
use crate::job::{Job, Problem};
use crate::plan::{Found, PlanError};
use crate::settings::Settings;
use crate::storage::Store;

/// A job's `url` cut into the folder that is listed and the pattern below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub root: String,
    pub below: String,
}

/// Cuts at the last `/` before the first wildcard.
pub fn pattern(url: &str) -> Pattern {
    let wild = url.find(['*', '?', '[', '{']).unwrap_or(url.len());
    let cut = url.get(..wild).and_then(|fixed| fixed.rfind('/')).map_or(0, |at| at + 1);
    let (root, below) = url.split_at(cut);
    Pattern { root: root.to_owned(), below: below.to_owned() }
}

/// Opens the store that a source's pattern starts in.
///
/// # Errors
/// A url of no known store.
pub fn open(job: &Job, settings: &Settings, source: usize) -> Result<(Store, Pattern), RunError> {
    let url = job.sources.get(source).map_or("", |source| source.url.as_str());
    let pattern = pattern(url);
    let root = if pattern.root.is_empty() { "." } else { &pattern.root };
    let store = Store::open(root, &settings.project, &settings.store_options)?;
    Ok((store, pattern))
}

/// Lists the objects of all sources of the job.
///
/// # Errors
/// A pattern that is none, or a store that failed.
pub async fn list(job: &Job, settings: &Settings) -> Result<Vec<Found>, RunError> {
    let mut all = Vec::new();
    for source in 0..job.sources.len() {
        let (store, pattern) = open(job, settings, source)?;
        let (before, after) = match pattern.below.split_once("{dt}") {
            Some((before, after)) => (before, Some(after)),
            None => (pattern.below.as_str(), None),
        };
        let glob = match after {
            Some(after) => format!("{before}[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]{after}"),
            None => before.to_owned(),
        };
        let matcher = GlobBuilder::new(&glob).literal_separator(true).build().map_err(|error| {
            let problem = Problem::new(format!("source[{source}].url"), error.to_string());
            PlanError::Problems(vec![problem])
        })?;
        let matcher = matcher.compile_matcher();
        for object in store.list("").await? {
            let hidden = object.path.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
            if hidden || !matcher.is_match(&object.path) {
                continue;
            }
            all.push(Found {
                source,
                url: format!("{}{}", pattern.root, object.path),
                dt: after.and_then(|_| date_in(&object.path)),
                path: object.path,
                etag: object.etag,
                bytes: object.bytes,
                modified_us: object.modified_us,
            });
        }
    }
    Ok(all)
}

/// The first YYYY-MM-DD of a path that is a date.
fn date_in(path: &str) -> Option<NaiveDate> {
    (0..path.len()).find_map(|at| path.get(at..at + 10)?.parse().ok())
}
