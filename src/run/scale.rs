//! Scales of a job as staging reads them.

use crate::job::Job;
use crate::job::measure::{self, Direction};
use crate::stage::scale::Scale;

/// The job's scales of a source, as staging reads them.
pub fn of_source(job: &Job, source: &str) -> Vec<Scale> {
    let of_source =
        |scale: &&measure::Scale| scale.source.as_deref().is_none_or(|wanted| wanted == source);
    let day = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    let of_source = job.scales.iter().filter(of_source);
    of_source
        .map(|scale| Scale {
            account: scale.account.clone(),
            survey: scale.survey.clone(),
            question: scale.question.clone(),
            of: scale.of.map(|of| of.name().to_owned()),
            since: day(&scale.since),
            until: day(&scale.until),
            metric: scale.metric.map(|metric| metric.name().to_owned()),
            min: scale.min,
            max: scale.max,
            is_effort: match scale.direction {
                Direction::AsTold => None,
                Direction::HigherIsBetter => Some(false),
                Direction::HigherIsEffort => Some(true),
            },
            favourable: scale
                .favourable
                .iter()
                .min()
                .copied()
                .zip(scale.favourable.iter().max().copied()),
        })
        .collect()
}
