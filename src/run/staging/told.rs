//! What is told of the objects of a batch: records that could not be used, and warnings.

use std::collections::BTreeMap;

use crate::extract::{ExtractError, Reject, Seen, Warning};
use crate::forget::rows::Found;
use crate::stage::Origin;
use crate::stage::window::Windows;

/// Told by the decoder, object by object.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) rejects: Vec<PlacedReject>,
    /// By object, rule and column: records, and a sample.
    pub(super) warnings: Warnings,
    /// Headers and members of the objects.
    pub(super) seen: SeenColumns,
    /// Days that objects tell, by object; only of specs that say what a day is.
    pub(super) windows: BTreeMap<usize, Windows>,
    /// Objects of an optional source that lack a column.
    pub(super) left_out: u64,
}

/// By object, rule and column: records, and a sample.
pub type Warnings = BTreeMap<(usize, String, String), (u64, String)>;

/// By object and name.
pub type SeenColumns = BTreeMap<(usize, String), Seen>;

impl Told {
    pub(super) fn see(&mut self, object: usize, seen: &BTreeMap<String, Seen>) {
        for (name, seen) in seen {
            self.seen.entry((object, name.clone())).or_default().merge(*seen);
        }
    }

    /// Empties what rejects and warnings show of objects that hold forgotten people: nobody knows
    /// whose a record is that could not be read.
    pub(super) fn hush(&mut self, refused: &mut [PlacedReject], origins: &[Origin], found: &Found) {
        if found.is_empty() {
            return;
        }
        let of = |origin: &Origin| !found.of_object(&origin.url, origin.version).is_empty();
        let is_theirs: Vec<bool> = origins.iter().map(of).collect();
        let is_theirs = |object: usize| is_theirs.get(object).copied().unwrap_or_default();
        let rejects = self.rejects.iter_mut().chain(refused);
        for reject in rejects.filter(|reject| is_theirs(reject.object)) {
            reject.text.clear();
        }
        let warnings = self.warnings.iter_mut();
        for (_, (_, sample)) in warnings.filter(|((object, ..), _)| is_theirs(*object)) {
            sample.clear();
        }
    }

    pub(super) fn reject(&mut self, object: usize, rejects: Vec<Reject>) {
        self.rejects.extend(rejects.into_iter().map(|reject| PlacedReject::new(object, reject)));
    }

    pub(super) fn warn(&mut self, object: usize, warnings: Vec<Warning>) {
        for Warning { rule, column, records, text } in warnings {
            let about = (object, rule.to_owned(), column);
            self.warnings.entry(about).or_insert((0, text)).0 += records;
        }
    }

    /// An object that cannot be read as its spec wants, and whose source may be missing: it is one
    /// reject, and the run goes on.
    pub(super) fn leave_out(&mut self, object: usize, record_number: u64, error: &ExtractError) {
        let column = match error {
            ExtractError::MissingColumn { column, .. } => column.clone(),
            _ => String::new(),
        };
        self.left_out += 1;
        self.rejects.push(PlacedReject {
            object,
            record_number,
            rule: "left_out".to_owned(),
            column: column.clone(),
            text: String::new(),
            value_only: false,
        });
        let about = (object, "left_out".to_owned(), column);
        self.warnings.insert(about, (0, String::new()));
    }
}

/// The rules that records broke, most frequent first, and where the first of them stands; what
/// stood there is told by no error.
pub(super) fn broken(rejects: &[&PlacedReject], origins: &[Origin]) -> String {
    let mut rules: BTreeMap<(&str, &str), (u64, (usize, u64))> = BTreeMap::new();
    for reject in rejects.iter().filter(|reject| !reject.value_only) {
        let place = (reject.object, reject.record_number);
        let known = rules.entry((&reject.rule, &reject.column)).or_insert((0, place));
        *known = (known.0 + 1, known.1.min(place));
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|(rule, (count, _))| (std::cmp::Reverse(*count), *rule));
    let told = rules.iter().take(RULES_TOLD).map(|((rule, column), (count, (object, record)))| {
        let column = if column.is_empty() { String::new() } else { format!(" in `{column}`") };
        let url = origins.get(*object).map_or("", |origin| origin.url.as_str());
        let often = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        format!("{rule}{column} {often}, first in record {record} of {url}")
    });
    told.collect::<Vec<_>>().join("; ")
}

/// How many rules an error names.
const RULES_TOLD: usize = 3;

/// A reject with its object's place in the batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedReject {
    pub object: usize,
    pub record_number: u64,
    pub rule: String,
    pub column: String,
    pub text: String,
    pub value_only: bool,
}

impl PlacedReject {
    fn new(object: usize, reject: Reject) -> Self {
        Self {
            object,
            record_number: reject.record_number,
            rule: reject.rule.to_owned(),
            column: reject.column.unwrap_or_default(),
            text: reject.text,
            value_only: reject.value_only,
        }
    }

    /// What a reject is about: a record that gives several rows breaks a rule once.
    pub(super) fn subject(&self) -> (usize, u64, &str, &str) {
        (self.object, self.record_number, &self.rule, &self.column)
    }
}
