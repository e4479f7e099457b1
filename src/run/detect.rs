//! Looks at the objects below a prefix and says which known exports they may be.
//!
//! Objects of one kind differ in a date and in numbers of their names. Of each kind the newest is
//! read as every known spec would read it; what finds most of its columns, and leaves least of the
//! object unread, is proposed.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::Array;

use super::RunError;
use crate::catalog::{Catalog, SourceSpec};
use crate::extract;
use crate::job::Limits;
use crate::settings::Settings;
use crate::storage::Store;

/// Records of an object that are looked at.
const RECORDS: usize = 200;
/// A spec that finds less is no proposal, in thousandths.
const SCORE_MIN: usize = 300;
/// Kinds of objects that are looked at.
const KINDS_MAX: usize = 500;

/// Objects of one kind, and what they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Pattern for a job's `url`.
    pub url: String,
    pub objects: usize,
    pub best: Option<Fit>,
}

/// How well a spec fits an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// `<source>/<entity>`.
    pub spec: String,
    /// Columns that were found, of all that the export may have.
    pub found: usize,
    pub columns: usize,
    /// Headers or members that no column reads.
    pub unread: usize,
    /// Thousandths.
    pub score: usize,
}

/// The kinds of objects below `url`, each with the known export that fits best.
///
/// # Errors
/// The store failed, or there is nothing.
pub async fn detect(
    url: &str,
    settings: &Settings,
    catalog: &Catalog,
) -> Result<Vec<Proposal>, RunError> {
    let store = Store::open(url, &settings.project, &settings.store_options)?;
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in store.list("").await? {
        let hidden = object.path.split('/').any(|name| name.starts_with(['.', '_']));
        if !hidden && object.bytes > 0 {
            kinds.entry(template(&object.path)).or_default().push(object.path);
        }
    }
    let mut proposals = Vec::new();
    for (place, (pattern, paths)) in kinds.into_iter().take(KINDS_MAX).enumerate() {
        let Some(newest) = paths.iter().max() else { continue };
        let scratch = std::env::temp_dir();
        let scratch = scratch.join(format!("cxmart-detect-{}-{place}", std::process::id()));
        let limits = Limits::default();
        let fetched = extract::fetch(&store, newest, &scratch, &limits).await?;
        let best = best(&fetched.file, newest, catalog, &limits);
        if fetched.scratch {
            let _ = std::fs::remove_file(&fetched.file);
        }
        let url = format!("{}/{pattern}", url.trim_end_matches('/'));
        proposals.push(Proposal { url, objects: paths.len(), best });
    }
    Ok(proposals)
}

/// The spec that fits a file best, if one does.
pub fn best(file: &Path, object: &str, catalog: &Catalog, limits: &Limits) -> Option<Fit> {
    let fits = catalog.specs.values().filter_map(|spec| fit(file, object, spec, limits));
    let fits = fits.filter(|fit| fit.score >= SCORE_MIN);
    // Of equals the first by name.
    fits.reduce(
        |best, fit| if (fit.score, fit.found) > (best.score, best.found) { fit } else { best },
    )
}

fn fit(file: &Path, object: &str, spec: &SourceSpec, limits: &Limits) -> Option<Fit> {
    // Without a header a file tells by its name alone what it is.
    if spec.format.header_rows == Some(0) && !object.to_lowercase().contains(&spec.entity) {
        return None;
    }
    let mut plain = spec.clone();
    plain.format.attributes = Some(false);
    let mut chunks = extract::records_by(file, object, &plain, limits, RECORDS).ok()?;
    let chunk = chunks.next()?.ok()?;
    if chunk.numbers.is_empty() {
        return None;
    }
    let (mut found, mut columns) = (0, 0);
    for (column, texts) in spec.columns.iter().zip(&chunk.columns) {
        if !column.is_exported() {
            continue;
        }
        columns += 1;
        let is_there = texts.null_count() < texts.len();
        if !is_there && spec.key.contains(&column.name) {
            return None;
        }
        found += usize::from(is_there);
    }
    let unread = chunk.seen.values().filter(|seen| !seen.is_read).count();
    let read = chunk.seen.len() - unread;
    // F-measure of what the spec finds and what is read of the object; the latter counts twice,
    // because specs know many columns that an export may leave out.
    let all = (4 * found * chunk.seen.len() + read * columns).max(1);
    let score = 5 * 1_000 * found * read / all;
    Some(Fit { spec: spec.key(), found, columns, unread, score })
}

/// A path as a pattern: the first date is `{dt}`, what else changes from object to object `*`.
fn template(path: &str) -> String {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut dated = false;
    let mut pattern = String::new();
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        pattern.push_str(&generalised(folder, &mut dated, false));
        pattern.push('/');
    }
    pattern + &generalised(name, &mut dated, true)
}

fn generalised(name: &str, dated: &mut bool, is_file: bool) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = after_date(rest) {
            out.push_str(if *dated { "*" } else { "{dt}" });
            *dated = true;
            rest = after;
            continue;
        }
        if !first.is_ascii_alphanumeric() {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let changes = digits == len && (is_file || len >= 4) || digits > 0 && len >= 8;
        if !changes {
            out.push_str(word);
        } else if !out.ends_with('*') {
            out.push('*');
        }
        rest = after;
    }
    out
}

/// What follows a date that a name starts with.
fn after_date(name: &str) -> Option<&str> {
    let (date, after) = name.split_at_checked(10)?;
    date.parse::<chrono::NaiveDate>().ok()?;
    (!after.starts_with(|c: char| c.is_ascii_digit())).then_some(after)
}
