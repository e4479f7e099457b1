//! Maximum likelihood in a few parameters: Newton's method, damped, from several fixed starts.
//!
//! Gradient and curvature come in closed form from the model, so a fit takes about ten passes
//! over its data. Starts are constants: a warm start would make a day's numbers depend on which
//! days ran before it.

/// A function at one point, with its slopes and its matrix of second derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surface<const N: usize> {
    pub value: f64,
    pub gradient: [f64; N],
    pub curvature: [[f64; N]; N],
}

impl<const N: usize> Surface<N> {
    pub fn flat() -> Self {
        Self { value: 0.0, gradient: [0.0; N], curvature: [[0.0; N]; N] }
    }

    /// The surface over the logarithms of positive parameters `at`, times `factor`.
    #[must_use]
    pub fn over_logarithms(&self, at: &[f64; N], factor: f64) -> Self {
        let mut over = Self::flat();
        over.value = self.value * factor;
        for i in 0..N {
            over.gradient[i] = self.gradient[i] * at[i] * factor;
            for j in 0..N {
                over.curvature[i][j] = self.curvature[i][j] * at[i] * at[j] * factor;
            }
            over.curvature[i][i] += over.gradient[i];
        }
        over
    }
}

/// Where a search ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum<const N: usize> {
    pub at: [f64; N],
    pub surface: Surface<N>,
    pub iterations: u32,
    pub gradient_norm: f64,
    /// The gradient vanished.
    pub is_converged: bool,
}

/// Newton steps before a search is given up.
const ITERATIONS_MAX: u32 = 200;
/// A gradient below this is zero for all that matters: the next step would not move a digit.
const GRADIENT_GOAL: f64 = 1e-9;
/// What rounding in a long sum may leave of a gradient that cannot be lowered further.
const GRADIENT_ENOUGH: f64 = 1e-6;
/// Longest step in any one coordinate.
const STEP_MAX: f64 = 2.0;
/// Coordinates are logarithms: beyond this, their exponentials say nothing any more.
const COORDINATE_MAX: f64 = 40.0;
/// Damping at which a step is so short that the search has ended.
const DAMPING_MAX: f64 = 1e12;

/// Searches for a minimum from one start.
///
/// Levenberg–Marquardt damping (Nocedal & Wright 2006, ch. 4): the curvature gets `λ` added on its
/// diagonal until the step goes down.
pub fn minimise<const N: usize>(
    surface: impl Fn(&[f64; N]) -> Surface<N>,
    start: [f64; N],
) -> Minimum<N> {
    let (mut at, mut here) = (start, surface(&start));
    let (mut damping, mut iterations) = (0.0, 0);
    while iterations < ITERATIONS_MAX && norm(&here.gradient) > GRADIENT_GOAL {
        iterations += 1;
        let Some(step) = damped_step(&here, damping) else {
            damping = raised(damping);
            if damping > DAMPING_MAX {
                break;
            }
            continue;
        };
        let mut next = at;
        for (coordinate, move_by) in next.iter_mut().zip(step) {
            *coordinate = (*coordinate + move_by).clamp(-COORDINATE_MAX, COORDINATE_MAX);
        }
        let there = surface(&next);
        let gains = there.value.is_finite() && there.value < here.value;
        // At the bottom, values agree to the last digit while the gradient still shrinks.
        let settles = there.value <= here.value && norm(&there.gradient) < norm(&here.gradient);
        if gains || settles {
            (at, here) = (next, there);
            damping = if damping < 1e-6 { 0.0 } else { damping / 8.0 };
        } else {
            damping = raised(damping);
            if damping > DAMPING_MAX {
                break;
            }
        }
    }
    let gradient_norm = norm(&here.gradient);
    let is_converged = here.value.is_finite() && gradient_norm <= GRADIENT_ENOUGH;
    Minimum { at, surface: here, iterations, gradient_norm, is_converged }
}

fn raised(damping: f64) -> f64 {
    if damping > 0.0 { damping * 4.0 } else { 1e-4 }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// `-(curvature + λ)⁻¹ gradient`, cut to the longest step; none when that matrix is not positive.
fn damped_step<const N: usize>(surface: &Surface<N>, damping: f64) -> Option<[f64; N]> {
    let mut matrix = surface.curvature;
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += damping;
    }
    let mut step = solve(&matrix, &surface.gradient.map(|slope| -slope))?;
    let longest = step.iter().fold(0.0_f64, |most, move_by| most.max(move_by.abs()));
    if longest > STEP_MAX {
        step = step.map(|move_by| move_by * STEP_MAX / longest);
    }
    Some(step)
}

