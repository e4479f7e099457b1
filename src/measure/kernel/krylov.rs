//! Large sparse linear equations: what a state has is what it earns and a mean of what follows it.
//!
//! Chains of two touchpoints behind have tens of thousands of states, and each touchpoint removed
//! is a set of equations of its own, so elimination would fill the memory. Sweeps alone settle as
//! slowly as paths are long; `BiCGSTAB` (van der Vorst 1992) needs some thirty products however
//! long they are, because all but a few eigenvalues of such chains lie close together. It keeps
//! seven vectors where GMRES would keep one a step, and weighing those would cost more than the
//! products.

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
/// Steps before what is off is reckoned anew, so that rounding does not add up.
const STEPS_MAX: usize = 100;
const ROUNDS_MAX: usize = 20;
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

/// One round of steps from a solution so far; `off` is by how much each equation is off.
fn improve(equations: &impl Equations, mut off: Vec<f64>, x: &mut [f64]) {
    let shadow = off.clone();
    let mut along = off.clone();
    let (mut turned, mut smoothed) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let mut weight = dot(&shadow, &off);
    for _ in 0..STEPS_MAX {
        equations.apply(&along, &mut turned);
        let step = weight / dot(&shadow, &turned);
        if !step.is_finite() {
            return;
        }
        add(x, &along, step);
        add(&mut off, &turned, -step);
        equations.apply(&off, &mut smoothed);
        let smoothing = dot(&smoothed, &off) / dot(&smoothed, &smoothed);
        if !smoothing.is_finite() {
            return;
        }
        add(x, &off, smoothing);
        add(&mut off, &smoothed, -smoothing);
        let before = std::mem::replace(&mut weight, dot(&shadow, &off));
        let ratio = weight / before * (step / smoothing);
        if dot(&off, &off).sqrt() <= STILL / 2.0 || !ratio.is_finite() {
            return;
        }
        add(&mut along, &turned, -smoothing);
        for (along, off) in along.iter_mut().zip(&off) {
            *along = off + ratio * *along;
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds a multiple of one to the other.
fn add(to: &mut [f64], of: &[f64], by: f64) {
    for (sum, value) in to.iter_mut().zip(of) {
        *sum += by * value;
    }
}
