//! Feeds contacts to the matching room, keeps its model from release to release, and writes what it
//! found.

use std::fmt::Write as _;

use arrow::array::StringArray;
use arrow::datatypes::{Float64Type, Int64Type};
use futures::StreamExt;

use super::super::rows::{flags, floats, numbers, primitive, text, texts, value};
use super::{Bench, fill};
use crate::job::Matching;
use crate::job::identity::MatchField;
use crate::plan;
use crate::resolve::matching::{Candidates, Field, Kind, Model, Options, Parameter, Step, Table};
use crate::resolve::{Evidence, ResolveError};
use crate::run::RunError;
use crate::run::sink::Sink;
use crate::settings::Refit;
use crate::storage::parquet;
use crate::table::id;

const MODEL: &str = "identity_match_model";
/// A table with fewer contacts is not matched: there is too little to learn from.
const CONTACTS_MIN: usize = 200;

/// Two contacts that may be one person.
#[derive(Debug, Clone)]
pub(super) struct MatchRow {
    id: String,
    contacts: (String, String),
    keys: (String, String),
    weight: f64,
    probability: f64,
    is_linked: bool,
    waterfall: String,
}

/// What matching found; nothing when the job does not ask for it.
#[derive(Debug, Default)]
pub(super) struct Alike {
    matches: Vec<MatchRow>,
    model: Option<Model>,
    /// What the contacts of today give.
    today: Option<Model>,
    fields: Vec<Field>,
    fit: u32,
    threshold: f64,
}

/// Contacts as the matching room takes them, and what they are called outside.
#[derive(Debug)]
struct Contacts {
    table: Table,
    ids: Vec<Box<str>>,
    keys: Vec<Box<str>>,
}

/// Compares contacts, if the job asks for it.
///
/// # Errors
/// Contacts cannot be read, or a limit of the job says no.
pub(super) async fn find(bench: &Bench<'_>) -> Result<Alike, RunError> {
    find_from(bench, bench.context.job.identity.matching.review).await
}

/// As [`find`], with all pairs at least as probable as `review`.
///
/// # Errors
/// As [`find`].
pub(super) async fn find_from(bench: &Bench<'_>, review: f64) -> Result<Alike, RunError> {
    let matching = &bench.context.job.identity.matching;
    if !matching.enabled {
        return Ok(Alike::default());
    }
    let threads = bench.context.settings.threads;
    let mut contacts = contacts(bench, matching, threads).await?;
    contacts.table.freeze();
    if contacts.ids.len() < CONTACTS_MIN {
        bench.context.record.warn(format!(
            "identity.matching: {} contacts are too few to learn from; from {CONTACTS_MIN} on \
             they are compared",
            contacts.ids.len()
        ));
        return Ok(Alike::default());
    }
    let fields = contacts.table.fields().to_vec();
    let is_renewed = bench.context.settings.refits.contains(&Refit::Match) && !bench.plan.is_past;
    let known = if is_renewed { None } else { model(bench, &fields, matching.fit).await? };
    let matching = Matching { review, ..matching.clone() };
    let found = tokio::task::spawn_blocking(move || compare(&contacts, &matching, known, threads));
    Ok(found.await.map_err(RunError::Thread)??)
}

fn compare(
    contacts: &Contacts,
    matching: &Matching,
    known: Option<Model>,
    threads: usize,
) -> Result<Alike, ResolveError> {
    let table = &contacts.table;
    let rule = |rule: &Vec<String>| rule.iter().map(|part| table.part(part)).collect();
    let options = Options {
        rules: matching.block.iter().map(rule).collect::<Result<_, _>>()?,
        threshold: matching.threshold,
        review: matching.review,
        candidates_max: matching.candidates_max,
        across: matching.across_sources,
        one_to_one: matching.one_to_one,
        threads,
    };
    let candidates = Candidates::new(table, &options)?;
    for estimate in candidates.estimates() {
        let (rule, pairs, largest) = (&estimate.rule, estimate.pairs, estimate.largest);
        tracing::debug!(rule, pairs, largest, "contacts to compare");
    }
    let today = candidates.fit();
    let model = known.unwrap_or_else(|| today.clone());
    let mut found = candidates.matches(&model);
    found.retain(|pair| contacts.keys[pair.left as usize] != contacts.keys[pair.right as usize]);
    let (prior, waterfalls) = candidates.waterfalls(&model, &found);
    let row = |(pair, steps): (&_, &Vec<Step>)| {
        let pair: &crate::resolve::matching::Match = pair;
        let (mut a, mut b) = (pair.left as usize, pair.right as usize);
        if contacts.ids[a] > contacts.ids[b] {
            std::mem::swap(&mut a, &mut b);
        }
        let (left, right) = (contacts.ids[a].to_string(), contacts.ids[b].to_string());
        MatchRow {
            id: id::from_key("im", &[&left, &right]),
            contacts: (left, right),
            keys: (contacts.keys[a].to_string(), contacts.keys[b].to_string()),
            weight: pair.weight,
            probability: pair.probability(),
            is_linked: pair.is_linked,
            waterfall: told(prior, steps),
        }
    };
    let matches = found.iter().zip(&waterfalls).map(row).collect();
    Ok(Alike {
        matches,
        model: Some(model),
        today: Some(today),
        fields: table.fields().to_vec(),
        fit: matching.fit,
        threshold: matching.threshold,
    })
}

