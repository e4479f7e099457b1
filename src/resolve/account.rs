//! Which records of companies are one company.
//!
//! A company is known by the ids that systems gave it, by the id it has in the company's own systems,
//! and by its web domains. Two records of one system are two companies, whatever domain they name:
//! groups have one web site and many parts. So a domain that two of them name tells nothing, and is
//! left out. What comes out depends on what was seen and on nothing else.

pub mod free_mail;
pub mod membership;

use std::collections::{BTreeMap, BTreeSet};

use super::matching;

/// What a system calls a company.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyKey {
    pub source: String,
    pub source_account: String,
    pub id: String,
}

/// What is known about a company of one system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Company {
    /// Id in the company's own systems.
    pub external_id: Option<String>,
    /// In one spelling, see [`domain`].
    pub domains: BTreeSet<String>,
    /// First batch date, in days since 1970.
    pub first: i32,
}

/// Who has an e-mail address at a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mail {
    pub people: u32,
    pub first: i32,
}

/// Which domains are companies without a record; the job's `accounts` section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// From so many people on; 0: none.
    pub people_min: u32,
    /// More than so many, and it is a provider of mail.
    pub people_max: u32,
    /// Providers of mail, beside those that everybody knows.
    pub free_mail: BTreeSet<String>,
}

/// One company.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub companies: Vec<CompanyKey>,
    pub domains: Vec<String>,
    pub first: i32,
    /// What its id is made from: what of it was seen first.
    pub anchor: Vec<String>,
}

/// All companies, in the order of their anchors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    pub groups: Vec<Group>,
    pub of_company: BTreeMap<CompanyKey, usize>,
    of_domain: BTreeMap<String, usize>,
    /// Domains that two companies of one system name.
    unclear: BTreeSet<String>,
}

impl Groups {
    /// The company at whose domain, or below whose domain, an address lies.
    pub fn of_domain(&self, domain: &str) -> Option<usize> {
        let mut rest = domain;
        loop {
            if let Some(group) = self.of_domain.get(rest) {
                return Some(*group);
            }
            if self.unclear.contains(rest) {
                return None;
            }
            rest = rest.split_once('.').map(|(_, above)| above)?;
        }
    }
}

/// The one spelling of a web domain, of a domain or a web address; `None` when it is none.
pub fn domain(raw: &str) -> Option<String> {
    let text = raw.trim().to_lowercase();
    let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let text = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let text = text.rsplit('@').next().unwrap_or_default().trim_end_matches('.');
    let text = text.strip_prefix("www.").unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    (text.contains('.') && text.split('.').all(is_label)).then(|| text.to_owned())
}

/// The people of one family at one address; `None` where a part of it is missing.
///
/// Spelling and the short form of “street” do not matter.
pub fn household(
    last_name: &str,
    street: &str,
    postal_code: &str,
    country: &str,
) -> Option<[String; 4]> {
    let name = matching::folded(last_name);
    let street = matching::folded(street);
    let words = street.split(' ').map(|word| {
        let cut = ["strasse", "straede", "street"].iter().find_map(|end| word.strip_suffix(end));
        cut.map_or_else(|| word.to_owned(), |stem| format!("{stem}str"))
    });
    let street: String = words.collect();
    let code: String =
        postal_code.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    // `DK-2100` is 2100.
    let digits = code.trim_start_matches(char::is_alphabetic);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let code = if is_number { digits } else { &code };
    // A street without a number is no address.
    let is_whole =
        !name.is_empty() && street.chars().any(|c| c.is_ascii_digit()) && !code.is_empty();
    is_whole.then(|| [name, street, code.to_owned(), country.trim().to_uppercase()])
}

