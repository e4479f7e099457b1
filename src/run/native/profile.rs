//! Feeds the profile room customer by customer, and writes golden records and history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;
use chrono_tz::Tz;
use futures::StreamExt;

use super::Bench;
use super::rows::{
    Filler, days, flag, flags, number, numbers, primitive, text, texts, times, value,
};
use crate::engine::Answer;
use crate::job::{FieldRule, Profile};
use crate::profile::golden::{self, Golden};
use crate::profile::history::{self, Period, TRACKED, Tracked, Version};
use crate::profile::{Criterion, FIELDS, Field, Origin, Policy, Record};
use crate::resolve::normalise::{Blocked, Normaliser};
use crate::run::RunError;
use crate::run::sink::Sink;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

/// Makes `golden_customers`, `customer_field_provenance` and `customer_history`.
///
/// # Errors
/// The inputs cannot be read, or the disk is full.
pub async fn profile(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let records = bench.query("profile", &golden_sql()).await?;
    let golden = Filler::new(bench, "golden_customers", golden_columns)?;
    let provenance = Filler::new(bench, "customer_field_provenance", provenance_columns)?;
    let reader = Reader::new(bench);
    let task =
        tokio::task::spawn_blocking(move || write_golden(reader, records, golden, provenance));
    let (golden, provenance) = task.await.map_err(RunError::Thread)??;
    let golden = bench.keep("golden_customers", golden).await?;
    let provenance = bench.keep("customer_field_provenance", provenance).await?;

    let versions = bench.query("profile", &versions_sql()).await?;
    let periods = Filler::new(bench, "customer_history", history_columns)?;
    let reader = Reader::new(bench);
    let task = tokio::task::spawn_blocking(move || write_history(&reader, versions, periods));
    let periods = task.await.map_err(RunError::Thread)??;
    Ok(vec![golden, provenance, bench.keep("customer_history", periods).await?])
}

/// No time, of the type that times have: a bare null would change the union's type.
const NO_TIME: &str = "arrow_cast(null, 'Timestamp(Microsecond, Some(\"UTC\"))')";

/// All that says something about a customer, one customer after the other.
fn golden_sql() -> String {
    let mut contact = String::new();
    let mut identifier = String::new();
    let mut order = String::new();
    let mut survey = String::new();
    for field in Field::ALL {
        let name = field.name();
        let null = format!(", cast(null as string) as {name}");
        let _ = write!(contact, ", cast(c.{name} as string) as {name}");
        identifier += &match field {
            Field::Email | Field::Phone => {
                format!(", case when identifier_type = '{name}' then identifier end as {name}")
            }
            _ => null.clone(),
        };
        order += &if field == Field::Country { format!(", a.{name}") } else { null.clone() };
        let said = matches!(field, Field::Country | Field::Language);
        survey += &if said { format!(", a.{name}") } else { null };
    }
    let activity = |table: &str, time: &str, columns: &str, by: &str| {
        format!(
            "select a.identity_key, cast(2 as bigint) as origin, a.source, a.source_account, \
             '' as entity, '' as source_id, '' as record_id, max(a.{time}) as updated_at, \
             {NO_TIME} as consent_at, max(a.dt) as dt{columns}, false as is_internal, \
             {NO_TIME} as created_at from {table} as a \
             where not a.is_test and coalesce({by}) is not null \
             group by a.identity_key, a.source, a.source_account, {by}"
        )
    };
    let orders = activity("current_orders", "placed_at", &order, "a.country");
    let surveys =
        activity("current_survey_responses", "answered_at", &survey, "a.country, a.language");
    let columns: String = Field::ALL.iter().map(|field| format!(", s.{}", field.name())).collect();
    // One join for all that has a key: each would hold all keys.
    format!(
        "select k.customer_id, s.origin, s.source, s.source_account, s.entity, s.source_id, \
         s.record_id, s.updated_at, s.consent_at, s.dt{columns}, s.is_internal, s.created_at, \
         cast(null as bigint) as strength, cast(null as date) as first_seen_date, \
         cast(null as string) as evidence from (\
         select c.identity_key, cast(0 as bigint) as origin, c.source, c.source_account, c.entity, \
         c.source_id, c.contact_id as record_id, c.source_updated_at as updated_at, \
         c.email_consent_at as consent_at, c.dt{contact}, c.is_internal, c.created_at \
         from current_contacts as c where not c.is_test \
         union all {orders} union all {surveys}) as s \
         inner join identity_keys as k on s.identity_key = k.identity_key \
         union all select customer_id, cast(1 as bigint) as origin, '' as source, \
         '' as source_account, '' as entity, '' as source_id, '' as record_id, \
         {NO_TIME} as updated_at, {NO_TIME} as consent_at, last_seen_date as dt{identifier}, \
         false as is_internal, {NO_TIME} as created_at, strength, first_seen_date, evidence \
         from customer_identifiers where customer_id is not null order by customer_id"
    )
}

