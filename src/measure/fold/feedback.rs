//! Feedback to churn: who said what before a day, and who was gone some days after it.
//!
//! One day per window, the latest whose window is over at the horizon: customers active at its end
//! are told apart by their newest answer up to it, and nothing later is looked at but whether they
//! churned. So each customer counts once a window, and no answer knows what came after it.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::columns::{batch, counts, days, flags, share, shares, texts};
use super::membership::Lived;
use super::{Event, FoldError, Terms};
use crate::measure::kernel::interval::{Interval, poisson_rate, wilson};
use crate::measure::kernel::risk::relative_risk;

const TABLE: &str = "churn_by_feedback";
/// Days ahead.
pub const WINDOWS: [i32; 3] = [30, 90, 180];
const METRICS: [&str; 3] = ["nps", "csat", "ces"];
/// Best first: it is what the others are held against.
const NPS: [&str; 3] = ["promoter", "passive", "detractor"];
const OTHERS: [&str; 2] = ["favourable", "not_favourable"];
/// Of those who had not answered by then.
const SILENT: &str = "no_answer";
/// One whole point of a score.
const POINT: i128 = 10_000;
const YEAR_DAYS: f64 = 365.25;

/// The days that answers are looked at from, by window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows([i32; 3]);

impl Windows {
    pub fn new(terms: &Terms) -> Self {
        Self(WINDOWS.map(|window| terms.horizon_day - window))
    }
}

/// Classes of the newest answers, by metric and window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard([[Option<u8>; 3]; 3]);

/// Metric and class of an answer, by the job's favourable set where it has one; none on scales
/// without an agreed reading.
fn class(event: &Event<'_>) -> Option<(usize, u8)> {
    if let (Some(metric @ ("csat" | "ces")), Some(is)) = (event.name, event.is_favourable) {
        return Some((if metric == "csat" { 1 } else { 2 }, u8::from(!is)));
    }
    let (score, max) = (event.score?, event.scale_max? / POINT);
    let from = |least: i128| u8::from(score < least * POINT);
    Some(match (event.name?, max) {
        ("nps", 10) if score >= 9 * POINT => (0, 0),
        ("nps", 10) => (0, if score > 6 * POINT { 1 } else { 2 }),
        ("csat", 1) => (1, from(1)),
        ("csat", 3) => (1, from(3)),
        ("csat", 5) => (1, from(4)),
        ("csat", 7) => (1, from(6)),
        ("csat", 10) => (1, from(9)),
        ("ces", 5) => (2, from(4)),
        ("ces", 7) => (2, from(5)),
        _ => return None,
    })
}

impl Heard {
    pub fn take(&mut self, windows: &Windows, event: &Event<'_>) {
        let Some((metric, class)) = class(event) else { return };
        let Some(newest) = self.0.get_mut(metric) else { return };
        for (slot, day) in newest.iter_mut().zip(windows.0) {
            if event.day <= day {
                *slot = Some(class);
            }
        }
    }
}

/// Customers of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cell {
    n: i64,
    churned: i64,
    /// Days that customers were there to churn, in the window.
    exposure_days: i64,
}

/// By window, metric and class; the last class is silence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feedback(BTreeMap<(usize, usize, u8), Cell>);

/// After the classes of all metrics.
const NO_ANSWER: u8 = u8::MAX;

