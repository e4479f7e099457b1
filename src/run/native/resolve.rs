//! Feeds the resolve room from all canonical tables, and writes what it found.

mod alike;
pub mod why;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use futures::StreamExt;

use super::Bench;
use super::rows::{Filler, days, flags, numbers, primitive, text, texts, value};
use crate::catalog::Identifier;
use crate::job::identity::{Said, SaidKind};
use crate::plan::{self, graph};
use crate::resolve::cluster::Edge;
use crate::resolve::{
    self, ChangeRow, Evidence, Ledger, Named, Options, Override, Pin, Raw, Resolution, Sight, Verb,
};
use crate::run::RunError;
use crate::run::sink::Sink;
use crate::storage::parquet;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

/// Canonical tables with people in them.
const PEOPLE: [&str; 14] = [
    "contacts",
    "survey_responses",
    "survey_answers",
    "survey_invitations",
    "conversations",
    "messages",
    "social_mentions",
    "orders",
    "payments",
    "subscriptions",
    "events",
    "campaign_touches",
    "consents",
    "account_members",
];
const STATEMENTS: &str = "identity_edges";
const LEDGER: &str = "identity_ledger";

/// Makes `identity_keys`, `identity_former`, `customer_identifiers`, `identity_changes`, `identity_ledger`,
/// `identity_quarantine`, `identity_matches`, `identity_match_model` and `identity_match_drift`.
///
/// # Errors
/// The inputs cannot be read, or the disk is full.
pub async fn resolve(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let mut known = known(bench).await?;
    let alike = alike::find(bench).await?;
    alike.tell(&mut known.evidence, bench.context.job.identity.matching.threshold);
    let (found, _) = known.resolve().await?;
    tracing::debug!(customers = found.customers(), "resolved");
    Ok(vec![
        bench.keep("identity_keys", keys(bench, &found)?).await?,
        bench.keep("identity_former", former(bench, &found)?).await?,
        bench.keep("customer_identifiers", identifiers(bench, &found)?).await?,
        bench.keep("identity_changes", changes(bench, &found).await?).await?,
        bench.keep("identity_quarantine", quarantine(bench, &found)?).await?,
        bench.keep(LEDGER, pins(bench, &found)?).await?,
        bench.keep("identity_matches", alike.matches(bench)?).await?,
        bench.keep("identity_match_model", alike.parameters(bench)?).await?,
        bench.keep("identity_match_drift", alike.drift(bench)?).await?,
    ])
}

/// What a resolution is made from.
#[derive(Debug, Clone)]
struct Known {
    evidence: Evidence,
    options: Options,
    ledger: Ledger,
    salt: Vec<u8>,
}

impl Known {
    async fn resolve(self) -> Result<(Resolution, Vec<Edge>), RunError> {
        let Self { evidence, options, ledger, salt } = self;
        let work = move || resolve::with_edges(evidence, options, ledger, &salt);
        tokio::task::spawn_blocking(work).await.map_err(RunError::Thread)
    }
}

/// Reads all that sources and people say.
async fn known(bench: &Bench<'_>) -> Result<Known, RunError> {
    let identity = &bench.context.job.identity;
    let mut evidence = Evidence::new(bench.context.normaliser());
    for table in PEOPLE {
        records(bench, table, &mut evidence).await?;
    }
    statements(bench, &mut evidence).await?;
    let said = overrides(&identity.said);
    let is_unheard =
        |(_, said): &(usize, &Override)| evidence.overrule(std::slice::from_ref(*said)) > 0;
    let unheard = said.iter().enumerate().filter(is_unheard);
    let unheard: Vec<_> = unheard.map(|(i, _)| format!("rule[{i}]")).collect();
    if !unheard.is_empty() {
        let words = "nothing: nobody has seen what they name";
        let unheard = unheard.join(", ");
        bench.context.record.warn(format!("{unheard} of the identity overrides say {words}"));
    }
    let options = Options {
        max_degree: identity.max_degree,
        max_emails: identity.max_emails,
        max_cluster: identity.max_cluster,
        threads: bench.context.settings.threads,
    };
    Ok(Known { evidence, options, ledger: ledger(bench).await?, salt: bench.context.salt().await? })
}

