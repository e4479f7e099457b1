//! CSV and its kin: any delimiter or runs of blanks, RFC 4180 quoting, nothing shifted or padded.
//!
//! Lines are cut here and not by a reader that forgives: a lone quote would swallow lines up to the
//! next one and give a row that looks right. So a record whose quotes do not hold is a reject of
//! one line, and reading goes on at the next.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use memchr::memchr;

use super::encoding::Charset;
use super::feed::{Feed, Line};
use super::record::Cells;
use super::rows::Rows;
use super::{Break, Decode, ExtractError, Step, Task};

/// Footers that may stand at the end of an object.
const FOOTERS: usize = 64;
/// Lines without quoting, by their delimiter (SAS extracts).
const SOH: u8 = 1;

/// How lines are cut into cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Any run of blanks parts cells, and none stands before the first: old print-outs.
    pub(super) blanks: bool,
    pub(super) quotes: bool,
    /// `\n`, or `\r` in files that have no other.
    pub(super) terminator: u8,
}

/// Reads the records of one stream.
pub(super) struct Csv {
    task: Task,
    feed: Feed,
    charset: Charset,
    dialect: Dialect,
    header: Option<Header>,
    /// Header rows still to come before the records.
    header_rows: u8,
    names: Vec<Vec<String>>,
    footers: VecDeque<Vec<u8>>,
    cells: Vec<Cell>,
    unquoted: String,
}

#[derive(Debug)]
struct Header {
    width: usize,
    cells: Cells,
    plain: Option<Vec<(usize, usize)>>,
    /// Why no record can be read; an object without records is none the worse for it.
    fault: Option<ExtractError>,
}

/// Where a cell stands in its record; a quoted one with `""` inside is written once more.
#[derive(Debug, Clone)]
struct Cell {
    at: Range<usize>,
    doubled: bool,
}

/// How a record ends.
enum Frame {
    Record {
        len: usize,
        step: usize,
        quoted: bool,
    },
    /// Its first line, quotes do not hold.
    Broken {
        len: usize,
        step: usize,
    },
    TooLong(Vec<u8>),
    End,
}

impl Csv {
    /// # Errors
    /// The stream ends or breaks off in the lines before the header.
    pub(super) fn open(
        task: Task,
        mut feed: Feed,
        charset: Charset,
        dialect: Dialect,
        preamble: u32,
    ) -> Result<Self, Break> {
        for _ in 0..preamble {
            match feed.line(dialect.terminator, task.limits.record_bytes)? {
                Line::Found { step, .. } => feed.consume(step),
                Line::TooLong(_) => {}
                Line::End => break,
            }
        }
        let header_rows = task.spec.format.header_rows.unwrap_or(1);
        Ok(Self {
            task,
            feed,
            charset,
            dialect,
            header: None,
            header_rows,
            names: Vec::new(),
            footers: VecDeque::new(),
            cells: Vec::new(),
            unquoted: String::new(),
        })
    }

    /// Finds the end of the record at hand.
    fn frame(&mut self) -> Result<Frame, Break> {
        let max = self.task.limits.record_bytes;
        let (mut from, mut in_quotes, mut first, mut quoted) = (0, false, None, false);
        let mut searched = 0;
        loop {
            let data = self.feed.data();
            let found = memchr(self.dialect.terminator, data.get(searched..).unwrap_or_default());
            let Some(at) = found.map(|i| searched + i) else {
                searched = data.len();
                if searched > max {
                    return self.give_up(first);
                }
                if self.feed.fill()? {
                    continue;
                }
                let (len, step) = (self.feed.data().len(), self.feed.data().len());
                if len == 0 {
                    return Ok(Frame::End);
                }
                let line = self.feed.data().get(from..len).unwrap_or_default();
                let has_quote = self.dialect.quotes && memchr(b'"', line).is_some();
                quoted |= has_quote;
                let open = self.dialect.follow(line, has_quote, in_quotes);
                return Ok(match (open, first) {
                    (Some(false), _) => Frame::Record { len, step, quoted },
                    (_, None) => Frame::Broken { len, step },
                    (_, Some(first)) => Frame::Broken { len: first, step: first + 1 },
                });
            };
            if at > max {
                return self.give_up(first);
            }
            let line = data.get(from..at).unwrap_or_default();
            let has_quote = self.dialect.quotes && memchr(b'"', line).is_some();
            quoted |= has_quote;
            let open = self.dialect.follow(line, has_quote, in_quotes);
            let first_end = *first.get_or_insert(at);
            match open {
                Some(false) => return Ok(Frame::Record { len: at, step: at + 1, quoted }),
                Some(true) => in_quotes = true,
                None => return Ok(Frame::Broken { len: first_end, step: first_end + 1 }),
            }
            from = at + 1;
            searched = from;
        }
    }

