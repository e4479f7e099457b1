//! A window over a stream of bytes: it grows to the record at hand and no further.

use std::io::{self, Read};

use memchr::memchr;

/// Bytes asked of the stream at a time.
const BLOCK: usize = 256 * 1024;
/// What is kept of a record that is too large, for its reject.
const HEAD: usize = 1_024;

/// A stream, and the part of it that was read and not yet used.
pub(super) struct Feed {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    failed: Option<io::Error>,
}

/// What [`Feed::line`] found.
#[derive(Debug)]
pub(super) enum Line {
    /// Length without the terminator, and with it.
    Found {
        len: usize,
        step: usize,
    },
    /// It was passed over; its first bytes are left.
    TooLong(Vec<u8>),
    End,
}

impl Feed {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, buffer: Vec::new(), start: 0, end: 0, ended: false, failed: None }
    }

    /// A stream without bytes.
    pub(super) fn closed() -> Self {
        Self::new(Box::new(io::empty()))
    }

    /// What was read and not yet used.
    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Reads on; false at the end of the stream.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if let Some(error) = self.failed.take() {
            self.ended = true;
            return Err(error);
        }
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 && self.buffer.len() - self.end < BLOCK {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < BLOCK {
            let grown = (self.end + BLOCK).max(self.buffer.len() * 3 / 2);
            self.buffer.resize(grown, 0);
        }
        loop {
            let free = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(free) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
    }

    /// The next `bytes`, or what there is; a failure is kept for the reader that gets that far.
    pub(super) fn peek(&mut self, bytes: usize) -> &[u8] {
        while self.data().len() < bytes && self.failed.is_none() {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.failed = Some(error),
            }
        }
        self.data()
    }

    /// Nothing is left, and nothing went wrong.
    pub(super) fn is_empty(&mut self) -> bool {
        self.peek(1).is_empty() && self.failed.is_none()
    }

    /// The next line, which the caller consumes; `max` bounds what is held of it.
    pub(super) fn line(&mut self, terminator: u8, max: usize) -> io::Result<Line> {
        let mut searched = 0;
        loop {
            let data = self.data();
            let found = memchr(terminator, data.get(searched..).unwrap_or_default());
            let len = found.map_or(data.len(), |i| searched + i);
            if len > max {
                return self.pass_line(terminator);
            }
            if found.is_some() {
                return Ok(Line::Found { len, step: len + 1 });
            }
            searched = len;
            if !self.fill()? {
                let len = self.data().len();
                return Ok(if len == 0 { Line::End } else { Line::Found { len, step: len } });
            }
        }
    }

    /// Passes over the rest of a line without holding it.
    pub(super) fn pass_line(&mut self, terminator: u8) -> io::Result<Line> {
        let head = self.data().iter().copied().take(HEAD).collect();
        loop {
            let data = self.data();
            if let Some(end) = memchr(terminator, data) {
                self.consume(end + 1);
                return Ok(Line::TooLong(head));
            }
            self.consume(data.len());
            if !self.fill()? {
                return Ok(Line::TooLong(head));
            }
        }
    }

    /// The stream from here on.
    pub(super) fn into_stream(self) -> Box<dyn Read + Send> {
        let rest = self.data().to_vec();
        let failed = Failed(self.failed);
        let input: Box<dyn Read + Send> =
            if self.ended { Box::new(io::empty()) } else { self.input };
        Box::new(io::Cursor::new(rest).chain(failed).chain(input))
    }
}

/// Gives the failure that a peek came upon, in its place.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
