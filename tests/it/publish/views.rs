//! The text of `catalog/views.sql`; that DuckDB runs it is told by the client tests.

use std::collections::BTreeMap;
use std::path::Path;

use cxmart::publish::{Published, views};
use cxmart::storage::Store;

use super::{contract, dataset, file, in_memory};

#[test]
fn an_empty_table_selects_typed_nulls() {
    let orders = contract("orders", &[]);
    let none = dataset(&orders, Vec::new());
    let tables = [Published { contract: &orders, dataset: &none }];
    let sql = views::sql(&in_memory("views-empty"), 3, true, &tables);
    let wanted = "create or replace view orders as select cast(null as varchar) as id, \
        cast(null as date) as month, cast(null as bigint) as score, \
        cast(null as double) as share, cast(null as boolean) as is_open, \
        cast(null as timestamptz) as seen_at, cast(null as decimal(18,4)) as total where false;";
    assert!(sql.contains(wanted), "{sql}");
    assert!(sql.starts_with("-- Release 3. "), "{sql}");
}

#[test]
fn paths_are_absolute_literals_and_no_patterns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::on_disk(&folder.path().join("it's [1]*"));
    let mut orders = contract("orders", &[]);
    orders.description = "One row per customer's order.".into();
    let one = dataset(&orders, vec![file("a", &[])]);
    let sql = views::sql(&store, 1, true, &[Published { contract: &orders, dataset: &one }]);
    let wanted = format!("'{}/it''s [[]1][*]/tables/orders/part-", folder.path().display());
    assert!(sql.contains(&wanted), "{sql}");
    assert!(sql.contains("hive_partitioning = false"), "{sql}");
    assert!(sql.contains("comment on view orders is 'One row per customer''s order.';"), "{sql}");
}

#[test]
fn an_object_store_is_addressed_by_its_url() {
    let options: BTreeMap<String, String> = [
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
        ("aws_region", "eu-west-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let store = Store::open("s3://bucket/deep/warehouse/", Path::new("/"), &options);
    let store = store.expect("a store");
    let orders = contract("orders", &[]);
    let one = dataset(&orders, vec![file("a", &[])]);
    let sql = views::sql(&store, 1, false, &[Published { contract: &orders, dataset: &one }]);
    assert!(sql.contains("'s3://bucket/deep/warehouse/tables/orders/part-"), "{sql}");
}

#[tokio::test]
async fn each_release_keeps_its_views_and_the_newest_has_the_plain_name() {
    let store = in_memory("views-files");
    let orders = contract("orders", &[]);
    for (number, content) in [(1, "a"), (2, "b")] {
        let one = dataset(&orders, vec![file(content, &[])]);
        let tables = [Published { contract: &orders, dataset: &one }];
        views::project(&store, number, true, &tables).await.expect("views");
    }
    let read = async |path: &str| store.read(path).await.expect("a file");
    assert_eq!(read("catalog/views.sql").await, read("catalog/views-2.sql").await);
    assert_ne!(read("catalog/views-1.sql").await, read("catalog/views-2.sql").await);
    assert_eq!(views::shown(&store, true).await.expect("views"), Some(2));
}
