//! The least that a run may do, as docs/security.md says it for each store, is enough for it, and a
//! run that may do less is told so.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cxmart::cli::{Exit, Failure};
use cxmart::run::{Outcome, RunError};
use cxmart::settings::Settings;
use cxmart::storage::Store;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use serde_json::Value;

use crate::project::Project;

const DOC: &str = include_str!("../../docs/security.md");
const RAW: &str = "example-raw";
const MART: &str = "example-mart";

/// What is done to an object, or asked of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Get,
    List,
    Create,
    /// What was there is replaced, or may be.
    Replace,
    Delete,
}

impl Verb {
    fn on_s3(self) -> &'static str {
        match self {
            Self::Get => "s3:GetObject",
            Self::List => "s3:ListBucket",
            Self::Create | Self::Replace => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
        }
    }

    fn on_gcs(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["storage.objects.get"],
            Self::List => &["storage.objects.list"],
            Self::Create => &["storage.objects.create"],
            Self::Replace => &["storage.objects.create", "storage.objects.delete"],
            Self::Delete => &["storage.objects.delete"],
        }
    }

    /// The last words of a data action on blobs.
    fn on_azure(self) -> &'static str {
        match self {
            Self::Get | Self::List => "blobs/read",
            Self::Create | Self::Replace => "blobs/write",
            Self::Delete => "blobs/delete",
        }
    }
}

/// The fenced block below a heading of the page.
fn block(heading: &str) -> &'static str {
    let below = DOC.split_once(heading).expect("the heading").1;
    let fenced = below.split_once("```").expect("a block").1;
    let (language, rest) = fenced.split_once('\n').expect("lines");
    assert!(["json", "yaml"].contains(&language), "{language}");
    rest.split_once("```").expect("an end").0
}

/// What a policy of S3 allows.
#[derive(Debug, Clone)]
struct Policy(Vec<(Vec<String>, Vec<String>)>);

impl Policy {
    fn of_s3() -> Self {
        let policy: Value = serde_json::from_str(block("### S3\n")).expect("json");
        let texts = |value: &Value| -> Vec<String> {
            let all = value.as_array().expect("a list").iter();
            all.map(|text| text.as_str().expect("a text").to_owned()).collect()
        };
        let statements = policy["Statement"].as_array().expect("statements").iter();
        Self(
            statements
                .inspect(|statement| assert_eq!(statement["Effect"], "Allow"))
                .map(|statement| (texts(&statement["Action"]), texts(&statement["Resource"])))
                .collect(),
        )
    }

    fn without(self, action: &str) -> Self {
        let less = |(mut actions, resources): (Vec<String>, Vec<String>)| {
            actions.retain(|allowed| allowed != action);
            (actions, resources)
        };
        Self(self.0.into_iter().map(less).collect())
    }

    fn allows(&self, verb: Verb, bucket: &str, path: &str) -> bool {
        let resource = match verb {
            Verb::List => format!("arn:aws:s3:::{bucket}"),
            _ => format!("arn:aws:s3:::{bucket}/{path}"),
        };
        self.0.iter().any(|(actions, resources)| {
            actions.iter().any(|action| action == verb.on_s3())
                && resources.iter().any(|pattern| fits(pattern, &resource))
        })
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| fits(after, &rest[at..]))
        }),
    }
}

#[test]
fn patterns_fit_what_they_should() {
    assert!(fits("a/*/c/*", "a/b/c/d") && fits("a*", "a") && fits("*", "") && fits("a", "a"));
    assert!(!fits("a/*/c", "a/c") && !fits("a", "ab") && !fits("a*c", "ab"));
}

/// A bucket that allows what a policy says and keeps what was done.
struct Bucket {
    name: &'static str,
    inner: Arc<InMemory>,
    policy: Policy,
    done: Mutex<BTreeSet<Verb>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    fn mounted(name: &'static str, policy: &Policy) -> Arc<Self> {
        let bucket = Arc::new(Self {
            name,
            inner: Arc::new(InMemory::new()),
            policy: policy.clone(),
            done: Mutex::default(),
            refused: Arc::default(),
        });
        Store::mount(name, Arc::clone(&bucket) as _);
        bucket
    }

    fn ask(&self, verb: Verb, path: &str) -> Result<()> {
        if self.policy.allows(verb, self.name, path) {
            self.done.lock().expect("no panic").insert(verb);
            return Ok(());
        }
        self.refused.lock().expect("no panic").push(format!("{verb:?} {path}"));
        Err(Error::PermissionDenied { path: path.to_owned(), source: "403".into() })
    }

    fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("no panic").clone()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let is_create = options.mode == PutMode::Create;
        self.ask(if is_create { Verb::Create } else { Verb::Replace }, location.as_ref())?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.ask(Verb::Replace, location.as_ref())?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask(Verb::Get, location.as_ref())?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.ask(Verb::Get, location.as_ref())?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, policy, name) = (Arc::clone(&self.inner), self.policy.clone(), self.name);
        let refused = Arc::clone(&self.refused);
        self.done.lock().expect("no panic").insert(Verb::Delete);
        let delete = move |location: Result<Path>| {
            let (inner, policy) = (Arc::clone(&inner), policy.clone());
            let refused = Arc::clone(&refused);
            async move {
                let location = location?;
                if !policy.allows(Verb::Delete, name, location.as_ref()) {
                    let path = location.to_string();
                    refused.lock().expect("no panic").push(format!("Delete {path}"));
                    return Err(Error::PermissionDenied { path, source: "403".into() });
                }
                inner.delete(&location).await.map(|()| location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask(Verb::List, prefix.map_or("", |prefix| prefix.as_ref())) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.ask(Verb::List, prefix.map_or("", |prefix| prefix.as_ref()))?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.ask(Verb::Get, from.as_ref())?;
        self.ask(Verb::Replace, to.as_ref())?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// A job whose raw objects and warehouse lie in two buckets of these names.
struct World {
    project: Project,
    raw: Arc<Bucket>,
    mart: Arc<Bucket>,
}

impl World {
    fn new(policy: &Policy) -> Self {
        let project = Project::new("");
        let job = format!(
            "name = \"project\"\ntime_zone = \"Europe/Copenhagen\"\n\
             warehouse = \"memory://{MART}/warehouse\"\n[[source]]\nsource = \"asknicely\"\n\
             entity = \"responses\"\nurl = \"memory://{RAW}/responses/dt={{dt}}/*.json\"\n"
        );
        project.write("jobs/project.toml", &job);
        let (raw, mart) = (Bucket::mounted(RAW, policy), Bucket::mounted(MART, policy));
        Self { project, raw, mart }
    }

    async fn night(&self, day: &str, first: u32, scores: &[u32]) {
        let made = Project::new("");
        made.night(day, first, scores);
        let night = std::fs::read(made.path().join(format!("raw/dt={day}/responses.json")));
        let path = Path::from(format!("responses/dt={day}/responses.json"));
        // Whoever exports may write there.
        let put = self.raw.inner.put(&path, night.expect("a night").into()).await;
        put.expect("memory takes it");
    }

    async fn run(&self, environment: Option<&str>) -> std::result::Result<Outcome, RunError> {
        let settings = Settings {
            scratch: Some(self.project.path().join("scratch")),
            environment: environment.map(str::to_owned),
            ..self.project.settings()
        };
        let context = cxmart::run::open("jobs/project.toml", settings)?;
        Box::pin(cxmart::run::run(Arc::new(context), None)).await
    }
}

/// Goal: what docs/security.md grants a run is enough for nights with the lease, for an environment,
/// and for what follows a commit, and it is all that a run does; without the right to read or to
/// write it ends with 77. Method: two buckets that refuse what the page's policy does not allow; what
/// was done there is held against the roles for the other stores.
#[tokio::test(flavor = "multi_thread")]
async fn the_least_privilege_is_enough() {
    let policy = Policy::of_s3();
    let world = World::new(&policy);
    world.night("2024-05-28", 1, &[9, 3, 10]).await;
    assert!(world.run(None).await.expect("a first night").published);
    world.night("2024-05-29", 3, &[2, 8]).await;
    assert!(world.run(Some("try")).await.expect("an environment").published);
    assert!(world.run(None).await.expect("a second night").published);
    assert!(!world.run(None).await.expect("nothing to do").published);
    for bucket in [&world.raw, &world.mart] {
        assert_eq!(bucket.refused(), Vec::<String>::new(), "of {bucket}");
    }
    let left: Vec<_> = world.mart.inner.list(None).collect().await;
    let left = left.into_iter().map(|meta| meta.expect("memory lists").location.to_string());
    let left: Vec<String> = left.filter(|path| path.contains("/work/")).collect();
    assert_eq!(left, Vec::<String>::new(), "a run may delete its work");

    let done = |bucket: &Bucket| bucket.done.lock().expect("no panic").clone();
    assert_eq!(done(&world.raw), BTreeSet::from([Verb::Get, Verb::List]));
    let all = [Verb::Get, Verb::List, Verb::Create, Verb::Replace, Verb::Delete];
    assert_eq!(done(&world.mart), BTreeSet::from(all));
    let gcs: BTreeSet<&str> =
        block("### Google").lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let needed: BTreeSet<&str> = all.iter().flat_map(|verb| verb.on_gcs()).copied().collect();
    assert_eq!(gcs, needed);
    let azure: Value = serde_json::from_str(block("### Azure")).expect("json");
    let azure = azure["DataActions"].as_array().expect("actions").clone();
    for verb in all {
        let is_granted =
            |action: &Value| action.as_str().is_some_and(|text| text.ends_with(verb.on_azure()));
        assert!(azure.iter().any(is_granted), "{verb:?}");
    }

    for action in ["s3:GetObject", "s3:PutObject", "s3:ListBucket"] {
        let world = World::new(&policy.clone().without(action));
        world.night("2024-05-28", 1, &[9, 3, 10]).await;
        let refused = world.run(None).await.expect_err(action);
        assert_eq!(Failure::from(refused).exit(), Exit::Permission, "without {action}");
    }
}
