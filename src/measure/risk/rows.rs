//! Rows out: risks and what they rest on to the published tables.

use arrow::array::{ArrayRef, RecordBatch};

use super::inputs::INPUTS;
use super::judged::Judged;
use super::models::{Model, REASONS, Reason};
use super::{DEFINITION, Known, Study, Terms, tested_on};
use crate::measure::columns::{self, Column, counts, definition, flags, floats, texts};
use crate::measure::features::{Described, FeatureError};
use crate::measure::fold::features::{WINDOW_DAYS, days};
use crate::measure::kernel::interval::wilson;
use crate::table::day::date;

/// What stands for no bucket, and for both models together.
const ALL: &str = "all";

fn batch(table: &'static str, columns: Vec<Column>) -> Result<RecordBatch, FeatureError> {
    columns::rows(columns).map_err(|source| FeatureError::Rows { table, source })
}

fn day(day: i32, n: usize) -> ArrayRef {
    columns::days(std::iter::repeat_n(day, n))
}

fn whole(n: u64) -> Option<i64> {
    i64::try_from(n).ok()
}

/// Tenths of customers by their risk, 1 the most at risk; equal risks are never parted.
fn tenths(risks: &[f64]) -> Vec<i64> {
    let mut sorted = risks.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let tenth = |risk: &f64| {
        let above = sorted.partition_point(|other| other.total_cmp(risk).is_gt());
        1 + (10 * above / sorted.len().max(1)) as i64
    };
    risks.iter().map(tenth).collect()
}

/// `churn_risk`.
///
/// # Errors
/// The columns do not fit each other.
pub fn risks(
    active: &Described,
    study: &Study,
    terms: &Terms,
) -> Result<RecordBatch, FeatureError> {
    let n = active.len();
    let risks = study.risks();
    let tenths = tenths(&risks);
    let reasons: Vec<Vec<Reason>> = (0..n).map(|place| study.reasons(place)).collect();
    let model = study.chosen.map(Model::name);
    let silent = active.rows().map(|row| row.get("days_silent").map(|days| days as i64));
    let mut columns =
        vec![("customer_id", texts(active.ids.iter().map(Some))), ("as_of", day(terms.as_of, n))];
    columns.extend(definition(DEFINITION, n));
    columns.extend([
        ("status", texts(std::iter::repeat_n(Some(study.status.name()), n))),
        ("model", texts(std::iter::repeat_n(model, n))),
        ("churn_risk", floats((0..n).map(|i| risks.get(i).copied()))),
        ("risk_decile", counts((0..n).map(|i| tenths.get(i).copied()))),
        ("days_silent", counts(silent)),
        ("is_contractual", flags(active.is_contractual.iter().copied())),
    ]);
    const NAMES: [[&str; 3]; REASONS] = [
        ["reason_1", "reason_1_value", "reason_1_effect"],
        ["reason_2", "reason_2_value", "reason_2_effect"],
        ["reason_3", "reason_3_value", "reason_3_effect"],
    ];
    for (place, [input, value, effect]) in NAMES.into_iter().enumerate() {
        let nth = || reasons.iter().map(move |reasons| reasons.get(place).copied());
        columns.push((input, texts(nth().map(|reason| Some(reason?.input)))));
        columns.push((value, floats(nth().map(|reason| Some(reason?.value)))));
        columns.push((effect, floats(nth().map(|reason| Some(reason?.effect)))));
    }
    batch("churn_risk", columns)
}

/// One row of `churn_risk_model`.
#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    model: &'static str,
    measure: &'static str,
    bucket: String,
    n: u64,
    churned: Option<u64>,
    value: Option<f64>,
    limits: Option<(f64, f64)>,
    predicted: Option<f64>,
}

/// Customers that a model was fitted to or tested on.
fn counted(measure: &'static str, bucket: String, n: u64, churned: u64, terms: &Terms) -> Row {
    let share = wilson(churned, n, terms.confidence);
    Row {
        model: ALL,
        measure,
        bucket,
        n,
        churned: Some(churned),
        value: (n >= terms.min_cell.max(1)).then(|| churned as f64 / n as f64),
        limits: (n >= terms.min_cell.max(1)).then_some((share.low, share.high)),
        predicted: None,
    }
}

fn windows(known: &Known, measure: &'static str, of: &[i32], terms: &Terms) -> Vec<Row> {
    let one = |window: &i32| {
        let labels = known.customers.days.iter().zip(&known.labels);
        let labels = labels.filter(|(day, _)| *day == window).map(|(_, label)| *label);
        let (mut n, mut churned) = (0, 0);
        for label in labels {
            n += 1;
            churned += u64::from(label);
        }
        counted(measure, date(*window).to_string(), n, churned, terms)
    };
    let all = counted(measure, ALL.to_owned(), known.len(), known.churned(), terms);
    std::iter::once(all).chain(of.iter().map(one)).collect()
}

