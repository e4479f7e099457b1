//! HTTP/1.1 in as many lines as tests need: a server on loopback, and a client for one request.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// `GET /path?query HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub first: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn answer(status: &str) -> Self {
        Self { first: format!("HTTP/1.1 {status}"), ..Self::default() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// Path and query as they were sent.
    pub fn target(&self) -> (&str, &str) {
        let target = self.first.split(' ').nth(1).unwrap_or_default();
        target.split_once('?').unwrap_or((target, ""))
    }

    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Reads one; `of_head` says that an answer to HEAD has no body whatever its headers say.
    pub async fn read<R: AsyncReadExt + Unpin>(
        from: &mut BufReader<R>,
        of_head: bool,
    ) -> Option<Self> {
        let mut line = String::new();
        if from.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let mut message = Self { first: line.trim_end().to_owned(), ..Self::default() };
        loop {
            let mut line = String::new();
            from.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let is_answer = message.first.starts_with("HTTP/");
        if of_head || is_answer && [204, 304].contains(&message.status()) {
            return Some(message);
        }
        if message.header("transfer-encoding").is_some() {
            message.body = chunks(from).await?;
            message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"));
        } else if let Some(length) = message.header("content-length") {
            message.body = vec![0; length.parse().ok()?];
            from.read_exact(&mut message.body).await.ok()?;
        } else if is_answer {
            from.read_to_end(&mut message.body).await.ok()?;
        }
        Some(message)
    }

    /// The bytes on the wire; a length is added where none is said.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.header("content-length").is_none() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

async fn chunks<R: AsyncReadExt + Unpin>(from: &mut BufReader<R>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).await.ok()?;
        let size = usize::from_str_radix(line.trim_end().split(';').next()?, 16).ok()?;
        let at = body.len();
        body.resize(at + size, 0);
        from.read_exact(&mut body[at..]).await.ok()?;
        let mut end = String::new();
        from.read_line(&mut end).await.ok()?;
        if size == 0 {
            return Some(body);
        }
    }
}

/// What a server does with a request.
#[derive(Debug)]
pub enum Reply {
    Answer(Message),
    /// The connection is closed after these bytes.
    Cut(Vec<u8>),
}

/// Serves on a free port of the loopback for the life of the process.
pub fn serve<F, Fut>(handle: F) -> SocketAddr
where
    F: Fn(Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    let handle = Arc::new(handle);
    // Tests have a runtime each; this outlives them.
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let handle = Arc::clone(&handle);
                tokio::spawn(async move { converse(stream, handle.as_ref()).await });
            }
        });
    });
    address
}

async fn converse<F, Fut>(mut stream: TcpStream, handle: &F)
where
    F: Fn(Message) -> Fut,
    Fut: Future<Output = Reply>,
{
    let _ = stream.set_nodelay(true);
    let (from, mut to) = stream.split();
    let mut from = BufReader::new(from);
    while let Some(request) = Message::read(&mut from, false).await {
        match handle(request).await {
            Reply::Answer(answer) => {
                if to.write_all(&answer.bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Cut(bytes) => {
                let _ = to.write_all(&bytes).await;
                let _ = to.shutdown().await;
                return;
            }
        }
    }
}

/// Sends one request and reads its answer.
pub async fn ask(address: &str, request: &Message) -> Option<Message> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let _ = stream.set_nodelay(true);
    stream.write_all(&request.bytes()).await.ok()?;
    Message::read(&mut BufReader::new(stream), request.method() == "HEAD").await
}