/// What people say, as the resolve room takes it; a job that was read holds no broken line.
fn overrides(said: &[Said]) -> Vec<Override> {
    let named = |text: &str| {
        let (kind, namespace, value) = Said::side(text)?;
        let [kind, namespace, value] = [kind, namespace, value].map(str::to_owned);
        Some(Named { kind, namespace, value })
    };
    let verb = |kind| match kind {
        SaidKind::Link => Verb::Link,
        SaidKind::NeverLink => Verb::NeverLink,
        SaidKind::Block => Verb::Block,
    };
    let of = |said: &Said| {
        let (left, right) = (named(&said.left)?, named(&said.right));
        let (reason, author) = (said.reason.clone(), said.author.clone());
        let since = said.since.map(day_number);
        Some(Override { verb: verb(said.kind), left, right, reason, author, since })
    };
    said.iter().filter_map(of).collect()
}

/// The sets of identifiers of a table, each with its first and last day; the former versions of a
/// record say when an identifier was first seen, only the newest says who it belongs to.
async fn records(bench: &Bench<'_>, table: &str, evidence: &mut Evidence) -> Result<(), RunError> {
    let catalog = &bench.context.catalog.canonical_tables;
    let Some(canonical) = catalog.get(table).and_then(|table| table.canonical.as_ref()) else {
        return Ok(());
    };
    let mut answer = bench.query("resolve", &records_sql(table, &canonical.identifiers)).await?;
    while let Some(batch) = answer.batches.next().await {
        take_records(table, &canonical.identifiers, &batch?, evidence)?;
    }
    Ok(())
}

fn records_sql(table: &str, identifiers: &[Identifier]) -> String {
    let mut columns = String::new();
    let mut picks = String::new();
    for Identifier { column, .. } in identifiers {
        let _ = write!(columns, ", {column}");
        let _ = write!(picks, ", min({column}) as {column}");
    }
    let part = |rows: String, is_live: u8| {
        format!(
            "select identity_key, source, source_account, dt, {is_live} as is_live{columns} \
             from {rows} where identity_key is not null and not is_test"
        )
    };
    let (versions, newest) = (part(graph::versions(table), 0), part(graph::current(table), 1));
    format!(
        "select identity_key, source, source_account, min(dt) as first_dt, max(dt) as last_dt, \
         cast(max(is_live) as bigint) as is_live{picks} from ({versions} union all {newest}) as seen \
         group by identity_key, source, source_account"
    )
}

fn take_records(
    table: &str,
    identifiers: &[Identifier],
    batch: &RecordBatch,
    evidence: &mut Evidence,
) -> Result<(), RunError> {
    let keys = text(batch, "identity_key")?;
    let (sources, accounts) = (text(batch, "source")?, text(batch, "source_account")?);
    let columns = identifiers.iter().map(|of| Ok((of, text(batch, &of.column)?)));
    let columns = columns.collect::<Result<Vec<_>, RunError>>()?;
    let seen = Seen::new(batch)?;
    for i in 0..batch.num_rows() {
        let scope = format!("{}:{}", value(sources, i), value(accounts, i));
        let origin = format!("{}:{table}", value(sources, i));
        let raws = columns.iter().copied().map(|(of, values)| Raw {
            kind: of.kind.as_str(),
            namespace: if of.scoped { scope.as_str() } else { "" },
            value: value(values, i),
            strength: i8::try_from(of.strength).unwrap_or(0),
        });
        let raws: Vec<Raw<'_>> = raws.collect();
        evidence.record(value(keys, i), seen.sight(i, &origin), &raws)?;
    }
    Ok(())
}

/// The columns of a query that say when.
struct Seen<'a> {
    first: &'a Date32Array,
    last: &'a Date32Array,
    live: &'a Int64Array,
}

