//! What tests need that is no part of this repository: other programs to check the result with.

/// Says that a test is left out for want of something.
///
/// # Panics
/// In CI, which installs all of it and says with `variable` what it could not install.
pub fn left_out(needed: &str, variable: &str) {
    let is_told = std::env::var(variable).is_ok_and(|value| value == "1");
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(is_told || !is_ci, "missing: {needed}, or set {variable}=1");
    eprintln!("a test is left out: it needs {needed}");
}
