//! A JSON document with a list inside, read element by element: its size does not matter.

use std::io;

use super::encoding::Charset;
use super::feed::Feed;
use super::json::{self, Scan};
use super::rows::Rows;
use super::{Break, Decode, ExtractError, Step, Task};

/// Members that hold the list where the spec does not say.
pub(super) const LISTS: [&str; 8] =
    ["data", "reviews", "results", "items", "responses", "conversations", "tickets", "events"];
/// A key longer than this is none that leads to a list.
const KEY_BYTES: usize = 64 * 1024;
const HEAD: usize = 1_024;

/// Reads the elements of the list of each document in a stream (there may be several, one after
/// another, where pages were joined).
pub(super) struct Document {
    task: Task,
    feed: Feed,
    charset: Charset,
    /// Objects that are open around the list.
    depth: usize,
    state: State,
    /// A list was found in the document at hand.
    found: bool,
    /// The path to the list that is left, if the spec gives one.
    path: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// Between the members of an object; whether one came before.
    Members,
    Elements {
        first: bool,
    },
    Done,
}

impl Document {
    pub(super) fn new(task: Task, feed: Feed, charset: Charset) -> Self {
        let path = None;
        Self { task, feed, charset, depth: 0, state: State::Start, found: false, path }
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> io::Result<Option<u8>> {
        loop {
            let data = self.feed.data();
            if let Some(at) = data.iter().position(|byte| !byte.is_ascii_whitespace()) {
                let byte = data.get(at).copied();
                self.feed.consume(at);
                return Ok(byte);
            } else {
                self.feed.consume(data.len());
                if !self.feed.fill()? {
                    return Ok(None);
                }
            }
        }
    }

    fn need(&mut self) -> Result<u8, Break> {
        self.next()?.ok_or_else(|| Break::Input(io::ErrorKind::UnexpectedEof.into()))
    }

    fn start(&mut self) -> Result<Step, Break> {
        (self.depth, self.found) = (0, false);
        self.path.clone_from(&self.task.spec.format.list);
        match self.next()? {
            None => {
                self.state = State::Done;
                return Ok(Step::End);
            }
            Some(b'[') => self.begin_list(),
            Some(b'{') => {
                self.feed.consume(1);
                self.depth = 1;
                self.state = State::Members;
            }
            Some(_) => return Err(Break::Undecodable("it is not a JSON document".into())),
        }
        Ok(Step::More)
    }

    fn begin_list(&mut self) {
        self.feed.consume(1);
        self.found = true;
        self.state = State::Elements { first: true };
    }

    /// One member of the object around the list.
    fn member(&mut self) -> Result<Step, Break> {
        match self.need()? {
            b'}' => {
                self.feed.consume(1);
                self.depth -= 1;
                return self.close();
            }
            b',' => {
                self.feed.consume(1);
                return Ok(Step::More);
            }
            b'"' => {}
            _ => return Err(Break::Undecodable("a member has no name".into())),
        }
        let key = self.value(KEY_BYTES)?;
        let key = key.and_then(|raw| String::from_utf8(raw).ok());
        let key = key.as_deref().and_then(|raw| raw.strip_prefix('"')?.strip_suffix('"'));
        let mut name = String::new();
        let _ = json::unescape(key.unwrap_or_default(), &mut name);
        if self.need()? != b':' {
            return Err(Break::Undecodable("a member has no value".into()));
        }
        self.feed.consume(1);
        let value = self.need()?;
        match (self.leads(&name), value) {
            (Lead::List, b'[') if !self.found => self.begin_list(),
            (Lead::List, b'[') => {
                return Err(Break::Machine(ExtractError::Undecodable {
                    object: self.task.object.clone(),
                    message: "it holds two lists; `format.list` must say which".into(),
                }));
            }
            (Lead::List, b'n') => {
                self.found = true;
                self.value(0)?;
            }
            (Lead::Inside(rest), b'{') if !self.found => {
                self.feed.consume(1);
                self.path = Some(rest);
                self.depth += 1;
            }
            _ => {
                self.value(0)?;
            }
        }
        Ok(Step::More)
    }

    fn leads(&self, name: &str) -> Lead {
        let Some(path) = &self.path else {
            return if LISTS.contains(&name) { Lead::List } else { Lead::Nowhere };
        };
        match path.strip_prefix(name) {
            _ if self.found => Lead::Nowhere,
            Some("") => Lead::List,
            Some(rest) => {
                rest.strip_prefix('.').map_or(Lead::Nowhere, |rest| Lead::Inside(rest.to_owned()))
            }
            None => Lead::Nowhere,
        }
    }

    /// An object was closed; the outermost one ends the document.
    fn close(&mut self) -> Result<Step, Break> {
        if self.depth > 0 {
            self.state = State::Members;
            return Ok(Step::More);
        }
        self.state = State::Start;
        if self.found { Ok(Step::More) } else { Err(Break::Undecodable("it has no list".into())) }
    }

    fn element(&mut self, first: bool, rows: &mut Rows) -> Result<Step, Break> {
        match self.need()? {
            b']' => {
                self.feed.consume(1);
                return self.close();
            }
            b',' if !first => {
                self.feed.consume(1);
                self.need()?;
            }
            _ if first => {}
            _ => return Err(Break::Undecodable("elements are not parted by a comma".into())),
        }
        self.state = State::Elements { first: false };
        let Some(len) = self.measure(self.task.limits.record_bytes)? else {
            let head: Vec<u8> = self.feed.data().iter().copied().take(HEAD).collect();
            self.value(0)?;
            rows.begin();
            rows.refuse("record_too_large", &String::from_utf8_lossy(&head));
            return Ok(Step::More);
        };
        let bytes = self.feed.data().get(..len).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Break::Undecodable("an element is missing".into()));
        }
        self.task.lookup.json(self.charset, bytes, rows);
        self.feed.consume(len);
        Ok(Step::More)
    }

    /// Length of the value at hand, which is then in the window; none if it passes `max`.
    fn measure(&mut self, max: usize) -> Result<Option<usize>, Break> {
        let mut scan = Scan::default();
        let mut at = 0;
        loop {
            let data = self.feed.data();
            if let Some(len) = scan.end(data, at) {
                return Ok((len <= max).then_some(len));
            }
            at = data.len();
            if at > max {
                return Ok(None);
            }
            if !self.feed.fill()? {
                return Err(Break::Input(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Passes over the value at hand, of any size; gives its bytes if they are at most `max`.
    fn value(&mut self, max: usize) -> Result<Option<Vec<u8>>, Break> {
        let mut scan = Scan::default();
        let mut kept = Some(Vec::new());
        loop {
            let data = self.feed.data();
            let end = scan.end(data, 0);
            let len = end.unwrap_or(data.len());
            kept = kept.filter(|bytes: &Vec<u8>| bytes.len() + len <= max);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(data.get(..len).unwrap_or_default());
            }
            self.feed.consume(len);
            if end.is_some() {
                return Ok(kept);
            }
            if !self.feed.fill()? {
                return Err(Break::Input(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Where a member leads.
enum Lead {
    List,
    Inside(String),
    Nowhere,
}

impl Decode for Document {
    fn decode(&mut self, rows: &mut Rows) -> Result<Step, Break> {
        match self.state {
            State::Start => self.start(),
            State::Members => self.member(),
            State::Elements { first } => self.element(first, rows),
            State::Done => Ok(Step::End),
        }
    }
}
