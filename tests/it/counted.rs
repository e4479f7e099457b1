//! What several sources tell of is counted once, and nothing of it is lost.

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::state::Release;
use cxmart::storage::parquet;

use crate::project::Project;

const SOURCES: &str = r#"
[[source]]
source = "shopify"
entity = "orders"
url = "raw/shopify/dt={dt}/*"

[[source]]
source = "stripe"
entity = "invoices"
url = "raw/invoices/dt={dt}/*"

[[source]]
source = "stripe"
entity = "charges"
url = "raw/charges/dt={dt}/*"

[[source]]
source = "salesforce"
entity = "opportunities"
url = "raw/deals/dt={dt}/*"
options = { order_number_field = "Order_Number__c" }

[[source]]
source = "web"
entity = "purchases"
url = "raw/web/dt={dt}/*"

[[source]]
source = "zendesk"
entity = "tickets"
url = "raw/tickets/dt={dt}/*"

[[source]]
source = "web"
entity = "chats"
url = "raw/chats/dt={dt}/*"
"#;

const SPEC: &str = r#"
description = "Of this test."
key = ["id"]

[[column]]
name = "id"

[[column]]
name = "other"

[[column]]
name = "at"
type = "timestamp"
"#;

/// A source of the project: `columns` beside the id.
fn source(project: &Project, entity: &str, canonical: &str, columns: &str) {
    project.write(&format!("sql/stage/web/{entity}.toml"), SPEC);
    let sql = format!(
        "-- One row per record.\n-- grain: source_id\n-- canonical: {canonical}\n\
         select record_id, id as source_id, {columns} from raw_web__{entity}\n"
    );
    project.write(&format!("sql/stage/web/stg_web__{entity}.sql"), &sql);
}

async fn rows(project: &Project, release: &Release, table: &str) -> Vec<BTreeMap<String, String>> {
    let store = project.open().store;
    let mut rows = Vec::new();
    for file in &release.tables[table].files {
        let batches = parquet::read(&store, &file.path, &file.file_hash, None).await;
        for batch in batches.expect("readable") {
            for i in 0..batch.num_rows() {
                let cell = |array: &dyn Array| {
                    let format = ArrayFormatter::try_new(array, &FormatOptions::default());
                    format.expect("a format").value(i).to_string()
                };
                let names = batch.schema();
                let names = names.fields().iter().map(|field| field.name().clone());
                rows.push(names.zip(batch.columns().iter().map(|array| cell(array))).collect());
            }
        }
    }
    rows
}

/// By the id in the source: whether it counts, and the id in the source of what it counts as.
fn told(rows: &[BTreeMap<String, String>], id: &str) -> Vec<(String, bool, String)> {
    let named: BTreeMap<&str, &str> =
        rows.iter().map(|row| (row[id].as_str(), row["source_id"].as_str())).collect();
    let mut told: Vec<_> = rows
        .iter()
        .map(|row| {
            let counted_as = named[row["counted_as"].as_str()].to_owned();
            (row["source_id"].clone(), row["is_counted"] == "true", counted_as)
        })
        .collect();
    told.sort();
    told
}

fn expected(rows: &[(&str, bool, &str)]) -> Vec<(String, bool, String)> {
    rows.iter().map(|(id, counts, other)| ((*id).into(), *counts, (*other).into())).collect()
}

fn sales(project: &Project) {
    source(
        project,
        "purchases",
        "orders",
        "'analytics' as sale_kind, other as sale_reference, cast(10 as decimal(18, 4)) as total, \
         'EUR' as currency, at as placed_at",
    );
    project.write(
        "raw/shopify/dt=2024-06-01/orders.ndjson",
        r##"{"id":45001,"name":"#1042","email":"ana@example.com","currency":"EUR","total_price":"123.45","created_at":"2024-05-28T09:00:00Z","financial_status":"paid"}
{"id":45002,"name":"#1043","email":"ana@example.com","currency":"EUR","total_price":"50.00","created_at":"2024-05-28T09:00:00Z","financial_status":"paid"}
{"id":45003,"name":"#1044","email":"ana@example.com","currency":"EUR","total_price":"7.00","created_at":"2024-05-28T09:00:00Z","financial_status":"paid","test":true}"##,
    );
    project.write(
        "raw/invoices/dt=2024-06-01/invoices.ndjson",
        r#"{"id":"in_1","number":"1043","customer":"cus_1","customer_email":"ana@example.com","status":"paid","total":12345,"currency":"eur","created":1716887500,"livemode":true}
{"id":"in_2","customer":"cus_1","status":"paid","total":900,"currency":"eur","created":1716887500,"livemode":true}"#,
    );
    // The first joins the invoice to the order; two payments of an order that no shop tells of;
    // one that names nothing; one of an order that is only a test.
    project.write(
        "raw/charges/dt=2024-06-01/charges.ndjson",
        r##"{"id":"ch_1","customer":"cus_1","invoice":"in_1","amount":12345,"currency":"eur","status":"succeeded","captured":true,"created":1716887564,"livemode":true,"metadata":{"order_id":"1042"}}
{"id":"ch_2","customer":"cus_1","amount":100,"currency":"eur","status":"succeeded","captured":true,"created":1716887564,"livemode":true,"metadata":{"order_id":"2000"}}
{"id":"ch_3","customer":"cus_1","amount":200,"currency":"eur","status":"succeeded","captured":true,"created":1716887564,"livemode":true,"metadata":{"order_id":"#2000"}}
{"id":"ch_4","customer":"cus_1","amount":300,"currency":"eur","status":"succeeded","captured":true,"created":1716887564,"livemode":true}
{"id":"ch_5","customer":"cus_1","amount":700,"currency":"eur","status":"succeeded","captured":true,"created":1716887564,"livemode":true,"metadata":{"order_id":"1044"}}"##,
    );
    project.write(
        "raw/deals/dt=2024-06-01/deals.csv",
        "Id,Amount,CurrencyIsoCode,CloseDate,IsClosed,IsWon,Order_Number__c\n\
         006A,123.45,EUR,2024-05-28,true,true,1042\n\
         006B,80,EUR,2024-05-28,true,true,\n\
         006C,60,EUR,2024-05-28,false,false,\n",
    );
    project.write(
        "raw/web/dt=2024-06-01/purchases.ndjson",
        r#"{"id":"g1","other":"1042","at":"2024-05-28T09:00:00Z"}
{"id":"g2","other":"2000","at":"2024-05-28T09:00:00Z"}
{"id":"g3","other":"3000","at":"2024-05-28T09:00:00Z"}"#,
    );
}

