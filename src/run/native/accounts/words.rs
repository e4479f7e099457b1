//! What versions of records say about where people belong: to a company by its id, to a home by
//! name and address.

use arrow::array::Array;
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use chrono_tz::Tz;
use futures::StreamExt;
use rustc_hash::FxHashMap;

use super::super::Bench;
use super::super::rows::{flag, number, primitive, text, value};
use super::{BY_ADDRESS, BY_COMPANY, Names, key};
use crate::resolve::account::membership::{Stretch, Word, stretches};
use crate::resolve::account::{self, CompanyKey};
use crate::resolve::intern::Interner;
use crate::resolve::normalise::Normaliser;
use crate::run::RunError;
use crate::table::day::day_number;

/// Who belonged to which company of one system, by its place in `companies`.
#[derive(Debug, Default)]
pub(super) struct Companies {
    pub companies: Vec<CompanyKey>,
    /// First batch date on which each was named.
    pub first: Vec<i32>,
    pub stretches: Vec<Stretch>,
}

/// Who lived where; homes by number of their names.
#[derive(Debug, Default)]
pub(super) struct Homes {
    pub names: Interner,
    pub stretches: Vec<Stretch>,
}

/// Versions of a table with the customer that their record belongs to now, or belonged to where
/// that is nobody, oldest first.
fn versions(table: &str, columns: &str, only: &str) -> String {
    const KEY: [&str; 4] = ["source", "source_account", "entity", "source_id"];
    let same = |a: &str, b: &str| KEY.map(|k| format!("{a}.{k} = {b}.{k}")).join(" and ");
    let (now, kept) = (same("v", "c"), same("v", "o"));
    let key = KEY.join(", ");
    format!(
        "select k.customer_id, v.* from (select coalesce(c.identity_key, v.identity_key) as \
         identity_key, v.source, v.source_account, v.entity, v.source_id, v.source_updated_at, \
         v.extracted_at, v.dt, v.object_url, v.object_version, v.record_number, v.is_deleted, \
         {columns} from versions_{table} as v inner join (\
         select {key} from versions_{table} where {only} group by {key}) as o on {kept} \
         left join (select {key}, identity_key from current_{table} where identity_key in \
         (select identity_key from identity_keys)) as c on {now} where not v.is_test) as v \
         inner join identity_keys as k on v.identity_key = k.identity_key \
         order by v.source_updated_at nulls first, v.extracted_at nulls first, v.dt, \
         v.object_url, v.object_version, v.record_number, v.entity, v.source_id"
    )
}

/// What the columns of any version say.
struct Rows<'a> {
    batch: &'a RecordBatch,
    zone: Tz,
}

impl Rows<'_> {
    fn local(&self, time: Option<i64>) -> Option<i32> {
        let time = DateTime::from_timestamp_micros(time?)?;
        Some(day_number(time.with_timezone(&self.zone).date_naive()))
    }

    /// Local days of a column of times.
    fn days(&self, column: &str) -> Result<Vec<Option<i32>>, RunError> {
        let times = primitive::<TimestampMicrosecondType>(self.batch, column)?;
        Ok((0..self.batch.num_rows()).map(|i| self.local(number(times, i))).collect())
    }

    /// Of each row: the row of its record, number the record itself, and its day of change.
    fn heads(&self, records: &mut Interner) -> Result<Vec<Head>, RunError> {
        let column = |name: &str| text(self.batch, name);
        let (sources, owners) = (column("source")?, column("source_account")?);
        let (entities, ids) = (column("entity")?, column("source_id")?);
        let changed = self.days("source_updated_at")?;
        let dts = primitive::<Date32Type>(self.batch, "dt")?;
        let deleted = flag(self.batch, "is_deleted")?;
        let head = |i: usize| {
            let parts = [sources, owners, entities, ids].map(|column| value(column, i));
            let dt = number(dts, i).unwrap_or_default();
            Head {
                record: numbered(records, &parts),
                dt,
                day: changed.get(i).copied().flatten().unwrap_or(dt),
                is_gone: deleted.is_valid(i) && deleted.value(i),
            }
        };
        Ok((0..self.batch.num_rows()).map(head).collect())
    }
}

struct Head {
    record: u32,
    dt: i32,
    day: i32,
    is_gone: bool,
}

fn numbered(names: &mut Interner, parts: &[&str]) -> u32 {
    names.intern(parts.join("\u{1f}").as_bytes()).map_or(u32::MAX, |(number, _)| number)
}

