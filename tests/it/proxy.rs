//! A proxy before an object store that fails one request as networks and servers do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http::{Message, Reply, ask, serve};

/// What goes wrong on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503, and nothing was done.
    Refused,
    /// The connection is closed before the request is passed on.
    Reset,
    /// It was done, and the connection is closed without an answer.
    LostAnswer,
    /// It was done, and the answer is 503.
    CommitThen503,
    /// The answer ends in the middle of its body.
    HalfBody,
    /// One bit of the body is another one.
    Flipped,
    /// The answer says another `ETag`.
    WrongEtag,
    /// The answer comes late.
    Slow,
    /// The answer comes later than any client waits.
    Stalled,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Reset,
        Self::LostAnswer,
        Self::CommitThen503,
        Self::HalfBody,
        Self::Flipped,
        Self::WrongEtag,
        Self::Slow,
        Self::Stalled,
    ];

    fn can_befall(self, request: &Message) -> bool {
        let (path, query) = request.target();
        let is_write = ["PUT", "POST"].contains(&request.method());
        let is_read = request.method() == "GET" && !query.contains("list-type");
        match self {
            Self::LostAnswer | Self::CommitThen503 => is_write,
            Self::HalfBody | Self::WrongEtag => is_read,
            // A raw object is vouched for by nobody, and a part of a file by the whole file.
            Self::Flipped => {
                is_read && request.header("range").is_none() && path.contains("/warehouse/")
            }
            _ => true,
        }
    }
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<(Fault, usize)>,
    struck: Option<String>,
}

/// A proxy; clones are the same one.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

/// How long a stalled answer takes; clients of the tests wait for half as long.
pub const STALL: Duration = Duration::from_secs(4);

impl Proxy {
    pub fn before(server: SocketAddr) -> Self {
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let shared = Arc::clone(&plan);
        let address = serve(move |request| {
            let fault = next(&shared, &request);
            async move { pass(server, &request, fault).await }
        });
        Self { address, plan }
    }

    /// Strikes at the `n`-th request, from 0, that the fault can befall.
    pub fn arm(&self, fault: Fault, n: usize) {
        let fault = Some((fault, n));
        *self.plan.lock().expect("a plan") = Plan { fault, struck: None };
    }

    /// Ends the fault; gives the request that was struck, if any was.
    pub fn disarm(&self) -> Option<String> {
        std::mem::take(&mut *self.plan.lock().expect("a plan")).struck
    }
}

fn next(plan: &Mutex<Plan>, request: &Message) -> Option<Fault> {
    let mut plan = plan.lock().expect("a plan");
    let (fault, left) = plan.fault.filter(|(fault, _)| fault.can_befall(request))?;
    if left > 0 {
        plan.fault = Some((fault, left - 1));
        return None;
    }
    plan.fault = None;
    plan.struck = Some(request.first.clone());
    Some(fault)
}

async fn pass(server: SocketAddr, request: &Message, fault: Option<Fault>) -> Reply {
    match fault {
        Some(Fault::Refused) => return Reply::Answer(Message::answer("503 Service Unavailable")),
        Some(Fault::Reset) => return Reply::Cut(Vec::new()),
        _ => {}
    }
    // All headers as they came, the host among them: they are signed.
    let mut passed = request.clone();
    passed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    let passed = passed.with("Connection", "close");
    let Some(mut answer) = ask(&server.to_string(), &passed).await else {
        return Reply::Cut(Vec::new());
    };
    answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    match fault {
        Some(Fault::LostAnswer) => return Reply::Cut(Vec::new()),
        Some(Fault::CommitThen503) => {
            return Reply::Answer(Message::answer("503 Service Unavailable"));
        }
        Some(Fault::HalfBody) => {
            let bytes = answer.bytes();
            let head = bytes.len() - answer.body.len();
            return Reply::Cut(bytes[..head + answer.body.len() / 2].to_vec());
        }
        Some(Fault::Flipped) => {
            let middle = answer.body.len() / 2;
            if let Some(byte) = answer.body.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Some(Fault::WrongEtag) => {
            answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("etag"));
            answer = answer.with("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
        }
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(300)).await,
        Some(Fault::Stalled) => tokio::time::sleep(STALL).await,
        _ => {}
    }
    Reply::Answer(answer)
}
