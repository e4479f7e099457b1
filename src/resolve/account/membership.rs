//! Who belonged to which company, and from when to when, out of what each version of a record said.
//!
//! A record of a person names one main company at a time: another one takes its place. Further
//! companies are rows of their own, and hold until they are taken back. All changes of one day count
//! together: what held at its end is what the day shows.

use std::collections::BTreeMap;

/// One version's word on where a person belongs. Numbers are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Words of one series take each other's place.
    pub series: u32,
    /// The row that says it.
    pub record: u32,
    pub customer: u32,
    pub company: Option<u32>,
    /// Day of the change, in days since 1970.
    pub day: i32,
    /// Days that the source itself gives.
    pub since: Option<i32>,
    pub until: Option<i32>,
    pub role: Option<u32>,
    pub is_primary: bool,
    /// The row is gone; it need not say what it was about.
    pub is_gone: bool,
}

/// Days on which somebody belonged to a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    pub company: u32,
    pub customer: u32,
    pub from: i32,
    /// First day no longer.
    pub to: Option<i32>,
    pub role: Option<u32>,
    pub is_primary: bool,
    /// Where it is known from: a bit each.
    pub origins: u8,
}

/// The days of each series; `words` of one record stand in the order of its versions.
pub fn stretches(mut words: Vec<Word>, origins: u8) -> Vec<Stretch> {
    let mut series_of: BTreeMap<u32, u32> = BTreeMap::new();
    for word in &mut words {
        match series_of.get(&word.record) {
            Some(known) if word.is_gone => word.series = *known,
            _ => drop(series_of.insert(word.record, word.series)),
        }
    }
    // Stable: of one day, versions stay in their order.
    words.sort_by_key(|word| (word.series, word.day));
    let mut found = Vec::new();
    for series in words.chunk_by(|a, b| a.series == b.series) {
        walk(series, origins, &mut found);
    }
    found
}

fn walk(series: &[Word], origins: u8, found: &mut Vec<Stretch>) {
    let mut open: Option<Stretch> = None;
    let mut said: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    for word in series {
        let names = word.company.filter(|_| !word.is_gone);
        let before = said.insert(word.record, names).flatten();
        match (names, &mut open) {
            (Some(company), Some(now))
                if now.company == company && now.customer == word.customer =>
            {
                now.role = word.role.or(now.role);
                now.is_primary |= word.is_primary;
            }
            (Some(company), _) => {
                // The source's own day, unless that lies before what it takes the place of.
                let since = word.since.filter(|day| open.is_none_or(|now| *day > now.from));
                let from = since.unwrap_or(word.day);
                close(&mut open, from, found);
                open = Some(Stretch {
                    company,
                    customer: word.customer,
                    from,
                    to: None,
                    role: word.role,
                    is_primary: word.is_primary,
                    origins,
                });
            }
            (None, Some(now)) if before == Some(now.company) => close(&mut open, word.day, found),
            (None, _) => {}
        }
        if let Some(until) = word.until {
            close(&mut open, until, found);
        }
    }
    found.extend(open);
}

fn close(open: &mut Option<Stretch>, day: i32, found: &mut Vec<Stretch>) {
    if let Some(mut stretch) = open.take()
        && stretch.from < day
    {
        stretch.to = Some(day);
        found.push(stretch);
    }
}

/// Stretches of one company and person that touch or overlap, made one; in order.
pub fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for next in stretches {
        let last = joined.last_mut().filter(|last| {
            let touches = last.to.is_none_or(|to| next.from <= to);
            (last.company, last.customer) == (next.company, next.customer) && touches
        });
        let Some(last) = last else {
            joined.push(next);
            continue;
        };
        last.to = last.to.zip(next.to).map(|(a, b)| a.max(b));
        last.role = next.role.or(last.role);
        last.is_primary |= next.is_primary;
        last.origins |= next.origins;
    }
    joined
}
