//! What scales, weights, targets and working hours of a job must be.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{DIMENSIONS, Found};
use crate::job::Job;
use crate::job::measure::{Family, hours};
use crate::job::schema::suggestion;

/// Dimensions that conversations carry.
pub const SERVICE_DIMENSIONS: [&str; 10] = [
    "all",
    "assignee",
    "channel",
    "kind",
    "language",
    "priority",
    "product",
    "source",
    "team",
    "touchpoint",
];

/// Days around a change; more are another time.
const DAYS_MAX: u32 = 3_660;

/// Says all that is wrong.
pub(super) fn check(found: &mut Found<'_>, job: &Job) {
    scales(found, job);
    weights(found, job);
    service(found, job);
    calendars(found, job);
    changes(found, job);
}

fn day(found: &mut Found<'_>, at: &str, text: Option<&String>) -> Option<NaiveDate> {
    let text = text?;
    let day = text.parse::<NaiveDate>().ok();
    if day.is_none() {
        found.say(at, format!("`{text}` is not a date"), Some("write YYYY-MM-DD"));
    }
    day
}

fn days(found: &mut Found<'_>, at: &str, since: Option<&String>, until: Option<&String>) {
    let since = day(found, &format!("{at}.since"), since);
    let until = day(found, &format!("{at}.until"), until);
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        found.say(&format!("{at}.until"), "is before `since`", None);
    }
}

fn scales(found: &mut Found<'_>, job: &Job) {
    for (i, scale) in job.scales.iter().enumerate() {
        let at = format!("scale[{i}]");
        if scale.min >= scale.max {
            let message = format!("{} is not above `min`, {}", scale.max, scale.min);
            found.say(&format!("{at}.max"), message, None);
        }
        for answer in &scale.favourable {
            if !(scale.min..=scale.max).contains(answer) {
                let message = format!("{answer} is not on the scale");
                found.say(&format!("{at}.favourable"), message, None);
            }
        }
        let known: BTreeSet<&str> = job.sources.iter().map(|s| s.source.as_str()).collect();
        if let Some(source) = &scale.source
            && !known.contains(source.as_str())
        {
            let hint = suggestion(source, known.iter().copied());
            let message = format!("`{source}` is not a source of this job");
            found.say(&format!("{at}.source"), message, Some(&hint));
        }
        days(found, &at, scale.since.as_ref(), scale.until.as_ref());
    }
}

fn weights(found: &mut Found<'_>, job: &Job) {
    let Some(weights) = &job.metrics.weights else { return };
    let name = weights.dimension.as_str();
    if name == "all" || !DIMENSIONS.contains(&name) {
        let hint = suggestion(name, DIMENSIONS.into_iter().filter(|known| *known != "all"));
        let message = format!("`{name}` is not a dimension with groups");
        found.say("metrics.weights.dimension", message, Some(&hint));
    }
    if weights.shares.is_empty() {
        found.say("metrics.weights.shares", "is empty", Some("`shares = { DK = 0.6, DE = 0.4 }`"));
    }
    for (value, share) in &weights.shares {
        if !(share.is_finite() && *share > 0.0) {
            let message = format!("{share} is not a share above 0");
            found.say(&format!("metrics.weights.shares.{value}"), message, None);
        }
    }
}

fn service(found: &mut Found<'_>, job: &Job) {
    let service = &job.service;
    found.positive("service.reopen_days", service.reopen_days);
    found.dimensions("service.dimensions", &service.dimensions, &SERVICE_DIMENSIONS);
    for (i, target) in service.targets.iter().enumerate() {
        let at = format!("service.target[{i}]");
        found.positive(&format!("{at}.minutes"), target.minutes);
        days(found, &at, target.since.as_ref(), target.until.as_ref());
        if target.business_time && job.calendars.is_empty() {
            let hint = "add a `[[calendar]]` with its hours";
            found.say(&format!("{at}.business_time"), "there is no calendar", Some(hint));
        }
    }
}

