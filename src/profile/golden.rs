//! The one value of each field.

use std::cmp::{Ordering, Reverse};

use super::{FIELDS, Field, Policy, Record};

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
        Self(Field::ALL.map(|field| pick(policy, field, records)))
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

fn pick<'a>(policy: &Policy, field: Field, records: &[&'a Record]) -> Option<Pick<'a>> {
    let with_value = || records.iter().copied().filter(|record| record.value(field).is_some());
    let record = with_value().min_by(|a, b| compare(policy, field, a, b).0)?;
    let value = record.value(field)?;
    let others = with_value().filter(|other| other.value(field) != Some(value));
    let rule = others
        .min_by(|a, b| compare(policy, field, a, b).0)
        .map_or(Rule::OnlyValue, |second| compare(policy, field, record, second).1);
    Some(Pick { field, value, record, rule })
}

/// Values that lost, best first, as a JSON list of `[source, value]`; `None` when there are none.
pub fn losers(policy: &Policy, pick: &Pick<'_>, records: &[&Record]) -> Option<String> {
    let field = pick.field;
    let mut others: Vec<&Record> = records
        .iter()
        .copied()
        .filter(|record| record.value(field).is_some_and(|value| value != pick.value))
        .collect();
    others.sort_by(|a, b| compare(policy, field, a, b).0);
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for other in others {
        let value = other.value(field).unwrap_or_default();
        let value: String = value.chars().take(LOSER_CHARACTERS_MAX).collect();
        let pair = (other.source.as_str(), value);
        if pairs.len() < LOSERS_MAX && !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    (!pairs.is_empty()).then(|| serde_json::to_string(&pairs).unwrap_or_default())
}

/// Which record's value comes first, and what decided it. A total order up to equal rows.
fn compare(policy: &Policy, field: Field, a: &Record, b: &Record) -> (Ordering, Rule) {
    if field == Field::EmailConsent {
        return compare_consent(a, b);
    }
    let trust = |r: &Record| policy.rank(field, &r.source);
    let steps = [
        (a.origin.cmp(&b.origin), Rule::ContactRecord),
        (trust(a).cmp(&trust(b)).then_with(|| a.source.cmp(&b.source)), Rule::SourcePriority),
        (Reverse(a.updated_at).cmp(&Reverse(b.updated_at)), Rule::Newest),
        (Reverse(a.dt).cmp(&Reverse(b.dt)), Rule::Newest),
    ];
    decide(steps, field, a, b)
}

/// The latest statement counts, whoever made it; one without a time of its own loses to one with.
fn compare_consent(a: &Record, b: &Record) -> (Ordering, Rule) {
    let allows = |r: &Record| !matches!(r.value(Field::EmailConsent), Some("denied" | "withdrawn"));
    let steps = [
        (a.origin.cmp(&b.origin), Rule::ContactRecord),
        (Reverse(a.consent_at).cmp(&Reverse(b.consent_at)), Rule::Newest),
        (allows(a).cmp(&allows(b)), Rule::DenialWins),
        (Reverse(a.dt).cmp(&Reverse(b.dt)), Rule::Newest),
    ];
    decide(steps, Field::EmailConsent, a, b)
}

fn decide(steps: [(Ordering, Rule); 4], field: Field, a: &Record, b: &Record) -> (Ordering, Rule) {
    for (order, rule) in steps {
        if order != Ordering::Equal {
            return (order, rule);
        }
    }
    let order = a.source.cmp(&b.source);
    let order = order.then_with(|| a.source_account.cmp(&b.source_account));
    let order = order.then_with(|| a.entity.cmp(&b.entity));
    let order = order.then_with(|| a.source_id.cmp(&b.source_id));
    let order = order.then_with(|| a.value(field).cmp(&b.value(field)));
    (order, Rule::TieBreak)
}
