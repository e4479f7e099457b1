//! The chance that a customer churns in the next 90 days, learned anew each run from the days
//! before, tested on the last window that is over, and held against a plain regression.
//!
//! Features of a day are those known at its end; the label is what the ledger says of the window
//! after it. Models are fitted to the windows before the last one, their scores turned into
//! probabilities by customers kept apart, and the one that is published is the one that was tested.
//! Too few who churned is a result, not an error: a row says so, and nobody has a risk.

mod inputs;
mod judged;
mod models;
mod rows;

use arrow::array::RecordBatch;

pub use self::inputs::INPUTS;
use self::inputs::Inputs;
use self::judged::Judged;
use self::models::{Model, Reason, Trained};
use super::features::{Described, FeatureError};
use super::fold::features::{WINDOW_DAYS, days};
use super::kernel::stability::stability_index;

/// Named in every row; raised with the definition.
pub const DEFINITION: (&str, i64) = ("churn_risk", 1);

/// What risks read of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Days since 1970-01-01.
    pub as_of: i32,
    /// Those who churned, and those who did not, that a model is fitted to at least.
    pub churners_min: u64,
    /// Silence after which a customer without a subscription has churned.
    pub inactive_days: u32,
    /// Of intervals.
    pub confidence: f64,
    /// Cells of fewer customers show no values.
    pub min_cell: u64,
}

/// The tables of a day.
#[derive(Debug, Clone)]
pub struct Tables {
    pub risks: RecordBatch,
    pub model: RecordBatch,
}

/// Why there is a model, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Trained,
    /// Fewer windows with customers than it takes.
    NoHistory,
    TooFewChurners,
    /// Almost everybody churned.
    TooFewStayers,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::NoHistory => "no_history",
            Self::TooFewChurners => "too_few_churners",
            Self::TooFewStayers => "too_few_stayers",
        }
    }
}

/// Customers of a former day, with what became of them.
#[derive(Debug, Clone, Default)]
struct Known {
    customers: Described,
    labels: Vec<bool>,
    inputs: Inputs,
}

impl Known {
    fn new(customers: Described, terms: &Terms) -> Self {
        let labels = customers.has_churned.iter().map(|label| label.unwrap_or_default()).collect();
        let inputs = Inputs::new(&customers, terms.inactive_days);
        Self { customers, labels, inputs }
    }

    fn churned(&self) -> u64 {
        self.labels.iter().filter(|label| **label).count() as u64
    }

    fn len(&self) -> u64 {
        self.labels.len() as u64
    }
}

/// What a day's risks rest on.
struct Study {
    status: Status,
    /// Windows that models are fitted to, and the one they are tested on.
    training: Known,
    holdout: Known,
    /// Active customers of the day.
    today: Inputs,
    trained: Option<Trained>,
    judged: Vec<(Model, Judged)>,
    /// The model that is published.
    chosen: Option<Model>,
    /// How far inputs have moved since training.
    drift: Vec<Option<f64>>,
}

impl Study {
    fn new(all: &Described, active: &Described, terms: &Terms) -> Self {
        let [_, tested, training @ ..] = days(terms.as_of);
        let of = |holds: &dyn Fn(i32) -> bool| {
            let is_known = |i: usize| all.is_active[i] && all.has_churned[i].is_some();
            Known::new(all.filtered(|i| holds(all.days[i]) && is_known(i)), terms)
        };
        let training = of(&|day| training.contains(&day));
        let holdout = of(&|day| day == tested);
        let today = Inputs::new(active, terms.inactive_days);
        let (status, trained) = train(&training, &holdout, terms);
        let mut judged = Vec::new();
        for model in trained.iter().flat_map(|_| Model::ALL) {
            let Some(trained) = &trained else { continue };
            let told = trained.probabilities(model, &holdout.inputs);
            let scored: Vec<(f64, bool)> = told.into_iter().zip(holdout.labels.clone()).collect();
            judged.push((model, Judged::new(&scored, terms)));
        }
        let brier = |wanted: Model| judged.iter().find(|(model, _)| *model == wanted)?.1.brier;
        let is_better = brier(Model::Boosted)
            .zip(brier(Model::Baseline))
            .is_some_and(|(boosted, baseline)| boosted < baseline);
        let chosen =
            trained.as_ref().map(|_| if is_better { Model::Boosted } else { Model::Baseline });
        let drift = (0..INPUTS.len())
            .map(|input| stability_index(&training.inputs.column(input), &today.column(input)))
            .collect();
        Self { status, training, holdout, today, trained, judged, chosen, drift }
    }

    fn risks(&self) -> Vec<f64> {
        let made = self.trained.as_ref().zip(self.chosen);
        made.map_or_else(Vec::new, |(trained, model)| trained.probabilities(model, &self.today))
    }

    fn reasons(&self, place: usize) -> Vec<Reason> {
        let made = self.trained.as_ref().zip(self.chosen);
        let reasons =
            |(trained, model): (&Trained, Model)| trained.reasons(model, &self.today, place);
        made.map_or_else(Vec::new, reasons)
    }
}

/// Fits the models, where there is enough to fit and to test them.
fn train(training: &Known, holdout: &Known, terms: &Terms) -> (Status, Option<Trained>) {
    let stayed = training.len() - training.churned();
    if training.len() == 0 || holdout.len() == 0 {
        return (Status::NoHistory, None);
    }
    if training.churned() < terms.churners_min {
        return (Status::TooFewChurners, None);
    }
    if stayed < terms.churners_min {
        return (Status::TooFewStayers, None);
    }
    match Trained::new(&training.inputs, &training.labels, &training.customers.ids) {
        Some(trained) => (Status::Trained, Some(trained)),
        // Those kept apart for the probabilities have one class only.
        None => (Status::TooFewChurners, None),
    }
}

/// Tells the risks of all active customers of a day.
///
/// # Errors
/// Rows that do not follow their contracts.
pub fn churn_risk(features: &[RecordBatch], terms: &Terms) -> Result<Tables, FeatureError> {
    let all = Described::read(features)?;
    let active = all.filtered(|i| all.days[i] == terms.as_of && all.is_active[i]);
    let study = Study::new(&all, &active, terms);
    drop(all);
    Ok(Tables { risks: rows::risks(&active, &study, terms)?, model: rows::model(&study, terms)? })
}

/// First day of the window that models are tested on, minus one: what they knew.
fn tested_on(terms: &Terms) -> i32 {
    terms.as_of.saturating_sub(WINDOW_DAYS)
}
