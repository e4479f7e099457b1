//! Answers that a respondent gave again: the last one counts.
//!
//! People press a button twice, reload a page, or change their mind the same day. Whether that is
//! one opinion or two is the job's to say (`metrics.resubmission_days`).

use std::collections::BTreeMap;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// An answer that may have been replaced: what it is about, when it was given, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Respondent, survey, question and touchpoint.
    pub about: Vec<String>,
    /// Microseconds since 1970, UTC.
    pub at: i64,
    pub id: String,
}

/// Answers that were replaced, with the one that came next, in order of what they are about.
///
/// An answer is replaced by the next of its kind when that follows within `days` times 24 hours; of
/// a chain of such answers only the last counts. Answers of the same instant are in order of id.
pub fn superseded(answers: Vec<Given>, days: u32) -> Vec<(String, String)> {
    let mut kinds: BTreeMap<Vec<String>, Vec<(i64, String)>> = BTreeMap::new();
    for answer in answers {
        kinds.entry(answer.about).or_default().push((answer.at, answer.id));
    }
    let window = i64::from(days) * DAY_US;
    let mut found = Vec::new();
    if window == 0 {
        return found;
    }
    for mut given in kinds.into_values() {
        given.sort_unstable();
        for pair in given.windows(2) {
            if let [(at, id), (next_at, next)] = pair
                && next_at - at <= window
            {
                found.push((id.clone(), next.clone()));
            }
        }
    }
    found
}