/// `prior -13.29; first_name equal +6.61 (frequency +1.20); …`
fn told(prior: f64, steps: &[Step]) -> String {
    let mut text = format!("prior {prior:+.2}");
    for step in steps {
        let _ = write!(text, "; {} {} {:+.2}", step.field, step.level, step.weight);
        if step.frequency.abs() >= 0.005 {
            let _ = write!(text, " (frequency {:+.2})", step.frequency);
        }
    }
    text
}

impl Alike {
    /// Adds the matches that are edges at a threshold; below the job's own, those count that
    /// `one_to_one` has not taken out.
    pub(super) fn tell(&self, evidence: &mut Evidence, threshold: f64) {
        let is_edge = |pair: &&MatchRow| {
            pair.probability >= threshold && (pair.is_linked || pair.probability < self.threshold)
        };
        for pair in self.matches.iter().filter(is_edge) {
            evidence.probable(&pair.keys.0, &pair.keys.1, pair.weight);
        }
    }

    pub(super) fn matches(&self, bench: &Bench<'_>) -> Result<Sink, RunError> {
        fill(bench, "identity_matches", self.matches.iter(), |rows| {
            vec![
                texts(rows, |row| Some(&row.id)),
                texts(rows, |row| Some(&row.contacts.0)),
                texts(rows, |row| Some(&row.contacts.1)),
                texts(rows, |row| Some(&row.keys.0)),
                texts(rows, |row| Some(&row.keys.1)),
                floats(rows, |row| Some(row.weight)),
                floats(rows, |row| Some(row.probability)),
                flags(rows, |row| Some(row.is_linked)),
                texts(rows, |row| Some(&row.waterfall)),
            ]
        })
    }

    pub(super) fn parameters(&self, bench: &Bench<'_>) -> Result<Sink, RunError> {
        let mut rows: Vec<ModelRow> = Vec::new();
        if let Some(model) = &self.model {
            let (field, level_name) = ("prior".to_owned(), "");
            let worth = Parameter { m: model.prior, u: model.records as f64 };
            rows.push(ModelRow { position: 0, level: 0, field, level_name, worth, fit: self.fit });
            for (position, (field, levels)) in (1..).zip(self.fields.iter().zip(&model.fields)) {
                let names = field.kind.levels();
                for (level, (worth, level_name)) in (1..).zip(levels.iter().zip(names)) {
                    let (field, worth) = (signature(field), *worth);
                    rows.push(ModelRow {
                        position,
                        level,
                        field,
                        level_name,
                        worth,
                        fit: self.fit,
                    });
                }
            }
        }
        fill(bench, MODEL, rows.iter(), |rows| {
            vec![
                numbers(rows, |row| Some(row.position)),
                numbers(rows, |row| Some(row.level)),
                texts(rows, |row| Some(&row.field)),
                texts(rows, |row| Some(row.level_name)),
                floats(rows, |row| Some(row.worth.m)),
                floats(rows, |row| Some(row.worth.u)),
                numbers(rows, |row| Some(i64::from(row.fit))),
            ]
        })
    }
}

/// Bits that a weight may move before somebody should look.
const DRIFT_MAX: f64 = 1.0;
/// Share of pairs of one person from which on a level matters.
const SHARE_MIN: f64 = 0.02;