/// What one model came to.
fn of_model(study: &Study, model: Model, judged: &Judged, terms: &Terms) -> Vec<Row> {
    let name = model.name();
    let of = |measure, value: Option<f64>| Row {
        model: name,
        measure,
        bucket: ALL.to_owned(),
        n: judged.n,
        churned: Some(judged.churned),
        value,
        ..Row::default()
    };
    let area = judged.auc;
    let mut rows = vec![
        Row { limits: area.map(|(_, i)| (i.low, i.high)), ..of("auc", area.map(|a| a.0)) },
        of("pr_auc", judged.average_precision),
        of("brier", judged.brier),
        of("brier_skill", judged.skill()),
        of("log_loss", judged.log_loss),
        of("calibration_error", judged.calibration_error),
    ];
    for (place, bin) in (1..).zip(&judged.bins) {
        let share = wilson(bin.cases, bin.n, terms.confidence);
        rows.push(Row {
            model: name,
            measure: "calibration",
            bucket: format!("{place:02}"),
            n: bin.n,
            churned: Some(bin.cases),
            value: Some(bin.observed()),
            limits: Some((share.low, share.high)),
            predicted: Some(bin.predicted),
        });
    }
    let base = judged.base().filter(|base| *base > 0.0);
    let (mut n, mut churned) = (0, 0);
    for (place, bin) in (1..).zip(judged.bins.iter().rev()) {
        n += bin.n;
        churned += bin.cases;
        rows.push(Row {
            model: name,
            measure: "lift",
            bucket: format!("{place:02}"),
            n,
            churned: Some(churned),
            value: base.map(|base| churned as f64 / n as f64 / base),
            ..Row::default()
        });
    }
    let Some(trained) = &study.trained else { return rows };
    rows.push(Row {
        bucket: trained.curve(model).to_owned(),
        n: trained.apart,
        churned: None,
        ..of("calibrated_by", None)
    });
    for ((weight, error), input) in trained.weights(model).into_iter().zip(INPUTS) {
        let half = crate::measure::kernel::special::two_sided_z(terms.confidence);
        rows.push(Row {
            model: name,
            measure: "weight",
            bucket: input.to_owned(),
            n: trained.fitted,
            value: Some(weight),
            limits: error.map(|error| (weight - half * error, weight + half * error)),
            ..Row::default()
        });
    }
    rows
}

/// `churn_risk_model`.
///
/// # Errors
/// The columns do not fit each other.
pub fn model(study: &Study, terms: &Terms) -> Result<RecordBatch, FeatureError> {
    let [_, tested, training @ ..] = days(terms.as_of);
    let mut rows = windows(&study.training, "training", &training, terms);
    rows.extend(windows(&study.holdout, "holdout", &[tested], terms));
    for (model, judged) in &study.judged {
        rows.extend(of_model(study, *model, judged, terms));
    }
    if study.trained.is_some() {
        rows.extend(study.drift.iter().zip(INPUTS).map(|(drift, input)| Row {
            model: ALL,
            measure: "drift",
            bucket: input.to_owned(),
            n: study.today.len() as u64,
            value: *drift,
            ..Row::default()
        }));
    }
    let n = rows.len();
    let float = |of: fn(&Row) -> Option<f64>| floats(rows.iter().map(of));
    let chosen = study.chosen.map(Model::name);
    let mut columns = vec![
        ("as_of", day(terms.as_of, n)),
        ("model", texts(rows.iter().map(|row| Some(row.model)))),
        ("measure", texts(rows.iter().map(|row| Some(row.measure)))),
        ("bucket", texts(rows.iter().map(|row| Some(&row.bucket)))),
    ];
    columns.extend(definition(DEFINITION, n));
    columns.extend([
        ("status", texts(rows.iter().map(|_| Some(study.status.name())))),
        ("is_published", flags(rows.iter().map(|row| Some(row.model) == chosen))),
        ("tested_on", day(tested_on(terms), n)),
        ("window_days", counts(std::iter::repeat_n(Some(i64::from(WINDOW_DAYS)), n))),
        ("n", counts(rows.iter().map(|row| whole(row.n)))),
        ("churned", counts(rows.iter().map(|row| row.churned.and_then(whole)))),
        ("value", float(|row| row.value)),
        ("value_low", float(|row| row.limits.map(|limits| limits.0))),
        ("value_high", float(|row| row.limits.map(|limits| limits.1))),
        ("predicted", float(|row| row.predicted)),
    ]);
    batch("churn_risk_model", columns)
}
