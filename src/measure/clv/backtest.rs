//! Would the models have been right? Fitted up to a former day, asked of the days since.

use std::collections::BTreeMap;

use super::Terms;
use super::models::{Models, held_out};
use super::people::{Bought, Held};

/// One row of `clv_backtest`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `orders`, `revenue`, `frequency` or `p_alive`.
    pub measure: &'static str,
    pub bucket: String,
    pub n: u64,
    pub actual: f64,
    pub predicted: Option<f64>,
    pub correlation: Option<f64>,
    pub absolute_error: Option<f64>,
    pub squared_error: Option<f64>,
}

/// The backtest of a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    pub fit_until: i32,
    pub days: i32,
    pub models: Models,
    pub rows: Vec<Row>,
}

/// Purchases from which on buckets of frequency are one.
const FREQUENT: u32 = 7;

/// What was expected of one customer, and what came.
struct Outcome {
    frequency: u32,
    p_alive: f64,
    expected: f64,
    revenue: Option<f64>,
    days: f64,
    value: f64,
}

/// None where nothing is held out, or nobody had bought by then.
pub fn backtest(customers: &[Bought], terms: &Terms) -> Option<Backtest> {
    let fit_until = customers.first()?.backtest_day;
    let days = terms.as_of - fit_until;
    let held: Vec<&Held> = customers.iter().filter_map(|one| one.held.as_ref()).collect();
    if days <= 0 || held.is_empty() {
        return None;
    }
    let models = held_out(&held, terms);
    let outcomes = outcomes(&held, &models, terms, days);
    let rows = outcomes.map_or_else(|| untold(&held), |outcomes| rows(&outcomes));
    Some(Backtest { fit_until, days, models, rows })
}

fn outcomes(held: &[&Held], models: &Models, terms: &Terms, days: i32) -> Option<Vec<Outcome>> {
    let (model, spending) = (models.buying()?, models.spending());
    let unit = f64::from(terms.unit_days);
    let ahead = f64::from(days) / unit;
    let mut known: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    let outcome = |held: &&Held| {
        let history = held.history;
        let time = |days: u32| f64::from(days) / unit;
        let (recency, age) = (time(history.recency_days), time(history.age_days));
        let (p_alive, _) = model.alive(history.frequency, recency, age);
        let key = (history.frequency, history.age_days);
        let alive = *known
            .entry(key)
            .or_insert_with(|| model.expected_if_alive(history.frequency, age, ahead));
        let expected = p_alive * alive;
        let spend = spending.map(|spending| spending.expected(history.frequency, held.mean()));
        Outcome {
            frequency: history.frequency,
            p_alive,
            expected,
            revenue: spend.filter(|spend| spend.is_finite()).map(|spend| spend * expected),
            days: f64::from(held.days_after),
            value: held.value_after as f64 / 10_000.0,
        }
    };
    Some(held.iter().map(outcome).collect())
}

/// What came, where no model could have said it.
fn untold(held: &[&Held]) -> Vec<Row> {
    let actual = held.iter().map(|held| f64::from(held.days_after)).sum();
    vec![Row { actual, ..row("orders", "all", held.len()) }]
}

fn row(measure: &'static str, bucket: &str, n: usize) -> Row {
    Row {
        measure,
        bucket: bucket.to_owned(),
        n: n as u64,
        actual: 0.0,
        predicted: None,
        correlation: None,
        absolute_error: None,
        squared_error: None,
    }
}

fn rows(outcomes: &[Outcome]) -> Vec<Row> {
    let n = outcomes.len();
    let mean = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / n as f64;
    let mut rows = vec![Row {
        actual: outcomes.iter().map(|one| one.days).sum(),
        predicted: Some(outcomes.iter().map(|one| one.expected).sum()),
        correlation: correlation(outcomes),
        absolute_error: Some(mean(&|one| (one.expected - one.days).abs())),
        squared_error: Some(mean(&|one| (one.expected - one.days).powi(2))),
        ..row("orders", "all", n)
    }];
    let told: Vec<&Outcome> = outcomes.iter().filter(|one| one.revenue.is_some()).collect();
    rows.push(Row {
        actual: told.iter().map(|one| one.value).sum(),
        predicted: (!told.is_empty()).then(|| told.iter().filter_map(|one| one.revenue).sum()),
        ..row("revenue", "all", told.len())
    });
    let mut buckets: BTreeMap<(&'static str, u32), Vec<&Outcome>> = BTreeMap::new();
    for one in outcomes {
        let tenth = ((one.p_alive * 10.0) as u32).min(9);
        buckets.entry(("frequency", one.frequency.min(FREQUENT))).or_default().push(one);
        buckets.entry(("p_alive", tenth)).or_default().push(one);
    }
    for ((measure, bucket), members) in buckets {
        let is_frequency = measure == "frequency";
        let mean = |of: &dyn Fn(&Outcome) -> f64| {
            members.iter().map(|one| of(one)).sum::<f64>() / members.len() as f64
        };
        let name = match (is_frequency, bucket) {
            (true, FREQUENT) => format!("{FREQUENT}+"),
            (true, bucket) => bucket.to_string(),
            (false, tenth) => format!("{:.1}", f64::from(tenth) / 10.0),
        };
        let bought = |one: &Outcome| f64::from(u8::from(one.days > 0.0));
        rows.push(Row {
            actual: if is_frequency { mean(&|one| one.days) } else { mean(&bought) },
            predicted: Some(mean(&|one| if is_frequency { one.expected } else { one.p_alive })),
            ..row(measure, &name, members.len())
        });
    }
    rows
}

/// Pearson's, of what was expected and what came; none where one of them does not vary.
fn correlation(outcomes: &[Outcome]) -> Option<f64> {
    let n = outcomes.len() as f64;
    let means = (
        outcomes.iter().map(|one| one.expected).sum::<f64>() / n,
        outcomes.iter().map(|one| one.days).sum::<f64>() / n,
    );
    let (mut both, mut left, mut right) = (0.0, 0.0, 0.0);
    for one in outcomes {
        let (a, b) = (one.expected - means.0, one.days - means.1);
        both += a * b;
        left += a * a;
        right += b * b;
    }
    let scale = (left * right).sqrt();
    (scale > 0.0).then(|| both / scale)
}