impl Feedback {
    pub fn add(&mut self, terms: &Terms, lived: &Lived) {
        let windows = Windows::new(terms);
        for (window, (day, length)) in windows.0.into_iter().zip(WINDOWS).enumerate() {
            let Some(span) = lived.span_at(day) else { continue };
            let end = span.end.filter(|end| *end <= day + length);
            for metric in 0..METRICS.len() {
                let class = lived.heard.0[metric][window].unwrap_or(NO_ANSWER);
                let cell = self.0.entry((window, metric, class)).or_default();
                cell.n += 1;
                cell.churned += i64::from(end.is_some());
                cell.exposure_days += i64::from(end.map_or(length, |end| end - day));
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, theirs) in &other.0 {
            let mine = self.0.entry(*key).or_default();
            mine.n += theirs.n;
            mine.churned += theirs.churned;
            mine.exposure_days += theirs.exposure_days;
        }
    }

    /// Rows of `churn_by_feedback`: every class of a window somebody was active in.
    ///
    /// # Errors
    /// Columns that do not fit each other.
    pub fn batch(&self, terms: &Terms) -> Result<RecordBatch, FoldError> {
        let mut rows = Vec::new();
        for (window, length) in WINDOWS.into_iter().enumerate() {
            for (metric, name) in METRICS.into_iter().enumerate() {
                if self.0.range((window, metric, 0)..=(window, metric, NO_ANSWER)).next().is_none()
                {
                    continue;
                }
                let classes: &[&str] = if metric == 0 { &NPS } else { &OTHERS };
                let of = |class| self.0.get(&(window, metric, class)).copied().unwrap_or_default();
                let named = (0_u8..).zip(classes).map(|(class, name)| (*name, of(class)));
                let best = of(0);
                rows.extend(named.chain([(SILENT, of(NO_ANSWER))]).map(|(bucket, cell)| Row {
                    metric: name,
                    bucket,
                    length,
                    cell,
                    best,
                    reference: classes.first().copied().unwrap_or_default(),
                }));
            }
        }
        columns(&rows, terms)
    }
}

struct Row {
    metric: &'static str,
    bucket: &'static str,
    length: i32,
    cell: Cell,
    /// The class it is held against.
    best: Cell,
    reference: &'static str,
}

impl Row {
    fn rate_interval(&self, confidence: f64) -> Option<Interval> {
        let n = u64::try_from(self.cell.n).ok().filter(|n| *n > 0)?;
        Some(wilson(u64::try_from(self.cell.churned).ok()?, n, confidence))
    }

    /// Churned per year lived in the window.
    fn hazard(&self) -> Option<f64> {
        let years = self.cell.exposure_days as f64 / YEAR_DAYS;
        (self.cell.exposure_days > 0).then(|| self.cell.churned as f64 / years)
    }

    fn hazard_interval(&self, confidence: f64) -> Option<Interval> {
        let years = self.cell.exposure_days as f64 / YEAR_DAYS;
        let events = u64::try_from(self.cell.churned).ok()?;
        (self.cell.exposure_days > 0).then(|| poisson_rate(events, years, confidence))
    }
}

fn columns(rows: &[Row], terms: &Terms) -> Result<RecordBatch, FoldError> {
    let few = |row: &Row| row.cell.n < terms.min_cell;
    let shown = || rows.iter().map(|row| (!few(row)).then_some(row));
    let number = |of: &dyn Fn(&Row) -> Option<f64>| shares(shown().map(|row| of(row?)));
    let confidence = terms.confidence;
    let risk = |row: &Row| {
        if row.best.n < terms.min_cell {
            return None;
        }
        let [part, whole, best_part, best_whole] =
            [row.cell.churned, row.cell.n, row.best.churned, row.best.n].map(|n| n.max(0) as u64);
        relative_risk((part, whole), (best_part, best_whole), confidence)
    };
    let is_reference = |row: &Row| row.bucket == row.reference;
    let interval = |row: &Row| if is_reference(row) { None } else { Some(risk(row)?.interval) };
    let ratio = |row: &Row| if is_reference(row) { Some(1.0) } else { Some(risk(row)?.ratio) };
    batch(
        TABLE,
        vec![
            ("metric", texts(rows.iter().map(|row| Some(row.metric)))),
            ("bucket", texts(rows.iter().map(|row| Some(row.bucket)))),
            ("window_days", counts(rows.iter().map(|row| Some(i64::from(row.length))))),
            ("definition_id", texts(rows.iter().map(|_| Some("churn_by_feedback")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("feedback_until", days(rows.iter().map(|row| terms.horizon_day - row.length))),
            ("is_suppressed", flags(rows.iter().map(few))),
            ("n", counts(rows.iter().map(|row| Some(row.cell.n)))),
            ("churned", counts(shown().map(|row| Some(row?.cell.churned)))),
            ("rate", number(&|row| share(row.cell.churned, row.cell.n))),
            ("ci_low", number(&|row| Some(row.rate_interval(confidence)?.low))),
            ("ci_high", number(&|row| Some(row.rate_interval(confidence)?.high))),
            ("hazard", number(&Row::hazard)),
            ("hazard_low", number(&|row| Some(row.hazard_interval(confidence)?.low))),
            ("hazard_high", number(&|row| Some(row.hazard_interval(confidence)?.high))),
            ("reference_bucket", texts(rows.iter().map(|row| Some(row.reference)))),
            ("relative_risk", number(&ratio)),
            ("relative_risk_low", number(&|row| Some(interval(row)?.low))),
            ("relative_risk_high", number(&|row| Some(interval(row)?.high))),
        ],
    )
}