impl<'a> Seen<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, RunError> {
        let first = primitive::<Date32Type>(batch, "first_dt")?;
        let last = primitive::<Date32Type>(batch, "last_dt")?;
        Ok(Self { first, last, live: primitive::<Int64Type>(batch, "is_live")? })
    }

    fn sight<'b>(&self, i: usize, origin: &'b str) -> Sight<'b> {
        let (first, last) = (self.first.value(i), self.last.value(i));
        Sight { first, last, origin, is_live: self.live.value(i) == 1 }
    }
}

/// Strength of a type that no canonical table knows, and whether it is scoped.
const UNKNOWN: (i8, bool) = (1, true);

/// Strength and scope of each type of identifier, as the canonical tables say.
fn rules(bench: &Bench<'_>) -> BTreeMap<String, (i8, bool)> {
    // Hashes stand for addresses, and no canonical table has a column of them.
    let hashes = ["email_md5", "email_sha256"].map(|kind| (kind.to_owned(), (2, false)));
    let mut rules: BTreeMap<String, (i8, bool)> = hashes.into();
    for (_, canonical) in bench.context.catalog.canonical() {
        for of in &canonical.identifiers {
            let strength = i8::try_from(of.strength).unwrap_or(0);
            let rule = rules.entry(of.kind.clone()).or_insert((strength, of.scoped));
            rule.0 = rule.0.max(strength);
        }
    }
    rules
}

async fn statements(bench: &Bench<'_>, evidence: &mut Evidence) -> Result<(), RunError> {
    let columns = "source, source_account, kind, left_type, left_namespace, left_value, \
                   right_type, right_namespace, right_value";
    let part = |rows: String, is_live: u8| {
        format!("select {columns}, dt, {is_live} as is_live from {rows} where not is_test")
    };
    let (versions, newest) =
        (part(graph::versions(STATEMENTS), 0), part(graph::current(STATEMENTS), 1));
    let sql = format!(
        "select {columns}, min(dt) as first_dt, max(dt) as last_dt, \
         cast(max(is_live) as bigint) as is_live from ({versions} union all {newest}) as seen \
         group by {columns}"
    );
    let rules = rules(bench);
    let mut answer = bench.query("resolve", &sql).await?;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let seen = Seen::new(&batch)?;
        let kinds = text(&batch, "kind")?;
        let (sources, accounts) = (text(&batch, "source")?, text(&batch, "source_account")?);
        let side = |name: &str| {
            let column = |part: &str| text(&batch, &format!("{name}_{part}"));
            Ok::<_, RunError>((column("type")?, column("namespace")?, column("value")?))
        };
        let (left, right) = (side("left")?, side("right")?);
        for i in 0..batch.num_rows() {
            let scope = format!("{}:{}", value(sources, i), value(accounts, i));
            let origin = format!("{}:{STATEMENTS}", value(sources, i));
            let [left, right] = [left, right].map(|(kind, namespace, text)| {
                let (kind, namespace) = (value(kind, i), value(namespace, i));
                let (strength, scoped) = rules.get(kind).copied().unwrap_or(UNKNOWN);
                let namespace = match (scoped, namespace) {
                    (false, _) => "",
                    (true, "") => scope.as_str(),
                    (true, given) => given,
                };
                Raw { kind, namespace, value: value(text, i), strength }
            });
            let said = if kinds.is_valid(i) { kinds.value(i) } else { "alias" };
            evidence.statement(said, seen.sight(i, &origin), left, right)?;
        }
    }
    Ok(())
}

/// What the parent release pinned.
async fn ledger(bench: &Bench<'_>) -> Result<Ledger, RunError> {
    let Some(known) = bench.parent.and_then(|release| plan::dataset(release, LEDGER)) else {
        return Ok(Ledger::default());
    };
    let mut pins = Vec::new();
    for file in &known.files {
        let store = &bench.context.store;
        for batch in parquet::read(store, &file.path, &file.file_hash, None).await? {
            let hashes = text(&batch, "identifier_hash")?;
            let days = primitive::<Date32Type>(&batch, "first_seen_date")?;
            let strengths = primitive::<Int64Type>(&batch, "strength")?;
            let pin = |i: usize| {
                let strength = i8::try_from(strengths.value(i)).unwrap_or(0);
                Pin::read(hashes.value(i), days.value(i), strength)
            };
            pins.extend((0..batch.num_rows()).filter_map(pin));
        }
    }
    Ok(Ledger::new(pins))
}

