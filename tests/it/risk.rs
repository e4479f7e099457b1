//! Churn risk over invented shops: what is learned, what is said when nothing can be, and that the
//! order of rows decides nothing.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use cxmart::measure::fold::features::Features;
use cxmart::measure::fold::{Attributes, Marks, pass};
use cxmart::measure::risk::{INPUTS, Tables, Terms, churn_risk};

use super::fold::features::everybody;
use super::fold::{Row, order, terms as fold_terms, timeline};
use super::segments::{Customer, described};

const AS_OF: i32 = 20_000;

fn terms() -> Terms {
    Terms { as_of: AS_OF, churners_min: 50, inactive_days: 90, confidence: 0.95, min_cell: 10 }
}

/// Two kinds of customers: who comes every two weeks and seldom leaves, and who comes every five
/// and often does.
fn shop(people: u64) -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 0..people {
        let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut chance = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (seed >> 40) as f64 / f64::from(1_u32 << 24)
        };
        let (gap, leaves) = if number % 2 == 0 { (14.0, 0.03) } else { (35.0, 0.25) };
        let mut at = AS_OF - (chance() * 700.0) as i32;
        while at <= AS_OF {
            rows.push(order(&format!("c_{number:05}"), at, 10 + i128::from(number % 40)));
            if chance() < leaves {
                break;
            }
            at += 1 + (chance() * 2.0 * gap) as i32;
        }
    }
    rows
}

fn features(rows: &[Row]) -> RecordBatch {
    let fold = Features { terms: fold_terms(AS_OF), drawn: everybody() };
    let passed = pass(&fold, &timeline(rows, 4_096), &Marks::default(), &Attributes::default());
    passed.expect("a pass").batch().expect("a batch")
}

fn made(features: &[RecordBatch], terms: &Terms) -> Tables {
    churn_risk(features, terms).expect("good rows")
}

/// Values of the model table by model, measure and bucket.
fn measures(tables: &Tables) -> BTreeMap<(String, String, String), Option<f64>> {
    let text = |column: &str, i: usize| tables.model[column].as_string::<i32>().value(i).to_owned();
    let values = tables.model["value"].as_primitive::<Float64Type>();
    let key = |i: usize| (text("model", i), text("measure", i), text("bucket", i));
    let value = |i: usize| values.is_valid(i).then(|| values.value(i));
    let rows: Vec<_> = (0..tables.model.num_rows()).map(|i| (key(i), value(i))).collect();
    let n = rows.len();
    let by_key: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(by_key.len(), n, "the grain is unique");
    by_key
}

fn status(tables: &Tables) -> Vec<String> {
    let all = tables.model["status"].as_string::<i32>();
    let mut all: Vec<String> = all.iter().flatten().map(str::to_owned).collect();
    all.dedup();
    all
}

/// Goal: what parts the two kinds is learned, probabilities are right on a window that was not
/// seen, and the table says all of it.
#[test]
fn risks_part_who_leaves_from_who_stays_and_are_probabilities() {
    let features = features(&shop(1_500));
    let tables = made(&[features.clone()], &terms());
    assert_eq!(status(&tables), ["trained"]);
    let measures = measures(&tables);
    let of = |model: &str, measure: &str, bucket: &str| {
        measures[&(model.to_owned(), measure.to_owned(), bucket.to_owned())].expect("a value")
    };
    for model in ["baseline", "boosted"] {
        assert!(of(model, "auc", "all") > 0.75, "{model}: {}", of(model, "auc", "all"));
        assert!(of(model, "brier_skill", "all") > 0.1);
        assert!(of(model, "calibration_error", "all") < 0.08);
        assert!(of(model, "lift", "01") > 1.5 && (of(model, "lift", "10") - 1.0).abs() < 1e-12);
        assert!(of(model, "pr_auc", "all") > of("all", "holdout", "all"));
    }
    let gains = INPUTS.map(|input| of("boosted", "weight", input)).iter().sum::<f64>();
    assert!((gains - 1.0).abs() < 1e-9);
    let best = if of("boosted", "brier", "all") < of("baseline", "brier", "all") {
        "boosted"
    } else {
        "baseline"
    };
    let risks = &tables.risks;
    let models = risks["model"].as_string::<i32>();
    assert!(models.iter().all(|model| model == Some(best)));
    let values = risks["churn_risk"].as_primitive::<Float64Type>();
    assert_eq!(values.null_count(), 0);
    assert!(values.values().iter().all(|risk| (0.0..=1.0).contains(risk)));
    // Expected churners are about as many as the window before had.
    let mean = values.values().iter().sum::<f64>() / values.len() as f64;
    assert!((mean - of("all", "holdout", "all")).abs() < 0.1, "{mean}");
    let deciles = risks["risk_decile"].as_primitive::<Int64Type>();
    for i in 1..risks.num_rows() {
        let is_higher = values.value(i) > values.value(i - 1);
        assert!(!is_higher || deciles.value(i) <= deciles.value(i - 1));
    }
    let reasons = risks["reason_1"].as_string::<i32>();
    assert!(reasons.iter().flatten().all(|reason| INPUTS.contains(&reason)));
    let (effects, silent) = (
        risks["reason_1_effect"].as_primitive::<Float64Type>(),
        risks["days_silent"].as_primitive::<Int64Type>(),
    );
    assert!(effects.iter().flatten().all(|effect| effect > 0.0));
    let longest = (0..risks.num_rows()).max_by_key(|i| silent.value(*i)).expect("somebody");
    assert!(values.value(longest) > mean, "who is silent longest is no safer than most");
    assert!(reasons.is_valid(longest));
}

