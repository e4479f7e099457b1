//! Participation in surveys: people who were asked, one after the other, and what they answered.

use futures::StreamExt;

use super::Bench;
use super::scores::grain;
use crate::measure::participation::{self, Participations, Terms};
use crate::run::RunError;
use crate::table::dataset::Dataset;
use crate::table::day::day_number;

const TABLE: &str = "survey_participation";
const CONTACTS: &str = "select * from survey_contacts
order by customer_id asc nulls first, contacted_at asc nulls first, contact_key asc nulls first";

/// Makes `survey_participation`.
///
/// # Errors
/// SQL that fails, rows that are not what they should be, or a full disk.
pub async fn participation(bench: &Bench<'_>) -> Result<Vec<Dataset>, RunError> {
    let job = &bench.context.job;
    let terms = Terms {
        confidence: job.metrics.confidence,
        min_cell: u64::from(job.metrics.min_cell),
        periods: job.metrics.periods.iter().map(|period| grain(*period)).collect(),
        zone: job.zone(),
        horizon_day: day_number(bench.plan.horizon),
    };
    let mut answers = Vec::new();
    for batch in bench.collect("incentive_answers", "select * from incentive_answers").await? {
        answers.extend(participation::answers(&batch)?);
    }
    let mut counted = Participations::new(&terms);
    let mut contacts = bench.query("survey_contacts", CONTACTS).await?;
    while let Some(batch) = contacts.batches.next().await {
        for contact in participation::contacts(&batch?)? {
            // What is sent after the horizon is not known yet.
            if contact.at < bench.plan.horizon_end_us {
                counted.push(contact);
            }
        }
    }
    let rows = counted.rows(&answers, &terms);
    let rows = participation::batch(&rows, &terms)?;
    Ok(vec![bench.write(TABLE, &[rows]).await?])
}
