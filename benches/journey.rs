//! Paths, their graph and attribution at size, and against logs that others have solved; not part
//! of the tests.
//!
//! `cargo bench --bench journey -- paths FOLDER [THREADS]`: the directly-follows graph and the
//! variants of a timeline in Parquet buckets (`bench/journey_vs_pm4py.py` writes them and asks pm4py).
//! `cargo bench --bench journey -- attribution FILE`: every model on a file of paths with counts, as
//! CSV (`bench/attribution_vs_reference.py` holds it against solved references).
//! `cargo bench --bench journey -- log FILE`: edges and variants of an event log as CSV.
//! `cargo bench --bench journey -- markov [TOUCHPOINTS] [PATHS]`: removal effects of invented chains.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a bench stops at once, and speaks to who runs it"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use cxmart::measure::fold::path_tables::{self, Tables};
use cxmart::measure::fold::paths::{Counted, Level, Paths, Shape};
use cxmart::measure::fold::{Attributes, Marks, Terms, event, pass};
use cxmart::measure::kernel::markov::{Chain, Order, Passage, Place};
use cxmart::storage::parquet;
use cxmart::table::day::day_number;

const HOUR_US: i64 = 3_600_000_000;

/// A row of the timeline.
struct Row {
    customer: String,
    at: i64,
    kind: &'static str,
    touchpoint: Option<String>,
    /// Ten-thousandths.
    amount: Option<i128>,
}

fn paths() -> Paths {
    let horizon_day = day_number("2025-12-31".parse().expect("a date"));
    let terms = Terms {
        horizon_day,
        fit_day: horizon_day,
        backtest_day: horizon_day,
        cohorts_from_contact: false,
        currency: "EUR".into(),
        inactive_days: 90,
        grace_days: 0,
        min_cell: 10,
        confidence: 0.95,
        conversion_days: 90,
    };
    Paths::new(terms, Shape { level: Level::Touchpoint, touches_max: 200, collapses: false })
}

fn batch(rows: &[Row]) -> RecordBatch {
    let text = |of: &dyn Fn(&Row) -> Option<String>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let money = |of: &dyn Fn(&Row) -> Option<i128>| {
        let values = rows.iter().map(of).collect::<Decimal128Array>();
        Arc::new(values.with_precision_and_scale(18, 4).expect("a decimal")) as ArrayRef
    };
    let at = rows.iter().map(|row| Some(row.at)).collect::<TimestampMicrosecondArray>();
    let day = |row: &Row| i32::try_from(row.at.div_euclid(24 * HOUR_US)).ok();
    RecordBatch::try_from_iter(vec![
        ("customer_id", text(&|row| Some(row.customer.clone()))),
        ("occurred_at", Arc::new(at.with_timezone("UTC")) as ArrayRef),
        ("kind", text(&|row| Some(row.kind.to_owned()))),
        ("name", text(&|_| None)),
        ("source", text(&|_| Some("log".into()))),
        ("channel", text(&|_| None)),
        ("touchpoint", text(&|row| row.touchpoint.clone())),
        ("amount", money(&|row| row.amount)),
        ("currency", text(&|_| Some("EUR".into()))),
        ("score", money(&|_| None)),
        ("scale_max", money(&|_| None)),
        ("reference", text(&|_| None)),
        ("occurred_date", Arc::new(rows.iter().map(day).collect::<Date32Array>())),
        ("home_amount", money(&|row| row.amount)),
    ])
    .expect("columns of one length")
}

/// Cases as the fold wants them: by customer and time.
fn folded(paths: &Paths, mut rows: Vec<Row>) -> Counted {
    rows.sort_by(|a, b| (&a.customer, a.at).cmp(&(&b.customer, b.at)));
    pass(paths, &[batch(&rows)], &Marks::default(), &Attributes::default()).expect("a pass")
}

/// Pairs of touchpoints that follow each other directly, with how often.
fn edges(counted: &Counted) -> BTreeMap<(u32, u32), u64> {
    let mut edges = BTreeMap::new();
    for (passage, count) in &counted.passages {
        if let [_, Place::At(from), Place::At(to)] = passage {
            *edges.entry((*from, *to)).or_default() += count;
        }
    }
    edges
}

fn at_size(folder: &str, threads: usize) {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|file| file.path()).collect();
    files.sort();
    let decoded: Vec<Vec<RecordBatch>> = files
        .iter()
        .map(|file| {
            let bytes = std::fs::read(file).expect("a file").into();
            parquet::decode("bucket", bytes, Some(&event::COLUMNS)).expect("rows")
        })
        .collect();
    let events: usize = decoded.iter().flatten().map(RecordBatch::num_rows).sum();
    let (paths, next) = (paths(), AtomicUsize::new(0));
    let all = Mutex::new(Counted::default());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (marks, nobody) = (Marks::default(), Attributes::default());
                let mut own = Counted::default();
                while let Some(rows) = decoded.get(next.fetch_add(1, Ordering::Relaxed)) {
                    own.merge(pass(&paths, rows, &marks, &nobody).expect("a pass"));
                }
                all.lock().expect("no panic").merge(own);
            });
        }
    });
    let counted = all.into_inner().expect("no panic");
    let edges = edges(&counted);
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "paths: {events} events, {} edges, {} passages, {} variants, {} cases: {seconds:.3} s",
        edges.len(),
        edges.values().sum::<u64>(),
        counted.variants.len(),
        counted.variants.values().map(cxmart::measure::fold::paths::Told::paths).sum::<i64>(),
    );
    let started = Instant::now();
    let tables = path_tables::tables(&paths, counted).expect("tables");
    let rows = tables.transitions.num_rows() + tables.paths.num_rows();
    println!(
        "tables of them, attribution included: {rows} and {} rows, {:.3} s",
        tables.attribution.num_rows(),
        started.elapsed().as_secs_f64()
    );
}

