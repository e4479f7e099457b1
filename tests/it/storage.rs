//! One suite for every kind of store: what [`cxmart::storage`] promises on all of them.
//!
//! Real servers are started on loopback; each case takes a fresh prefix there and leaves it as it
//! is. Any other server joins by its url in `CXMART_TEST_STORES` (several by commas), with the
//! store's own variables (`AWS_ENDPOINT`, …).

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use bytes::Bytes;
use cxmart::storage::parquet::{FileWriter, Layout};
use cxmart::storage::{Created, StorageError, Store};
use cxmart::table::hash::Hash;
use url::Url;

use crate::faulty::{Fault, Faulty};
use crate::servers;

/// Runs a case on each kind of store; `name` keeps cases apart.
pub async fn everywhere<F: Future<Output = ()>>(name: &str, case: impl Fn(Store) -> F) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = cxmart::settings::from_environment().store_options;
    let open = |url: &str| Store::open(url, folder.path(), &options).expect("a store");
    case(open("deep ware/house")).await;
    case(open(&format!("memory://{name}/deep/warehouse"))).await;
    let fresh = folder.path().file_name().expect("a name").to_string_lossy();
    for server in servers::all() {
        let url = format!("{}/{fresh}/{name}", server.url);
        case(Store::open(&url, folder.path(), &server.options).expect(server.name)).await;
    }
    let more = std::env::var("CXMART_TEST_STORES").unwrap_or_default();
    for server in more.split(',').filter(|url| !url.is_empty()) {
        case(open(&format!("{}/{fresh}/{name}", server.trim_end_matches('/')))).await;
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn paths(store: &Store, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).await.expect("a listing");
    listed.into_iter().map(|object| object.path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_created_once() {
    everywhere("create", |store| async move {
        let create = |text| store.create("a/b.json", bytes(text));
        assert_eq!(create("first").await.expect("a create"), Created::New);
        assert_eq!(create("second").await.expect("a create"), Created::Exists);
        assert_eq!(store.read("a/b.json").await.expect("bytes"), bytes("first"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_sixteen_that_create_one_name_one_wins_and_its_bytes_stay() {
    everywhere("race", |store| async move {
        for round in 0..8 {
            let path = format!("releases/{round}.json");
            let barrier = Arc::new(tokio::sync::Barrier::new(16));
            let racers = (0..16).map(|i| {
                let (store, path, barrier) = (store.clone(), path.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let text = format!("writer {i}").repeat(1_000);
                    let created =
                        store.create(&path, text.clone().into()).await.expect("an answer");
                    (created == Created::New).then_some(text)
                })
            });
            let answers = futures::future::join_all(racers).await;
            let won: Vec<String> =
                answers.into_iter().filter_map(|answer| answer.expect("a task")).collect();
            assert_eq!(won.len(), 1);
            assert_eq!(store.read(&path).await.expect("bytes"), bytes(&won[0]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_puts_bytes_whatever_was_there() {
    everywhere("replace", |store| async move {
        store.replace("views.sql", bytes("one")).await.expect("a first");
        store.replace("views.sql", bytes("two")).await.expect("a second");
        assert_eq!(store.read("views.sql").await.expect("bytes"), bytes("two"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_small_and_in_parts_arrive_whole() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let scratch = scratch.path();
    everywhere("files", |store| async move {
        // Above 64 MiB a file is sent in parts of 16 MiB; the last one is short.
        for (name, size) in [("small", 1_000_usize), ("large", (66 << 20) + 17)] {
            let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let file = scratch.join(name);
            std::fs::write(&file, &content).expect("a scratch file");
            store.put_file(&file, &format!("work/{name}")).await.expect("a put");
            let hash = Hash::of(&content);
            let read = store.read_verified(&format!("work/{name}"), &hash).await;
            assert_eq!(read.expect("the same bytes").len(), size);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_a_second_name_that_outlives_the_first() {
    everywhere("copy", |store| async move {
        store.create("work/a", bytes("rows")).await.expect("a create");
        store.copy("work/a", "tables/t/part-1", &Hash::of("rows")).await.expect("a copy");
        store
            .copy("work/a", "tables/t/part-1", &Hash::of("rows"))
            .await
            .expect("the same copy again");
        store.delete("work/a").await.expect("a delete");
        assert_eq!(store.read("tables/t/part-1").await.expect("bytes"), bytes("rows"));
        let harmed = store.copy("tables/t/part-1", "tables/t/part-2", &Hash::of("more")).await;
        assert!(matches!(harmed, Err(StorageError::Damaged { .. })), "{harmed:?}");
        assert!(store.head("tables/t/part-2").await.expect("a look").is_none());
        let missing = store.copy("work/none", "tables/t/part-2", &Hash::of("rows")).await;
        assert!(matches!(missing, Err(StorageError::NotFound { .. })), "{missing:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_and_renew_make_an_old_object_young() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::on_disk(folder.path());
    store.create("work/a", bytes("rows")).await.expect("a create");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_hours(24);
    let age = |path: &str| {
        let file = std::fs::File::options().append(true).open(folder.path().join(path));
        file.expect("the file").set_modified(long_ago).expect("an old file");
    };
    age("work/a");
    store.copy("work/a", "tables/a", &Hash::of("rows")).await.expect("a copy");
    let modified = |object: Option<cxmart::storage::Listed>| object.expect("there").modified_us;
    let copied = modified(store.head("tables/a").await.expect("a head"));
    assert!(copied > 86_400_000_000, "the copy is as old as what it was made from");
    age("tables/a");
    store.renew("tables/a", &Hash::of("rows")).await.expect("a renewal");
    assert!(modified(store.head("tables/a").await.expect("a head")) > 86_400_000_000);
    assert_eq!(store.read("tables/a").await.expect("bytes"), bytes("rows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_keeps_the_bytes_and_needs_an_object() {
    everywhere("renew", |store| async move {
        store.create("a", bytes("rows")).await.expect("a create");
        store.renew("a", &Hash::of("rows")).await.expect("a renewal");
        assert_eq!(store.read("a").await.expect("bytes"), bytes("rows"));
        assert!(matches!(
            store.renew("b", &Hash::of("rows")).await,
            Err(StorageError::NotFound { .. })
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_are_sorted_and_an_absent_folder_is_empty() {
    everywhere("list", |store| async move {
        assert_eq!(paths(&store, "").await, Vec::<String>::new());
        for name in ["b/2", "a/10", "a/9", "b/1/x", "c"] {
            store.create(name, bytes(name)).await.expect("a create");
        }
        assert_eq!(paths(&store, "").await, ["a/10", "a/9", "b/1/x", "b/2", "c"]);
        assert_eq!(paths(&store, "b").await, ["b/1/x", "b/2"]);
        assert_eq!(paths(&store, "absent").await, Vec::<String>::new());
        assert_eq!(store.folders("").await.expect("folders"), ["a", "b"]);
        assert_eq!(store.folders("b").await.expect("folders"), ["1"]);
        assert_eq!(store.folders("absent").await.expect("no folders"), Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_were_listed_can_be_read() {
    // Raw objects have the names their exporters gave them.
    everywhere("names", |store| async move {
        let names = ["a b.csv", "100%.csv", "month#1.csv", "x=1/é.csv", "a[1].csv"];
        for name in names {
            store.create(name, bytes(name)).await.expect("a create");
        }
        let found: BTreeSet<String> = paths(&store, "").await.into_iter().collect();
        assert_eq!(found.len(), names.len());
        for name in &found {
            assert_eq!(store.read(name).await.expect(name), bytes(name), "`{name}`");
        }
        assert_eq!(found, names.map(String::from).into_iter().collect());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_dead_writer_left_is_never_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::on_disk(folder.path());
    store.create("tables/a", bytes("rows")).await.expect("a create");
    std::fs::write(folder.path().join("tables/.b.77.0.tmp"), "half").expect("a leftover");
    assert_eq!(paths(&store, "").await, ["tables/a"]);
    // And writers leave none.
    store.replace("tables/a", bytes("more")).await.expect("a replace");
    store.copy("tables/a", "tables/c", &Hash::of("more")).await.expect("a copy");
    let names = std::fs::read_dir(folder.path().join("tables")).expect("a folder");
    assert_eq!(names.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_size_and_absence() {
    everywhere("head", |store| async move {
        store.create("a/b", bytes("12345")).await.expect("a create");
        let found = store.head("a/b").await.expect("a head").expect("an object");
        assert_eq!((found.path.as_str(), found.bytes), ("a/b", 5));
        assert_eq!(store.head("a/c").await.expect("a head"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_twice_is_as_good_as_once() {
    everywhere("delete", |store| async move {
        store.create("a", bytes("rows")).await.expect("a create");
        store.delete("a").await.expect("a delete");
        store.delete("a").await.expect("another");
        assert_eq!(store.head("a").await.expect("a head"), None);
        assert_eq!(store.create("a", bytes("new")).await.expect("a create"), Created::New);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_byte_is_damage() {
    everywhere("flip", |store| async move {
        let (good, hash) = (bytes("rows of a table"), Hash::of("rows of a table"));
        store.create("a", good.clone()).await.expect("a create");
        assert_eq!(store.read_verified("a", &hash).await.expect("bytes"), good);
        let mut flipped = good.to_vec();
        flipped[3] ^= 1;
        store.replace("a", flipped.into()).await.expect("a replace");
        let read = store.read_verified("a", &hash).await;
        assert!(matches!(read, Err(StorageError::Damaged { .. })), "{read:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_received_is_verified_before_it_appears() {
    everywhere("receive", |store| async move {
        let source = Store::open("memory://receive-source", Path::new("/"), &BTreeMap::new());
        let source = source.expect("a source");
        let content: Vec<u8> = (0..(17_usize << 20)).map(|i| (i % 241) as u8).collect();
        source.replace("a", content.clone().into()).await.expect("a source object");
        let hash = Hash::of(&content);
        store.receive(&source, "a", "x/a", &hash).await.expect("a copy");
        assert_eq!(store.read("x/a").await.expect("bytes").len(), content.len());
        let wrong = store.receive(&source, "a", "x/b", &Hash::of("other")).await;
        assert!(matches!(wrong, Err(StorageError::Damaged { .. })), "{wrong:?}");
        let missing = store.receive(&source, "none", "x/c", &hash).await;
        assert!(matches!(missing, Err(StorageError::NotFound { .. })), "{missing:?}");
        assert_eq!(paths(&store, "").await, ["x/a"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_not_found() {
    everywhere("missing", |store| async move {
        let read = store.read("a/b").await;
        assert!(matches!(read, Err(StorageError::NotFound { .. })), "{read:?}");
        let verified = store.read_verified("a/b", &Hash::of("")).await;
        assert!(matches!(verified, Err(StorageError::NotFound { .. })), "{verified:?}");
        assert!(matches!(store.stream("a/b").await, Err(StorageError::NotFound { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_in_memory_meet_by_url() {
    let open = |url: &str| Store::open(url, Path::new("/"), &BTreeMap::new()).expect("a store");
    open("memory://meet/raw").create("a.csv", bytes("rows")).await.expect("a create");
    assert_eq!(open("memory://meet").read("raw/a.csv").await.expect("bytes"), bytes("rows"));
    assert_eq!(paths(&open("memory://elsewhere"), "").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn permission_and_a_full_store_have_names_of_their_own() {
    let url = Url::parse("memory://faulty").expect("a url");
    let with = |fault| Store::over(Arc::new(Faulty::new(move |_, _| Some(fault))), &url);
    let denied = with(Fault::Permission).create("a", bytes("x")).await;
    assert!(matches!(denied, Err(StorageError::Permission { .. })), "{denied:?}");
    let full = with(Fault::Full).replace("a", bytes("x")).await;
    assert!(matches!(full, Err(StorageError::Full { .. })), "{full:?}");
    let lost = with(Fault::Lost).create("a", bytes("x")).await;
    assert!(matches!(lost, Err(StorageError::Unavailable { .. })), "{lost:?}");
    // Not even root makes folders there.
    let disk = Store::on_disk(Path::new("/sys/kernel/cxmart")).create("a", bytes("x")).await;
    assert!(matches!(disk, Err(StorageError::Permission { .. })), "{disk:?}");
}

#[test]
fn a_full_disk_is_told_while_a_file_is_written() {
    // `/dev/full` takes an open and refuses every write with ENOSPC.
    let numbers: Int64Array = (0..100_000_i64).map(|i| i * 7_919 % 100_003).collect();
    let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).expect("a batch");
    let writer = FileWriter::create(Path::new("/dev/full"), &batch.schema(), &Layout::default());
    let written = writer.and_then(|mut writer| {
        writer.write(&batch)?;
        writer.finish()
    });
    assert!(matches!(written, Err(StorageError::Full { .. })), "{written:?}");
}

#[test]
fn a_url_of_no_known_store_is_named() {
    let opened = Store::open("ftp://host/x", Path::new("/"), &BTreeMap::new());
    let text = opened.expect_err("no such store").to_string();
    assert!(text.contains("`ftp://host/x`"), "{text}");
}