    /// A record that grew too large: its first line is, or its quotes do not hold.
    fn give_up(&mut self, first: Option<usize>) -> Result<Frame, Break> {
        if let Some(len) = first {
            return Ok(Frame::Broken { len, step: len + 1 });
        }
        match self.feed.pass_line(self.dialect.terminator)? {
            Line::TooLong(head) => Ok(Frame::TooLong(head)),
            _ => Ok(Frame::End),
        }
    }

    fn take_header(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Break> {
        let text = match self.charset.text(bytes) {
            Some((text, _)) => text.into_owned(),
            None => String::from_utf8_lossy(bytes).into_owned(),
        };
        let quoted = self.dialect.quotes && text.contains('"');
        let width = self.dialect.split(&text, quoted, usize::MAX, &mut self.cells);
        let limit = self.task.limits.columns;
        if width > limit {
            return Err(Break::Machine(self.task.limit("columns_max", limit as u64)));
        }
        let row = self.cells.iter().map(|cell| cell.text(&text).into_owned()).collect();
        self.names.push(row);
        self.header_rows = self.header_rows.saturating_sub(1);
        if self.header_rows == 0 {
            let names = names(&self.names);
            self.settle_header(&names, rows);
        }
        Ok(())
    }

    fn settle_header(&mut self, names: &[String], rows: &mut Rows) {
        let lookup = &self.task.lookup;
        let cells = Cells::new(lookup, names).with_header(lookup, names, &self.names);
        cells.tell(names, |_| "text", rows);
        for column in 0..self.task.spec.all_columns().count() {
            if cells.has(column) {
                rows.meet(column);
            }
        }
        let plain = cells.plain(&self.task.lookup);
        let missing = self.task.missing(rows.met()).filter(|_| !self.task.may_hide());
        let fault = match missing {
            Some(column) => Some(self.task.missing_column(column)),
            None if cells.is_empty() => Some(self.task.unknown_header()),
            None => None,
        };
        self.header = Some(Header { width: names.len(), cells, plain, fault });
    }

    /// Where there is no header the spec names the columns, and the first record says how many
    /// of them the object has: older exports have fewer.
    fn assume_header(&mut self, bytes: &[u8], rows: &mut Rows) {
        let text = String::from_utf8_lossy(bytes);
        let quoted = self.dialect.quotes && text.contains('"');
        let width = self.dialect.split(&text, quoted, usize::MAX, &mut self.cells);
        let mut names = self.task.spec.format.columns.clone();
        if names.is_empty() {
            let placed = self.task.exported().filter(|column| !column.named_only);
            names = placed.filter_map(|column| column.from.first().cloned()).collect();
        }
        names.truncate(width);
        names.resize(width, String::new());
        self.settle_header(&names, rows);
    }

    /// Where none is expected there may be one all the same: it names all columns of the key.
    fn is_header(&mut self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let quoted = self.dialect.quotes && text.contains('"');
        self.dialect.split(&text, quoted, usize::MAX, &mut self.cells);
        let cells = &self.cells;
        let named = |name: &String| {
            cells.iter().any(|cell| cell.text(&text).trim().eq_ignore_ascii_case(name))
        };
        let spec = &self.task.spec;
        let is_named = |key: &String| {
            spec.columns.iter().any(|column| column.name == *key && column.from.iter().any(named))
        };
        !spec.key.is_empty() && spec.key.iter().all(is_named)
    }

    fn is_footer(&self, bytes: &[u8]) -> bool {
        let start = bytes.trim_ascii_start();
        let start = start.strip_prefix(b"\"").unwrap_or(start);
        self.task.spec.format.footer.iter().any(|footer| start.starts_with(footer.as_bytes()))
    }

    fn take(&mut self, bytes: &[u8], quoted: bool, rows: &mut Rows) -> Result<(), Break> {
        if self.header.is_none() {
            self.assume_header(bytes, rows);
        }
        let Some(header) = &mut self.header else { return Ok(()) };
        if let Some(fault) = header.fault.take() {
            return Err(Break::Machine(fault));
        }
        rows.begin();
        let Some((text, replaced)) = self.charset.text(bytes) else {
            rows.refuse("invalid_utf8", &String::from_utf8_lossy(bytes));
            return Ok(());
        };
        let width = self.dialect.split(&text, quoted, header.width, &mut self.cells);
        if width != header.width {
            rows.refuse("ragged_row", &text);
            return Ok(());
        }
        let outcome = if let Some(plain) = &header.plain {
            let cell = |place: usize| self.cells.get(place).map(|cell| cell.text(&text));
            header.cells.keep(cell, rows);
            plain_row(plain, &self.cells, &text, &mut self.unquoted, rows);
            Ok(())
        } else {
            let cell = |place: usize| self.cells.get(place).map(|cell| cell.text(&text));
            self.task.lookup.cells(&header.cells, cell, rows)
        };
        match outcome {
            Err(rule) => rows.refuse(rule, &text),
            Ok(()) if replaced => rows.remark("replaced_characters", None, &text),
            Ok(()) => {}
        }
        Ok(())
    }

    fn record(&mut self, bytes: &[u8], quoted: bool, rows: &mut Rows) -> Result<(), Break> {
        let headless = self.header.is_none() && self.header_rows == 0 && self.names.is_empty();
        if self.header_rows > 0 || (headless && self.is_header(bytes)) {
            return self.take_header(bytes, rows);
        }
        if self.is_footer(bytes) {
            self.footers.push_back(bytes.to_vec());
            if self.footers.len() <= FOOTERS {
                return Ok(());
            }
            let Some(first) = self.footers.pop_front() else { return Ok(()) };
            let quoted = self.dialect.quotes && first.contains(&b'"');
            return self.take(&first, quoted, rows);
        }
        self.release(rows)?;
        self.take(bytes, quoted, rows)
    }

    /// Lines that look like footers and are not last are records.
    fn release(&mut self, rows: &mut Rows) -> Result<(), Break> {
        while let Some(held) = self.footers.pop_front() {
            let quoted = self.dialect.quotes && held.contains(&b'"');
            self.take(&held, quoted, rows)?;
        }
        Ok(())
    }
}

impl Decode for Csv {
    fn decode(&mut self, rows: &mut Rows) -> Result<Step, Break> {
        match self.frame() {
            Ok(Frame::Record { len, step, quoted }) => {
                // The window is lent out for the record and given back: no copy, no alias.
                let feed = std::mem::replace(&mut self.feed, Feed::closed());
                let bytes = feed.data().get(..len).unwrap_or_default();
                let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
                let done = if bytes.is_empty() { Ok(()) } else { self.record(bytes, quoted, rows) };
                self.feed = feed;
                self.feed.consume(step);
                done.map(|()| Step::More)
            }
            Ok(Frame::Broken { len, step }) => {
                self.release(rows)?;
                rows.begin();
                let bytes = self.feed.data().get(..len).unwrap_or_default();
                rows.refuse("malformed_quotes", &String::from_utf8_lossy(bytes));
                self.feed.consume(step);
                Ok(Step::More)
            }
            Ok(Frame::TooLong(head)) => {
                self.release(rows)?;
                rows.begin();
                rows.refuse("record_too_large", &String::from_utf8_lossy(&head));
                Ok(Step::More)
            }
            Ok(Frame::End) => {
                // Without records a known header may lack a column; an unknown one is no header.
                let fault = self.header.as_mut().and_then(|header| header.fault.take());
                if let Some(fault @ ExtractError::UnknownHeader { .. }) = fault {
                    return Err(Break::Machine(fault));
                }
                for _ in std::mem::take(&mut self.footers) {
                    rows.begin();
                    rows.skip();
                }
                Ok(Step::End)
            }
            Err(error) => {
                self.release(rows)?;
                Err(error)
            }
        }
    }
}

fn plain_row(
    plain: &[(usize, usize)],
    cells: &[Cell],
    text: &str,
    unquoted: &mut String,
    rows: &mut Rows,
) {
    rows.begin_row(0);
    for (column, place) in plain {
        let Some(cell) = cells.get(*place) else { continue };
        if cell.doubled {
            unquoted.clear();
            cell.write(text, unquoted);
            rows.push(*column, unquoted);
        } else if let Some(text) = text.get(cell.at.clone()) {
            rows.push(*column, text);
        }
    }
    rows.end_row(0);
}

impl Cell {
    fn text<'a>(&self, record: &'a str) -> Cow<'a, str> {
        if self.doubled {
            let mut text = String::new();
            self.write(record, &mut text);
            return Cow::Owned(text);
        }
        Cow::Borrowed(record.get(self.at.clone()).unwrap_or_default())
    }

    fn write(&self, record: &str, out: &mut String) {
        for (i, piece) in record.get(self.at.clone()).unwrap_or_default().split("\"\"").enumerate()
        {
            if i > 0 {
                out.push('"');
            }
            out.push_str(piece);
        }
    }
}