/// Lines of a CSV file without quotes, by the names of its header.
fn lines(file: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).expect("a file");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let line = |line: &str| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(line.split(',').map(str::to_owned))
            .collect()
    };
    lines.map(line).collect()
}

fn attribution(file: &str) {
    let start = i64::from(day_number("2025-01-01".parse().expect("a date"))) * 24 * HOUR_US;
    let mut rows = Vec::new();
    for (i, line) in lines(file).iter().enumerate() {
        let number = |name: &str| line[name].parse::<f64>().expect("a number");
        let (converted, lost) = (number("total_conversions") as u64, number("total_null") as u64);
        for n in 0..converted + lost {
            let customer = format!("{i:06} {n:06}");
            let mut at = start;
            for name in line["path"].split(" > ") {
                let touchpoint = Some(name.to_owned());
                let customer = customer.clone();
                rows.push(Row { customer, at, kind: "event", touchpoint, amount: None });
                at += HOUR_US;
            }
            if n < converted {
                // The worth of all of a path lies on its first purchase.
                let worth = (number("total_conversion_value") * 10_000.0).round() as i128;
                let amount = (n == 0 && worth > 0).then_some(worth);
                rows.push(Row { customer, at, kind: "order", touchpoint: None, amount });
            }
        }
    }
    let paths = paths();
    let counted = folded(&paths, rows);
    let names = paths.names();
    let passages: BTreeMap<Passage, u64> =
        counted.passages.iter().map(|(passage, count)| (*passage, *count)).collect();
    for order in [Order::One, Order::Two] {
        let started = Instant::now();
        let chain = Chain::new(order, &passages);
        let effects = chain.removal_effects().expect("a solution");
        println!(
            "# order {order:?}: {} states, {} effects, {} names: {:.6} s",
            chain.size().0,
            effects.len(),
            names.len(),
            started.elapsed().as_secs_f64()
        );
    }
    let Tables { attribution, .. } = path_tables::tables(&paths, counted).expect("tables");
    println!("model,touchpoint,conversions,value,removal_effect");
    let value = attribution["value"].as_primitive::<Decimal128Type>();
    let float = |name: &str| attribution[name].as_primitive::<Float64Type>().clone();
    let (conversions, effects) = (float("conversions"), float("removal_effect"));
    for i in 0..attribution.num_rows() {
        let text = |name: &str| attribution[name].as_string::<i32>().value(i).to_owned();
        println!(
            "{},{},{:?},{:?},{:?}",
            text("model"),
            text("touchpoint"),
            conversions.value(i),
            value.value(i) as f64 / 10_000.0,
            effects.value(i)
        );
    }
}

fn log(file: &str) {
    let time = |text: &str| {
        let parsed = chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "T"));
        parsed.expect("a time").timestamp_micros()
    };
    // Far from the horizon, so that all paths are over.
    let row = |line: &BTreeMap<String, String>| Row {
        customer: line["case:concept:name"].clone(),
        at: time(&line["time:timestamp"]),
        kind: "event",
        touchpoint: Some(line["concept:name"].clone()),
        amount: None,
    };
    let paths = paths();
    let counted = folded(&paths, lines(file).iter().map(row).collect());
    println!("{} variants, {} edges", counted.variants.len(), edges(&counted).len());
    let tables = path_tables::tables(&paths, counted).expect("tables");
    let rows = &tables.transitions;
    let n = rows["n"].as_primitive::<Int64Type>();
    println!("from,to,count");
    for i in 0..rows.num_rows() {
        let text = |name: &str| rows[name].as_string::<i32>().value(i).to_owned();
        let (from, to) = (text("from_touchpoint"), text("to_touchpoint"));
        if !from.starts_with('(') && !to.starts_with('(') {
            println!("{from},{to},{}", n.value(i));
        }
    }
}

/// Numbers that look random and are the same everywhere (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn markov(touchpoints: u64, paths: u64) {
    let mut dice = Dice(7);
    let mut passages: BTreeMap<Passage, u64> = BTreeMap::new();
    for _ in 0..paths {
        let mut behind = [Place::Start, Place::Start];
        let mut last = 0;
        loop {
            // Few are met often, and each leads mostly to some near it.
            let step = dice.below(touchpoints);
            last = (last * 7 + step * dice.below(step + 1) / (step + 1)) % touchpoints;
            let place = Place::At(last as u32);
            *passages.entry([behind[0], behind[1], place]).or_default() += 1;
            behind = [behind[1], place];
            if dice.below(5) == 0 {
                let end =
                    if dice.below(10) < 1 + last % 4 { Place::Converted } else { Place::Lost };
                *passages.entry([behind[0], behind[1], end]).or_default() += 1;
                break;
            }
        }
    }
    for order in [Order::One, Order::Two] {
        let started = Instant::now();
        let chain = Chain::new(order, &passages);
        let effects = chain.removal_effects().expect("a solution");
        let (states, edges) = chain.size();
        println!(
            "markov: order {order:?}, {paths} paths, {states} states, {edges} shares, {} removals: \
             {:.3} s",
            effects.len(),
            started.elapsed().as_secs_f64()
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let number = |at: usize, otherwise: u64| {
        argument(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    match (argument(0), argument(1)) {
        (Some("paths"), Some(folder)) => at_size(folder, number(2, 2) as usize),
        (Some("attribution"), Some(file)) => attribution(file),
        (Some("log"), Some(file)) => log(file),
        (Some("markov"), _) => markov(number(1, 200), number(2, 1_000_000)),
        _ => println!("paths FOLDER [THREADS] | attribution FILE | log FILE | markov [N] [PATHS]"),
    }
}
