//! The two models: a regression everybody can read, and trees that see what it cannot.

use super::inputs::{INPUTS, Inputs};
use crate::measure::drawn::Drawn;
use crate::measure::kernel::boosting::{self, Boosted, Shape};
use crate::measure::kernel::isotonic::{self, Isotonic};
use crate::measure::kernel::logistic::{self, Logistic};

/// Small trees and many of them: enough for what features of lives have to say, and done in a
/// second for the most customers that are trained on.
const SHAPE: Shape = Shape { trees: 120, depth: 3, rate: 0.1, leaf_rows: 20, ridge: 1.0 };
/// Keeps coefficients finite where a feature parts the classes without a mistake.
const RIDGE: f64 = 1.0;
/// Beyond so many standard deviations a customer is just far.
const FAR: f64 = 5.0;
/// One customer in so many is kept apart for the probabilities.
const APART: u64 = 4;
/// Customers kept apart from which on probabilities follow them freely (Niculescu-Mizil & Caruana
/// 2005); of fewer, only along a curve of two parameters.
const FREE_MIN: usize = 1_000;
/// Of each class, kept apart at least.
const APART_MIN: usize = 5;
/// Reasons of a customer at most.
pub const REASONS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    Baseline,
    Boosted,
}

impl Model {
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Boosted];

    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Boosted => "boosted",
        }
    }
}

/// Why a risk is high: an input, its value, and what it adds to the log-odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    pub input: &'static str,
    pub value: f64,
    pub effect: f64,
}

/// Scores to probabilities.
#[derive(Debug, Clone, PartialEq)]
enum Curve {
    Free(Isotonic),
    /// Platt 1999: a regression on the score alone.
    Straight(Logistic),
}

impl Curve {
    fn fit(scored: &[(f64, bool)]) -> Option<Self> {
        let cases = scored.iter().filter(|one| one.1).count();
        let fewest = cases.min(scored.len() - cases);
        if fewest < APART_MIN {
            return None;
        }
        if scored.len() >= FREE_MIN {
            return isotonic::fit(scored).map(Self::Free);
        }
        let scores: Vec<f64> = scored.iter().map(|one| one.0).collect();
        let labels: Vec<bool> = scored.iter().map(|one| one.1).collect();
        let mut curve = logistic::fit(&scores, 1, &labels, RIDGE)?;
        // A score that says the opposite of itself says nothing: everybody has the share.
        if curve.coefficients.iter().any(|slope| *slope <= 0.0) {
            curve.coefficients = vec![0.0];
            curve.intercept = libm::log(cases as f64 / (scored.len() - cases) as f64);
        }
        Some(Self::Straight(curve))
    }

    fn at(&self, score: f64) -> f64 {
        match self {
            Self::Free(curve) => curve.at(score),
            Self::Straight(curve) => curve.probability(&[score]),
        }
    }
}

/// Means and standard deviations of inputs.
#[derive(Debug, Clone, PartialEq)]
struct Scale(Vec<(f64, f64)>);

impl Scale {
    fn of(rows: &[&[f64]]) -> Self {
        let n = rows.len().max(1) as f64;
        let column = |i: usize| rows.iter().filter_map(move |row| row.get(i));
        let scale = |i: usize| {
            let mean = column(i).sum::<f64>() / n;
            let square = column(i).map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            (mean, square.sqrt())
        };
        Self((0..INPUTS.len()).map(scale).collect())
    }

    /// Standard deviations from the mean; what nobody differs in is at the mean.
    fn standard(&self, row: &[f64]) -> Vec<f64> {
        let far = |(x, (mean, deviation)): (&f64, &(f64, f64))| {
            if *deviation > 1e-12 { ((x - mean) / deviation).clamp(-FAR, FAR) } else { 0.0 }
        };
        row.iter().zip(&self.0).map(far).collect()
    }
}

/// Both models, with their probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    scale: Scale,
    baseline: Logistic,
    boosted: Boosted,
    curves: [Curve; 2],
    /// Rows fitted to, and kept apart.
    pub fitted: u64,
    pub apart: u64,
}

