//! Time of fits and curves at size; not part of the tests.
//!
//! `cargo bench --bench clv -- [CUSTOMERS] [ROWS]`: BG/NBD on simulated customers, the grouping of
//! their histories included, and Kaplan–Meier on rows of one duration each
//! (`bench/kernels_vs_python.py` asks lifetimes and lifelines the same).

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unreadable_literal,
    clippy::too_many_lines,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use cxmart::measure::kernel::bgnbd::{BgNbd, History};
use cxmart::measure::kernel::kaplan_meier::{Observed, kaplan_meier};

/// Numbers that look random and are the same everywhere (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
    }

    fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
}

/// Customers who buy at rates of their own and stop after a purchase now and then; days.
fn histories(n: u32) -> Vec<History> {
    let mut dice = Dice(7);
    let one = |i: u32| {
        let age = 100.0 + f64::from(i % 600);
        // Gamma(1/2, 30): half the square of a normal.
        let angle = (std::f64::consts::TAU * dice.uniform()).cos();
        let rate = dice.exponential() * angle * angle / 30.0;
        let stops = 1.0 - dice.uniform().powf(0.35);
        let (mut now, mut last, mut frequency) = (0.0, 0.0_f64, 0);
        loop {
            now += dice.exponential() / rate.max(1e-9);
            if now > age {
                break;
            }
            (last, frequency) = (now, frequency + 1);
            if dice.uniform() < stops {
                break;
            }
        }
        History { frequency, recency_days: last.ceil() as u32, age_days: age as u32 }
    };
    (0..n).map(one).collect()
}

/// CPU seconds of the process, of all its threads.
fn cpu() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() / TICKS
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|text| text != "--bench");
    let mut size =
        |default: u32| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (customers, rows) = (size(1_000_000), size(10_000_000));

    let known = histories(customers);
    let (started, spent) = (Instant::now(), cpu());
    let mut counts: BTreeMap<History, u64> = BTreeMap::new();
    let mut sorted = known;
    sorted.sort_unstable();
    for same in sorted.chunk_by(|a, b| a == b) {
        counts.extend(same.first().map(|history| (*history, same.len() as u64)));
    }
    let grouped = started.elapsed();
    let fit = BgNbd::fit(&counts, 7.0).expect("customers");
    println!(
        "BG/NBD of {customers} customers, {} distinct: {:.2} s, {:.2} cpu-s, of them {:.2} s \
         grouping; {:.4?} after {} steps, {} of {} starts",
        counts.len(),
        started.elapsed().as_secs_f64(),
        cpu() - spent,
        grouped.as_secs_f64(),
        fit.parameters,
        fit.iterations,
        fit.agreeing,
        fit.starts,
    );

    let mut dice = Dice(11);
    let lives: Vec<(i64, bool)> =
        (0..rows).map(|_| ((dice.exponential() * 500.0) as i64, dice.uniform() < 0.7)).collect();
    let (started, spent) = (Instant::now(), cpu());
    let longest = lives.iter().map(|life| life.0).max().unwrap_or(0);
    let mut counted = vec![(0_u64, 0_u64); usize::try_from(longest).unwrap_or(0) + 1];
    for (time, event) in &lives {
        let cell = &mut counted[usize::try_from(*time).unwrap_or(0)];
        *(if *event { &mut cell.0 } else { &mut cell.1 }) += 1;
    }
    let observed: Vec<Observed> = (0..)
        .zip(&counted)
        .flat_map(|(time, (events, censored))| {
            let of = |event, count| Observed { time, event, count };
            [of(true, *events), of(false, *censored)]
        })
        .collect();
    let curve = kaplan_meier(&observed, 0.95);
    println!(
        "Kaplan-Meier of {rows} rows, {} times: {:.3} s, {:.3} cpu-s; median {:?}",
        curve.steps.len(),
        started.elapsed().as_secs_f64(),
        (cpu() - spent).max(0.01),
        curve.median().time,
    );
}