#[test]
fn the_order_of_rows_decides_nothing() {
    let features = features(&shop(600));
    let one = made(&[features.clone()], &terms());
    let half = features.num_rows() / 2;
    let parts = [features.slice(half, features.num_rows() - half), features.slice(0, half)];
    let other = made(&parts, &terms());
    assert_eq!(status(&one), ["trained"]);
    assert_eq!(one.risks, other.risks);
    assert_eq!(one.model, other.model);
}

/// Edge cases: none of them fails, all of them say why.
#[test]
fn too_few_churners_leave_risks_empty_and_say_so() {
    let few = features(&shop(60));
    let tables = made(&[few.clone()], &terms());
    assert_eq!(status(&tables), ["too_few_churners"]);
    assert!(tables.risks.num_rows() > 0);
    assert_eq!(tables.risks["churn_risk"].null_count(), tables.risks.num_rows());
    assert_eq!(tables.risks["reason_1"].null_count(), tables.risks.num_rows());
    let published = tables.model["is_published"].as_boolean();
    assert_eq!(published.true_count(), 0);
    let n = tables.model["churned"].as_primitive::<Int64Type>();
    assert!(n.iter().flatten().any(|n| n > 0), "it says how many there were");

    let nobody = made(&[], &terms());
    assert_eq!(status(&nobody), ["no_history"]);
    assert_eq!(nobody.risks.num_rows(), 0);

    let new: Vec<Row> = (0..300).map(|i| order(&format!("c_{i:03}"), AS_OF - i % 30, 5)).collect();
    let new = made(&[features(&new)], &terms());
    assert_eq!(status(&new), ["no_history"], "nobody was a customer 90 days ago");
    assert_eq!(new.risks.num_rows(), 300);

    let loyal = (0..200).flat_map(|i| {
        (0..40).map(move |k| order(&format!("c_{i:03}"), AS_OF - k * 20 - i % 20, 5))
    });
    let loyal = made(&[features(&loyal.collect::<Vec<_>>())], &terms());
    assert_eq!(status(&loyal), ["too_few_churners"]);
}

#[test]
fn customers_with_one_purchase_each_all_leave() {
    let once: Vec<Row> =
        (0..900).map(|i| order(&format!("c_{i:03}"), AS_OF - 10 - i % 450, 5)).collect();
    let tables = made(&[features(&once)], &terms());
    assert_eq!(status(&tables), ["too_few_stayers"]);
    assert_eq!(tables.risks["churn_risk"].null_count(), tables.risks.num_rows());
}

/// Goal: trees that add nothing to a line are not published. Method: churn that follows one input
/// by a straight line in its logarithm, told to both.
#[test]
fn the_published_model_has_the_lower_brier_score() {
    let mut customers = Vec::new();
    for (window, day) in (0..5_i64).zip([0, 90, 180, 270, 360].map(|back| AS_OF - back)) {
        for i in 0..700_i64 {
            let number = (i * 7_919 + window * 104_729) % 1_000_003;
            let silent = number % 80;
            // Deterministic, and nearer to certain the longer the silence.
            let churned = (number / 80) % 100 < silent + 10;
            customers.push(Customer {
                id: format!("c_{i:04}"),
                day,
                is_active: true,
                has_churned: (day < AS_OF).then_some(churned),
                features: vec![("days_silent", silent), ("n_orders", 1 + number % 7)],
            });
        }
    }
    let tables = made(&[described(&customers)], &terms());
    assert_eq!(status(&tables), ["trained"]);
    let measures = measures(&tables);
    let brier = |model: &str| {
        measures[&(model.to_owned(), "brier".to_owned(), "all".to_owned())].expect("a value")
    };
    let best = if brier("boosted") < brier("baseline") { "boosted" } else { "baseline" };
    let model = tables.model["model"].as_string::<i32>();
    let published = tables.model["is_published"].as_boolean();
    for i in 0..tables.model.num_rows() {
        assert_eq!(published.value(i), model.value(i) == best);
    }
    let shown = tables.risks["model"].as_string::<i32>();
    assert!(shown.iter().all(|shown| shown == Some(best)));
}