/// Reads which companies records of people name.
pub(super) async fn of_companies(
    bench: &Bench<'_>,
    speller: &Normaliser,
    names: &mut Names,
) -> Result<Companies, RunError> {
    let members = versions(
        "account_members",
        "v.customer_source_id, v.account_source_id, v.role, v.valid_from, v.valid_to, \
         coalesce(v.is_primary, false) as is_main, v.identity_key as own_key",
        "account_source_id is not null",
    );
    // Contacts name their main company.
    let contacts = versions(
        "contacts",
        "v.customer_source_id, v.account_source_id, cast(null as varchar) as role, \
         arrow_cast(null, 'Timestamp(Microsecond, Some(\"UTC\"))') as valid_from, \
         arrow_cast(null, 'Timestamp(Microsecond, Some(\"UTC\"))') as valid_to, \
         true as is_main, v.identity_key as own_key",
        "account_source_id is not null",
    );
    let mut found = Reading::default();
    for sql in [members, contacts] {
        let mut answer = bench.query("accounts", &sql).await?;
        while let Some(batch) = answer.batches.next().await {
            found.take(&batch?, bench.context.job.zone(), speller, names)?;
        }
    }
    let Reading { companies, first, words, .. } = found;
    Ok(Companies { companies, first, stretches: stretches(words, BY_COMPANY) })
}

#[derive(Default)]
struct Reading {
    records: Interner,
    series: Interner,
    numbers: FxHashMap<CompanyKey, u32>,
    companies: Vec<CompanyKey>,
    first: Vec<i32>,
    words: Vec<Word>,
}

impl Reading {
    fn take(
        &mut self,
        batch: &RecordBatch,
        zone: Tz,
        speller: &Normaliser,
        names: &mut Names,
    ) -> Result<(), RunError> {
        let rows = Rows { batch, zone };
        let heads = rows.heads(&mut self.records)?;
        let column = |name: &str| text(batch, name);
        let (sources, owners) = (column("source")?, column("source_account")?);
        let (customers, people) = (column("customer_id")?, column("customer_source_id")?);
        let (companies, roles) = (column("account_source_id")?, column("role")?);
        let own = column("own_key")?;
        let main = flag(batch, "is_main")?;
        let (since, until) = (rows.days("valid_from")?, rows.days("valid_to")?);
        for (i, head) in heads.iter().enumerate() {
            let (source, owner) = (value(sources, i), value(owners, i));
            let company = key(speller, source, owner, value(companies, i));
            let is_primary = main.is_valid(i) && main.value(i);
            let record = head.record.to_string();
            let person = if people.is_valid(i) { value(people, i) } else { value(own, i) };
            // A main company takes the place of the former one; others stand side by side.
            let series = if is_primary {
                numbered(&mut self.series, &["main", source, owner, person])
            } else {
                numbered(&mut self.series, &["row", &record])
            };
            let company = company.map(|company| self.company(company, head.dt));
            self.words.push(Word {
                series,
                record: head.record,
                customer: names.customer(value(customers, i)),
                company,
                day: head.day,
                since: since.get(i).copied().flatten(),
                until: until.get(i).copied().flatten(),
                role: names.role(value(roles, i)),
                is_primary,
                is_gone: head.is_gone,
            });
        }
        Ok(())
    }

    fn company(&mut self, company: CompanyKey, dt: i32) -> u32 {
        if let Some(known) = self.numbers.get(&company) {
            if let Some(first) = self.first.get_mut(*known as usize) {
                *first = dt.min(*first);
            }
            return *known;
        }
        let number = super::short(self.companies.len());
        self.numbers.insert(company.clone(), number);
        self.companies.push(company);
        self.first.push(dt);
        number
    }
}

/// Reads who lived at which address.
pub(super) async fn of_homes(bench: &Bench<'_>, names: &mut Names) -> Result<Homes, RunError> {
    let sql = versions(
        "contacts",
        "v.last_name, v.full_name, v.street, v.postal_code, v.country",
        "street is not null and postal_code is not null",
    );
    let job = &bench.context.job;
    let mut homes = Homes::default();
    let (mut records, mut words) = (Interner::default(), Vec::new());
    let mut answer = bench.query("accounts", &sql).await?;
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let heads = Rows { batch: &batch, zone: job.zone() }.heads(&mut records)?;
        let column = |name: &str| text(&batch, name);
        let (customers, last) = (column("customer_id")?, column("last_name")?);
        let (full, streets) = (column("full_name")?, column("street")?);
        let (codes, countries) = (column("postal_code")?, column("country")?);
        for (i, head) in heads.iter().enumerate() {
            let given = value(last, i).trim();
            let name = if given.is_empty() {
                value(full, i).trim().rsplit_once(' ').map_or("", |(_, last)| last)
            } else {
                given
            };
            let country = value(countries, i);
            let home = job.country.as_deref().filter(|_| country.trim().is_empty());
            let country = home.unwrap_or(country);
            let home = account::household(name, value(streets, i), value(codes, i), country);
            let home =
                home.map(|parts| numbered(&mut homes.names, &parts.each_ref().map(String::as_str)));
            words.push(Word {
                series: head.record,
                record: head.record,
                customer: names.customer(value(customers, i)),
                company: home,
                day: head.day,
                since: None,
                until: None,
                role: None,
                is_primary: false,
                is_gone: head.is_gone,
            });
        }
    }
    homes.stretches = stretches(words, BY_ADDRESS);
    Ok(homes)
}
