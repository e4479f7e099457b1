//! Effects of changes: what was observed around each change of the job, told apart by its scope.
//!
//! Values of a scope are compared here and never written into SQL; only names of columns are, and
//! those come from fixed lists.

use std::fmt::Display;

use arrow::array::RecordBatch;
use arrow::datatypes::{Date32Type, Int64Type};
use chrono::{Days, Months, NaiveDate};

use super::{Bench, rows};
use crate::job::measure::{Change, Family, Moved};
use crate::measure::changes::{self, Effect, Fact, Share, Terms, When};
use crate::measure::scores::{self, ALL, NONE, PAIR};
use crate::run::RunError;
use crate::table::TableError;
use crate::table::dataset::Dataset;
use crate::table::day::{date, day_number};

const EFFECTS: &str = "change_effects";

/// Makes `change_effects`.
///
/// # Errors
/// SQL that fails, or a full disk.
pub async fn changes(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let job = &bench.context.job;
    let terms = Terms {
        confidence: job.metrics.confidence,
        min_cell: u64::from(job.metrics.min_cell),
        horizon_day: day_number(bench.plan.horizon),
    };
    let mut effects: Vec<Effect> = Vec::new();
    for change in &job.changes {
        let Some(when) = when(change) else { continue };
        let asked = change.asked();
        let has = |family| change.concerns(family) && asked.iter().any(|m| m.family() == family);
        let about = About::new(change, when);
        let mut facts = Vec::new();
        if has(Family::Scores) {
            facts.extend(about.answers(bench).await?);
        }
        if has(Family::Service) {
            facts.extend(about.service(bench, &asked).await?);
        }
        if has(Family::Churn) {
            facts.extend(about.churn(bench, terms.horizon_day).await?);
        }
        let metrics: Vec<&str> = asked.iter().map(|metric| metric.name()).collect();
        let scope = (about.value.as_str(), about.text.as_str());
        effects.extend(changes::effects(&change.name, when, scope, &facts, &metrics, terms));
    }
    let rows = changes::batch(&effects);
    let rows = rows.map_err(|source| TableError::Order { table: EFFECTS.into(), source })?;
    Ok(vec![bench.write(EFFECTS, &[rows]).await?])
}

/// A checked job has dates in its changes.
fn when(change: &Change) -> Option<When> {
    let day = |text: &String| text.parse::<NaiveDate>().ok().map(day_number);
    Some(When {
        from: day(&change.from)?,
        until: change.until.as_ref().and_then(day),
        days: i32::try_from(change.days).unwrap_or(i32::MAX).max(1),
    })
}

/// What is asked of the tables for one change.
struct About<'a> {
    /// Dimensions of its scope, in order.
    columns: Vec<&'a str>,
    /// Their values, as answers have them.
    value: String,
    /// The same for people.
    text: String,
    first: NaiveDate,
    last: NaiveDate,
}

impl<'a> About<'a> {
    fn new(change: &'a Change, when: When) -> Self {
        let whole = when.whole();
        let values: Vec<&str> = change.scope.values().map(String::as_str).collect();
        let text: Vec<String> =
            change.scope.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let or_all = |text: String| if text.is_empty() { ALL.to_owned() } else { text };
        Self {
            columns: change.scope.keys().map(String::as_str).collect(),
            value: or_all(values.join(&PAIR.to_string())),
            text: or_all(text.join(", ")),
            first: date(whole.0),
            last: date(whole.1),
        }
    }

    /// The scope's columns of a table as `value_0`, …, and as keys of a grouping.
    fn values(&self, table: &str) -> (String, String) {
        let named = |(i, column): (usize, &&str)| format!("{table}.{column} as value_{i}, ");
        let keys = self.columns.iter().map(|column| format!(", {table}.{column}"));
        (self.columns.iter().enumerate().map(named).collect(), keys.collect())
    }

    fn between(&self, column: impl Display) -> String {
        format!("{column} between date '{}' and date '{}'", self.first, self.last)
    }

    async fn answers(&self, bench: &Bench<'_>) -> Result<Vec<Fact>, RunError> {
        let (values, keys) = self.values("survey_answers");
        let sql = format!(
            "select metric, scale_min, scale_max, is_effort, is_favourable, score, {values}\
             answered_date as day, count(*) as n from survey_answers where {} \
             group by metric, scale_min, scale_max, is_effort, is_favourable, score, \
             answered_date{keys}",
            self.between("answered_date")
        );
        let mut facts = Vec::new();
        for batch in bench.collect("change_answers", &sql).await? {
            let answers = scores::answers(&batch, EFFECTS, self.columns.len())?;
            facts.extend(answers.into_iter().map(Fact::Answer));
        }
        Ok(facts)
    }

