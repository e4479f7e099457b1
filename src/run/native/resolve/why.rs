//! Resolves once more what the newest release rests on, to say why a person is one, and how right
//! all that is where somebody knows the truth. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::rows::{text, value};
use super::{Bench, alike, known};
use crate::forget::Named as Identifier;
use crate::job::identity::Said;
use crate::plan;
use crate::resolve::quality::{Clustering, Quality, of_clusters, of_pairs};
use crate::resolve::trace::Trace;
use crate::resolve::{ChangeRow, IdentifierRow, Resolution};
use crate::run::forget::people::{Person, is_customer_id};
use crate::run::native::reopened;
use crate::run::{Context, RunError};
use crate::storage::parquet;

/// Thresholds of a sweep, beside the job's own.
const SWEEP: [f64; 9] = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999];
const STEP: &str = "resolve";

/// Where a field of the golden record comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub field: String,
    pub winning_value: String,
    pub source: String,
    pub rule: String,
    pub losing_values: String,
}

/// All that is known about why a person is one.
#[derive(Debug)]
pub struct Explained {
    pub customer_id: String,
    pub trace: Trace,
    /// Rules of the overrides file that link the person, or keep them from being linked.
    pub said: Vec<Said>,
    pub changes: Vec<ChangeRow>,
    pub provenance: Vec<Provenance>,
}

/// Explains a customer, named by id or by an identifier; `None` when nobody is called so.
///
/// # Errors
/// There is no release, or it cannot be read.
pub async fn explain(context: &Arc<Context>, subject: &str) -> Result<Option<Explained>, RunError> {
    let explained = reopened(context, STEP, async |bench: &Bench<'_>| {
        let mut known = known(bench).await?;
        let alike = alike::find(bench).await?;
        alike.tell(&mut known.evidence, bench.context.job.identity.matching.threshold);
        let (found, edges) = known.resolve().await?;
        let Some(customer_id) = customer(bench.context, &found, subject) else { return Ok(None) };
        let trace = found.trace(&customer_id, &edges);
        let said = said(bench.context, &found, &customer_id);
        let is_own = |change: &ChangeRow| {
            change.to == customer_id || change.from == Some(customer_id.clone())
        };
        let changes = found.changes().filter(is_own).collect();
        let provenance = provenance(bench, &customer_id).await?;
        Ok(Some(Explained { customer_id, trace, said, changes, provenance }))
    });
    explained.await
}

/// The customer that a text names: an id, one that a merge took away, an e-mail address, or
/// `type:value`.
fn customer(context: &Context, found: &Resolution, subject: &str) -> Option<String> {
    let subject = today(found, subject);
    let named = spelt(context, &subject);
    let mut rows = found.identifiers().filter_map(|row| Some((row.customer_id?, row)));
    let hit = rows.find(|(id, row)| {
        *id == subject || named.as_ref().is_some_and(|named| is_named(row, named))
    });
    hit.map(|(id, _)| id.to_owned())
}

/// The id that a customer has now whose own one went with a merge; any other text as it is.
fn today(found: &Resolution, subject: &str) -> String {
    let mut id = subject.to_owned();
    if !is_customer_id(&id) {
        return id;
    }
    let merged = found.changes().filter(|change| change.kind == "merged");
    let merged: BTreeMap<String, String> =
        merged.filter_map(|change| Some((change.from?, change.to))).collect();
    // Each step leads to an older customer; no more steps than there are merges.
    for _ in 0..merged.len() {
        let Some(to) = merged.get(&id) else { break };
        id.clone_from(to);
    }
    id
}

/// An identifier as people write it, in its one spelling.
fn spelt(context: &Context, text: &str) -> Option<Identifier> {
    let (kind, namespace, raw) = Said::side(text).unwrap_or(("email", "", text));
    let source = namespace.split(':').next().unwrap_or_default();
    let value = context.normaliser().normalise(kind, source, raw)?.value;
    Some(Identifier { kind: kind.to_owned(), namespace: namespace.to_owned(), value })
}

/// Who says no system means an id of any.
fn is_named(row: &IdentifierRow<'_>, named: &Identifier) -> bool {
    row.kind == named.kind
        && row.value == named.value
        && (named.namespace.is_empty() || row.namespace == named.namespace)
}

/// What people say about a customer's identifiers.
fn said(context: &Context, found: &Resolution, customer_id: &str) -> Vec<Said> {
    let own = found.identifiers().filter(|row| row.customer_id == Some(customer_id));
    let own: BTreeSet<Identifier> = own.map(|row| identifier(&row)).collect();
    let is_own = |text: &str| spelt(context, text).is_some_and(|named| own.contains(&named));
    let said = context.job.identity.said.iter();
    said.filter(|rule| is_own(&rule.left) || is_own(&rule.right)).cloned().collect()
}

fn identifier(row: &IdentifierRow<'_>) -> Identifier {
    let [kind, namespace, value] = [row.kind, row.namespace, row.value].map(str::to_owned);
    Identifier { kind, namespace, value }
}

/// The people that names mean, with all their identifiers, and whose each identifier is; a name of
/// nobody gives a person without either.
///
/// # Errors
/// There is no release, or it cannot be read.
pub async fn people(
    context: &Arc<Context>,
    names: &[String],
) -> Result<(Vec<Person>, BTreeMap<Identifier, String>), RunError> {
    let people = reopened(context, STEP, async |bench: &Bench<'_>| {
        let mut known = known(bench).await?;
        let alike = alike::find(bench).await?;
        alike.tell(&mut known.evidence, bench.context.job.identity.matching.threshold);
        let (found, _) = known.resolve().await?;
        let owner = |row: IdentifierRow<'_>| Some((identifier(&row), row.customer_id?.to_owned()));
        let owners: BTreeMap<Identifier, String> = found.identifiers().filter_map(owner).collect();
        let person = |name: &String| {
            let customer_id = customer(bench.context, &found, name);
            let own = owners.iter().filter(|(_, owner)| Some(*owner) == customer_id.as_ref());
            let identifiers = own.map(|(named, _)| named.clone()).collect();
            Person { name: name.clone(), customer_id, identifiers, ..Person::default() }
        };
        Ok((names.iter().map(person).collect(), owners))
    });
    people.await
}

