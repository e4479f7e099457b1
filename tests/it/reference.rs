//! The first fit of a warehouse: kept, measured against, fallen back on; and the channel that a
//! customer came by.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use chrono::{Datelike, NaiveDate, TimeDelta};
use cxmart::measure::clv::{Inputs, Tables, Terms, lifetime_value};
use cxmart::measure::kernel::buying::Kind;
use cxmart::table::day::{date, day_number};

use super::clv::{AS_OF, Row, column, purchases, relative, shop, terms};
use super::project::Project;

/// The rows of `clv_reference` with one estimate changed by a factor.
fn moved(reference: &RecordBatch, model: &str, parameter: &str, factor: f64) -> RecordBatch {
    let (models, names) = (column(reference, "model"), column(reference, "parameter"));
    let (models, names) = (models.as_string::<i32>(), names.as_string::<i32>());
    let estimates = column(reference, "estimate").as_primitive::<Float64Type>();
    let value = |i: usize| {
        let is_meant = models.value(i) == model && names.value(i) == parameter;
        Some(estimates.value(i) * if is_meant { factor } else { 1.0 })
    };
    let estimates: Float64Array = (0..reference.num_rows()).map(value).collect();
    let mut columns = reference.columns().to_vec();
    columns[reference.schema().index_of("estimate").expect("a column")] = Arc::new(estimates);
    RecordBatch::try_new(reference.schema(), columns).expect("the same columns")
}

/// Goal: the first fit is kept, later ones are measured against it, and it changes no number.
#[test]
fn a_fit_is_measured_against_the_first_one() {
    let of = |rows: &[Row], reference: Vec<RecordBatch>, fit| {
        let purchases = vec![purchases(rows)];
        let inputs = Inputs { purchases, reference, ..Inputs::default() };
        lifetime_value(&inputs, &Terms { fit, ..terms() }).expect("good rows")
    };
    let first = of(&shop(), Vec::new(), 1);
    let parameters = &first.parameters;
    assert_eq!(column(parameters, "reference_estimate").null_count(), parameters.num_rows());
    assert_eq!(column(parameters, "has_drifted").null_count(), parameters.num_rows());
    // Four and three; contracts there are none.
    assert_eq!(first.reference.num_rows(), 7);

    let again = of(&shop(), vec![first.reference.clone()], 1);
    assert_eq!(again.values, first.values);
    assert_eq!(again.reference, first.reference);
    let loss = column(&again.parameters, "reference_loss").as_primitive::<Float64Type>();
    let is_none = |loss: Option<f64>| loss.is_some_and(|loss| loss.abs() < 1e-7);
    assert!(loss.iter().take(7).all(is_none), "{loss:?}");
    let drifted = |tables: &Tables| -> Vec<Option<bool>> {
        column(&tables.parameters, "has_drifted").as_boolean().iter().collect()
    };
    assert_eq!(drifted(&again)[..7], [Some(false); 7]);

    // Customers who buy three times as often as those of the reference.
    let other = moved(&first.reference, "bg_nbd", "alpha", 3.0);
    let tables = of(&shop(), vec![other.clone()], 1);
    assert_eq!(tables.values, first.values, "a warning changes no number");
    assert_eq!(drifted(&tables)[..7], [[Some(true); 4].as_slice(), &[Some(false); 3]].concat());
    assert_eq!(tables.reference, other, "and the reference stays");
    let asked = of(&shop(), vec![other], 2);
    let kept = |tables: &Tables| {
        let estimates = column(&tables.reference, "estimate").as_primitive::<Float64Type>();
        estimates.values().to_vec()
    };
    assert_eq!(kept(&asked), kept(&first), "another number asks for a new one");
    let fits = column(&asked.reference, "fit").as_primitive::<Int64Type>();
    assert!(fits.iter().all(|fit| fit == Some(2)));
}

