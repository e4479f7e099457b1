//! Feeds companies, what records say about where people belong, and e-mail domains to the resolve
//! room, and writes accounts and their members.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use futures::StreamExt;

use super::Bench;
use super::rows::{Filler, days, flags, number, numbers, primitive, text, texts, times, value};
use crate::profile::Policy;
use crate::profile::company::{PARTS, Part, Record, best};
use crate::resolve::account::membership::{Stretch, joined};
use crate::resolve::account::{self, Company, CompanyKey, Group, Groups, Mail, Options};
use crate::resolve::intern::Interner;
use crate::resolve::normalise::Normaliser;
use crate::run::RunError;
use crate::run::sink::Sink;
use crate::table::dataset::Dataset;
use crate::table::{DECIMAL, id};

/// Where a membership is known from, by bit.
const ORIGINS: [(u8, &str); 3] =
    [(BY_COMPANY, "company_id"), (BY_DOMAIN, "email_domain"), (BY_ADDRESS, "address")];
const BY_COMPANY: u8 = 1;
const BY_DOMAIN: u8 = 2;
const BY_ADDRESS: u8 = 4;

/// Makes `accounts`, `account_members` and `account_member_history`.
///
/// # Errors
/// The inputs cannot be read, or the disk is full.
pub async fn accounts(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let job = &bench.context.job;
    let speller =
        Normaliser::new(job.country.as_deref(), job.identity.gmail_dots, &job.identity.block);
    let mut known = Known::default();
    known.records(bench, &speller).await?;
    let gone = gone(bench, &speller).await?;
    let mut names = Names::default();
    let words = words::of_companies(bench, &speller, &mut names).await?;
    for (at, first) in words.companies.iter().zip(&words.first) {
        if !gone.contains(at) {
            let named = Company { first: *first, ..Company::default() };
            let company = known.companies.entry(at.clone()).or_insert(named);
            company.first = company.first.min(*first);
        }
    }
    let addresses = addresses(bench, &mut names).await?;
    let groups = known.group(job, &addresses);
    let mut stretches = Vec::new();
    for mut stretch in words.stretches {
        let company = words.companies.get(stretch.company as usize);
        if let Some(group) = company.and_then(|key| groups.of_company.get(key)) {
            stretch.company = short(*group);
            stretches.push(stretch);
        }
    }
    if job.accounts.by_domain {
        stretches.extend(addresses.iter().filter_map(|address| address.stretch(&groups)));
    }
    let mut found = Found::new(bench, &known, groups).await?;
    if job.accounts.household {
        let homes = words::of_homes(bench, &mut names).await?;
        stretches.extend(found.households(homes, job.accounts.household_max));
    }
    found.write(bench, &joined(stretches), &names).await
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Texts that rows know by number.
#[derive(Debug, Default)]
struct Names {
    customers: Interner,
    roles: Interner,
}

impl Names {
    fn customer(&mut self, id: &str) -> u32 {
        self.customers.intern(id.as_bytes()).map_or(u32::MAX, |(number, _)| number)
    }

    fn role(&mut self, role: &str) -> Option<u32> {
        let role = role.trim();
        (!role.is_empty()).then(|| self.roles.intern(role.as_bytes()).map(|(number, _)| number))?
    }

    fn text(of: &Interner, number: u32) -> &str {
        std::str::from_utf8(of.get(number)).unwrap_or_default()
    }
}

/// The id of a company of one system in its one spelling; `None` when it names nobody.
fn key(speller: &Normaliser, source: &str, source_account: &str, id: &str) -> Option<CompanyKey> {
    let normal = speller.normalise("crm_id", source, id)?;
    normal.blocked.is_none().then(|| CompanyKey {
        source: source.to_owned(),
        source_account: source_account.to_owned(),
        id: normal.value,
    })
}

/// Companies as sources record them.
#[derive(Debug, Default)]
struct Known {
    companies: BTreeMap<CompanyKey, Company>,
    records: BTreeMap<CompanyKey, Vec<Record>>,
}

impl Known {
    async fn records(&mut self, bench: &Bench<'_>, speller: &Normaliser) -> Result<(), RunError> {
        let columns: String = Part::ALL
            .iter()
            .map(|part| format!(", cast(c.{0} as varchar) as {0}", part.column()))
            .collect();
        let sql = format!(
            "select c.source, c.source_account, c.entity, c.source_id, c.source_updated_at, \
             c.created_at, c.dt, c.additional_domains, f.first_dt{columns} \
             from current_accounts as c inner join (\
             select source, source_account, entity, source_id, min(dt) as first_dt \
             from versions_accounts where not is_test \
             group by source, source_account, entity, source_id) as f \
             on c.source = f.source and c.source_account = f.source_account \
             and c.entity = f.entity and c.source_id = f.source_id where not c.is_test"
        );
        let mut answer = bench.query("accounts", &sql).await?;
        while let Some(batch) = answer.batches.next().await {
            let batch = batch?;
            let column = |name: &str| text(&batch, name);
            let (sources, owners) = (column("source")?, column("source_account")?);
            let (entities, ids) = (column("entity")?, column("source_id")?);
            let more = column("additional_domains")?;
            let updated = primitive::<TimestampMicrosecondType>(&batch, "source_updated_at")?;
            let created = primitive::<TimestampMicrosecondType>(&batch, "created_at")?;
            let dts = primitive::<Date32Type>(&batch, "dt")?;
            let firsts = primitive::<Date32Type>(&batch, "first_dt")?;
            let parts = Part::ALL.iter().map(|part| column(part.column()));
            let parts: Vec<&StringArray> = parts.collect::<Result<_, RunError>>()?;
            for i in 0..batch.num_rows() {
                let (source, account) = (value(sources, i), value(owners, i));
                let Some(at) = key(speller, source, account, value(ids, i)) else { continue };
                let mut values: [Option<String>; PARTS] = Default::default();
                for (to, texts) in values.iter_mut().zip(&parts) {
                    let text = value(texts, i).trim();
                    *to = (!text.is_empty()).then(|| text.to_owned());
                }
                let record = Record {
                    source: source.to_owned(),
                    source_account: account.to_owned(),
                    entity: value(entities, i).to_owned(),
                    source_id: value(ids, i).to_owned(),
                    updated_at: number(updated, i),
                    created_at: number(created, i),
                    dt: number(dts, i).unwrap_or_default(),
                    values,
                };
                let first = number(firsts, i).unwrap_or_default();
                self.record(speller, at, record, value(more, i), first);
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        speller: &Normaliser,
        at: CompanyKey,
        mut record: Record,
        more_domains: &str,
        first: i32,
    ) {
        let is_new = !self.companies.contains_key(&at);
        let company = self.companies.entry(at.clone()).or_default();
        company.first = if is_new { first } else { company.first.min(first) };
        let domain = record.value(Part::Domain).and_then(account::domain);
        record.values[Part::Domain as usize].clone_from(&domain);
        let more = more_domains.split([';', ',']).filter_map(account::domain);
        company.domains.extend(domain.into_iter().chain(more));
        let external = record.value(Part::ExternalId);
        let external = external.and_then(|id| speller.normalise("external_id", "", id));
        let external = external.filter(|normal| normal.blocked.is_none()).map(|n| n.value);
        company.external_id = company.external_id.take().into_iter().chain(external).min();
        self.records.entry(at).or_default().push(record);
    }

    fn group(&self, job: &crate::job::Job, addresses: &[Address]) -> Groups {
        let options = Options {
            people_min: job.accounts.domain_people_min,
            people_max: job.accounts.domain_people_max,
            free_mail: job.accounts.free_mail.iter().cloned().collect(),
        };
        let mut people: BTreeMap<&str, (BTreeSet<u32>, i32)> = BTreeMap::new();
        let limit = options.people_max.saturating_add(1) as usize;
        for address in addresses {
            let (of, first) = people.entry(&address.domain).or_insert((BTreeSet::new(), i32::MAX));
            *first = address.first.min(*first);
            // More than too many is all that matters.
            if of.len() < limit {
                of.insert(address.customer);
            }
        }
        let mail = people.into_iter().map(|(domain, (of, first))| {
            (domain.to_owned(), Mail { people: short(of.len()), first })
        });
        account::group(&self.companies, &mail.collect(), &options)
    }
}

/// Companies that a source deleted.
async fn gone(bench: &Bench<'_>, speller: &Normaliser) -> Result<BTreeSet<CompanyKey>, RunError> {
    let sql = "select source, source_account, source_id from versions_accounts \
               where is_deleted group by source, source_account, source_id";
    let mut answer = bench.query("accounts", sql).await?;
    let mut gone = BTreeSet::new();
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let (sources, owners) = (text(&batch, "source")?, text(&batch, "source_account")?);
        let ids = text(&batch, "source_id")?;
        let of = |i: usize| key(speller, value(sources, i), value(owners, i), value(ids, i));
        gone.extend((0..batch.num_rows()).filter_map(of));
    }
    Ok(gone)
}

/// An e-mail address of a customer, without the name in front.
#[derive(Debug)]
struct Address {
    domain: String,
    customer: u32,
    first: i32,
}

impl Address {
    fn stretch(&self, groups: &Groups) -> Option<Stretch> {
        Some(Stretch {
            company: short(groups.of_domain(&self.domain)?),
            customer: self.customer,
            from: self.first,
            to: None,
            role: None,
            is_primary: false,
            origins: BY_DOMAIN,
        })
    }
}

/// Addresses that may say where somebody works.
async fn addresses(bench: &Bench<'_>, names: &mut Names) -> Result<Vec<Address>, RunError> {
    let sql = "select customer_id, identifier, first_seen_date from customer_identifiers \
               where identifier_type = 'email' and customer_id is not null";
    let mut answer = bench.query("accounts", sql).await?;
    let mut addresses = Vec::new();
    while let Some(batch) = answer.batches.next().await {
        let batch = batch?;
        let (customers, emails) = (text(&batch, "customer_id")?, text(&batch, "identifier")?);
        let first = primitive::<Date32Type>(&batch, "first_seen_date")?;
        for i in 0..batch.num_rows() {
            let Some((_, domain)) = value(emails, i).rsplit_once('@') else { continue };
            if !account::free_mail::is_free(domain) {
                addresses.push(Address {
                    domain: domain.to_owned(),
                    customer: names.customer(value(customers, i)),
                    first: number(first, i).unwrap_or_default(),
                });
            }
        }
    }
    Ok(addresses)
}

/// Accounts by number, companies before households.
#[derive(Debug)]
struct Found {
    rows: Vec<AccountRow>,
    salt: Vec<u8>,
}

#[derive(Debug, Default)]
struct AccountRow {
    id: String,
    is_household: bool,
    values: [Option<String>; PARTS],
    domains: Vec<String>,
    parent: Option<String>,
    top: String,
    created: Option<i64>,
    first: i32,
    companies: Vec<String>,
    sources: BTreeSet<String>,
    records: i64,
    members: i64,
    members_ever: i64,
}

impl Found {
    async fn new(bench: &Bench<'_>, known: &Known, groups: Groups) -> Result<Self, RunError> {
        let job = &bench.context.job;
        let policy = Policy::new(&job.profile.source_priority, &BTreeMap::new());
        let salt = bench.context.salt().await?;
        let id = |group: &Group| {
            let anchor: Vec<&str> = group.anchor.iter().map(String::as_str).collect();
            id::keyed("a", &salt, &anchor)
        };
        let speller = Normaliser::new(None, false, &[]);
        let mut parents = Vec::with_capacity(groups.groups.len());
        let mut rows = Vec::with_capacity(groups.groups.len());
        for (at, group) in groups.groups.iter().enumerate() {
            let records = group.companies.iter().filter_map(|key| known.records.get(key));
            let records: Vec<&Record> = records.flatten().collect();
            let parent = best(&policy, &records, Part::ParentId).and_then(|record| {
                let id = record.value(Part::ParentId)?;
                let key = key(&speller, &record.source, &record.source_account, id)?;
                groups.of_company.get(&key).copied().filter(|parent| *parent != at)
            });
            parents.push(parent);
            rows.push(row(&policy, group, &records, id(group)));
        }
        account::without_circles(&mut parents);
        for (at, parent) in parents.iter().enumerate() {
            let name = |of: usize| groups.groups.get(of).map(id).unwrap_or_default();
            if let Some(row) = rows.get_mut(at) {
                row.parent = parent.map(name);
                row.top = name(account::top(&parents, at));
            }
        }
        Ok(Self { rows, salt })
    }

    /// Adds the households among homes, and gives who lived there when.
    fn households(&mut self, homes: words::Homes, people_max: u32) -> Vec<Stretch> {
        let mut of_home: BTreeMap<u32, (BTreeSet<u32>, i32)> = BTreeMap::new();
        for stretch in &homes.stretches {
            let first = (BTreeSet::new(), i32::MAX);
            let (people, first) = of_home.entry(stretch.company).or_insert(first);
            people.insert(stretch.customer);
            *first = stretch.from.min(*first);
        }
        of_home.retain(|_, (people, _)| (2..=people_max as usize).contains(&people.len()));
        let mut numbers = BTreeMap::new();
        for (home, (_, first)) in of_home {
            let address = homes.names.get(home);
            let parts: Vec<&str> =
                std::str::from_utf8(address).unwrap_or_default().split('\u{1f}').collect();
            let parts: Vec<&str> = ["household"].into_iter().chain(parts).collect();
            let id = id::keyed("a", &self.salt, &parts);
            numbers.insert(home, short(self.rows.len()));
            let top = id.clone();
            self.rows.push(AccountRow { id, top, first, is_household: true, ..Default::default() });
        }
        let renamed = homes.stretches.into_iter().filter_map(|mut stretch| {
            stretch.company = *numbers.get(&stretch.company)?;
            Some(stretch)
        });
        renamed.collect()
    }

    async fn write(
        mut self,
        bench: &Bench<'_>,
        stretches: &[Stretch],
        names: &Names,
    ) -> Result<Vec<Dataset>, RunError> {
        let mut members = Filler::new(bench, "account_members", |rows| member_columns(rows, true))?;
        let mut history =
            Filler::new(bench, "account_member_history", |rows| member_columns(rows, false))?;
        for pair in stretches.chunk_by(|a, b| (a.company, a.customer) == (b.company, b.customer)) {
            let (Some(first), Some(last)) = (pair.first(), pair.last()) else { continue };
            let Some(account) = self.rows.get_mut(first.company as usize) else { continue };
            account.members_ever += 1;
            account.members += i64::from(last.to.is_none());
            let customer = Names::text(&names.customers, first.customer);
            let row = |stretch: &Stretch, count: usize| MemberRow {
                account: account.id.clone(),
                customer: customer.to_owned(),
                stretch: *stretch,
                role: stretch.role.map(|role| Names::text(&names.roles, role).to_owned()),
                stretches: i64::try_from(count).unwrap_or(i64::MAX),
            };
            let whole = Stretch {
                from: first.from,
                role: pair.iter().rev().find_map(|stretch| stretch.role),
                origins: pair.iter().fold(0, |all, stretch| all | stretch.origins),
                ..*last
            };
            members.push(row(&whole, pair.len()))?;
            for stretch in pair {
                history.push(row(stretch, 1))?;
            }
        }
        let mut accounts = Filler::new(bench, "accounts", account_columns)?;
        for row in self.rows {
            accounts.push(row)?;
        }
        let keep = async |table: &str, sink: Sink| bench.keep(table, sink).await;
        Ok(vec![
            keep("accounts", accounts.finish()?).await?,
            keep("account_members", members.finish()?).await?,
            keep("account_member_history", history.finish()?).await?,
        ])
    }
}

fn row(policy: &Policy, group: &Group, records: &[&Record], id: String) -> AccountRow {
    let value = |part| best(policy, records, part).and_then(|record| record.value(part));
    let mut values = Part::ALL.map(|part| value(part).map(str::to_owned));
    // A currency without its amount says nothing.
    let revenue = best(policy, records, Part::AnnualRevenue);
    let currency = revenue.and_then(|record| record.value(Part::Currency));
    values[Part::Currency as usize] = currency.map(str::to_owned);
    let own = |domain: &str| group.domains.iter().any(|known| known == domain);
    let main = values[Part::Domain as usize].take().filter(|domain| own(domain));
    values[Part::Domain as usize] = main.or_else(|| group.domains.iter().min().cloned());
    let mut domains = group.domains.clone();
    domains.sort_unstable();
    let names = group.companies.iter();
    let names = names.map(|key| format!("{}:{}:{}", key.source, key.source_account, key.id));
    AccountRow {
        top: id.clone(),
        id,
        values,
        domains,
        created: records.iter().filter_map(|record| record.created_at).min(),
        first: group.first,
        companies: names.collect(),
        sources: group.companies.iter().map(|key| key.source.clone()).collect(),
        records: i64::try_from(records.len()).unwrap_or(i64::MAX),
        ..AccountRow::default()
    }
}

fn account_columns(rows: &[AccountRow]) -> Vec<ArrayRef> {
    let part = |part: Part| texts(rows, move |row| row.values[part as usize].as_deref());
    let typed = |part_of: Part, to: &DataType| {
        let texts = part(part_of);
        cast(&texts, to).unwrap_or_else(|_| arrow::array::new_null_array(to, rows.len()))
    };
    let listed = |of: fn(&AccountRow) -> Vec<&str>| {
        texts(rows, move |row| Some(of(row).join(", ")).filter(|text| !text.is_empty()))
    };
    let kind = |row: &AccountRow| if row.is_household { "household" } else { "company" };
    vec![
        texts(rows, |row| Some(row.id.as_str())),
        texts(rows, |row| Some(kind(row))),
        part(Part::Name),
        part(Part::Domain),
        listed(|row| row.domains.iter().map(String::as_str).collect()),
        texts(rows, |row| row.parent.as_deref()),
        texts(rows, |row| Some(row.top.as_str())),
        part(Part::ExternalId),
        part(Part::Industry),
        typed(Part::Employees, &DataType::Int64),
        typed(Part::AnnualRevenue, &DataType::Decimal128(DECIMAL.0, DECIMAL.1)),
        part(Part::Currency),
        part(Part::Country),
        part(Part::LifecycleStage),
        part(Part::Segment),
        times(rows, |row| row.created),
        days(rows, |row| Some(row.first)),
        listed(|row| row.companies.iter().map(String::as_str).collect()),
        listed(|row| row.sources.iter().map(String::as_str).collect()),
        numbers(rows, |row| Some(row.records)),
        numbers(rows, |row| Some(row.members)),
        numbers(rows, |row| Some(row.members_ever)),
    ]
}

struct MemberRow {
    account: String,
    customer: String,
    stretch: Stretch,
    role: Option<String>,
    stretches: i64,
}

fn member_columns(rows: &[MemberRow], is_whole: bool) -> Vec<ArrayRef> {
    let known = |row: &MemberRow| {
        let by = ORIGINS.iter().filter(|(bit, _)| row.stretch.origins & bit > 0);
        by.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    let mut columns = vec![
        texts(rows, |row| Some(row.account.as_str())),
        texts(rows, |row| Some(row.customer.as_str())),
        days(rows, |row| Some(row.stretch.from)),
        days(rows, |row| row.stretch.to),
        flags(rows, |row| Some(row.stretch.to.is_none())),
        flags(rows, |row| Some(row.stretch.is_primary)),
        texts(rows, |row| row.role.as_deref()),
        texts(rows, |row| Some(known(row))),
    ];
    if is_whole {
        columns.push(numbers(rows, |row| Some(row.stretches)));
    }
    columns
}