/// Pushes rows to a sink.
fn fill<T>(
    bench: &Bench<'_>,
    table: &str,
    rows: impl Iterator<Item = T>,
    columns: fn(&[T]) -> Vec<ArrayRef>,
) -> Result<Sink, RunError> {
    let mut filler = Filler::new(bench, table, columns)?;
    for row in rows {
        filler.push(row)?;
    }
    filler.finish()
}

fn keys(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    fill(bench, "identity_keys", found.keys(), |rows| {
        vec![texts(rows, |row| Some(row.0)), texts(rows, |row| Some(row.1))]
    })
}

fn former(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    fill(bench, "identity_former", found.former(), |rows| {
        vec![
            texts(rows, |row| Some(row.identity_key)),
            days(rows, |row| Some(row.from)),
            days(rows, |row| Some(row.until)),
            texts(rows, |row| Some(row.customer_id.as_str())),
        ]
    })
}

fn identifiers(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    fill(bench, "customer_identifiers", found.identifiers(), |rows| {
        vec![
            texts(rows, |row| Some(row.kind)),
            texts(rows, |row| Some(row.namespace)),
            texts(rows, |row| Some(row.value)),
            texts(rows, |row| row.customer_id),
            numbers(rows, |row| Some(i64::from(row.strength))),
            days(rows, |row| Some(row.first)),
            days(rows, |row| Some(row.last)),
            texts(rows, |row| Some(row.evidence)),
            flags(rows, |row| Some(row.blocked.is_some())),
            texts(rows, |row| row.blocked.map(resolve::normalise::Blocked::name)),
        ]
    })
}

/// Of people who are forgotten nothing is left but that they are.
async fn changes(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    let mut erased = Vec::new();
    for batch in bench.collect("resolve", "select * from forgotten_customers").await? {
        let (ids, days) =
            (text(&batch, "subject_id")?, primitive::<Date32Type>(&batch, "forgotten_date")?);
        let row = |i: usize| ChangeRow::erased(value(ids, i), days.value(i));
        erased.extend((0..batch.num_rows()).map(row));
    }
    fill(bench, "identity_changes", found.changes().chain(erased), |rows| {
        vec![
            texts(rows, |row| Some(row.change_id.as_str())),
            days(rows, |row| Some(row.day)),
            texts(rows, |row| Some(row.kind)),
            texts(rows, |row| row.from.as_deref()),
            texts(rows, |row| (!row.to.is_empty()).then_some(row.to.as_str())),
            texts(rows, |row| Some(row.cause.as_str())),
            texts(rows, |row| Some(row.evidence.as_str())),
        ]
    })
}

fn quarantine(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    fill(bench, "identity_quarantine", found.quarantine(), |rows| {
        vec![
            texts(rows, |row| Some(row.quarantine_id.as_str())),
            days(rows, |row| Some(row.day)),
            texts(rows, |row| Some(row.rule)),
            texts(rows, |row| Some(row.left.0)),
            texts(rows, |row| Some(row.left.1)),
            texts(rows, |row| Some(row.left.2)),
            texts(rows, |row| row.right.map(|right| right.0)),
            texts(rows, |row| row.right.map(|right| right.1)),
            texts(rows, |row| row.right.map(|right| right.2)),
            texts(rows, |row| Some(row.evidence.as_str())),
        ]
    })
}

fn pins(bench: &Bench<'_>, found: &Resolution) -> Result<Sink, RunError> {
    fill(bench, LEDGER, found.ledger().pins().iter(), |rows| {
        vec![
            texts(rows, |pin| Some(pin.text())),
            days(rows, |pin| Some(pin.day)),
            numbers(rows, |pin| Some(i64::from(pin.strength))),
        ]
    })
}
