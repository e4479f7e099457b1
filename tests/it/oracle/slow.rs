//! Statistics from their textbook formulas, without the code under test: tails by series and
//! continued fractions, quantiles by halving.

pub const Z: f64 = 1.959_963_984_540_054;

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of a sample, with n − 1.
pub fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// Stirling's series, after enough steps of Γ(x + 1) = x Γ(x).
fn ln_gamma(mut x: f64) -> f64 {
    let mut less = 0.0;
    while x < 20.0 {
        less += x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5))
        - 1.0 / (1680.0 * x.powi(7));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - less
}

/// Regularised incomplete beta function by Lentz's continued fraction (DLMF 8.17.22).
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(b, a, 1.0 - x);
    }
    let front = a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let (mut c, mut d, mut value) = (1.0, 0.0, 1.0);
    for i in 0..2_000 {
        let m = f64::from(i / 2);
        let term = match (i, i % 2) {
            (0, _) => 1.0,
            (_, 0) => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        d = 1.0 / (1.0 + term * d);
        c = 1.0 + term / c;
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    // The first term is 1 and not divided by.
    front.exp() / a * (value - 1.0)
}

/// Two-sided tail of Student's t.
pub fn t_tail(t: f64, freedom: f64) -> f64 {
    beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// Where 5 % lie outside.
pub fn t_limit(freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if t_tail(middle, freedom) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Two-sided tail of the normal distribution, by the series of the error function.
pub fn normal_tail(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    if x > 5.0 {
        return 0.0;
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    1.0 - 2.0 / std::f64::consts::PI.sqrt() * sum
}

/// Regularised lower incomplete gamma function, by its series.
fn gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let (mut term, mut sum) = (1.0 / a, 1.0 / a);
    for n in 1..10_000 {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    (a * x.ln() - x - ln_gamma(a)).exp() * sum
}

/// Upper tail of chi-square.
pub fn chi_square_tail(x: f64, freedom: f64) -> f64 {
    1.0 - gamma(freedom / 2.0, x / 2.0)
}

/// Limits of a Poisson mean: those for which so few, and so many, are a chance of 2.5 %.
pub fn garwood(events: f64) -> (f64, f64) {
    let solve = |is_low: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 10.0 * events + 50.0);
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            if is_low(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    };
    let least = if events > 0.0 { solve(&|mean| gamma(events, mean) < 0.025) } else { 0.0 };
    (least, solve(&|mean| 1.0 - gamma(events + 1.0, mean) > 0.025))
}

pub fn wilson(k: f64, n: f64) -> (f64, f64) {
    let p = k / n;
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0).min(p), (centre + half).min(1.0).max(p))
}

/// Limits of a mean.
pub fn student(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    (n > 1.0).then(|| {
        let half = t_limit(n - 1.0) * (variance(values) / n).sqrt();
        (mean(values) - half, mean(values) + half)
    })
}

/// Limits and p-value of the difference of two means: Welch.
pub fn welch(one: &[f64], two: &[f64]) -> Option<((f64, f64), Option<f64>)> {
    if one.len() < 2 || two.len() < 2 {
        return None;
    }
    let (a, b) = (variance(one) / one.len() as f64, variance(two) / two.len() as f64);
    let (difference, error) = (mean(one) - mean(two), (a + b).sqrt());
    if error <= 0.0 {
        let p = if difference == 0.0 { Some(1.0) } else { None };
        return Some(((difference, difference), p));
    }
    let freedom =
        (a + b).powi(2) / (a * a / (one.len() as f64 - 1.0) + b * b / (two.len() as f64 - 1.0));
    let half = t_limit(freedom) * error;
    let p = t_tail(difference / error, freedom);
    Some(((difference - half, difference + half), Some(p)))
}

/// The same of two shares: Newcombe's limits, and the pooled test.
pub fn shares(one: &[f64], two: &[f64]) -> ((f64, f64), f64) {
    let (n, m) = (one.len() as f64, two.len() as f64);
    let (k, l) = (one.iter().sum::<f64>(), two.iter().sum::<f64>());
    let (p, q) = (k / n, l / m);
    let ((a, b), (c, d)) = (wilson(k, n), wilson(l, m));
    let low = p - q - ((p - a).powi(2) + (d - q).powi(2)).sqrt();
    let high = p - q + ((b - p).powi(2) + (q - c).powi(2)).sqrt();
    let pooled = (k + l) / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let tail = if error > 0.0 { normal_tail((p - q) / error) } else { 1.0 };
    ((low, high), tail)
}

#[test]
fn tables_of_students_t_and_the_normal_are_found() {
    // Fisher & Yates, table III.
    for (freedom, wanted) in [(1.0, 12.706_205), (5.0, 2.570_582), (30.0, 2.042_272)] {
        assert!((t_limit(freedom) - wanted).abs() < 1e-6, "{}", t_limit(freedom));
    }
    assert!((normal_tail(Z) - 0.05).abs() < 1e-12);
    assert!((t_tail(2.0, 1e7) - normal_tail(2.0)).abs() < 1e-7);
    // Garwood 1936, for ten.
    let (low, high) = garwood(10.0);
    assert!((low - 4.795_389).abs() < 1e-6 && (high - 18.390_356).abs() < 1e-6);
    assert!((chi_square_tail(Z * Z, 1.0) - 0.05).abs() < 1e-12);
}
