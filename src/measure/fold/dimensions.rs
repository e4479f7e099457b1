//! The ways customers are told apart, one at a time.

use std::collections::BTreeMap;

/// What is known of a customer once their life is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    /// Channel of the earliest contact record that names one.
    pub acquisition_channel: Option<&'a str>,
    pub country: Option<&'a str>,
    /// `contractual`, `non_contractual` or `prospect`.
    pub relationship: &'static str,
    /// System of the first order or subscription, else of the first event.
    pub source: Option<&'a str>,
}

/// Dimensions beside `all`.
const NAMES: [&str; 4] = ["acquisition_channel", "country", "relationship", "source"];
/// How a value nobody knows is written.
const NONE: &str = "(none)";

impl Who<'_> {
    pub fn known(&self) -> Known {
        Known(self.values().map(Box::from))
    }

    fn values(&self) -> [&str; NAMES.len()] {
        [
            self.acquisition_channel.unwrap_or(NONE),
            self.country.unwrap_or(NONE),
            self.relationship,
            self.source.unwrap_or(NONE),
        ]
    }
}

/// [`Who`], kept: the values of all dimensions in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known([Box<str>; NAMES.len()]);

impl Known {
    pub fn value(&self, dimension: usize) -> Option<&str> {
        self.0.get(dimension).map(AsRef::as_ref)
    }
}

/// Something counted for everybody and for each value of each dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split<T> {
    all: T,
    by: [BTreeMap<String, T>; NAMES.len()],
}

impl<T: Default> Split<T> {
    /// Everything a customer counts in.
    pub fn each(&mut self, who: &Who<'_>, mut add: impl FnMut(&mut T)) {
        add(&mut self.all);
        for (value, counted) in who.values().into_iter().zip(&mut self.by) {
            match counted.get_mut(value) {
                Some(known) => add(known),
                None => add(counted.entry(value.to_owned()).or_default()),
            }
        }
    }

    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self, mut add: impl FnMut(&mut T, T)) {
        add(&mut self.all, other.all);
        for (mine, theirs) in self.by.iter_mut().zip(other.by) {
            for (value, counted) in theirs {
                add(mine.entry(value).or_default(), counted);
            }
        }
    }

    /// Dimension, value, and what was counted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &T)> {
        let by = NAMES.into_iter().zip(&self.by).flat_map(|(name, counted)| {
            counted.iter().map(move |(value, counted)| (name, value.as_str(), counted))
        });
        std::iter::once(("all", "all", &self.all)).chain(by)
    }
}
