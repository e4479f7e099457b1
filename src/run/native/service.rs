//! Service levels: requests and their changes, both in order of request, walked side by side.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use futures::StreamExt;

use super::Bench;
use super::scores::grain;
use crate::job::Job;
use crate::job::measure::{self, hours};
use crate::measure::service::{
    self, Calendar, Calendars, Change, Hours, Levels, Target, Terms, case,
};
use crate::run::{RunError, workers};
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const LEVELS: &str = "service_levels";
const CONVERSATIONS: &str = "conversation_service";
const CASES: &str = "select * from service_cases order by conversation_id asc nulls first";
const CHANGES: &str = "select * from service_changes
order by request_id asc nulls first, changed_at asc nulls first, conversation_change_id asc nulls first";
const DAYS: &str = "select min(created_date) as first_day from service_members
where conversation_id = request_id";

/// Makes `conversation_service` and `service_levels`.
///
/// # Errors
/// SQL that fails, rows that are not what they should be, or a full disk.
pub async fn service(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let terms = terms(bench, first_day(bench).await?);
    let mut changes: Vec<(String, Change)> = Vec::new();
    let mut answer = bench.query("service_changes", CHANGES).await?;
    while let Some(batch) = answer.batches.next().await {
        changes.extend(service::changes(&batch?)?);
    }
    let mut changes = changes.into_iter().peekable();
    let mut levels = Levels::default();
    let mut sink = bench.sink(CONVERSATIONS)?;
    let mut answer = bench.query("service_cases", CASES).await?;
    while let Some(batch) = answer.batches.next().await {
        let (batch, mut rows) = (batch?, Vec::new());
        for case in service::cases(&batch)? {
            while changes.next_if(|(request, _)| request.as_str() < case.id).is_some() {}
            let mut own = Vec::new();
            while let Some((_, change)) = changes.next_if(|(request, _)| *request == case.id) {
                own.push(change);
            }
            let facts = case::facts(&case, &own, &terms);
            levels.push(&case, &facts);
            rows.push((case, facts));
        }
        sink.push(&service::case_batch(&rows)?)?;
    }
    let threads = bench.context.settings.threads;
    let counted = move || counted(&levels, &terms, threads);
    let counted = tokio::task::spawn_blocking(counted).await.map_err(RunError::Thread)??;
    Ok(vec![bench.keep(CONVERSATIONS, sink).await?, bench.write(LEVELS, &[counted]).await?])
}

/// Rows of `service_levels`, its parts made beside each other.
fn counted(levels: &Levels, terms: &Terms, threads: usize) -> Result<RecordBatch, RunError> {
    let sorted = levels.sorted(terms);
    let work = |(place, part)| Ok((place, sorted.part(part)?));
    let mut made = workers::share(LEVELS, threads, work, |hand_out| {
        sorted.parts().enumerate().try_for_each(&mut *hand_out)
    })?;
    // What is hidden may depend on which cell comes first.
    made.sort_unstable_by_key(|(place, _)| *place);
    let levels = made.into_iter().flat_map(|(_, levels)| levels).collect();
    Ok(service::level_batch(&service::suppressed(levels, terms))?)
}

/// Day of the first request; hours are laid out from there on.
async fn first_day(bench: &Bench<'_>) -> Result<i32, RunError> {
    let mut first = day_number(bench.plan.horizon);
    for batch in bench.collect("service_days", DAYS).await? {
        let days = super::rows::primitive::<arrow::datatypes::Date32Type>(&batch, "first_day")?;
        first = days.iter().flatten().min().unwrap_or(first);
    }
    Ok(first)
}

fn terms(bench: &Bench<'_>, first_day: i32) -> Terms {
    let job = &bench.context.job;
    let horizon_day = day_number(bench.plan.horizon);
    Terms {
        confidence: job.metrics.confidence,
        min_cell: u64::from(job.metrics.min_cell),
        periods: job.metrics.periods.iter().map(|period| grain(*period)).collect(),
        dimensions: job.service.dimensions.clone(),
        reopen_days: job.service.reopen_days,
        targets: job.service.targets.iter().map(target).collect(),
        calendars: calendars(job, first_day.min(horizon_day) - 1, horizon_day + 1),
        zone: job.zone(),
        horizon: bench.plan.horizon_end_us,
        horizon_day,
    }
}

fn day(text: Option<&String>) -> Option<i32> {
    text?.parse::<NaiveDate>().ok().map(day_number)
}

fn target(target: &measure::Target) -> Target {
    Target {
        aim: match target.metric {
            measure::Aim::FirstResponse => case::Aim::FirstResponse,
            measure::Aim::Resolution => case::Aim::Resolution,
        },
        source: target.source.clone(),
        channel: target.channel.clone(),
        priority: target.priority.clone(),
        since: day(target.since.as_ref()),
        until: day(target.until.as_ref()),
        seconds: i64::from(target.minutes) * 60,
        is_business_time: target.business_time,
    }
}

/// Calendars by name, in the order in which the job first names them.
fn calendars(job: &Job, from: i32, to: i32) -> Calendars {
    let mut names: Vec<&str> = Vec::new();
    for calendar in &job.calendars {
        if !names.contains(&calendar.name.as_str()) {
            names.push(&calendar.name);
        }
    }
    let calendar = |name: &str| {
        let versions: Vec<_> = job.calendars.iter().filter(|found| found.name == name).collect();
        let hours = |found: &&measure::WorkCalendar| {
            (day(found.since.as_ref()).unwrap_or(i32::MIN), open_hours(found, job))
        };
        let all = |of: fn(&measure::WorkCalendar) -> &Vec<String>| -> Vec<String> {
            let all: BTreeSet<&String> = versions.iter().copied().flat_map(of).collect();
            all.into_iter().cloned().collect()
        };
        let mut made = Calendar::new(versions.iter().map(hours).collect(), from, to);
        made.sources = all(|calendar| &calendar.sources);
        made.channels = all(|calendar| &calendar.channels);
        made.teams = all(|calendar| &calendar.teams);
        made
    };
    Calendars::new(names.into_iter().map(calendar).collect())
}

fn open_hours(calendar: &measure::WorkCalendar, job: &Job) -> Hours {
    let zone = calendar.time_zone.as_ref().and_then(|zone| zone.parse().ok());
    let mut open: [Vec<(u32, u32)>; 7] = Default::default();
    for (weekday, texts) in &calendar.hours {
        if let Some(day) = open.get_mut(weekday.number()) {
            day.extend(texts.iter().filter_map(|text| hours(text)));
        }
    }
    let holidays = calendar.holidays.iter().filter_map(|day| day.parse::<NaiveDate>().ok());
    Hours {
        zone: zone.unwrap_or_else(|| job.zone()),
        open,
        holidays: holidays.map(day_number).collect(),
    }
}
