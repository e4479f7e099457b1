//! Bytes to text: a byte order mark first, then strict UTF-8, then what the spec says.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE};

use super::feed::Feed;

/// Bytes of UTF-16 decoded at a time.
const BLOCK: usize = 64 * 1024;

/// How the records of a stream become text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charset {
    /// For bytes that are not UTF-8.
    fallback: Option<&'static Encoding>,
    /// The stream was UTF-16: what could not be read already is U+FFFD.
    transcoded: bool,
}

/// Text, and whether characters were replaced.
pub(super) type Read8<'a> = (Cow<'a, str>, bool);

impl Charset {
    /// Looks for a byte order mark and takes it off; UTF-16 becomes UTF-8.
    pub(super) fn open(mut feed: Feed, fallback: Option<&'static Encoding>) -> (Self, Feed) {
        let head = feed.peek(64);
        let zeros = head.contains(&0);
        let wide = match head {
            [0xff, 0xfe, ..] => Some(UTF_16LE),
            [0xfe, 0xff, ..] => Some(UTF_16BE),
            _ => fallback.filter(|e| zeros && (*e == UTF_16LE || *e == UTF_16BE)),
        };
        if let [0xef, 0xbb, 0xbf, ..] = head {
            feed.consume(3);
        }
        let Some(wide) = wide else { return (Self { fallback, transcoded: false }, feed) };
        let decoder = wide.new_decoder_with_bom_removal();
        let stream = Utf16 {
            input: feed.into_stream(),
            decoder,
            bytes: Vec::new(),
            at: 0,
            ended: false,
            finished: false,
        };
        (Self { fallback: None, transcoded: true }, Feed::new(Box::new(stream)))
    }

    /// None: the bytes are not UTF-8 and the spec names no other encoding.
    pub(super) fn text<'a>(&self, bytes: &'a [u8]) -> Option<Read8<'a>> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let replaced = self.transcoded && text.contains(char::REPLACEMENT_CHARACTER);
            return Some((Cow::Borrowed(text), replaced));
        }
        self.fallback.map(|encoding| encoding.decode_without_bom_handling(bytes))
    }
}

struct Utf16 {
    input: Box<dyn Read + Send>,
    decoder: Decoder,
    bytes: Vec<u8>,
    at: usize,
    ended: bool,
    /// The decoder gave its last; it must not be asked again.
    finished: bool,
}

impl Read for Utf16 {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.finished {
            let bytes = self.bytes.get(self.at..).unwrap_or_default();
            let (result, read, written, _) = self.decoder.decode_to_utf8(bytes, out, self.ended);
            self.at += read;
            self.finished = self.ended && result == CoderResult::InputEmpty;
            if written > 0 || self.finished || result == CoderResult::OutputFull {
                return Ok(written);
            }
            self.bytes.resize(BLOCK, 0);
            let count = self.input.read(&mut self.bytes)?;
            self.bytes.truncate(count);
            self.at = 0;
            self.ended = count == 0;
        }
        Ok(0)
    }
}
