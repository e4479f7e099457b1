//! The one value of each field.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::{Criterion, FIELDS, Field, Policy, Record};

/// Values that lost are kept up to this many, and up to this length each.
const LOSERS_MAX: usize = 10;
const LOSER_CHARACTERS_MAX: usize = 200;

/// Why a value won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No record says otherwise.
    OnlyValue,
    /// A record of the person beats what other rows carried.
    ContactRecord,
    SourcePriority,
    Newest,
    MostFrequent,
    Longest,
    Verified,
    /// Consent: of two statements of one time, the one that forbids.
    DenialWins,
    /// An order of sources, accounts and ids that never changes.
    TieBreak,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::OnlyValue => "only_value",
            Self::ContactRecord => "contact_record",
            Self::SourcePriority => "source_priority",
            Self::Newest => "newest",
            Self::MostFrequent => "most_frequent",
            Self::Longest => "longest",
            Self::Verified => "verified",
            Self::DenialWins => "denial_wins",
            Self::TieBreak => "tie_break",
        }
    }
}

/// The winner of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick<'a> {
    pub field: Field,
    pub value: &'a str,
    pub record: &'a Record,
    pub rule: Rule,
}

/// A person's chosen values, by place of the field.
#[derive(Debug, Clone, Default)]
pub struct Golden<'a>(pub [Option<Pick<'a>>; FIELDS]);

impl<'a> Golden<'a> {
    /// Chooses among records in any order.
    pub fn new(policy: &Policy, records: &[&'a Record]) -> Self {
        let mut golden = Self(Field::ALL.map(|field| pick(policy, field, records)));
        // Whether an address is verified is said of that address, not of the person.
        if let Some(email) = golden.value(Field::Email) {
            let same = |record: &&&Record| record.value(Field::Email) == Some(email);
            let same: Vec<&Record> = records.iter().filter(same).copied().collect();
            golden.0[Field::EmailVerified as usize] = verified(policy, &same);
        }
        golden
    }

    pub fn value(&self, field: Field) -> Option<&'a str> {
        self.0.get(field as usize).and_then(|pick| pick.map(|pick| pick.value))
    }

    /// Full name, else first and last name.
    pub fn display_name(&self) -> Option<String> {
        if let Some(name) = self.value(Field::FullName) {
            return Some(name.to_owned());
        }
        let parts = [self.value(Field::FirstName), self.value(Field::LastName)];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// What the records of one address say about it: one that saw an answer is enough.
fn verified<'a>(policy: &Policy, records: &[&'a Record]) -> Option<Pick<'a>> {
    let yes: Vec<&Record> = records.iter().copied().filter(|record| record.is_verified()).collect();
    let found = pick(policy, Field::EmailVerified, if yes.is_empty() { records } else { &yes })?;
    let is_contested = !yes.is_empty()
        && records.iter().any(|record| record.value(Field::EmailVerified) == Some("false"));
    Some(if is_contested { Pick { rule: Rule::Verified, ..found } } else { found })
}

impl Record {
    fn is_verified(&self) -> bool {
        self.value(Field::EmailVerified) == Some("true")
    }
}

/// How to choose a value of a field.
struct Choice<'a> {
    policy: &'a Policy,
    field: Field,
    /// Records by value, where that decides.
    counts: BTreeMap<&'a str, usize>,
}

