//! The XML interface of Google Cloud Storage, as far as its client uses it, in front of any other
//! store: no packaged server speaks it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Attribute, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions,
};

use crate::http::{Message, Reply, serve};

/// Parts of uploads that are not complete yet, by upload and part number.
type Uploads = Arc<Mutex<BTreeMap<String, BTreeMap<u32, Vec<u8>>>>>;

/// Serves `store` as every bucket there is.
pub fn front(store: Arc<dyn ObjectStore>) -> SocketAddr {
    let uploads = Uploads::default();
    serve(move |request| {
        let (store, uploads) = (Arc::clone(&store), Arc::clone(&uploads));
        async move { Reply::Answer(answer(store.as_ref(), &uploads, &request).await) }
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn failed(error: &Error) -> Message {
    let status = match error {
        Error::NotFound { .. } => "404 Not Found",
        Error::AlreadyExists { .. } | Error::Precondition { .. } => "412 Precondition Failed",
        Error::PermissionDenied { .. } => "403 Forbidden",
        _ => "500 Internal Server Error",
    };
    Message::answer(status).body(format!("<Error><Message>{error}</Message></Error>"))
}

async fn answer(store: &dyn ObjectStore, uploads: &Uploads, request: &Message) -> Message {
    let (target, text) = request.target();
    let query = query(text);
    // The bucket comes first.
    let key = target.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let key = decoded(key);
    let done = if key.is_empty() {
        list(store, &query).await
    } else {
        let path = Path::parse(&key).expect("a key");
        match (request.method(), query.get("uploadId")) {
            ("GET" | "HEAD", _) => get(store, &path, request).await,
            ("POST", None) => Ok(begin(uploads)),
            ("POST", Some(id)) => complete(store, &path, uploads, id).await,
            ("DELETE", Some(id)) => {
                uploads.lock().expect("uploads").remove(id);
                Ok(Message::answer("204 No Content"))
            }
            ("PUT", Some(id)) => Ok(part(uploads, id, &query, request)),
            ("DELETE", None) => {
                let there = store.head(&path).await;
                match there {
                    Ok(_) => store.delete(&path).await.map(|()| Message::answer("204 No Content")),
                    Err(error) => Err(error),
                }
            }
            _ => put(store, &path, request).await,
        }
    };
    done.unwrap_or_else(|error| failed(&error))
}

fn begin(uploads: &Uploads) -> Message {
    let mut uploads = uploads.lock().expect("uploads");
    let id = format!("upload-{}", uploads.len() + 1);
    uploads.insert(id.clone(), BTreeMap::new());
    let xml = format!(
        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
    );
    Message::answer("200 OK").body(xml)
}

fn part(
    uploads: &Uploads,
    id: &str,
    query: &BTreeMap<String, String>,
    request: &Message,
) -> Message {
    let number = query["partNumber"].parse().expect("a number");
    let mut uploads = uploads.lock().expect("uploads");
    match uploads.get_mut(id) {
        None => Message::answer("404 Not Found"),
        Some(parts) => {
            parts.insert(number, request.body.clone());
            let etag = format!("\"part-{number}\"");
            Message::answer("200 OK").with("ETag", etag).with("x-goog-generation", 1)
        }
    }
}

async fn complete(
    store: &dyn ObjectStore,
    path: &Path,
    uploads: &Uploads,
    id: &str,
) -> Result<Message, Error> {
    let parts = uploads.lock().expect("uploads").insert(id.to_owned(), BTreeMap::new());
    let bytes: Vec<u8> = parts.unwrap_or_default().into_values().flatten().collect();
    store.put(path, bytes.into()).await?;
    let meta = store.head(path).await?;
    let etag = escaped(meta.e_tag.as_deref().unwrap_or_default());
    let xml = format!(
        "<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
    );
    Ok(Message::answer("200 OK").with("x-goog-generation", 1).body(xml))
}

async fn put(store: &dyn ObjectStore, path: &Path, request: &Message) -> Result<Message, Error> {
    if let Some(source) = request.header("x-goog-copy-source") {
        let source = decoded(source.split_once('/').map_or("", |(_, key)| key));
        store.copy(&Path::parse(source)?, path).await?;
        return Ok(Message::answer("200 OK").body("<CopyObjectResult/>"));
    }
    let is_create = request.header("x-goog-if-generation-match") == Some("0");
    let mode = if is_create { PutMode::Create } else { PutMode::Overwrite };
    let options = PutOptions { mode, ..PutOptions::default() };
    let done = store.put_opts(path, request.body.clone().into(), options).await?;
    let etag = done.e_tag.unwrap_or_default();
    Ok(Message::answer("200 OK").with("ETag", etag).with("x-goog-generation", 1))
}

fn described(message: Message, meta: &ObjectMeta) -> Message {
    let modified = meta.last_modified.format("%a, %d %b %Y %H:%M:%S GMT");
    message
        .with("ETag", meta.e_tag.clone().unwrap_or_default())
        .with("Last-Modified", modified)
        .with("x-goog-generation", 1)
}

async fn get(store: &dyn ObjectStore, path: &Path, request: &Message) -> Result<Message, Error> {
    let meta = store.head(path).await?;
    if request.method() == "HEAD" {
        let answer = described(Message::answer("200 OK"), &meta);
        return Ok(answer.with("Content-Length", meta.size));
    }
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        let got = store.get(path).await?;
        let kind = got.attributes.get(&Attribute::ContentType).map(|kind| kind.as_ref().to_owned());
        let body = got.bytes().await?;
        let answer = described(Message::answer("200 OK"), &meta).body(body.to_vec());
        return Ok(answer.with("Content-Type", kind.unwrap_or_default()));
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => GetRange::Bounded(from..to + 1),
        (Ok(from), Err(_)) => GetRange::Offset(from),
        (Err(_), Ok(last)) => GetRange::Suffix(last),
        _ => return Ok(Message::answer("416 Range Not Satisfiable")),
    };
    let options = GetOptions { range: Some(range), ..GetOptions::default() };
    let got = store.get_opts(path, options).await?;
    let (from, end) = (got.range.start, got.range.end);
    let body = got.bytes().await?;
    let range = format!("bytes {from}-{}/{}", end.saturating_sub(1), meta.size);
    let answer = described(Message::answer("206 Partial Content"), &meta);
    Ok(answer.with("Content-Range", range).body(body.to_vec()))
}

async fn list(store: &dyn ObjectStore, query: &BTreeMap<String, String>) -> Result<Message, Error> {
    let prefix = query.get("prefix").map(String::as_str).unwrap_or_default();
    let folder = Path::parse(prefix.trim_end_matches('/'))?;
    let (metas, folders) = if query.contains_key("delimiter") {
        let listed = store.list_with_delimiter(Some(&folder)).await?;
        (listed.objects, listed.common_prefixes)
    } else {
        (store.list(Some(&folder)).try_collect::<Vec<_>>().await?, Vec::new())
    };
    let mut xml = String::from("<ListBucketResult>");
    for meta in metas {
        xml.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag>\
             <Size>{}</Size></Contents>",
            escaped(meta.location.as_ref()),
            meta.last_modified.to_rfc3339(),
            escaped(meta.e_tag.as_deref().unwrap_or_default()),
            meta.size,
        ));
    }
    for folder in folders {
        let folder = escaped(folder.as_ref());
        xml.push_str(&format!("<CommonPrefixes><Prefix>{folder}/</Prefix></CommonPrefixes>"));
    }
    xml.push_str("</ListBucketResult>");
    Ok(Message::answer("200 OK").body(xml))
}
