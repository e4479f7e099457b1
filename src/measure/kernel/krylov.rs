//! Large sparse linear equations: what a state has is what it earns and a mean of what follows it.
//!
//! Chains of two touchpoints behind have tens of thousands of states, and each touchpoint removed
//! is a set of equations of its own, so elimination would fill the memory. Sweeps alone settle as
//! slowly as paths are long; GMRES (Saad & Schultz 1986) needs some twenty products, because all
//! but a few eigenvalues of such chains lie close together.

/// Equations `x − Q x = right`, where rows of `Q` hold shares that sum to at most one.
pub trait Equations {
    /// `x − Q x`.
    fn apply(&self, x: &[f64], out: &mut [f64]);

    /// Puts what an equation says into each unknown, one after the other (Gauss-Seidel); gives how
    /// far the farthest moved.
    fn sweep(&self, right: &[f64], x: &mut [f64]) -> f64;
}

/// A solution is exact when no equation is off by more than this, of unknowns between 0 and 1.
const STILL: f64 = 1e-15;
/// What is put up with where rounding allows no better.
const NEARLY: f64 = 1e-13;
/// Directions kept before a solution so far is started from anew.
const DIRECTIONS: usize = 40;
const ROUNDS_MAX: usize = 50;
/// Sweeps after which equations count as unsolvable; chains that mostly lead back to themselves
/// need some thousands.
const SWEEPS_MAX: usize = 200_000;

/// The solution, from a guess at it; `None` where the equations do not settle.
pub fn solve(equations: &impl Equations, right: &[f64], mut x: Vec<f64>) -> Option<Vec<f64>> {
    let mut before = f64::INFINITY;
    for _ in 0..ROUNDS_MAX {
        let residual = residual(equations, right, &x);
        let worst = residual.iter().fold(0.0_f64, |worst, off| worst.max(off.abs()));
        if worst <= STILL {
            return Some(x);
        }
        // Rounding, or equations that this way does not fit.
        if worst.is_nan() || worst > before / 2.0 {
            break;
        }
        before = worst;
        improve(equations, residual, &mut x);
    }
    settle(equations, right, x)
}

/// Sweeps until nothing moves: slow, and never wrong.
fn settle(equations: &impl Equations, right: &[f64], mut x: Vec<f64>) -> Option<Vec<f64>> {
    if x.iter().any(|value| !value.is_finite()) {
        x.fill(0.0);
    }
    let mut moved = f64::INFINITY;
    for _ in 0..SWEEPS_MAX {
        let now = equations.sweep(right, &mut x);
        if now <= STILL || (now <= NEARLY && now >= moved) {
            return Some(x);
        }
        moved = now;
    }
    None
}

fn residual(equations: &impl Equations, right: &[f64], x: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; x.len()];
    equations.apply(x, &mut out);
    for (off, right) in out.iter_mut().zip(right) {
        *off = right - *off;
    }
    out
}

/// One round: the best correction among all that powers of the equations reach from the residual.
fn improve(equations: &impl Equations, residual: Vec<f64>, x: &mut [f64]) {
    let length = norm(&residual);
    let mut basis = vec![scaled(residual, 1.0 / length)];
    // Columns of the triangle that rotations make of the products, and what they make of the right
    // side; its last entry is how much is still off.
    let mut triangle: Vec<Vec<f64>> = Vec::new();
    let mut turns: Vec<(f64, f64)> = Vec::new();
    let mut off = vec![length];
    for k in 0..DIRECTIONS {
        let mut next = vec![0.0; x.len()];
        equations.apply(&basis[k], &mut next);
        let mut column: Vec<f64> = Vec::with_capacity(k + 2);
        for known in &basis {
            let along = dot(&next, known);
            add(&mut next, known, -along);
            column.push(along);
        }
        let rest = norm(&next);
        for (i, (cos, sin)) in turns.iter().enumerate() {
            let (upper, lower) = (column[i], column[i + 1]);
            (column[i], column[i + 1]) = (cos * upper + sin * lower, cos * lower - sin * upper);
        }
        let pivot = column[k].hypot(rest);
        if pivot <= 0.0 {
            break;
        }
        let (cos, sin) = (column[k] / pivot, rest / pivot);
        column[k] = pivot;
        turns.push((cos, sin));
        triangle.push(column);
        let last = off[k];
        off[k] = cos * last;
        off.push(-sin * last);
        if (sin * last).abs() <= STILL / 2.0 || rest <= 0.0 {
            break;
        }
        basis.push(scaled(next, 1.0 / rest));
    }
    // Back through the triangle.
    let mut weights = off;
    weights.truncate(triangle.len());
    for k in (0..triangle.len()).rev() {
        let known: f64 = (k + 1..triangle.len()).map(|j| triangle[j][k] * weights[j]).sum();
        weights[k] = (weights[k] - known) / triangle[k][k];
    }
    for (direction, weight) in basis.iter().zip(&weights) {
        add(x, direction, *weight);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn scaled(mut a: Vec<f64>, by: f64) -> Vec<f64> {
    for value in &mut a {
        *value *= by;
    }
    a
}

/// Adds a multiple of one to the other.
fn add(to: &mut [f64], of: &[f64], by: f64) {
    for (sum, value) in to.iter_mut().zip(of) {
        *sum += by * value;
    }
}