/// All versions of all contact records, one customer after the other, oldest first. A record's
/// former versions belong to whom it belongs now, or to whom they belonged where that is nobody.
fn versions_sql() -> String {
    let names = || Field::ALL.iter().map(|field| field.name());
    let fields: String = names().map(|name| format!(", v.{name}")).collect();
    let texts: String =
        names().map(|name| format!(", cast(v.{name} as string) as {name}")).collect();
    format!(
        "select k.customer_id, v.source, v.source_account, v.entity, v.source_id, v.record_id, \
         v.updated_at, v.consent_at, v.dt, v.is_deleted{fields} from (\
         select coalesce(c.identity_key, v.identity_key) as identity_key, v.source, \
         v.source_account, v.entity, v.source_id, v.contact_id as record_id, \
         v.source_updated_at as updated_at, v.extracted_at, v.email_consent_at as consent_at, \
         v.dt, v.object_url, v.object_version, v.record_number, v.is_deleted{texts} \
         from versions_contacts as v left join (\
         select source, source_account, entity, source_id, identity_key from current_contacts \
         where identity_key in (select identity_key from identity_keys)) as c \
         on v.source = c.source and v.source_account = c.source_account and v.entity = c.entity \
         and v.source_id = c.source_id where not v.is_test) as v \
         inner join identity_keys as k on v.identity_key = k.identity_key \
         order by k.customer_id, v.updated_at nulls first, v.extracted_at nulls first, v.dt, \
         v.object_url, v.object_version, v.record_number"
    )
}

/// What a source's activity says of a customer, once each: it was gathered by key, and a customer
/// has many.
fn gathered(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    let mut places = BTreeMap::new();
    for row in rows {
        let record = &row.record;
        if record.origin != Origin::Activity {
            kept.push(row);
            continue;
        }
        let said = (record.source.clone(), record.source_account.clone(), record.values.clone());
        let known = places.get(&said).and_then(|place: &usize| kept.get_mut(*place));
        if let Some(Row { record: known, .. }) = known {
            known.updated_at = known.updated_at.max(record.updated_at);
            known.dt = known.dt.max(record.dt);
            continue;
        }
        places.insert(said, kept.len());
        kept.push(row);
    }
    kept
}

/// Turns rows into records.
struct Reader {
    policy: Policy,
    tracked: Tracked,
    normaliser: Normaliser,
    zone: Tz,
}

/// A record, and what else a row of the golden query says.
#[derive(Debug, Default)]
struct Row {
    record: Record,
    is_internal: bool,
    created_at: Option<i64>,
    /// Strength, first day and evidence of an identifier.
    identifier: Option<(i64, i32, String)>,
}

/// How the job chooses among values.
fn policy(profile: &Profile) -> Policy {
    let of = |(field, rules): (&'_ String, &Vec<FieldRule>)| {
        let criteria = rules.iter().filter_map(|rule| Criterion::of(rule.name())).collect();
        (field.clone(), criteria)
    };
    let rules: Vec<(String, Vec<Criterion>)> = profile.field_rules.iter().map(of).collect();
    Policy::new(&profile.source_priority, &profile.field_priority)
        .with_rules(rules.iter().map(|(field, criteria)| (field.as_str(), criteria.clone())))
}

impl Reader {
    fn new(bench: &Bench<'_>) -> Self {
        let job = &bench.context.job;
        let identity = &job.identity;
        Self {
            policy: policy(&job.profile),
            tracked: Tracked::new(&job.profile.tracked),
            normaliser: Normaliser::new(
                job.country.as_deref(),
                identity.gmail_dots,
                &identity.block,
            ),
            zone: job.zone(),
        }
    }

    /// The one spelling of a value; `None` when it says nothing.
    fn spell(&self, field: Field, source: &str, raw: &str) -> Option<String> {
        let raw = raw.trim();
        if raw.is_empty() {
            return None;
        }
        match field {
            Field::Email | Field::Phone => {
                let normal = self.normaliser.normalise(field.name(), source, raw)?;
                let usable = matches!(normal.blocked, None | Some(Blocked::RoleMailbox));
                usable.then_some(normal.value)
            }
            Field::Country => Some(raw.to_uppercase()),
            Field::Language
            | Field::LifecycleStage
            | Field::EmailConsent
            | Field::EmailVerified => Some(raw.to_lowercase()),
            _ => Some(raw.to_owned()),
        }
    }