async fn provenance(bench: &Bench<'_>, customer_id: &str) -> Result<Vec<Provenance>, RunError> {
    const TABLE: &str = "customer_field_provenance";
    const COLUMNS: [&str; 6] =
        ["customer_id", "field", "winning_value", "source", "rule", "losing_values"];
    let mut rows = Vec::new();
    let Some(dataset) = bench.parent.and_then(|release| plan::dataset(release, TABLE)) else {
        return Ok(rows);
    };
    for file in &dataset.files {
        let store = &bench.context.store;
        for batch in parquet::read(store, &file.path, &file.file_hash, Some(&COLUMNS)).await? {
            let ids = text(&batch, "customer_id")?;
            for i in (0..batch.num_rows()).filter(|i| value(ids, *i) == customer_id) {
                let cell = |name: &str| Ok::<_, RunError>(value(text(&batch, name)?, i).to_owned());
                rows.push(Provenance {
                    field: cell("field")?,
                    winning_value: cell("winning_value")?,
                    source: cell("source")?,
                    rule: cell("rule")?,
                    losing_values: cell("losing_values")?,
                });
            }
        }
    }
    Ok(rows)
}

/// What somebody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// Two identifiers, and whether they are one person.
    Pairs(Vec<(String, String, bool)>),
    /// An identifier, and the name of the person it belongs to.
    People(Vec<(String, String)>),
}

/// How right a resolution is at one threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Of matching; `None` for identifiers alone.
    pub threshold: Option<f64>,
    pub is_the_jobs: bool,
    pub quality: Verdict,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Pairs(Quality),
    People(Clustering),
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// One for identifiers alone, then one a threshold if the job matches.
    pub judged: Vec<Judged>,
    /// Labels whose identifiers nobody has seen; they are left out.
    pub unseen: usize,
}

/// Judges the newest release's inputs under the job's options and a sweep of thresholds.
///
/// # Errors
/// There is no release, or it cannot be read.
pub async fn evaluate(context: &Arc<Context>, labels: &Labels) -> Result<Evaluation, RunError> {
    let evaluated = reopened(context, STEP, async |bench: &Bench<'_>| {
        let matching = &bench.context.job.identity.matching;
        let mut thresholds = vec![None];
        if matching.enabled {
            let mut sweep: Vec<f64> = SWEEP.into_iter().chain([matching.threshold]).collect();
            sweep.sort_unstable_by(f64::total_cmp);
            sweep.dedup_by(|a, b| a.total_cmp(b).is_eq());
            thresholds.extend(sweep.into_iter().map(Some));
        }
        let known = known(bench).await?;
        let alike = alike::find_from(bench, SWEEP[0]).await?;
        let (mut judged, mut unseen) = (Vec::new(), 0);
        for threshold in thresholds {
            let mut known = known.clone();
            if let Some(least) = threshold {
                alike.tell(&mut known.evidence, least);
            }
            let (found, _) = known.resolve().await?;
            let is_the_jobs =
                threshold.map_or(!matching.enabled, |t| t.total_cmp(&matching.threshold).is_eq());
            let (quality, missing) = judge(bench.context, &found, labels);
            unseen = missing;
            judged.push(Judged { threshold, is_the_jobs, quality });
        }
        Ok(Evaluation { judged, unseen })
    });
    evaluated.await
}

fn judge(context: &Context, found: &Resolution, labels: &Labels) -> (Verdict, usize) {
    let spelt = |text: &str| spelt(context, text);
    let named: BTreeSet<_> = match labels {
        Labels::Pairs(pairs) => {
            pairs.iter().flat_map(|(a, b, _)| [spelt(a), spelt(b)]).flatten().collect()
        }
        Labels::People(people) => people.iter().filter_map(|(a, _)| spelt(a)).collect(),
    };
    // An identifier that joins nobody is a person of its own.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut customers = BTreeMap::new();
    for row in found.identifiers() {
        let key = identifier(&row);
        if named.contains(&key) {
            let alone = format!("{} {} {}", row.kind, row.namespace, row.value);
            let customer = row.customer_id.map_or(alone, str::to_owned);
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            customers.insert(key, *numbers.entry(customer).or_insert(next));
        }
    }
    let of = |text: &str| customers.get(&spelt(text)?).copied();
    match labels {
        Labels::Pairs(pairs) => {
            let pair = |(a, b, same): &(String, String, bool)| Some((of(a)? == of(b)?, *same));
            let judged: Vec<_> = pairs.iter().filter_map(pair).collect();
            (Verdict::Pairs(of_pairs(&judged)), pairs.len() - judged.len())
        }
        Labels::People(people) => {
            let mut truths: BTreeMap<&str, u32> = BTreeMap::new();
            let mut judged = Vec::new();
            for (identifier, truth) in people {
                let next = u32::try_from(truths.len()).unwrap_or(u32::MAX);
                let truth = *truths.entry(truth.as_str()).or_insert(next);
                judged.extend(of(identifier).map(|customer| (customer, truth)));
            }
            (Verdict::People(of_clusters(&judged)), people.len() - judged.len())
        }
    }
}