impl Dialect {
    pub(super) fn new(delimiter: u8, terminator: u8) -> Self {
        Self { delimiter, blanks: false, quotes: delimiter != SOH, terminator }
    }

    pub(super) fn blanks(terminator: u8) -> Self {
        Self { delimiter: b' ', blanks: true, quotes: false, terminator }
    }

    fn follow(self, line: &[u8], has_quote: bool, in_quotes: bool) -> Option<bool> {
        if has_quote || in_quotes { self.scan(line, in_quotes) } else { Some(false) }
    }

    /// Follows the quotes through a line: whether it ends inside of some; none if they do not hold.
    fn scan(self, line: &[u8], mut in_quotes: bool) -> Option<bool> {
        let mut at = 0;
        loop {
            let rest = line.get(at..).unwrap_or_default();
            if in_quotes {
                let Some(quote) = memchr(b'"', rest) else { return Some(true) };
                let after = rest.get(quote + 1..).unwrap_or_default();
                match after {
                    [b'"', ..] => at += quote + 2,
                    [] | [b'\r'] => return Some(false),
                    [next, ..] if *next == self.delimiter => {
                        in_quotes = false;
                        at += quote + 2;
                    }
                    _ => return None,
                }
            } else if rest.first() == Some(&b'"') {
                in_quotes = true;
                at += 1;
            } else {
                let Some(next) = memchr(self.delimiter, rest) else { return Some(false) };
                at += next + 1;
            }
        }
    }