    async fn service(&self, bench: &Bench<'_>, asked: &[Moved]) -> Result<Vec<Fact>, RunError> {
        let (values, keys) = self.values("current_conversations");
        let mut facts = Vec::new();
        for metric in asked {
            let Some((column, is_share)) = service_column(*metric) else { continue };
            let number =
                if is_share { format!("cast({column} as bigint)") } else { column.to_owned() };
            let sql = format!(
                "select {values}service.created_date as day, {number} as number, count(*) as n \
                 from conversation_service as service inner join current_conversations \
                 on service.conversation_id = current_conversations.conversation_id \
                 where {} and {column} is not null group by service.created_date, {number}{keys}",
                self.between("service.created_date")
            );
            let name = metric.name().to_owned();
            for batch in bench.collect("change_service", &sql).await? {
                let days = rows::primitive::<Date32Type>(&batch, "day")?;
                let numbers = rows::primitive::<Int64Type>(&batch, "number")?;
                let n = rows::primitive::<Int64Type>(&batch, "n")?;
                let inside = self.inside(&batch)?;
                facts.extend(inside.into_iter().enumerate().map(|(i, is_inside)| {
                    let (day, value) = (days.value(i), numbers.value(i));
                    let count = u64::try_from(n.value(i)).unwrap_or(0);
                    let metric = name.clone();
                    if is_share {
                        let k = if value > 0 { count } else { 0 };
                        let share = Share { k, n: count };
                        return Fact::Hits { metric, days: (day, day), is_inside, share };
                    }
                    Fact::Number { metric, day, is_inside, value, count }
                }));
            }
        }
        Ok(facts)
    }

    /// Customers there when a month began, and those of them who churned in it; months that are not
    /// over are left out.
    async fn churn(&self, bench: &Bench<'_>, horizon: i32) -> Result<Vec<Fact>, RunError> {
        let (values, keys) = self.values("churn_ledger_customers");
        let sql = format!(
            "select {values}period_start as day, count(*) as n, \
             count(*) filter (where is_churned_of_start) as k from churn_ledger_customers \
             where is_start and {} group by period_start{keys}",
            self.between("period_start")
        );
        let mut facts = Vec::new();
        for batch in bench.collect("change_churn", &sql).await? {
            let days = rows::primitive::<Date32Type>(&batch, "day")?;
            let k = rows::primitive::<Int64Type>(&batch, "k")?;
            let n = rows::primitive::<Int64Type>(&batch, "n")?;
            for (i, is_inside) in self.inside(&batch)?.into_iter().enumerate() {
                let first = date(days.value(i));
                let last = (first + Months::new(1)) - Days::new(1);
                let days = (days.value(i), day_number(last));
                let count = |value: i64| u64::try_from(value).unwrap_or(0);
                let share = Share { k: count(k.value(i)), n: count(n.value(i)) };
                let metric = Moved::ChurnGross.name().to_owned();
                if days.1 <= horizon {
                    facts.push(Fact::Hits { metric, days, is_inside, share });
                }
            }
        }
        Ok(facts)
    }

    /// Whether each row has all values of the scope.
    fn inside(&self, batch: &RecordBatch) -> Result<Vec<bool>, RunError> {
        let mut values: Vec<String> = vec![String::new(); batch.num_rows()];
        for place in 0..self.columns.len() {
            let column = rows::text(batch, &format!("value_{place}"))?;
            for (value, own) in values.iter_mut().zip(column.iter()) {
                if place > 0 {
                    value.push(PAIR);
                }
                value.push_str(own.unwrap_or(NONE));
            }
        }
        let is_all = self.columns.is_empty();
        Ok(values.into_iter().map(|value| is_all || value == self.value).collect())
    }
}

/// The column of `conversation_service` that a metric is the mean of, and whether it is a share.
fn service_column(metric: Moved) -> Option<(&'static str, bool)> {
    Some(match metric {
        Moved::FirstResponse => ("service.first_response_seconds", false),
        Moved::FirstResolution => ("service.first_resolution_seconds", false),
        Moved::FullResolution => ("service.full_resolution_seconds", false),
        Moved::FirstContactResolution => ("service.is_first_contact", true),
        Moved::OneTouch => ("service.is_one_touch", true),
        Moved::ReopenRate => ("service.is_reopened", true),
        Moved::Containment => ("service.is_contained", true),
        Moved::Replies => ("service.n_replies", false),
        _ => return None,
    })
}