fn calendars(found: &mut Found<'_>, job: &Job) {
    let mut versions = BTreeSet::new();
    for (i, calendar) in job.calendars.iter().enumerate() {
        let at = format!("calendar[{i}]");
        if calendar.name.trim().is_empty() {
            found.say(&format!("{at}.name"), "is empty", None);
        }
        if !versions.insert((&calendar.name, &calendar.since)) {
            let hint = "versions of a calendar differ in `since`";
            let message = format!("`{}` stands twice", calendar.name);
            found.say(&format!("{at}.name"), message, Some(hint));
        }
        if let Some(zone) = &calendar.time_zone
            && zone.parse::<chrono_tz::Tz>().is_err()
        {
            let message = format!("`{zone}` is not a time zone");
            let hint = "use an IANA name such as `Europe/Copenhagen`";
            found.say(&format!("{at}.time_zone"), message, Some(hint));
        }
        day(found, &format!("{at}.since"), calendar.since.as_ref());
        for (k, holiday) in calendar.holidays.iter().enumerate() {
            day(found, &format!("{at}.holidays[{k}]"), Some(holiday));
        }
        let all = calendar.hours.values().flatten();
        for text in all.filter(|text| hours(text).is_none()) {
            let message = format!("`{text}` are no hours");
            found.say(&format!("{at}.hours"), message, Some("write `09:00-17:30`"));
        }
        if calendar.hours.values().all(Vec::is_empty) {
            let hint = "`hours = { monday = [\"09:00-17:00\"] }`";
            found.say(&format!("{at}.hours"), "is never open", Some(hint));
        }
    }
}

/// Dimensions of a change's scope; more would leave nobody.
const SCOPE_MAX: usize = 3;

fn changes(found: &mut Found<'_>, job: &Job) {
    let names: Vec<String> = job.changes.iter().map(|change| change.name.clone()).collect();
    found.twins("change", &names);
    for (i, change) in job.changes.iter().enumerate() {
        let at = format!("change[{i}]");
        if change.name.trim().is_empty() {
            found.say(&format!("{at}.name"), "is empty", None);
        }
        let from = day(found, &format!("{at}.from"), Some(&change.from));
        let until = day(found, &format!("{at}.until"), change.until.as_ref());
        if from.zip(until).is_some_and(|(from, until)| until < from) {
            found.say(&format!("{at}.until"), "is before `from`", None);
        }
        found.positive(&format!("{at}.days"), change.days);
        if change.days > DAYS_MAX {
            let message = format!("{} is more than {DAYS_MAX}", change.days);
            found.say(&format!("{at}.days"), message, None);
        }
        if change.scope.len() > SCOPE_MAX {
            let message = format!("has more than {SCOPE_MAX} dimensions");
            found.say(&format!("{at}.scope"), message, None);
        }
        let families = [Family::Scores, Family::Service, Family::Churn];
        let known: BTreeSet<&str> = families.iter().flat_map(|f| f.dimensions()).copied().collect();
        for name in change.scope.keys().filter(|name| !known.contains(name.as_str())) {
            let hint = suggestion(name, known.iter().copied());
            let message = format!("`{name}` is not a dimension");
            found.say(&format!("{at}.scope.{name}"), message, Some(&hint));
        }
        if change.scope.keys().any(|name| !known.contains(name.as_str())) {
            continue;
        }
        for (k, metric) in change.metrics.iter().enumerate() {
            if !change.concerns(metric.family()) {
                let message = format!("`{}` is not told by the change's scope", metric.name());
                let hint = format!("it is told by {}", metric.family().dimensions().join(", "));
                found.say(&format!("{at}.metrics[{k}]"), message, Some(&hint));
            }
        }
        if change.metrics.is_empty() && !families.iter().any(|family| change.concerns(*family)) {
            let hint = "take dimensions that one kind of metric has together";
            found.say(&format!("{at}.scope"), "is one that no metric is told by", Some(hint));
        }
    }
}
