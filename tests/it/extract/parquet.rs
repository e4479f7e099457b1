//! Parquet values as the text that says the same.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};

use proptest::prelude::*;

use super::{check, fails, read_by, show, small_limits, spec};

fn file(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let rows = RecordBatch::try_from_iter(columns).expect("rows");
    let mut out = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut out, rows.schema(), None).expect("a writer");
    writer.write(&rows).expect("rows");
    writer.close().expect("a footer");
    out
}

#[test]
fn values_become_the_text_that_says_the_same() {
    let customer: ArrayRef = Arc::new(StructArray::from(vec![
        (
            Arc::new(Field::new("email", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("a\"b"), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("id", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(2)])) as ArrayRef,
        ),
    ]));
    let lines =
        ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
    let price = Decimal128Array::from(vec![Some(12_340), Some(-5)]);
    let at = TimestampMicrosecondArray::from(vec![Some(1_716_887_564_123_456), None]);
    let bytes = file(vec![
        ("id", Arc::new(Int64Array::from(vec![9_007_199_254_740_993, 2]))),
        ("unused", Arc::new(Float64Array::from(vec![1.5, 2.5]))),
        ("price", Arc::new(price.with_precision_and_scale(18, 4).expect("a decimal"))),
        ("at", Arc::new(at.with_timezone("UTC"))),
        ("local", Arc::new(TimestampMillisecondArray::from(vec![Some(1_716_887_564_000), None]))),
        ("day", Arc::new(Date32Array::from(vec![19_871, 0]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("ratio", Arc::new(Float64Array::from(vec![0.1, 2.0]))),
        ("customer", customer),
        ("lines", Arc::new(lines)),
    ]);
    check(
        &spec("", "id price at local day ok ratio mail=customer.email cid=customer.id lines customer"),
        &bytes,
        "1: 9007199254740993|1.2340|2024-05-28T09:12:44.123456Z|2024-05-28T09:12:44|2024-05-28|true|0.1|a\"b|9223372036854775807|[1,null]|{\"email\":\"a\\\"b\",\"id\":9223372036854775807}
         2: 2|-0.0005|~|~|1970-01-01|~|2.0|~|2|~|{\"email\":null,\"id\":2}",
    );
    check(
        &spec("each = \"lines\"", "id v=@"),
        &bytes,
        "1: 9007199254740993|1\n1: 9007199254740993|~\n2: 2|~",
    );
    fails(
        &spec("", "id order_id*"),
        &bytes,
        "object `object` lacks the header or member `order_id` that its spec requires, by the name `order_id`",
    );
    let cut = bytes.get(..bytes.len() - 9).expect("most of it");
    assert!(super::read(cut, &spec("", "id")).starts_with("1! undecodable_object"));
    let none = file(vec![("id", Arc::new(Int64Array::from(Vec::<i64>::new())))]);
    check(&spec("", "order_id*"), none, "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Goal: columns taken whole give what records one by one give, repeated ones and nulls included.
    #[test]
    fn whole_columns_are_rows(
        rows in prop::collection::vec((0..9_u8, prop::option::of("[a-c\\PC]{0,2}")), 1..40),
        often in prop::sample::select(vec![1_usize, 300]), unread in any::<bool>(),
        chunk in prop::sample::select(vec![1_usize, 7, 100_000]),
    ) {
        let rows: Vec<_> = rows.iter().cycle().take(rows.len() * often).collect();
        let ids = StringArray::from_iter_values(rows.iter().map(|(id, _)| id.to_string()));
        let names: StringArray = rows.iter().map(|(_, name)| name.as_deref()).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids)), ("name", Arc::new(names))];
        let mut lines = String::new();
        for (id, name) in &rows {
            // An unread member with a value sends Parquet by rows, too.
            let more = if unread { ",\"more\":\"m\"" } else { "" };
            let name = serde_json::to_string(name).expect("a name");
            writeln!(lines, "{{\"id\":\"{id}\",\"name\":{name}{more}}}").expect("a line");
        }
        if unread {
            columns.push(("more", Arc::new(StringArray::new_repeated("m", rows.len()))));
        }
        let spec = spec("", "id! name none");
        let read = |bytes: &[u8], chunk| {
            let chunks = read_by(bytes, &spec, &small_limits(), chunk).expect("records");
            let attributes = chunks.iter().flat_map(|chunk| chunk.attributes.iter().flatten().flatten());
            let attributes = attributes.map(str::to_owned).collect::<Vec<_>>();
            (show(&chunks), attributes)
        };
        prop_assert_eq!(read(&file(columns), chunk), read(lines.as_bytes(), 1_000));
    }
}
