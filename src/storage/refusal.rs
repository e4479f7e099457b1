//! What an error, however deep in its causes, says of a store and its objects: which is gone or
//! damaged, so that whoever knows how it is made can make it again, and whether the store said no.

use std::error::Error;

use object_store::Error as Cause;

use super::StorageError;

/// The object that an error, or a cause of it, says is missing or damaged. Engines that read on
/// their own tell it in the words of the store.
pub fn harmed(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(StorageError::NotFound { path } | StorageError::Damaged { path }) =
            error.downcast_ref::<StorageError>()
        {
            return Some(path.clone());
        }
        if let Some(Cause::NotFound { path, .. }) = error.downcast_ref::<Cause>() {
            return Some(path.clone());
        }
        next = error.source();
    }
    None
}

/// What a store said no with, where an engine that reads on its own passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Missing,
    Permission,
    Unavailable,
}

/// The kind of a store's own error; `None` for errors of others.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let Some(cause) = error.downcast_ref::<Cause>() else { return quoted(&error.to_string()) };
    Some(match cause {
        Cause::NotFound { .. } => Refusal::Missing,
        Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => Refusal::Permission,
        _ => Refusal::Unavailable,
    })
}

/// The first word of a store in an error or its causes.
pub(super) fn refused(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = refusal(error) {
            return Some(refusal);
        }
        next = error.source();
    }
    None
}

/// Readers of Parquet and of Delta logs keep of a store's error nothing but its words. Whether a
/// file is whole was asked before they read it.
fn quoted(words: &str) -> Option<Refusal> {
    const QUOTES: [&str; 4] = [
        "Error interacting with object store: ",
        "Failed to fetch metadata for file",
        "External: Generic ",
        "External: The operation lacked",
    ];
    let is_quoted = QUOTES.iter().any(|quote| words.contains(quote));
    let is_denied = words.contains("The operation lacked the necessary privileges");
    is_quoted.then_some(if is_denied { Refusal::Permission } else { Refusal::Unavailable })
}
