//! Special functions and quantiles: `statrs` where it has them, with the arguments made safe.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};
use statrs::function::{beta, erf, gamma};

/// From here on the expansion of a t quantile is right to 1e-10, where the library's search for it
/// begins to lose digits (it is off by 1e-4 at a million degrees of freedom).
const EXPANDED_FROM: f64 = 300.0;
/// From this many degrees of freedom on, t and normal agree to better than anyone reads.
const NORMAL_FROM: f64 = 1e8;

/// Logarithm of the gamma function, for `x > 0`.
pub fn ln_gamma(x: f64) -> f64 {
    gamma::ln_gamma(x)
}

/// Derivative of [`ln_gamma`], for `x > 0`.
pub fn digamma(x: f64) -> f64 {
    gamma::digamma(x)
}

/// Second derivative of [`ln_gamma`], for `x > 0`.
///
/// Recurrence up to 12, then the asymptotic series (Abramowitz & Stegun 6.4.6 and 6.4.12), whose
/// first left-out term is below 1e-15 there.
pub fn trigamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 12.0 {
        below += 1.0 / (x * x);
        x += 1.0;
    }
    // Bernoulli numbers B2, B4, …: 1/6, -1/30, 1/42, -1/30, 5/66, -691/2730, 7/6.
    const B: [f64; 7] =
        [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0];
    let square = 1.0 / (x * x);
    let tail = B.iter().rev().fold(0.0, |sum, b| (sum + b) * square);
    below + 1.0 / x + 0.5 * square + tail / x
}

/// `z` such that a standard normal lies in `±z` with probability `confidence`.
pub fn two_sided_z(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + confidence.clamp(0.0, 1.0) / 2.0)
}

/// `t` such that a Student t with `freedom` degrees lies in `±t` with probability `confidence`.
pub fn two_sided_t(confidence: f64, freedom: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(t) if freedom < EXPANDED_FROM => t.inverse_cdf(0.5 + confidence.clamp(0.0, 1.0) / 2.0),
        _ => expanded_t(two_sided_z(confidence), freedom),
    }
}

/// Quantile of t from the normal's for many degrees of freedom (Abramowitz & Stegun 26.7.5).
fn expanded_t(z: f64, freedom: f64) -> f64 {
    let terms = [
        (&[1.0, 1.0][..], 4.0),
        (&[3.0, 16.0, 5.0][..], 96.0),
        (&[-15.0, 17.0, 19.0, 3.0][..], 384.0),
        (&[-945.0, -1920.0, 1482.0, 776.0, 79.0][..], 92160.0),
    ];
    let (mut t, mut power) = (z, 1.0);
    for (coefficients, divisor) in terms {
        power *= freedom;
        let polynomial = coefficients.iter().rev().fold(0.0, |sum, c| sum * z * z + c) * z;
        t += polynomial / divisor / power;
    }
    t
}

/// Probability that a standard normal is at least as far from 0 as `z`.
pub fn normal_p_value(z: f64) -> f64 {
    erf::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Probability that a Student t with `freedom` degrees is at least as far from 0 as `t`.
pub fn t_p_value(t: f64, freedom: f64) -> f64 {
    if freedom >= NORMAL_FROM {
        return normal_p_value(t);
    }
    // Abramowitz & Stegun 26.7.1: the two tails are a regularised incomplete beta function.
    beta::beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// Probability that a chi-square with `freedom` degrees is at least `x`.
pub fn chi_square_p_value(x: f64, freedom: f64) -> f64 {
    // Abramowitz & Stegun 26.4.19.
    if x > 0.0 { gamma::gamma_ur(freedom / 2.0, x / 2.0) } else { 1.0 }
}

/// `x` such that a chi-square with `freedom` degrees is at most `x` with probability `share`.
pub fn chi_square_quantile(share: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom).map_or(f64::NAN, |chi| chi.inverse_cdf(share))
}