    /// Cuts a record whose quotes hold; gives the count of cells, of which it keeps `max`.
    fn split(self, text: &str, quoted: bool, max: usize, cells: &mut Vec<Cell>) -> usize {
        cells.clear();
        if self.blanks {
            return words(text, max, cells);
        }
        let bytes = text.as_bytes();
        let (mut at, mut count) = (0, 0);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let cell = if quoted && rest.first() == Some(&b'"') {
                quoted_cell(bytes, at + 1)
            } else {
                let len = memchr(self.delimiter, rest).unwrap_or(rest.len());
                Cell { at: at..at + len, doubled: false }
            };
            let is_quoted = cell.at.start > at;
            at = cell.at.end + usize::from(is_quoted);
            count += 1;
            if count <= max {
                cells.push(cell);
            }
            if at >= bytes.len() {
                return count;
            }
            at += 1;
        }
    }
}

/// Cuts a record at runs of blanks; gives the count of cells, of which it keeps `max`.
fn words(text: &str, max: usize, cells: &mut Vec<Cell>) -> usize {
    let (mut at, mut count) = (0, 0);
    for word in text.split([' ', '\t']) {
        if !word.is_empty() {
            count += 1;
            if count <= max {
                cells.push(Cell { at: at..at + word.len(), doubled: false });
            }
        }
        at += word.len() + 1;
    }
    count
}

fn quoted_cell(bytes: &[u8], start: usize) -> Cell {
    let (mut at, mut doubled) = (start, false);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(quote) = memchr(b'"', rest) else {
            return Cell { at: start..bytes.len(), doubled };
        };
        if rest.get(quote + 1) != Some(&b'"') {
            return Cell { at: start..at + quote, doubled };
        }
        doubled = true;
        at += quote + 2;
    }
}

/// The name of each column out of one to three header rows.
///
/// The first row names it. Where that is blank, the name to the left goes on and the second row
/// tells the columns apart (`Which channels?: Phone`). The same name again gets `__2`.
fn names(rows: &[Vec<String>]) -> Vec<String> {
    let blank = String::new();
    let first = rows.first().map_or(&[][..], Vec::as_slice);
    let mut names: Vec<String> = Vec::new();
    let mut left = &blank;
    for (i, name) in first.iter().enumerate() {
        let below = rows.get(1).and_then(|row| row.get(i)).unwrap_or(&blank);
        if !name.trim().is_empty() {
            left = name;
        }
        let whole = if !name.trim().is_empty() || below.trim().is_empty() {
            name.clone()
        } else if left.is_empty() {
            below.clone()
        } else {
            format!("{left}: {below}")
        };
        names.push(whole);
    }
    let mut numbered: Vec<String> = Vec::with_capacity(names.len());
    for name in &names {
        let before = names.iter().take(numbered.len()).filter(|other| *other == name).count();
        let again = before > 0 && !name.is_empty();
        numbered.push(if again { format!("{name}__{}", before + 1) } else { name.clone() });
    }
    numbered
}