/// A parameter in force, and today's.
#[derive(Debug)]
struct DriftRow {
    position: i64,
    level: i64,
    field: String,
    level_name: &'static str,
    force: Parameter,
    today: Parameter,
}

impl DriftRow {
    /// The prior is the share of pairs that are one person, against all others.
    fn weight(&self, of: Parameter) -> f64 {
        if self.position > 0 { of.weight() } else { libm::log2(of.m / (1.0 - of.m)) }
    }

    fn drift(&self) -> f64 {
        self.weight(self.today) - self.weight(self.force)
    }

    fn is_notable(&self) -> bool {
        let is_rare = self.position > 0 && self.force.m.max(self.today.m) < SHARE_MIN;
        !is_rare && self.drift().abs() > DRIFT_MAX
    }

    fn u(&self, of: Parameter) -> Option<f64> {
        (self.position > 0).then_some(of.u)
    }
}

impl Alike {
    fn drifts(&self) -> Vec<DriftRow> {
        let (Some(force), Some(today)) = (&self.model, &self.today) else { return Vec::new() };
        let prior = |model: &Model| Parameter { m: model.prior, u: 0.0 };
        let mut rows = vec![DriftRow {
            position: 0,
            level: 0,
            field: "prior".to_owned(),
            level_name: "",
            force: prior(force),
            today: prior(today),
        }];
        let pairs = force.fields.iter().zip(&today.fields);
        for (position, (field, (force, today))) in (1..).zip(self.fields.iter().zip(pairs)) {
            let levels = force.iter().zip(today).zip(field.kind.levels());
            for (level, ((force, today), level_name)) in (1..).zip(levels) {
                let (force, today) = (*force, *today);
                let field = signature(field);
                rows.push(DriftRow { position, level, field, level_name, force, today });
            }
        }
        rows
    }

    /// How far the parameters in force are from today's; says so where it is far.
    pub(super) fn drift(&self, bench: &Bench<'_>) -> Result<Sink, RunError> {
        let rows = self.drifts();
        let notable = rows.iter().filter(|row| row.is_notable());
        let far = notable.max_by(|a, b| a.drift().abs().total_cmp(&b.drift().abs()));
        if let Some(row) = far {
            bench.context.record.warn(format!(
                "identity.matching: since the model was fitted, the weight of `{} {}` moved by \
                 {:+.1} bits; see identity_match_drift, and fit anew with `run --refit match`",
                row.field,
                row.level_name,
                row.drift(),
            ));
        }
        fill(bench, "identity_match_drift", rows.iter(), |rows| {
            vec![
                numbers(rows, |row| Some(row.position)),
                numbers(rows, |row| Some(row.level)),
                texts(rows, |row| Some(&row.field)),
                texts(rows, |row| Some(row.level_name)),
                floats(rows, |row| Some(row.force.m)),
                floats(rows, |row| row.u(row.force)),
                floats(rows, |row| Some(row.weight(row.force))),
                floats(rows, |row| Some(row.today.m)),
                floats(rows, |row| row.u(row.today)),
                floats(rows, |row| Some(row.weight(row.today))),
                floats(rows, |row| Some(row.drift())),
                flags(rows, |row| Some(row.is_notable())),
            ]
        })
    }
}

#[derive(Debug)]
struct ModelRow {
    position: i64,
    level: i64,
    field: String,
    level_name: &'static str,
    worth: Parameter,
    fit: u32,
}

/// What must be the same for a kept parameter to mean the same.
fn signature(field: &Field) -> String {
    let kind = Kind::ALL.iter().find(|(_, kind)| *kind == field.kind).map_or("", |(name, _)| *name);
    format!("{} {kind}", field.name)
}

