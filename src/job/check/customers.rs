//! What options of segments and churn risk must be.

use super::Found;
use crate::job::Job;

/// More personas than this are more than anybody keeps apart.
const PERSONAS_MAX: u32 = 12;

/// Says all that is wrong.
pub(super) fn check(found: &mut Found<'_>, job: &Job) {
    let segments = &job.segments;
    if segments.personas_min < 2 {
        let message = format!("{} is less than 2", segments.personas_min);
        found.say("segments.personas_min", message, Some("one group tells nobody apart"));
    }
    if segments.personas_max < segments.personas_min {
        let message = format!(
            "{} is less than `personas_min`, {}",
            segments.personas_max, segments.personas_min
        );
        found.say("segments.personas_max", message, None);
    }
    if segments.personas_max > PERSONAS_MAX {
        let message = format!("{} is more than {PERSONAS_MAX}", segments.personas_max);
        found.say("segments.personas_max", message, None);
    }
    found.positive("risk.train_customers", job.risk.train_customers);
    if job.risk.churners_min < 20 {
        let message = format!("{} is less than 20", job.risk.churners_min);
        let hint = "a model of fewer churners says nothing";
        found.say("risk.churners_min", message, Some(hint));
    }
}