impl<'a> Choice<'a> {
    fn new(policy: &'a Policy, field: Field, records: &[&'a Record]) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        if policy.criteria(field).contains(&Criterion::MostFrequent) {
            for value in records.iter().filter_map(|record| record.value(field)) {
                *counts.entry(value).or_default() += 1;
            }
        }
        Self { policy, field, counts }
    }

    /// Which record's value comes first, and what decided it. A total order up to equal rows.
    fn compare(&self, a: &Record, b: &Record) -> (Ordering, Rule) {
        let origin = a.origin.cmp(&b.origin);
        if origin != Ordering::Equal {
            return (origin, Rule::ContactRecord);
        }
        if self.field == Field::EmailConsent {
            return compare_consent(a, b).unwrap_or_else(|| self.tie(a, b));
        }
        for criterion in self.policy.criteria(self.field) {
            let (order, rule) = self.by(*criterion, a, b);
            if order != Ordering::Equal {
                return (order, rule);
            }
        }
        self.tie(a, b)
    }

    fn by(&self, criterion: Criterion, a: &Record, b: &Record) -> (Ordering, Rule) {
        match criterion {
            Criterion::SourcePriority => {
                let trust = |r: &Record| self.policy.rank(self.field, &r.source);
                let order = trust(a).cmp(&trust(b)).then_with(|| a.source.cmp(&b.source));
                (order, Rule::SourcePriority)
            }
            Criterion::Newest => {
                let order = Reverse(a.updated_at).cmp(&Reverse(b.updated_at));
                (order.then_with(|| Reverse(a.dt).cmp(&Reverse(b.dt))), Rule::Newest)
            }
            Criterion::MostFrequent => {
                let often = |r: &Record| Reverse(self.counts.get(self.text(r)).copied());
                (often(a).cmp(&often(b)), Rule::MostFrequent)
            }
            Criterion::Longest => {
                let long = |r: &Record| Reverse(self.text(r).chars().count());
                (long(a).cmp(&long(b)), Rule::Longest)
            }
            Criterion::Verified => (b.is_verified().cmp(&a.is_verified()), Rule::Verified),
        }
    }

    fn text<'r>(&self, record: &'r Record) -> &'r str {
        record.value(self.field).unwrap_or_default()
    }

    fn tie(&self, a: &Record, b: &Record) -> (Ordering, Rule) {
        let order = a.source.cmp(&b.source);
        let order = order.then_with(|| a.source_account.cmp(&b.source_account));
        let order = order.then_with(|| a.entity.cmp(&b.entity));
        let order = order.then_with(|| a.source_id.cmp(&b.source_id));
        let order = order.then_with(|| a.value(self.field).cmp(&b.value(self.field)));
        (order, Rule::TieBreak)
    }
}

fn pick<'a>(policy: &Policy, field: Field, records: &[&'a Record]) -> Option<Pick<'a>> {
    let choice = Choice::new(policy, field, records);
    let with_value = || records.iter().copied().filter(|record| record.value(field).is_some());
    let record = with_value().min_by(|a, b| choice.compare(a, b).0)?;
    let value = record.value(field)?;
    let others = with_value().filter(|other| other.value(field) != Some(value));
    let rule = others
        .min_by(|a, b| choice.compare(a, b).0)
        .map_or(Rule::OnlyValue, |second| choice.compare(record, second).1);
    Some(Pick { field, value, record, rule })
}

/// Values that lost, best first, as a JSON list of `[source, value]`; `None` when there are none.
pub fn losers(policy: &Policy, pick: &Pick<'_>, records: &[&Record]) -> Option<String> {
    let choice = Choice::new(policy, pick.field, records);
    let of = |record: &&Record| {
        // Of other addresses it says nothing.
        let is_about = pick.field != Field::EmailVerified
            || record.value(Field::Email) == pick.record.value(Field::Email);
        is_about && record.value(pick.field).is_some_and(|value| value != pick.value)
    };
    let mut others: Vec<&Record> = records.iter().copied().filter(of).collect();
    others.sort_by(|a, b| choice.compare(a, b).0);
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for other in others {
        let value = other.value(pick.field).unwrap_or_default();
        let value: String = value.chars().take(LOSER_CHARACTERS_MAX).collect();
        let pair = (other.source.as_str(), value);
        if pairs.len() < LOSERS_MAX && !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    (!pairs.is_empty()).then(|| serde_json::to_string(&pairs).unwrap_or_default())
}

/// The latest statement counts, whoever made it; one without a time of its own loses to one with.
/// `None` when nothing decides.
fn compare_consent(a: &Record, b: &Record) -> Option<(Ordering, Rule)> {
    let allows = |r: &Record| !matches!(r.value(Field::EmailConsent), Some("denied" | "withdrawn"));
    let steps = [
        (Reverse(a.consent_at).cmp(&Reverse(b.consent_at)), Rule::Newest),
        (allows(a).cmp(&allows(b)), Rule::DenialWins),
        (Reverse(a.dt).cmp(&Reverse(b.dt)), Rule::Newest),
    ];
    steps.into_iter().find(|(order, _)| *order != Ordering::Equal)
}
