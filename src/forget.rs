//! Whom to forget: knows them again in rows, and takes them out. Never does IO, and holds nothing
//! that names anybody but keyed hashes.
//!
//! The same code looks at rows while they are staged, at rows that were staged long ago, and at
//! whatever lies in a warehouse. So what a forgotten person sends tomorrow comes out as what they
//! sent yesterday, and rewriting files gives what staging their objects again would give.

pub mod mention;
pub mod rows;
pub mod search;
pub mod shape;

use rustc_hash::FxHashMap;

use crate::resolve::normalise::Normaliser;
use crate::state::Registry;
use crate::table::id::Keyed;

/// What ids of forgotten people begin with.
pub const PREFIX: &str = "x_";

/// Values shorter than this, or numbers shorter than the other, may be anybody's.
const VALUE_CHARS: usize = 8;
const VALUE_DIGITS: usize = 10;

/// An identifier in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub kind: String,
    pub namespace: String,
    pub value: String,
}

/// Makes the hashes that a registry holds.
#[derive(Debug, Clone)]
pub struct Codes(Keyed);

impl Codes {
    pub fn new(salt: &[u8]) -> Self {
        Self(Keyed::new(salt))
    }

    /// The same as in the ledger of identifiers.
    pub fn identifier(&self, kind: &str, namespace: &str, value: &str) -> String {
        self.0.text(&["ledger", kind, namespace, value])
    }

    /// Of a value that stands somewhere; `None` when it may be anybody's.
    pub fn value(&self, value: &str) -> Option<String> {
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let least = if is_number { VALUE_DIGITS } else { VALUE_CHARS };
        (value.len() >= least).then(|| self.0.text(&["value", &value.to_lowercase()]))
    }

    pub fn customer(&self, customer_id: &str) -> String {
        self.0.text(&["customer", customer_id])
    }

    /// The customer id that an identifier gives or would give.
    pub fn customer_of(&self, named: &Named) -> String {
        let id = self.0.text(&[&named.kind, &named.namespace, &named.value]);
        self.customer(&format!("c_{id}"))
    }

    fn record(&self, [source, account, entity, key]: [&str; 4]) -> String {
        self.0.text(&["record", source, account, entity, key])
    }

    fn link(&self, kind: &str, [source, account, entity, key]: [&str; 4]) -> String {
        self.0.text(&["link", kind, source, account, entity, key])
    }

    /// What stands for a natural key that names somebody.
    fn pseudonym(&self, source: &str, account: &str, key: &str) -> String {
        format!("{PREFIX}{}", self.0.text(&["natural", source, account, key]))
    }

    /// The id of a registry entry: the same people give the same one.
    pub fn subject<'a>(&self, identifiers: impl Iterator<Item = &'a String>) -> String {
        let mut parts = vec!["forgotten"];
        parts.extend(identifiers.map(String::as_str));
        format!("{PREFIX}{}", self.0.text(&parts))
    }
}

/// Knows forgotten people again.
#[derive(Debug, Clone)]
pub struct Eraser {
    codes: Codes,
    normaliser: Normaliser,
    /// Id, and whether the events go too.
    subjects: Vec<(String, bool)>,
    identifiers: FxHashMap<String, u32>,
    records: FxHashMap<String, u32>,
    links: FxHashMap<String, u32>,
    customers: FxHashMap<String, u32>,
    values: FxHashMap<String, u32>,
}

impl Eraser {
    /// `None` when nobody is forgotten.
    pub fn new(registry: &Registry, salt: &[u8], normaliser: Normaliser) -> Option<Self> {
        if registry.is_empty() {
            return None;
        }
        let mut eraser = Self {
            codes: Codes::new(salt),
            normaliser,
            subjects: Vec::new(),
            identifiers: FxHashMap::default(),
            records: FxHashMap::default(),
            links: FxHashMap::default(),
            customers: FxHashMap::default(),
            values: FxHashMap::default(),
        };
        for (subject, number) in registry.subjects.iter().zip(0_u32..) {
            eraser.subjects.push((subject.id.clone(), subject.deletes));
            let all = |codes: &std::collections::BTreeSet<String>| {
                codes.iter().map(|code| (code.clone(), number)).collect::<Vec<_>>()
            };
            eraser.identifiers.extend(all(&subject.identifiers));
            eraser.records.extend(all(&subject.records));
            eraser.links.extend(all(&subject.links));
            eraser.customers.extend(all(&subject.customers));
            eraser.values.extend(all(&subject.values));
        }
        Some(eraser)
    }

    /// Id of a subject by its number.
    pub fn id(&self, subject: u32) -> &str {
        self.subjects.get(subject as usize).map_or("", |(id, _)| id)
    }

    /// Numbers of all subjects.
    pub fn subjects(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.subjects).map(|(number, _)| number)
    }

    pub fn deletes(&self, subject: u32) -> bool {
        self.subjects.get(subject as usize).is_some_and(|(_, deletes)| *deletes)
    }

    /// Whose customer id it is, now or at any time.
    pub fn customer(&self, customer_id: &str) -> Option<u32> {
        self.customers.get(&self.codes.customer(customer_id)).copied()
    }

    /// Whether a pin of the ledger is of somebody who is forgotten.
    pub fn is_pin(&self, hash: &str) -> bool {
        self.identifiers.contains_key(hash)
    }

    /// Whose identifier it is, as it is written somewhere.
    pub fn identifier(&self, kind: &str, namespace: &str, raw: &str) -> Option<u32> {
        let named = self.spell(kind, namespace, raw)?;
        let code = self.codes.identifier(&named.kind, &named.namespace, &named.value);
        self.identifiers.get(&code).copied()
    }

    /// The one spelling of an identifier that can name a person.
    fn spell(&self, kind: &str, namespace: &str, raw: &str) -> Option<Named> {
        let source = namespace.split(':').next().unwrap_or_default();
        let normal = self.normaliser.normalise(kind, source, raw)?;
        let (kind, namespace) = (kind.to_owned(), namespace.to_owned());
        normal.blocked.is_none().then_some(Named { kind, namespace, value: normal.value })
    }
}