    /// The records of a batch, each with its customer.
    fn records(&self, batch: &RecordBatch) -> Result<Vec<(String, Record)>, RunError> {
        let column = |name: &str| text(batch, name);
        let customers = column("customer_id")?;
        let (sources, accounts) = (column("source")?, column("source_account")?);
        let (entities, ids) = (column("entity")?, column("source_id")?);
        let record_ids = column("record_id")?;
        let updated = primitive::<TimestampMicrosecondType>(batch, "updated_at")?;
        let consented = primitive::<TimestampMicrosecondType>(batch, "consent_at")?;
        let dts = primitive::<Date32Type>(batch, "dt")?;
        let fields = Field::ALL.iter().map(|field| Ok((*field, column(field.name())?)));
        let fields = fields.collect::<Result<Vec<_>, RunError>>()?;
        let mut records = Vec::with_capacity(batch.num_rows());
        for i in 0..batch.num_rows() {
            let source = value(sources, i);
            let mut values: [Option<String>; FIELDS] = Default::default();
            for (to, (field, texts)) in values.iter_mut().zip(&fields) {
                *to = self.spell(*field, source, value(texts, i));
            }
            let record = Record {
                origin: Origin::Contact,
                source: source.to_owned(),
                source_account: value(accounts, i).to_owned(),
                entity: value(entities, i).to_owned(),
                source_id: value(ids, i).to_owned(),
                record_id: value(record_ids, i).to_owned(),
                updated_at: number(updated, i),
                consent_at: number(consented, i),
                dt: number(dts, i).unwrap_or_default(),
                values,
            };
            records.push((value(customers, i).to_owned(), record));
        }
        Ok(records)
    }

    fn rows(&self, batch: &RecordBatch) -> Result<Vec<(String, Row)>, RunError> {
        let origins = primitive::<Int64Type>(batch, "origin")?;
        let internal = flag(batch, "is_internal")?;
        let created = primitive::<TimestampMicrosecondType>(batch, "created_at")?;
        let strengths = primitive::<Int64Type>(batch, "strength")?;
        let first = primitive::<Date32Type>(batch, "first_seen_date")?;
        let evidence = text(batch, "evidence")?;
        let records = self.records(batch)?;
        let row = |(i, (customer, mut record)): (usize, (String, Record))| {
            record.origin = match origins.value(i) {
                0 => Origin::Contact,
                1 => Origin::Identifier,
                _ => Origin::Activity,
            };
            let identifier = number(strengths, i).zip(number(first, i));
            let identifier = identifier.map(|(s, d)| (s, d, value(evidence, i).to_owned()));
            let is_internal = internal.is_valid(i) && internal.value(i);
            (customer, Row { record, is_internal, created_at: number(created, i), identifier })
        };
        Ok(records.into_iter().enumerate().map(row).collect())
    }

    /// Local day of a time, else the batch date.
    fn day(&self, record: &Record) -> i32 {
        let time = record.updated_at.and_then(DateTime::from_timestamp_micros);
        time.map_or(record.dt, |time| day_number(time.with_timezone(&self.zone).date_naive()))
    }
}