/// Lower Cholesky factor; none when `matrix` is not positive definite.
fn cholesky<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let left = matrix[i][j] - known;
            if i != j {
                lower[i][j] = left / lower[j][j];
            } else if left.is_finite() && left > 0.0 {
                lower[i][i] = left.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

fn solve<const N: usize>(matrix: &[[f64; N]; N], right: &[f64; N]) -> Option<[f64; N]> {
    let lower = cholesky(matrix)?;
    let mut solution = *right;
    for i in 0..N {
        let known: f64 = (0..i).map(|k| lower[i][k] * solution[k]).sum();
        solution[i] = (solution[i] - known) / lower[i][i];
    }
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| lower[k][i] * solution[k]).sum();
        solution[i] = (solution[i] - known) / lower[i][i];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}

/// Inverse of a symmetric positive definite matrix.
pub fn inverse<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut columns = [[0.0; N]; N];
    for (i, column) in columns.iter_mut().enumerate() {
        let mut unit = [0.0; N];
        unit[i] = 1.0;
        *column = solve(matrix, &unit)?;
    }
    Some(columns)
}

/// Eigenvalues of a symmetric matrix, in no order (Jacobi's rotations).
pub fn eigenvalues<const N: usize>(matrix: &[[f64; N]; N]) -> [f64; N] {
    let mut m = *matrix;
    for _sweep in 0..50 {
        let off: f64 =
            (0..N).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| m[i][j].abs()).sum();
        if off <= 0.0 || !off.is_finite() {
            break;
        }
        for p in 0..N {
            for q in p + 1..N {
                rotate(&mut m, p, q);
            }
        }
    }
    std::array::from_fn(|i| m[i][i])
}

/// One Jacobi rotation that makes `m[p][q]` zero (Golub & Van Loan, algorithm 8.4.1).
fn rotate<const N: usize>(m: &mut [[f64; N]; N], p: usize, q: usize) {
    if m[p][q].abs() <= f64::MIN_POSITIVE {
        m[p][q] = 0.0;
        m[q][p] = 0.0;
        return;
    }
    let tau = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in m.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    #[expect(clippy::needless_range_loop, reason = "two rows of one matrix at once")]
    for k in 0..N {
        (m[p][k], m[q][k]) = (c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]);
    }
    m[p][q] = 0.0;
    m[q][p] = 0.0;
}

/// A model fitted by maximum likelihood, with what a reader needs to trust it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<const N: usize> {
    pub parameters: [f64; N],
    /// Of the logarithms of the parameters: the inverse of the curvature; none when it has none.
    pub covariance: Option<[[f64; N]; N]>,
    /// From it by the delta method back from logarithms.
    pub standard_errors: Option<[f64; N]>,
    pub log_likelihood: f64,
    /// Of the mean negative log-likelihood, in the logarithms of the parameters.
    pub gradient_norm: f64,
    /// Of the curvature in the same coordinates; infinite when a direction is flat.
    pub condition_number: f64,
    pub is_converged: bool,
    pub iterations: u32,
    pub starts: usize,
    /// Starts that ended at this likelihood.
    pub agreeing: usize,
}

/// Likelihoods of two starts this close, per subject, are the same end.
const SAME_END: f64 = 1e-9;

/// Fits positive parameters to `n` subjects.
///
/// `log_likelihood` gives the sum over all subjects at given parameters, with its derivatives.
/// None without a start or without subjects.
pub fn fit<const N: usize>(
    log_likelihood: impl Fn(&[f64; N]) -> Surface<N>,
    starts: &[[f64; N]],
    n: u64,
) -> Option<Fit<N>> {
    if n == 0 {
        return None;
    }
    let mean_loss = |logarithms: &[f64; N]| {
        let parameters = logarithms.map(f64::exp);
        log_likelihood(&parameters).over_logarithms(&parameters, -1.0 / n as f64)
    };
    let ends: Vec<Minimum<N>> =
        starts.iter().map(|start| minimise(mean_loss, start.map(f64::ln))).collect();
    let best = ends.iter().filter(|end| end.surface.value.is_finite()).min_by(|a, b| {
        // A converged end wins over one that was cut off a hair lower.
        let rank = |end: &Minimum<N>| if end.is_converged { 0.0 } else { SAME_END };
        (a.surface.value + rank(a)).total_cmp(&(b.surface.value + rank(b)))
    })?;
    let agreeing = ends
        .iter()
        .filter(|end| end.is_converged && end.surface.value - best.surface.value <= SAME_END)
        .count();
    let parameters = best.at.map(f64::exp);
    let covariance = inverse(&best.surface.curvature)
        .map(|inverse| inverse.map(|row| row.map(|value| value / n as f64)));
    let standard_errors = covariance
        .map(|covariance| std::array::from_fn(|i| parameters[i] * covariance[i][i].sqrt()));
    let eigenvalues = eigenvalues(&best.surface.curvature);
    let least = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = eigenvalues.iter().copied().fold(0.0, f64::max);
    Some(Fit {
        parameters,
        covariance,
        standard_errors,
        log_likelihood: -best.surface.value * n as f64,
        gradient_norm: best.gradient_norm,
        condition_number: if least > 0.0 { greatest / least } else { f64::INFINITY },
        is_converged: best.is_converged,
        iterations: best.iterations,
        starts: starts.len(),
        agreeing,
    })
}
