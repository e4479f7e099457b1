//! Final names: made once, never with other bytes, and young when no release names them.

use cxmart::publish::{self, PublishError};
use cxmart::storage::{StorageError, Store};
use cxmart::table::dataset::{Dataset, FileRef};
use cxmart::table::hash::Hash;

use super::{contract, in_memory};

async fn made(store: &Store, content: &'static str) -> Dataset {
    let mut file = super::file(content, &[]);
    file.bytes = content.len() as u64;
    store.replace(&file.path, content.into()).await.expect("a file in work/");
    Dataset::new("orders", Hash::of("made"), vec![file])
}

async fn place(
    store: &Store,
    dataset: &Dataset,
    parent: Option<&Dataset>,
) -> Result<Dataset, PublishError> {
    let contract = contract("orders", &[]);
    let path = |file: &FileRef| publish::table_path("orders", &contract, file);
    publish::place(store, dataset, parent, path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_its_name_and_may_get_it_again() {
    let store = in_memory("place-twice");
    let dataset = made(&store, "rows").await;
    let first = place(&store, &dataset, None).await.expect("placed");
    assert!(first.files[0].path.starts_with("tables/orders/part-"));
    assert_eq!(store.read(&first.files[0].path).await.expect("bytes"), "rows");
    // A run that died after placing, or lost its commit, comes again.
    assert_eq!(place(&store, &dataset, None).await.expect("placed again"), first);
    // So does a file that lies under its final name already.
    assert_eq!(place(&store, &first, None).await.expect("renewed"), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_no_release_names_is_made_young_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::on_disk(folder.path());
    let dataset = made(&store, "rows").await;
    let placed = place(&store, &dataset, None).await.expect("placed");
    let path = folder.path().join(&placed.files[0].path);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_hours(24);
    let age = || {
        let file = std::fs::File::options().append(true).open(&path).expect("the file");
        file.set_modified(long_ago).expect("an old file");
    };
    let is_old = || {
        let modified = std::fs::metadata(&path).expect("the file").modified().expect("a time");
        modified == long_ago
    };
    age();
    place(&store, &dataset, None).await.expect("placed");
    assert!(!is_old());
    age();
    place(&store, &dataset, Some(&placed)).await.expect("named by the parent");
    assert!(is_old(), "what the parent names is not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_a_name_are_a_bug() {
    let store = in_memory("place-clash");
    let dataset = made(&store, "rows").await;
    let name = place(&store, &dataset, None).await.expect("placed").files[0].path.clone();
    for other in ["rowz", "other rows"] {
        store.replace(&name, other.into()).await.expect("other bytes");
        let placed = place(&store, &dataset, None).await;
        assert!(matches!(placed, Err(PublishError::Clash { .. })), "{placed:?}");
        assert_eq!(store.read(&name).await.expect("bytes"), other, "nothing was overwritten");
    }
    // A parent that says something else of the same name.
    let mut parent = dataset.clone();
    parent.files[0].path = name;
    parent.files[0].file_hash = Hash::of("another");
    let placed = place(&store, &dataset, Some(&parent)).await;
    assert!(matches!(placed, Err(PublishError::Clash { .. })), "{placed:?}");
}

/// A file that was harmed after it was written gets no final name; neither does anything count that
/// was made beside one which the parent release has already.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_harmed_since_it_was_written_is_not_placed() {
    let store = in_memory("place-harmed");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for store in [store, Store::on_disk(folder.path())] {
        let dataset = made(&store, "rows").await;
        let sound = place(&store, &dataset, None).await.expect("placed");
        store.delete(&sound.files[0].path).await.expect("gone again");
        store.replace(&dataset.files[0].path, "rowz".into()).await.expect("one bit");
        for parent in [None, Some(&sound)] {
            let placed = place(&store, &dataset, parent).await;
            let harmed = PublishError::Storage(StorageError::Damaged {
                path: dataset.files[0].path.clone(),
            });
            assert_eq!(format!("{placed:?}"), format!("{:?}", Err::<Dataset, _>(harmed)));
            assert!(store.head(&sound.files[0].path).await.expect("a look").is_none());
        }
        // Under its final name already, it is not made young either.
        store.replace(&sound.files[0].path, "rowz".into()).await.expect("one bit");
        let placed = place(&store, &sound, None).await;
        let is_told = matches!(&placed, Err(PublishError::Storage(StorageError::Damaged { .. })));
        assert!(is_told, "{placed:?}");
    }
}

#[test]
fn partition_values_never_make_a_path_that_needs_escaping() {
    let contract = contract("scores", &["month", "id"]);
    let file = super::file("x", &[("month", "2024-05-01"), ("id", "a/b c%é")]);
    let path = publish::table_path("scores", &contract, &file);
    assert!(path.starts_with("tables/scores/month=2024-05-01/id=a-b-c--/part-"), "{path}");
}