/// Calls `each` with all rows of one customer after the other; rows come sorted by customer.
fn by_customer<T>(
    mut answer: Answer,
    read: impl Fn(&RecordBatch) -> Result<Vec<(String, T)>, RunError>,
    mut each: impl FnMut(&str, Vec<T>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let handle = tokio::runtime::Handle::current();
    let mut customer = String::new();
    let mut group: Vec<T> = Vec::new();
    while let Some(batch) = handle.block_on(answer.batches.next()) {
        for (next, row) in read(&batch?)? {
            if next != customer {
                if !group.is_empty() {
                    each(&customer, std::mem::take(&mut group))?;
                }
                customer = next;
            }
            group.push(row);
        }
    }
    if group.is_empty() { Ok(()) } else { each(&customer, group) }
}

struct GoldenRow {
    customer_id: String,
    display_name: Option<String>,
    values: [Option<String>; FIELDS],
    consent_at: Option<i64>,
    is_internal: bool,
    is_anonymous: bool,
    created_at: Option<i64>,
    first: Option<i32>,
    last: Option<i32>,
    identifiers: i64,
    records: i64,
    sources: String,
}

struct ProvenanceRow {
    customer_id: String,
    field: Field,
    value: String,
    source: Option<String>,
    account: Option<String>,
    record_id: Option<String>,
    rule: golden::Rule,
    losers: Option<String>,
}

fn write_golden(
    reader: Reader,
    records: Answer,
    mut golden: Filler<GoldenRow>,
    mut provenance: Filler<ProvenanceRow>,
) -> Result<(Sink, Sink), RunError> {
    by_customer(
        records,
        |batch| reader.rows(batch),
        |customer, rows| {
            let rows = gathered(rows);
            let all: Vec<&Record> = rows.iter().map(|row| &row.record).collect();
            let chosen = Golden::new(&reader.policy, &all);
            for pick in chosen.0.iter().flatten() {
                let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                provenance.push(ProvenanceRow {
                    customer_id: customer.to_owned(),
                    field: pick.field,
                    value: pick.value.to_owned(),
                    source: given(&pick.record.source),
                    account: given(&pick.record.source_account),
                    record_id: given(&pick.record.record_id),
                    rule: pick.rule,
                    losers: golden::losers(&reader.policy, pick, &all),
                })?;
            }
            golden.push(golden_row(customer, &rows, &chosen))
        },
    )?;
    Ok((golden.finish()?, provenance.finish()?))
}

fn golden_row(customer: &str, rows: &[Row], chosen: &Golden<'_>) -> GoldenRow {
    let identifiers = || rows.iter().filter_map(|row| row.identifier.as_ref());
    let seen = identifiers().flat_map(|(_, _, evidence)| evidence.split(", "));
    let sources: BTreeSet<&str> = seen.filter_map(|origin| origin.split(':').next()).collect();
    let consent = chosen.0.get(Field::EmailConsent as usize).copied().flatten();
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    let contacts = rows.iter().filter(|row| row.record.origin == Origin::Contact);
    let days = rows.iter().filter(|row| row.identifier.is_some()).map(|row| row.record.dt);
    GoldenRow {
        customer_id: customer.to_owned(),
        display_name: chosen.display_name(),
        values: Field::ALL.map(|field| chosen.value(field).map(str::to_owned)),
        consent_at: consent.and_then(|pick| pick.record.consent_at),
        is_internal: rows.iter().any(|row| row.is_internal),
        is_anonymous: identifiers().all(|(strength, _, _)| *strength < 2),
        created_at: rows.iter().filter_map(|row| row.created_at).min(),
        first: identifiers().map(|(_, first, _)| *first).min(),
        last: days.max(),
        identifiers: count(identifiers().count()),
        records: count(contacts.count()),
        sources: sources.into_iter().collect::<Vec<_>>().join(", "),
    }
}

fn golden_columns(rows: &[GoldenRow]) -> Vec<ArrayRef> {
    let mut columns = vec![
        texts(rows, |row| Some(row.customer_id.as_str())),
        texts(rows, |row| row.display_name.as_deref()),
    ];
    columns.extend(
        Field::ALL.map(|field| texts(rows, move |row| row.values[field as usize].as_deref())),
    );
    columns.extend([
        times(rows, |row| row.consent_at),
        flags(rows, |row| Some(row.is_internal)),
        flags(rows, |row| Some(row.is_anonymous)),
        times(rows, |row| row.created_at),
        days(rows, |row| row.first),
        days(rows, |row| row.last),
        numbers(rows, |row| Some(row.identifiers)),
        numbers(rows, |row| Some(row.records)),
        texts(rows, |row| Some(row.sources.as_str())),
    ]);
    columns
}

fn provenance_columns(rows: &[ProvenanceRow]) -> Vec<ArrayRef> {
    vec![
        texts(rows, |row| Some(row.customer_id.as_str())),
        texts(rows, |row| Some(row.field.column())),
        texts(rows, |row| Some(row.value.as_str())),
        texts(rows, |row| row.source.as_deref()),
        texts(rows, |row| row.account.as_deref()),
        texts(rows, |row| row.record_id.as_deref()),
        texts(rows, |row| Some(row.rule.name())),
        texts(rows, |row| row.losers.as_deref()),
    ]
}

fn write_history(
    reader: &Reader,
    versions: Answer,
    mut periods: Filler<(String, Period)>,
) -> Result<Sink, RunError> {
    let read = |batch: &RecordBatch| {
        let deleted = flag(batch, "is_deleted")?;
        let version = |(i, (customer, record)): (usize, (String, Record))| {
            let is_deleted = deleted.is_valid(i) && deleted.value(i);
            (customer, Version { day: reader.day(&record), is_deleted, record })
        };
        Ok(reader.records(batch)?.into_iter().enumerate().map(version).collect())
    };
    by_customer(versions, read, |customer, mut versions| {
        // Stable: of one day, versions stay in their order.
        versions.sort_by_key(|version| version.day);
        for period in history::periods(&reader.policy, &reader.tracked, &versions) {
            periods.push((customer.to_owned(), period))?;
        }
        Ok(())
    })?;
    periods.finish()
}

fn history_columns(rows: &[(String, Period)]) -> Vec<ArrayRef> {
    let mut columns = vec![
        texts(rows, |row| Some(row.0.as_str())),
        days(rows, |row| Some(row.1.from)),
        days(rows, |row| row.1.to),
        flags(rows, |row| Some(row.1.to.is_none())),
        texts(rows, |row| Some(row.1.reason.as_str())),
        texts(rows, |row| row.1.display_name.as_deref()),
    ];
    columns
        .extend((0..TRACKED.len()).map(|at| texts(rows, move |row| row.1.values[at].as_deref())));
    columns
}