/// Groups companies; `mail` says who has addresses where, by domain.
pub fn group(
    companies: &BTreeMap<CompanyKey, Company>,
    mail: &BTreeMap<String, Mail>,
    options: &Options,
) -> Groups {
    let keys: Vec<&CompanyKey> = companies.keys().collect();
    let mut roots: Vec<usize> = (0..keys.len()).collect();
    let mut by_external: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_domain: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, company) in companies.values().enumerate() {
        if let Some(external) = &company.external_id {
            let first = *by_external.entry(external).or_insert(at);
            unite(&mut roots, first, at);
        }
        for domain in company.domains.iter().filter(|domain| !is_mail(domain, options)) {
            by_domain.entry(domain).or_default().push(at);
        }
    }
    let before = roots.clone();
    let mut found = Groups::default();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (domain, named_by) in &by_domain {
        let mut systems: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut is_clear = true;
        for at in named_by {
            let system = (keys[*at].source.as_str(), keys[*at].source_account.as_str());
            let root = root(&before, *at);
            is_clear &= *systems.entry(system).or_insert(root) == root;
        }
        let Some(first) = named_by.first().filter(|_| is_clear) else {
            found.unclear.insert((*domain).to_owned());
            continue;
        };
        for at in named_by {
            unite(&mut roots, *first, *at);
        }
        owners.insert(domain, *first);
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (at, (key, company)) in companies.iter().enumerate() {
        let group = groups.entry(root(&roots, at)).or_default();
        let parts = ["company", &key.source, &key.source_account, &key.id];
        see(group, company.first, &parts);
        group.companies.push(key.clone());
    }
    for (domain, at) in owners {
        let group = groups.entry(root(&roots, at)).or_default();
        group.domains.push(domain.to_owned());
        if let Some(mail) = mail.get(domain) {
            see(group, mail.first, &["domain", domain]);
        }
    }
    found.groups = groups.into_values().collect();
    found.groups.extend(alone(mail, &by_domain, options));
    found.number()
}

impl Groups {
    /// Puts groups into the order of their anchors.
    fn number(mut self) -> Self {
        self.groups.sort_by(|a, b| a.anchor.cmp(&b.anchor));
        for (at, group) in self.groups.iter().enumerate() {
            self.of_company.extend(group.companies.iter().map(|key| (key.clone(), at)));
            self.of_domain.extend(group.domains.iter().map(|domain| (domain.clone(), at)));
        }
        self
    }
}

/// Companies that only the addresses of their people tell of.
fn alone<'a>(
    mail: &'a BTreeMap<String, Mail>,
    named: &'a BTreeMap<&str, Vec<usize>>,
    options: &'a Options,
) -> impl Iterator<Item = Group> + 'a {
    let is_below = |domain: &str| {
        let mut rest = Some(domain);
        while let Some(name) = rest {
            if named.contains_key(name) {
                return true;
            }
            rest = name.split_once('.').map(|(_, above)| above);
        }
        false
    };
    let range = options.people_min..=options.people_max;
    let counts = move |mail: &Mail| options.people_min > 0 && range.contains(&mail.people);
    let alone = mail.iter().filter(move |(domain, mail)| {
        counts(mail) && !is_mail(domain, options) && !is_below(domain)
    });
    alone.map(|(domain, mail)| {
        let mut group = Group { domains: vec![domain.clone()], ..Group::default() };
        see(&mut group, mail.first, &["domain", domain]);
        group
    })
}

/// Whether addresses at a domain are anybody's.
fn is_mail(domain: &str, options: &Options) -> bool {
    free_mail::is_free(domain) || options.free_mail.contains(domain)
}

/// Takes in that a group was seen under some name; on one day, a system's id comes before a domain.
fn see(group: &mut Group, day: i32, name: &[&str]) {
    let name: Vec<String> = name.iter().map(|&part| part.to_owned()).collect();
    if group.anchor.is_empty() || (day, &name) < (group.first, &group.anchor) {
        (group.first, group.anchor) = (day, name);
    }
}

fn root(roots: &[usize], of: usize) -> usize {
    let mut at = of;
    while let Some(above) = roots.get(at).filter(|above| **above != at) {
        at = *above;
    }
    at
}

/// The lesser root stands for both; the path is cut short on the way.
fn unite(roots: &mut [usize], a: usize, b: usize) {
    let (left, right) = (root(roots, a), root(roots, b));
    let (stays, goes) = (left.min(right), left.max(right));
    for end in [a, b, goes] {
        if let Some(above) = roots.get_mut(end) {
            *above = stays;
        }
    }
}

/// The parent of each account, circles cut: of the accounts in one, the first stands on top.
pub fn without_circles(parents: &mut [Option<usize>]) {
    for start in 0..parents.len() {
        let mut at = start;
        let mut steps = 0;
        while let Some(above) = parents.get(at).copied().flatten() {
            at = above;
            steps += 1;
            if at == start || steps > parents.len() {
                break;
            }
        }
        if at == start
            && let Some(parent) = parents.get_mut(start)
        {
            *parent = None;
        }
    }
}

/// The account on top of each.
pub fn top(parents: &[Option<usize>], of: usize) -> usize {
    let mut at = of;
    while let Some(above) = parents.get(at).copied().flatten() {
        at = above;
    }
    at
}