/// The model of the parent release, if it is about the same fields and asked for under the same
/// number.
async fn model(bench: &Bench<'_>, fields: &[Field], fit: u32) -> Result<Option<Model>, RunError> {
    let Some(known) = bench.parent.and_then(|release| plan::dataset(release, MODEL)) else {
        return Ok(None);
    };
    let mut rows: Vec<(i64, i64, String, Parameter)> = Vec::new();
    for file in &known.files {
        let store = &bench.context.store;
        for batch in parquet::read(store, &file.path, &file.file_hash, None).await? {
            let column = |name: &str| primitive::<Int64Type>(&batch, name);
            let (positions, levels, fits) = (column("place")?, column("level")?, column("fit")?);
            let names = text(&batch, "field")?;
            let m = primitive::<Float64Type>(&batch, "m")?;
            let u = primitive::<Float64Type>(&batch, "u")?;
            for i in (0..batch.num_rows()).filter(|i| fits.value(*i) == i64::from(fit)) {
                let worth = Parameter { m: m.value(i), u: u.value(i) };
                let name = value(names, i).to_owned();
                rows.push((positions.value(i), levels.value(i), name, worth));
            }
        }
    }
    rows.sort_by_key(|row| (row.0, row.1));
    let Some((0, _, _, head)) = rows.first() else { return Ok(None) };
    let mut model =
        Model { prior: head.m, fields: vec![Vec::new(); fields.len()], records: head.u as u64 };
    for (position, _, name, worth) in rows.iter().skip(1) {
        let at = usize::try_from(*position - 1).unwrap_or(usize::MAX);
        match (fields.get(at), model.fields.get_mut(at)) {
            (Some(field), Some(levels)) if signature(field) == *name => levels.push(*worth),
            _ => return Ok(None),
        }
    }
    let whole = fields.iter().zip(&model.fields);
    let is_whole = whole.into_iter().all(|(field, l)| l.len() == field.kind.levels().len());
    Ok(is_whole.then_some(model))
}

/// Reads contacts; first and last name come from the full name where they are missing.
async fn contacts(
    bench: &Bench<'_>,
    matching: &Matching,
    threads: usize,
) -> Result<Contacts, RunError> {
    let place = |column: &str| matching.fields.iter().position(|field| field.column == column);
    let field = |field: &MatchField| Field {
        name: field.column.clone(),
        kind: Kind::of(field.kind.name()).unwrap_or(Kind::Exact),
        told_by: field.told_by.as_deref().and_then(place),
    };
    let fields: Vec<Field> = matching.fields.iter().map(field).collect();
    let mut columns = String::new();
    for field in &fields {
        let _ = write!(columns, ", cast({} as varchar) as f_{}", field.name, field.name);
    }
    let sql = format!(
        "select contact_id, identity_key, source, source_account, full_name{columns} \
         from current_contacts where identity_key is not null and not is_test"
    );
    let mut found = Contacts {
        table: Table::new(fields).map_err(ResolveError::from)?,
        ids: Vec::new(),
        keys: Vec::new(),
    };
    let mut sources: Vec<String> = Vec::new();
    let mut answer = bench.query("resolve", &sql).await?;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let (ids, keys) = (text(&batch, "contact_id")?, text(&batch, "identity_key")?);
        let (names, accounts) = (text(&batch, "source")?, text(&batch, "source_account")?);
        let full = text(&batch, "full_name")?;
        let read = |field: &Field| text(&batch, &format!("f_{}", field.name));
        let values: Vec<&StringArray> =
            found.table.fields().iter().map(read).collect::<Result<_, RunError>>()?;
        let kinds: Vec<Kind> = found.table.fields().iter().map(|field| field.kind).collect();
        let rows = 0..batch.num_rows();
        let of_row: Vec<u16> = rows
            .clone()
            .map(|i| {
                let name = format!("{}:{}", value(names, i), value(accounts, i));
                let at = sources.iter().position(|known| *known == name).unwrap_or_else(|| {
                    sources.push(name);
                    sources.len() - 1
                });
                u16::try_from(at).unwrap_or(u16::MAX)
            })
            .collect();
        let cells: Vec<_> = values
            .iter()
            .zip(kinds)
            .map(|(values, kind)| move |i: usize| cell(kind, value(values, i), value(full, i)))
            .collect();
        let hashed = rows.clone().map(|i| value(ids, i));
        let pushed = found.table.push(hashed, &of_row, &cells, threads);
        pushed.map_err(ResolveError::from)?;
        found.ids.extend(rows.clone().map(|i| Box::from(value(ids, i))));
        found.keys.extend(rows.map(|i| Box::from(value(keys, i))));
    }
    Ok(found)
}

fn cell<'a>(kind: Kind, value: &'a str, full: &'a str) -> &'a str {
    let full = full.trim();
    match (kind, full.split_once(' ')) {
        _ if !value.is_empty() => value,
        (Kind::FirstName, Some((first, _))) => first,
        (Kind::LastName, Some((_, rest))) => rest.rsplit(' ').next().unwrap_or(rest),
        _ => value,
    }
}
