//! Logistic regression by maximum likelihood: Newton's method, which for this model is iteratively
//! reweighted least squares (`McCullagh` & Nelder 1989, §2.5), with an optional ridge.
//!
//! A ridge keeps coefficients finite where a feature parts the classes without a mistake.

/// A fitted regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    pub intercept: f64,
    pub coefficients: Vec<f64>,
    /// Of the intercept, then of the coefficients: from the inverse of the information.
    pub standard_errors: Vec<f64>,
    /// Without what the ridge takes off.
    pub log_likelihood: f64,
    pub iterations: u32,
    pub is_converged: bool,
}

/// `1 / (1 + exp(-x))`, without overflow.
pub fn sigmoid(x: f64) -> f64 {
    if x < 0.0 {
        let e = libm::exp(x);
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + libm::exp(-x))
    }
}

/// `ln(1 + exp(x))`, without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

const ITERATIONS_MAX: u32 = 100;
/// Longest slope, per row, that is none.
const GRADIENT_GOAL: f64 = 1e-10;
const HALVINGS_MAX: u32 = 40;
/// Share of a loss that is rounding: near the bottom a step may seem to go up by as much.
const ROUNDING: f64 = 1e-12;

/// Rows beside each other, and what each came to.
struct Data<'a> {
    rows: &'a [f64],
    width: usize,
    labels: &'a [bool],
    ridge: f64,
}

/// The penalised loss at one point, with its slopes and half of its symmetric curvature.
struct Surface {
    loss: f64,
    gradient: Vec<f64>,
    curvature: Vec<f64>,
}

/// Log-odds of a row by an intercept and slopes.
fn linear(at: &[f64], row: &[f64]) -> f64 {
    let slopes = at.iter().skip(1).zip(row).map(|(slope, x)| slope * x).sum::<f64>();
    at.first().copied().unwrap_or(0.0) + slopes
}

impl Data<'_> {
    fn penalty(&self, at: &[f64]) -> f64 {
        0.5 * self.ridge * at.iter().skip(1).map(|slope| slope * slope).sum::<f64>()
    }

    fn loss(&self, at: &[f64]) -> f64 {
        let pairs = self.rows.chunks_exact(self.width).zip(self.labels);
        let one = |(row, label): (&[f64], &bool)| {
            let x = linear(at, row);
            softplus(x) - if *label { x } else { 0.0 }
        };
        pairs.map(one).sum::<f64>()
    }

    fn surface(&self, at: &[f64]) -> Surface {
        let n = at.len();
        let mut surface =
            Surface { loss: 0.0, gradient: vec![0.0; n], curvature: vec![0.0; n * n] };
        let mut x = vec![1.0; n];
        for (row, label) in self.rows.chunks_exact(self.width).zip(self.labels) {
            x[1..].copy_from_slice(row);
            let linear = linear(at, row);
            let p = sigmoid(linear);
            let residual = p - f64::from(u8::from(*label));
            let weight = p * (1.0 - p);
            surface.loss += softplus(linear) - if *label { linear } else { 0.0 };
            for i in 0..n {
                surface.gradient[i] += residual * x[i];
                let scaled = weight * x[i];
                for (sum, x) in surface.curvature[i * n..].iter_mut().zip(&x).take(i + 1) {
                    *sum += scaled * x;
                }
            }
        }
        surface.loss += self.penalty(at);
        for (i, slope) in at.iter().enumerate().skip(1) {
            surface.gradient[i] += self.ridge * slope;
            surface.curvature[i * n + i] += self.ridge;
        }
        surface
    }
}

/// Fits rows of `width` features, one after the other in `rows`, to labels.
///
/// `ridge` is half the weight of the squared coefficients in the loss; the intercept bears none.
/// None without rows of both classes, or where the features cannot be told apart without a ridge.
pub fn fit(rows: &[f64], width: usize, labels: &[bool], ridge: f64) -> Option<Logistic> {
    let positives = labels.iter().filter(|label| **label).count();
    if width == 0 || rows.len() != width * labels.len() || positives == 0 {
        return None;
    }
    if positives == labels.len() {
        return None;
    }
    let data = Data { rows, width, labels, ridge };
    let share = positives as f64 / labels.len() as f64;
    let mut at = vec![0.0; width + 1];
    at[0] = libm::log(share / (1.0 - share));
    let mut here = data.surface(&at);
    let goal = GRADIENT_GOAL * labels.len() as f64;
    let mut iterations = 0;
    while iterations < ITERATIONS_MAX && longest(&here.gradient) > goal {
        iterations += 1;
        let step = solve(&cholesky(&here.curvature, width + 1)?, &here.gradient, width + 1);
        let Some(next) = downhill(&data, &at, &step, here.loss) else { break };
        at = next;
        here = data.surface(&at);
    }
    let is_converged = longest(&here.gradient) <= goal.max(1e-6);
    let lower = cholesky(&here.curvature, width + 1)?;
    let standard_errors = (0..=width).map(|i| {
        let mut unit = vec![0.0; width + 1];
        unit[i] = 1.0;
        solve(&lower, &unit, width + 1).get(i).map_or(f64::NAN, |variance| variance.sqrt())
    });
    let standard_errors = standard_errors.collect();
    let log_likelihood = data.penalty(&at) - here.loss;
    let (intercept, coefficients) = at.split_first()?;
    Some(Logistic {
        intercept: *intercept,
        coefficients: coefficients.to_vec(),
        standard_errors,
        log_likelihood,
        iterations,
        is_converged,
    })
}

/// The Newton step, halved until it does not go up; none when no length of it goes down.
fn downhill(data: &Data<'_>, at: &[f64], step: &[f64], loss: f64) -> Option<Vec<f64>> {
    let mut share = 1.0;
    for _ in 0..HALVINGS_MAX {
        let next: Vec<f64> = at.iter().zip(step).map(|(at, step)| at - share * step).collect();
        let there = data.loss(&next) + data.penalty(&next);
        if there.is_finite() && there <= loss + ROUNDING * loss.abs() {
            return Some(next);
        }
        share *= 0.5;
    }
    None
}

fn longest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most: f64, slope| most.max(slope.abs()))
}

/// Lower factor of a symmetric matrix given by its lower half; none when it is not positive.
fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let left = matrix[i * n + j] - known;
            if i != j {
                lower[i * n + j] = left / lower[j * n + j];
            } else if left.is_finite() && left > 0.0 {
                lower[i * n + i] = left.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

fn solve(lower: &[f64], right: &[f64], n: usize) -> Vec<f64> {
    let mut solution = right.to_vec();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| lower[i * n + k] * solution[k]).sum();
        solution[i] = (solution[i] - known) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| lower[k * n + i] * solution[k]).sum();
        solution[i] = (solution[i] - known) / lower[i * n + i];
    }
    solution
}

impl Logistic {
    /// Log-odds of a row.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept + self.coefficients.iter().zip(row).map(|(c, x)| c * x).sum::<f64>()
    }

    pub fn probability(&self, row: &[f64]) -> f64 {
        sigmoid(self.log_odds(row))
    }
}