fn talks(project: &Project) {
    source(
        project,
        "chats",
        "conversations",
        "'chat' as kind, 'zendesk' as linked_source, other as linked_source_id, at as created_at, \
         'ana@example.com' as email",
    );
    project.write(
        "raw/tickets/dt=2024-06-01/tickets.ndjson",
        r#"{"id":1,"status":"solved","created_at":"2024-05-28T09:12:44Z","requester":{"email":"ana@example.com"}}
{"id":2,"status":"deleted","created_at":"2024-05-28T09:12:44Z"}
{"id":3,"status":"open","created_at":"2024-05-28T09:12:44Z","tags":["closed_by_merge"]}"#,
    );
    project.write(
        "raw/chats/dt=2024-06-01/chats.ndjson",
        r#"{"id":"c1","other":"1","at":"2024-05-28T09:00:00Z"}
{"id":"c2","other":"2","at":"2024-05-28T09:00:00Z"}
{"id":"c3","other":null,"at":"2024-05-28T09:00:00Z"}"#,
    );
}

/// Goal: one sale that a shop, an invoice, a charge, a deal and analytics tell of is one in every
/// number, by the precedence of the canonical orders; rows of one rank are parts of a sale; what
/// names no other stays. The same for a chat that became a ticket. Method: all of it in one run.
#[tokio::test(flavor = "multi_thread")]
async fn one_sale_and_one_talk_count_once() {
    let project = Project::new(SOURCES);
    project.night("2024-06-01", 1, &[9]);
    sales(&project);
    talks(&project);
    project.run().await.expect("the run");
    let release = project.release().await.expect("a release");

    let orders = rows(&project, &release, "orders").await;
    let wanted = [
        ("006A", false, "45001"),
        ("006B", true, "006B"),
        // Not won, so no revenue; but no other row's either.
        ("006C", false, "006C"),
        ("45001", true, "45001"),
        // The number of an invoice is not that of an order.
        ("45002", true, "45002"),
        ("ch_1", false, "45001"),
        ("ch_2", true, "ch_2"),
        ("ch_3", true, "ch_3"),
        ("ch_4", true, "ch_4"),
        ("ch_5", true, "ch_5"),
        ("g1", false, "45001"),
        ("g2", false, "ch_2"),
        ("g3", true, "g3"),
        ("in_1", false, "45001"),
        ("in_2", true, "in_2"),
    ];
    let found = told(&orders, "order_id");
    // Which of two equal payments stands for the third is a matter of their ids.
    let found: Vec<_> = found
        .into_iter()
        .map(|(id, counts, other)| match (id.as_str(), other.as_str()) {
            ("g2", "ch_3") => (id, counts, "ch_2".to_owned()),
            _ => (id, counts, other),
        })
        .collect();
    assert_eq!(found, expected(&wanted));

    let talks = rows(&project, &release, "conversations").await;
    let wanted = [
        ("1", true, "1"),
        ("3", false, "3"),
        ("c1", false, "1"),
        ("c2", true, "c2"),
        ("c3", true, "c3"),
    ];
    assert_eq!(told(&talks, "conversation_id"), expected(&wanted));

    // Ana bought 45001 and 45002; as cus_1 with the e-mail of in_1 she also paid in_2 and ch_2-5.
    let customers = rows(&project, &release, "customers").await;
    let ana = customers.iter().find(|row| row["primary_email"] == "ana@example.com");
    let ana = ana.expect("Ana");
    assert_eq!((ana["n_orders"].as_str(), ana["revenue"].as_str()), ("7", "195.4500"));
    assert_eq!(ana["n_conversations"], "3");
    let purchases = rows(&project, &release, "interactions").await;
    let bought = purchases.iter().filter(|row| row["kind"] == "order").count();
    assert_eq!(bought, 9, "a sale is one event: hers, and two of nobody");
}