/// Customers who do not live as Pareto/NBD says: no start converges.
#[test]
fn a_fit_that_fails_leaves_its_place_to_the_reference() {
    let mut odd = shop();
    odd.push(("c_negative".into(), AS_OF - 90, AS_OF - 30, Some((2, 60, 90)), -500_000, -400_000));
    let terms = Terms { model: Kind::ParetoNbd, ..terms() };
    let with = |reference: Vec<RecordBatch>| {
        let inputs = Inputs { purchases: vec![purchases(&odd)], reference, ..Inputs::default() };
        lifetime_value(&inputs, &terms).expect("good rows")
    };
    let alone = with(Vec::new());
    let status = |tables: &Tables| {
        column(&tables.parameters, "status").as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(status(&alone), "not_converged");
    assert_eq!(column(&alone.values, "p_alive").null_count(), odd.len());

    let text = |values: [&'static str; 4]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let count = |value: i64| Arc::new(Int64Array::from(vec![value; 4])) as ArrayRef;
    let known = [0.5, 10.0, 0.6, 12.0];
    let reference = RecordBatch::try_from_iter(vec![
        ("segment", text(["all"; 4])),
        ("model", text(["pareto_nbd"; 4])),
        ("parameter", text(["r", "alpha", "s", "beta"])),
        ("estimate", Arc::new(Float64Array::from(known.to_vec())) as ArrayRef),
        ("fitted_on", Arc::new(Date32Array::from(vec![AS_OF - 30; 4])) as ArrayRef),
        ("unit_days", count(7)),
        ("currency", text(["DKK"; 4])),
        ("n_customers", count(900)),
        ("fit", count(1)),
    ])
    .expect("columns of one length");
    let tables = with(vec![reference.clone()]);
    assert_eq!(status(&tables), "reference");
    let estimates = column(&tables.parameters, "estimate").as_primitive::<Float64Type>();
    assert_eq!(estimates.values()[..4], known);
    assert!(!column(&tables.parameters, "is_converged").as_boolean().value(0));
    let values = &tables.values;
    let alive = column(values, "p_alive").as_primitive::<Float64Type>();
    let model = Kind::ParetoNbd.with(known);
    let (wanted, _) = model.alive(1, f64::from(10 + 37) / 7.0, 101.0 / 7.0);
    relative(alive.value(1), wanted, 1e-12);
    // No curvature, no limits; and what stood in is not kept as if it were fitted.
    assert_eq!(column(values, "clv_low").null_count(), values.num_rows());
    let kept = column(&tables.reference, "fitted_on").as_primitive::<Date32Type>();
    let models = column(&tables.reference, "model").as_string::<i32>();
    let day = (0..models.len()).find(|i| models.value(*i) == "pareto_nbd").map(|i| kept.value(i));
    assert_eq!(day, Some(AS_OF - 30));
    // Days of another length make other parameters: those are not used.
    let daily = Terms { unit_days: 1, ..terms.clone() };
    let purchases = vec![purchases(&odd)];
    let inputs = Inputs { purchases, reference: vec![reference], ..Inputs::default() };
    let tables = lifetime_value(&inputs, &daily).expect("good rows");
    assert_eq!(status(&tables), "not_converged");
}

#[test]
fn the_first_touch_before_the_first_purchase_names_the_channel() {
    let rows = shop();
    let day = |i: usize| rows[i].1;
    let touches = RecordBatch::try_from_iter(vec![
        (
            "customer_id",
            Arc::new(StringArray::from(vec!["c_0000", "c_0001", "c_9999"])) as ArrayRef,
        ),
        ("channel", Arc::new(StringArray::from(vec!["paid_search"; 3])) as ArrayRef),
        (
            "touched_on",
            // On the day itself; a day too late; of nobody who bought.
            Arc::new(Date32Array::from(vec![day(0), day(1) + 1, day(2)])) as ArrayRef,
        ),
    ])
    .expect("columns");
    let month = date(day(0)).with_day(1).expect("a first");
    let spending = RecordBatch::try_from_iter(vec![
        ("cost_date", Arc::new(Date32Array::from(vec![day_number(month)])) as ArrayRef),
        ("channel", Arc::new(StringArray::from(vec!["paid_search"])) as ArrayRef),
        (
            "cost",
            Arc::new(
                Decimal128Array::from(vec![420_000])
                    .with_precision_and_scale(18, 4)
                    .expect("money"),
            ) as ArrayRef,
        ),
    ])
    .expect("columns");
    let inputs = Inputs {
        purchases: vec![purchases(&rows)],
        touches: vec![touches],
        spending: vec![spending],
        ..Inputs::default()
    };
    let tables = lifetime_value(&inputs, &terms()).expect("good rows");
    let channels = column(&tables.values, "acquisition_channel").as_string::<i32>();
    assert_eq!((channels.value(0), channels.value(1)), ("paid_search", "web"));
    // All that the month's advertising cost, because it won this one.
    let cac = column(&tables.values, "cac").as_primitive::<Decimal128Type>();
    assert_eq!((cac.value(0), cac.value(1)), (420_000, 125_000));
    let ratio = column(&tables.values, "ltv_cac").as_primitive::<Float64Type>().value(0);
    let value = column(&tables.values, "clv_probabilistic").as_primitive::<Decimal128Type>();
    relative(ratio, value.value(0) as f64 / 420_000.0, 1e-3);
}

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"
currency = "DKK"

[[source]]
source = "generic"
entity = "orders"
url = "raw/orders/dt={dt}/*.csv"

[[source]]
source = "generic"
entity = "acquisition_costs"
url = "raw/costs/dt={dt}/*.csv"

[[source]]
source = "ads"
entity = "touches"
url = "raw/touches/dt={dt}/*.csv"

[metrics]
min_cell = 0
"#;

const TOUCHES: &str = r#"description = "Touches."
key = ["source_id"]

[[column]]
name = "source_id"
required = true

[[column]]
name = "email"

[[column]]
name = "channel"

[[column]]
name = "action"

[[column]]
name = "utm_source"

[[column]]
name = "utm_medium"

[[column]]
name = "click_id_type"

[[column]]
name = "occurred_at"
type = "timestamp"
zone = "UTC"
"#;

const MAPPING: &str = "-- One row per touch.
-- grain: source_id
-- canonical: campaign_touches
select
    record_id,
    source_id,
    email,
    channel,
    action,
    utm_source,
    utm_medium,
    click_id_type,
    occurred_at
from raw_ads__touches
";

/// Orders of 200 people who buy up to four times, every `days` days.
fn orders(from: NaiveDate, days: i64) -> String {
    let mut text = "source_id,customer_source_id,email,total,currency,placed_at\n".to_owned();
    for person in 0..200_i64 {
        for turn in 0..=person % 4 {
            let day = from + TimeDelta::days(person % 90 + turn * (days + person % 17));
            let total = 50 + person % 40 + turn;
            writeln!(
                text,
                "{from}-{person}-{turn},p{person},p{person}@example.com,{total}.00,DKK,{day}T10:00:00Z"
            )
            .expect("text");
        }
    }
    text
}

/// Two products of one order each: what they earn is by their own margins, the rest by the job's.
#[test]
fn profit_is_by_the_margins_of_what_was_bought() {
    let rows = shop();
    let money = |values: Vec<i128>| {
        let array = Decimal128Array::from(values).with_precision_and_scale(18, 4);
        Arc::new(array.expect("money")) as ArrayRef
    };
    let ids = StringArray::from(vec!["c_0001", "c_0001", "c_0001"]);
    let names = StringArray::from(vec![Some("beans"), Some("grinder"), None]);
    let products = RecordBatch::try_from_iter_with_nullable(vec![
        ("customer_id", Arc::new(ids) as ArrayRef, false),
        ("product", Arc::new(names) as ArrayRef, true),
        ("revenue", money(vec![100_000, 200_911, 0]), true),
    ])
    .expect("columns");
    let inputs =
        Inputs { purchases: vec![purchases(&rows)], products: vec![products], ..Inputs::default() };
    let margins = [("beans".to_owned(), 0.8), ("grinder".to_owned(), 0.2)];
    let terms = Terms { margins: margins.into(), ..terms() };
    let plain = lifetime_value(&inputs, &super::clv::terms()).expect("good rows");
    let by_product = lifetime_value(&inputs, &terms).expect("good rows");
    let of = |tables: &Tables, name: &str, i: usize| {
        column(&tables.values, name).as_primitive::<Decimal128Type>().value(i) as f64 / 1e4
    };
    // c_0001 bought for 30.0911 in the year, and earned 8 and 4.01822 of it.
    assert_eq!(rows[1].5, 300_911);
    let (profit, revenue) = (8.0 + 4.01822, 30.0911);
    let years = (of(&plain, "clv_margin", 1) + 12.5) / (revenue * 0.5);
    relative(of(&by_product, "clv_margin", 1), profit * years - 12.5, 1e-4);
    let factor = profit / revenue / 0.5;
    let likely = "clv_probabilistic";
    relative(of(&by_product, likely, 1), of(&plain, likely, 1) * factor, 1e-3);
    let payback = |tables: &Tables, i: usize| {
        column(&tables.values, "payback_months").as_primitive::<Float64Type>().value(i)
    };
    relative(payback(&by_product, 1), 12.5 / (profit / 12.0), 1e-9);
    // Of the others nobody knows what they bought.
    relative(payback(&by_product, 2), payback(&plain, 2), 1e-12);
    assert_eq!(of(&by_product, "clv_margin", 2), of(&plain, "clv_margin", 2));
}

/// Goal: the reference is made once and again when asked for; advertising is held against those
/// whom its channel touched first. Method: three nights of one project.
#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_keeps_its_first_fit_and_holds_costs_against_first_touches() {
    let project = Project::new("");
    project.write("jobs/project.toml", JOB);
    project.write("sql/stage/ads/touches.toml", TOUCHES);
    project.write("sql/stage/ads/stg_ads__touches.sql", MAPPING);
    let start: NaiveDate = "2024-01-01".parse().expect("a day");
    project.write("raw/orders/dt=2024-09-30/orders.csv", &orders(start, 40));
    project.write(
        "raw/costs/dt=2024-09-30/costs.csv",
        "source_id,cost_date,channel,platform,cost,currency\n\
         1,2024-01-10,paid_search,google,60.00,DKK\n2,2024-01-20,paid_social,facebook,50.00,DKK\n",
    );
    project.write(
        "raw/touches/dt=2024-09-30/touches.csv",
        "source_id,email,channel,action,utm_source,utm_medium,click_id_type,occurred_at\n\
         t1,p1@example.com,web,visited,google,cpc,gclid,2024-01-01T08:00:00Z\n\
         t2,p1@example.com,web,visited,facebook,cpc,,2024-01-01T09:00:00Z\n\
         t3,p2@example.com,web,visited,Instagram,cpc,,2024-01-02T08:00:00Z\n\
         t4,p3@example.com,email,delivered,,,,2024-01-01T08:00:00Z\n\
         t5,p3@example.com,web,visited,google,CPC,,2024-01-03T08:00:00Z\n\
         t6,p4@example.com,web,visited,google,cpc,gclid,2024-03-30T08:00:00Z\n",
    );
    project.run().await.expect("the run succeeds");
    let costs = "select acquisition_channel, cac, n_customers, ltv_cac, payback_months \
                 from customer_acquisition_cost where month = date '2024-01-01' \
                 order by acquisition_channel";
    let costs = project.query(costs).await;
    let channels: Vec<_> = costs["acquisition_channel"].as_string::<i32>().iter().collect();
    assert_eq!(channels, [Some("(none)"), Some("paid_search"), Some("paid_social")]);
    let won = costs["n_customers"].as_primitive::<Int64Type>().values().to_vec();
    // p1 and p3 came by search, p2 by social; p4 had bought before anybody saw them.
    assert_eq!(won[1..], [2, 1]);
    let cac = costs["cac"].as_primitive::<Decimal128Type>();
    assert_eq!((cac.value(1), cac.value(2)), (300_000, 500_000));
    let ratio = costs["ltv_cac"].as_primitive::<Float64Type>();
    assert!(ratio.value(1) > 0.0 && costs["payback_months"].is_valid(1));

    let kept = "select fitted_on, fit, estimate from clv_reference \
                where model = 'bg_nbd' and parameter = 'alpha'";
    let first = project.query(kept).await;
    let day = |batch: &RecordBatch| date(batch["fitted_on"].as_primitive::<Date32Type>().value(0));
    assert_eq!(day(&first).to_string(), "2024-09-30");
    // A night with more of the same, and one with people who buy three times as often.
    let later: NaiveDate = "2024-05-01".parse().expect("a day");
    project.write("raw/orders/dt=2024-12-31/orders.csv", &orders(later, 9));
    project.run().await.expect("the run succeeds");
    assert_eq!(project.query(kept).await, first);
    assert!(!project.run().await.expect("the run succeeds").published, "nothing new");
    let check = "select n_failed, severity from check_results \
                 where check_name = 'clv_fits_near_reference' order by as_of desc";
    let check = project.query(check).await;
    assert!(check["n_failed"].as_primitive::<Int64Type>().value(0) >= 4, "{check:?}");
    assert_eq!(check["severity"].as_string::<i32>().value(0), "warn");

    let last = "\n[clv]\nfit = 2\nmargins = { beans = 0.5 }\n";
    project.write("jobs/project.toml", &format!("{JOB}{last}"));
    project.run().await.expect("the run succeeds");
    let renewed = project.query(kept).await;
    assert_eq!(day(&renewed).to_string(), "2024-12-31");
    assert_eq!(renewed["fit"].as_primitive::<Int64Type>().value(0), 2);
    assert!(!project.run().await.expect("the run succeeds").published, "nothing new");
}
