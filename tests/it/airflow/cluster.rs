//! A cluster of one node that speaks as Kubernetes does, as far as somebody asks who starts a pod
//! and waits for its end: its containers are processes of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::http::{Message, Reply, serve};

const PODS: &str = "/api/v1/namespaces/mart/pods";
const NOW: &str = "2026-02-02T03:30:00Z";

#[derive(Default)]
struct State {
    /// By name, those that are there.
    pods: BTreeMap<String, Value>,
    logs: BTreeMap<String, Vec<u8>>,
    /// All that ever were, as they were asked for.
    asked: Vec<Value>,
    /// Ends pods with this code, without a process.
    fails_with: Option<i32>,
}

/// What is in the cluster beside pods.
#[derive(Clone)]
pub struct Cluster {
    state: Arc<Mutex<State>>,
    address: std::net::SocketAddr,
}

impl Cluster {
    /// Runs `image`, which is `program`, with what the secret holds.
    pub fn start(image: &'static str, program: &Path, secret: &[(&str, String)]) -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let program = program.to_owned();
        let secret: Vec<(String, String)> =
            secret.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let address = serve(move |request| {
            let mut state = shared.lock().expect("the cluster");
            let answer = answer(
                &request,
                &mut state,
                &Image { image, program: program.clone(), secret: secret.clone() },
            );
            async move { Reply::Answer(answer) }
        });
        Self { state, address }
    }

    /// How `kubectl` and its like find it.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let path = folder.join("kubeconfig.json");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "mart"}}],
            "users": [{"name": "me", "user": {}}],
        });
        std::fs::write(&path, config.to_string()).expect("a file");
        path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the cluster")
    }

    /// Pods that were ever asked for.
    pub fn asked(&self) -> Vec<Value> {
        self.state().asked.clone()
    }

    /// How many are there still.
    pub fn left(&self) -> usize {
        self.state().pods.len()
    }

    /// From now on nothing is run, and every pod ends with this code.
    pub fn fail_with(&self, code: i32) {
        self.state().fails_with = Some(code);
    }
}

struct Image {
    image: &'static str,
    program: PathBuf,
    secret: Vec<(String, String)>,
}

fn said(status: &str, body: &Value) -> Message {
    Message::answer(status).with("Content-Type", "application/json").body(body.to_string())
}

fn list(kind: &str, items: Vec<Value>) -> Message {
    let metadata = json!({"resourceVersion": "1"});
    said("200 OK", &json!({"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": items}))
}

fn answer(request: &Message, state: &mut State, image: &Image) -> Message {
    let (path, query) = request.target();
    let of_pod = path.strip_prefix(PODS).and_then(|rest| rest.strip_prefix('/'));
    let name = of_pod.and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
    let missing = || {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404});
        said("404 Not Found", &status)
    };
    match (request.method(), path) {
        ("GET", PODS) => list("PodList", state.pods.values().cloned().collect()),
        ("POST", PODS) => {
            let pod: Value = serde_json::from_slice(&request.body).expect("a pod");
            state.asked.push(pod.clone());
            let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
            let (code, log) = match state.fails_with {
                Some(code) => (code, Vec::new()),
                None => run(&pod, image),
            };
            state.logs.insert(name.clone(), log);
            let pod = state.pods.entry(name).or_insert(ended(pod, code));
            said("201 Created", pod)
        }
        ("GET", path) if path.ends_with("/log") => {
            let log = state.logs.get(&name).cloned().unwrap_or_default();
            Message::answer("200 OK").with("Content-Type", "text/plain").body(log)
        }
        ("GET" | "PATCH", _) if of_pod.is_some() => match state.pods.get(&name) {
            Some(pod) => said("200 OK", pod),
            None => missing(),
        },
        ("DELETE", _) if of_pod.is_some() => match state.pods.remove(&name) {
            Some(pod) => said("200 OK", &pod),
            None => missing(),
        },
        ("GET", path) if path.ends_with("/events") => {
            if query.contains("watch") {
                Message::answer("200 OK").body("")
            } else {
                list("EventList", Vec::new())
            }
        }
        _ => missing(),
    }
}

/// Exit code and output of the pod's one container.
fn run(pod: &Value, image: &Image) -> (i32, Vec<u8>) {
    let spec = &pod["spec"];
    let containers = spec["containers"].as_array().expect("containers");
    let [container] = containers.as_slice() else { panic!("one container: {pod}") };
    assert_eq!(container["image"], image.image, "there is no other");
    let mut command = Command::new(&image.program);
    command.env_clear();
    for argument in container["args"].as_array().expect("arguments") {
        command.arg(argument.as_str().expect("text"));
    }
    for from in container["envFrom"].as_array().into_iter().flatten() {
        assert_eq!(from["secretRef"]["name"], "cxmart-credentials", "there is no other");
        command.envs(image.secret.iter().cloned());
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().expect("a name");
        // Where a pod has its scratch disk this machine has none.
        if name != "CXMART__SCRATCH" {
            command.env(name, variable["value"].as_str().unwrap_or_default());
        }
    }
    let output = command.output().expect("it starts");
    (output.status.code().expect("a code"), [output.stderr, output.stdout].concat())
}

/// The pod when its container has ended.
fn ended(mut pod: Value, code: i32) -> Value {
    let container = &pod["spec"]["containers"][0];
    let (name, image) = (container["name"].clone(), container["image"].clone());
    let is_well = code == 0;
    pod["metadata"]["namespace"] = json!("mart");
    pod["metadata"]["uid"] = json!("0d3f2c1a-0000-4000-8000-000000000001");
    pod["metadata"]["creationTimestamp"] = json!(NOW);
    pod["spec"]["nodeName"] = json!("here");
    pod["status"] = json!({
        "phase": if is_well { "Succeeded" } else { "Failed" },
        "startTime": NOW,
        "containerStatuses": [{
            "name": name, "image": image, "imageID": "", "ready": false, "restartCount": 0,
            "started": false,
            "state": {"terminated": {
                "exitCode": code,
                "reason": if is_well { "Completed" } else { "Error" },
                "startedAt": NOW, "finishedAt": NOW,
            }},
        }],
    });
    pod
}
