//! Joins of more rows than a query may hold in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use cxmart::engine::{Engine, Limits, Session};
use cxmart::storage::Store;

/// The hash table of either side takes more than this.
const MEMORY: usize = 96 << 20;
const ROWS: i64 = 1_200_000;

fn table(session: &Session, name: &str, keys: impl Iterator<Item = i64>) {
    let keys: Vec<i64> = keys.collect();
    let batches = keys.chunks(8_192).map(|keys| {
        let texts = keys.iter().map(|key| format!("a key as long as keys are, number {key}"));
        let texts: StringArray = texts.map(Some).collect();
        let numbers: Int64Array = keys.iter().copied().map(Some).collect();
        RecordBatch::try_from_iter([
            ("k", Arc::new(texts) as ArrayRef),
            ("n", Arc::new(numbers) as ArrayRef),
        ])
        .expect("a batch")
    });
    let batches: Vec<RecordBatch> = batches.collect();
    session.batches(name, batches[0].schema(), batches).expect("a table");
}

/// Two tables; every third row of the left one has its like in the right one, twice.
fn session(memory_bytes: usize) -> (tempfile::TempDir, Session) {
    let scratch = tempfile::tempdir().expect("a folder");
    let spill_bytes_max = 1 << 30;
    let limits = Limits { memory_bytes, scratch: scratch.path().to_owned(), spill_bytes_max };
    let store = Store::open("memory://joins", Path::new("/"), &BTreeMap::new());
    let engine = Engine::new(&store.expect("a store"), &limits).expect("an engine");
    let session = engine.session();
    table(&session, "a", 0..ROWS);
    table(&session, "b", (0..ROWS).map(|i| i / 2 * 3));
    (scratch, session)
}

async fn numbers(session: &Session, sql: &str) -> Vec<Option<i64>> {
    let batches = session.collect("joined", sql).await.expect("an answer");
    let columns = batches.first().map_or(0, RecordBatch::num_columns);
    (0..columns).flat_map(|i| batches[0].column(i).as_primitive::<Int64Type>().iter()).collect()
}

/// All kinds of joins that models use, each with a count and a sum that its rows must give.
#[tokio::test]
async fn joins_larger_than_memory_give_what_they_should() {
    let matched = (0..ROWS).filter(|n| n % 3 == 0);
    let (count, sum) = matched.fold((0, 0), |(count, sum), n| (count + 1, sum + n));
    let all: i64 = (0..ROWS).sum();
    let cases = [
        ("a inner join b on a.k = b.k", [2 * count, 2 * sum]),
        ("a left join b on a.k = b.k", [ROWS + count, all + sum]),
        ("b right join a on a.k = b.k", [ROWS + count, all + sum]),
        ("a where a.k in (select k from b)", [count, sum]),
        ("a where not exists (select 1 from b where b.k = a.k)", [ROWS - count, all - sum]),
        (
            "a inner join b on a.k = b.k and a.n + b.n > 600",
            [2 * (count - 101), 2 * (sum - 15_150)],
        ),
    ];
    let (_scratch, session) = session(MEMORY);
    for (join, expected) in cases {
        let sql = format!("select count(*) as n, sum(a.n) as s from {join}");
        assert_eq!(numbers(&session, &sql).await, expected.map(Some), "{join}");
    }
}