impl Trained {
    /// None where those fitted to, or those kept apart, are of one class.
    pub fn new(inputs: &Inputs, labels: &[bool], ids: &[String]) -> Option<Self> {
        // A customer is on one side with all their days.
        let drawn = Drawn::new("churn_risk_probabilities", 1, APART);
        let (apart, fitted): (Vec<usize>, Vec<usize>) =
            (0..inputs.len()).partition(|i| ids.get(*i).is_some_and(|id| drawn.holds(id)));
        let label = |places: &[usize]| -> Vec<bool> {
            places.iter().map(|i| labels.get(*i).copied().unwrap_or_default()).collect()
        };
        let (own, kept) = (label(&fitted), label(&apart));
        let rows: Vec<&[f64]> = fitted.iter().map(|i| inputs.row(*i)).collect();
        let scale = Scale::of(&rows);
        let plain: Vec<f64> = rows.iter().flat_map(|row| row.iter().copied()).collect();
        let standard: Vec<f64> = rows.iter().flat_map(|row| scale.standard(row)).collect();
        let baseline = logistic::fit(&standard, INPUTS.len(), &own, RIDGE)?;
        let boosted = boosting::fit(&plain, INPUTS.len(), &own, SHAPE)?;
        let curve = |odds: &dyn Fn(&[f64]) -> f64| {
            let scores = apart.iter().map(|i| odds(inputs.row(*i)));
            Curve::fit(&scores.zip(kept.iter().copied()).collect::<Vec<_>>())
        };
        let curves = [
            curve(&|row| baseline.log_odds(&scale.standard(row)))?,
            curve(&|row| boosted.log_odds(row))?,
        ];
        let (fitted, apart) = (fitted.len() as u64, apart.len() as u64);
        Some(Self { scale, baseline, boosted, curves, fitted, apart })
    }

    fn log_odds(&self, model: Model, row: &[f64]) -> f64 {
        match model {
            Model::Baseline => self.baseline.log_odds(&self.scale.standard(row)),
            Model::Boosted => self.boosted.log_odds(row),
        }
    }

    /// Probabilities of all rows.
    pub fn probabilities(&self, model: Model, inputs: &Inputs) -> Vec<f64> {
        let [baseline, boosted] = &self.curves;
        let curve = match model {
            Model::Baseline => baseline,
            Model::Boosted => boosted,
        };
        inputs.rows().map(|row| curve.at(self.log_odds(model, row))).collect()
    }

    /// What raises the risk of one customer above that of a middling one, the most first.
    pub fn reasons(&self, model: Model, inputs: &Inputs, place: usize) -> Vec<Reason> {
        let row = inputs.row(place);
        let effects = match model {
            Model::Baseline => {
                let standard = self.scale.standard(row);
                standard.iter().zip(&self.baseline.coefficients).map(|(x, c)| x * c).collect()
            }
            Model::Boosted => self.boosted.contributions(row),
        };
        let raising = effects.into_iter().enumerate().filter(|(_, effect)| *effect > 1e-9);
        let mut reasons: Vec<Reason> = raising
            .filter_map(|(input, effect)| {
                let value = inputs.natural(place, input)?;
                Some(Reason { input: INPUTS.get(input)?, value, effect })
            })
            .collect();
        reasons.sort_by(|a, b| b.effect.total_cmp(&a.effect).then(a.input.cmp(b.input)));
        reasons.truncate(REASONS);
        reasons
    }

    /// What the models rest on: of the baseline the coefficient per standard deviation and its
    /// standard error, of the trees the share of the loss that an input takes off.
    pub fn weights(&self, model: Model) -> Vec<(f64, Option<f64>)> {
        match model {
            Model::Baseline => {
                let errors = self.baseline.standard_errors.iter().skip(1);
                // What nobody differs in has no coefficient to be unsure of.
                let known =
                    errors.zip(&self.scale.0).map(|(e, (_, sd))| (*sd > 1e-12).then_some(*e));
                self.baseline.coefficients.iter().copied().zip(known).collect()
            }
            Model::Boosted => self.boosted.gains().into_iter().map(|gain| (gain, None)).collect(),
        }
    }

    /// How probabilities are made of scores.
    pub fn curve(&self, model: Model) -> &'static str {
        let [baseline, boosted] = &self.curves;
        match if model == Model::Baseline { baseline } else { boosted } {
            Curve::Free(_) => "isotonic",
            Curve::Straight(_) => "platt",
        }
    }
}
