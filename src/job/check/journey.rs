//! What sessions and funnels of a job must be.

use super::{Found, is_name};
use crate::job::journey::{FUNNELS_MAX, Funnel, STEPS_MAX};
use crate::job::schema::suggestion;
use crate::job::{Job, journey::Step};

/// Kinds of the timeline.
const KINDS: [&str; 13] = [
    "contact_created",
    "conversation_opened",
    "conversation_resolved",
    "event",
    "order",
    "refund",
    "subscription_changed",
    "subscription_ended",
    "subscription_paused",
    "subscription_resumed",
    "subscription_started",
    "survey_answered",
    "survey_asked",
];
/// Longer than this is a conversion by chance.
const DAYS_MAX: u32 = 3_660;
/// A day of silence is no session.
const MINUTES_MAX: u32 = 24 * 60;

/// Says all that is wrong.
pub(super) fn check(found: &mut Found<'_>, job: &Job) {
    let minutes = job.sessions.inactive_minutes;
    if !(1..=MINUTES_MAX).contains(&minutes) {
        let message = format!("{minutes} is not within 1 to {MINUTES_MAX}");
        found.say("sessions.inactive_minutes", message, None);
    }
    if job.funnels.len() > FUNNELS_MAX {
        let message = format!("are {}, and {FUNNELS_MAX} at most", job.funnels.len());
        found.say("funnel", message, None);
    }
    let names: Vec<String> = job.funnels.iter().map(|funnel| funnel.name.clone()).collect();
    found.twins("funnel", &names);
    for (i, funnel) in job.funnels.iter().enumerate() {
        self::funnel(found, job, &format!("funnel[{i}]"), funnel);
    }
}

fn funnel(found: &mut Found<'_>, job: &Job, at: &str, funnel: &Funnel) {
    name(found, &format!("{at}.name"), &funnel.name);
    if !(1..=DAYS_MAX).contains(&funnel.days) {
        let message = format!("{} is not within 1 to {DAYS_MAX}", funnel.days);
        found.say(&format!("{at}.days"), message, None);
    }
    let steps = funnel.steps.len();
    if !(2..=STEPS_MAX).contains(&steps) {
        let message = format!("has {steps} steps, and 2 to {STEPS_MAX} make a funnel");
        found.say(&format!("{at}.step"), message, None);
    }
    let names: Vec<String> = funnel.steps.iter().map(|step| step.name.clone()).collect();
    found.twins(&format!("{at}.step"), &names);
    for (k, step) in funnel.steps.iter().enumerate() {
        self::step(found, job, &format!("{at}.step[{k}]"), step);
    }
}

fn step(found: &mut Found<'_>, job: &Job, at: &str, step: &Step) {
    name(found, &format!("{at}.name"), &step.name);
    let hint = "`stages`, or some of `kinds`, `events`, `touchpoints` and `channels`";
    match (step.stages.is_empty(), step.is_of_events()) {
        (true, false) => found.say(at, "says not what takes it", Some(hint)),
        (false, true) => found.say(at, "is of stages and of events", Some(hint)),
        _ => {}
    }
    let order = job.stages.order.iter().map(String::as_str);
    let stages: Vec<&str> = order.collect();
    for (key, list, known, what) in [
        ("stages", &step.stages, stages.as_slice(), "one of the job's `stages.order`"),
        ("kinds", &step.kinds, &KINDS, "a kind of the timeline"),
    ] {
        for text in list.iter().filter(|text| !known.contains(&text.as_str())) {
            let hint = suggestion(text, known.iter().copied());
            let message = format!("`{text}` is not {what}");
            found.say(&format!("{at}.{key}"), message, Some(&hint));
        }
    }
    // Kinds that are no behaviour have names of another sort: a status, a plan, a metric.
    if !step.events.is_empty() && step.kinds.iter().any(|kind| kind != "event") {
        let message = "are names of the kind `event` only";
        found.say(&format!("{at}.events"), message, Some("leave `kinds` out"));
    }
}

fn name(found: &mut Found<'_>, at: &str, text: &str) {
    if !is_name(text) {
        let hint = "use letters, digits, `-` and `_`";
        found.say(at, format!("`{text}` is not a name"), Some(hint));
    }
}
