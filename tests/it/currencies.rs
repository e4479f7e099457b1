//! Money of a whole run: rates of the day, their inverse and the way over a third currency; money
//! without a rate; prices that change and pauses, as versions of a subscription tell them.

use super::project::{Project, generic};
use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int64Type};
use cxmart::profile::rates::Rates;

const JOB: &str = r#"
name = "project"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"
currency = "DKK"

[metrics]
min_cell = 0
"#;
const SOURCES: [(&str, &str); 3] =
    [("orders", "orders"), ("subscriptions", "subscriptions"), ("fx_rates", "fx")];

/// One euro is 7.5 kroner and 1.25 dollars; of Friday the first there is a rate, of the weekend none.
const RATES: &str = "rate_date,from_currency,to_currency,rate
2024-03-01,EUR,DKK,7.5
2024-03-01,EUR,USD,1.25
";

const ORDERS: &str = "source_id,customer_source_id,email,total,refunded,currency,placed_at
1,a,a@example.com,100.00,,DKK,2024-03-01T10:00:00Z
2,a,a@example.com,10.00,,EUR,2024-03-03T10:00:00Z
3,a,a@example.com,10.00,,USD,2024-03-01T10:00:00Z
4,a,a@example.com,10.00,,GBP,2024-03-01T10:00:00Z
5,a,a@example.com,10.00,,EUR,2024-03-20T10:00:00Z
6,a,a@example.com,20.00,50.00,DKK,2024-03-02T10:00:00Z
";

fn subscriptions(status: &str, mrr: &str, updated: &str) -> String {
    format!(
        "source_id,customer_source_id,email,status,mrr,currency,started_at,updated_at\n\
         s1,b,b@example.com,{status},{mrr},DKK,2024-01-10T10:00:00Z,{updated}\n"
    )
}

#[test]
fn an_amount_is_worth_what_its_day_says_and_nothing_where_nobody_knows() {
    let mut rates = Rates::new("DKK");
    rates.learn("EUR", 10, 0.031_25);
    rates.learn("EUR", 11, 7.5);
    // Ten-thousandths, rounded half away from zero; money without a currency is the job's own.
    assert_eq!(rates.home(10_000, Some("EUR"), Some(10)), Some(313));
    assert_eq!(rates.home(-10_000, Some("EUR"), Some(10)), Some(-313));
    assert_eq!(rates.home(10_000, Some("EUR"), Some(11)), Some(75_000));
    assert_eq!(rates.home(10_000, Some("DKK"), None), Some(10_000));
    assert_eq!(rates.home(10_000, None, None), Some(10_000));
    for (currency, day) in [("EUR", Some(12)), ("EUR", None), ("GBP", Some(10))] {
        assert_eq!(rates.home(10_000, Some(currency), day), None, "{currency} on {day:?}");
    }
    assert_eq!(rates.home(10_i128.pow(18) - 1, Some("EUR"), Some(11)), None, "more than fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_counts_at_the_rate_of_its_day_and_prices_change_with_their_versions() {
    let project = Project::new("");
    project.write("jobs/project.toml", &format!("{JOB}{}", generic(&SOURCES)));
    project.write("raw/fx/dt=2024-03-31/rates.csv", RATES);
    project.write("raw/orders/dt=2024-03-31/orders.csv", ORDERS);
    for (day, status, mrr, updated) in [
        ("2024-01-11", "active", "50", "2024-01-10T10:00:00Z"),
        ("2024-02-11", "paused", "50", "2024-02-10T10:00:00Z"),
        ("2024-02-12", "active", "80", "2024-02-10T12:00:00Z"),
        ("2024-03-11", "paused", "80", "2024-03-10T22:59:00Z"),
    ] {
        let path = format!("raw/subscriptions/dt={day}/subscriptions.csv");
        project.write(&path, &subscriptions(status, mrr, updated));
    }
    project.run().await.expect("the run succeeds");

    let bought = project.query("select * from customer_purchases").await;
    let count = |name: &str| bought[name].as_primitive::<Int64Type>().value(0);
    // 100 kroner, 10 euros by Friday's rate, 10 dollars over the euro, and 20 kroner of which 50
    // came back; pounds have no rate at all, and on the 20th the euro's is too old.
    assert_eq!((count("n_orders"), count("n_orders_other_currency")), (4, 2));
    let revenue = bought["revenue_total"].as_primitive::<Decimal128Type>().value(0);
    assert_eq!(revenue, 1_000_000 + 750_000 + 600_000 + 200_000 - 500_000);
    let check =
        "select n_failed, severity from check_results where check_name = 'money_has_a_rate'";
    let check = project.query(check).await;
    assert_eq!(check["n_failed"].as_primitive::<Int64Type>().value(0), 2, "GBP and EUR");
    assert_eq!(check["severity"].as_string::<i32>().value(0), "warn");

    let ledger = "select mrr_new, mrr_expansion, mrr_churned, mrr_end, n_churned from churn_ledger \
                  where period_grain = 'month' and dimension = 'relationship' \
                  and dimension_value = 'contractual' order by period_start";
    let ledger = project.query(ledger).await;
    let money = |name: &str| -> Vec<i128> {
        let values = ledger[name].as_primitive::<Decimal128Type>();
        values.values().iter().map(|value| value / 10_000).collect()
    };
    assert_eq!(money("mrr_new"), [50, 0, 0]);
    assert_eq!(money("mrr_expansion"), [0, 30, 0], "paused, resumed and raised on one day");
    assert_eq!(money("mrr_churned"), [0, 0, 80]);
    assert_eq!(money("mrr_end"), [50, 80, 0]);
}
