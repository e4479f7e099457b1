//! A sheet of an Excel workbook as lines of CSV: header rows, footers and cells then are what they
//! are everywhere else.
//!
//! The sheet is read on a thread of its own, which gives a few blocks ahead and no more.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};

use super::Break;

/// Bytes of a block, and blocks that wait.
const BLOCK: usize = 256 * 1024;
const BLOCKS: usize = 4;
/// From here on a spreadsheet has lost digits of a number.
const DIGITS_KEPT: f64 = 1e15;

/// Which part of a workbook is read.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// By name; none for the first.
    pub(super) sheet: Option<String>,
    /// Rows before the header.
    pub(super) skipped: u32,
    pub(super) header_rows: u32,
}

/// The lines of a sheet.
pub(super) struct Lines {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Lines {
    /// # Errors
    /// There is no such sheet, or no thread.
    pub(super) fn open(file: File, part: Part) -> Result<Self, Break> {
        let (sender, blocks) = sync_channel(BLOCKS);
        let thread = std::thread::Builder::new().name("workbook".into());
        thread.spawn(move || {
            let mut writer = Writer { blocks: &sender, block: Vec::new() };
            // Ends with an empty block, so that a thread that died is not taken for the end.
            let done = read(file, &part, &mut writer).and_then(|()| writer.flush());
            let _ = sender.send(done.map(|()| Vec::new()));
        })?;
        Ok(Self { blocks, block: Vec::new(), at: 0, ended: false })
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() && !self.ended {
            let next = self.blocks.recv();
            let next = next.map_err(|_| io::Error::other("the workbook stopped without a word"))?;
            self.ended = next.as_ref().map_or(true, Vec::is_empty);
            self.block = next?;
            self.at = 0;
        }
        let mut rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

struct Writer<'a> {
    blocks: &'a SyncSender<io::Result<Vec<u8>>>,
    block: Vec<u8>,
}

impl Writer<'_> {
    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        self.blocks.send(Ok(block)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// A row without any text is none.
    fn row(&mut self, cells: &[String], width: usize) -> io::Result<()> {
        let filled = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        if filled == 0 {
            return Ok(());
        }
        for i in 0..filled.max(width) {
            if i > 0 {
                self.block.push(b',');
            }
            let cell = cells.get(i).map_or("", String::as_str);
            self.block.push(b'"');
            self.block.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            self.block.push(b'"');
        }
        self.block.push(b'\n');
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }
}

/// The rows of a sheet at its top, which say how wide it is.
struct Rows {
    cells: Vec<String>,
    /// Place in the sheet, from 0.
    row: u32,
    part: Part,
    top: Vec<Vec<String>>,
    width: usize,
}

impl Rows {
    fn end(&mut self, writer: &mut Writer<'_>) -> io::Result<()> {
        let cells = std::mem::take(&mut self.cells);
        if self.row < self.part.skipped {
            return Ok(());
        }
        let headers = self.part.header_rows.max(1) as usize;
        if self.top.len() < headers {
            if cells.iter().any(|cell| !cell.is_empty()) {
                self.top.push(cells);
            }
            return if self.top.len() == headers { self.close_top(writer) } else { Ok(()) };
        }
        writer.row(&cells, self.width)
    }

    /// All header rows are there.
    fn close_top(&mut self, writer: &mut Writer<'_>) -> io::Result<()> {
        let filled =
            |row: &Vec<String>| row.iter().rposition(|c| !c.is_empty()).map_or(0, |i| i + 1);
        self.width = self.top.iter().map(filled).max().unwrap_or(0);
        self.top.iter().try_for_each(|row| writer.row(row, self.width))
    }
}

fn read(file: File, part: &Part, writer: &mut Writer<'_>) -> io::Result<()> {
    let broken = |error: calamine::XlsxError| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut book: Xlsx<_> = Xlsx::new(BufReader::new(file)).map_err(broken)?;
    let sheet = match &part.sheet {
        Some(name) => name.clone(),
        None => book.sheet_names().first().cloned().unwrap_or_default(),
    };
    let mut reader = book.worksheet_cells_reader(&sheet).map_err(broken)?;
    let mut rows =
        Rows { cells: Vec::new(), row: 0, part: part.clone(), top: Vec::new(), width: 0 };
    while let Some(cell) = reader.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        if row != rows.row {
            rows.end(writer)?;
            rows.row = row;
        }
        let column = column as usize;
        if column >= rows.cells.len() {
            rows.cells.resize(column + 1, String::new());
        }
        if let Some(place) = rows.cells.get_mut(column) {
            *place = text(cell.get_value());
        }
    }
    rows.end(writer)?;
    let whole = rows.top.len() >= rows.part.header_rows.max(1) as usize;
    if whole { Ok(()) } else { rows.close_top(writer) }
}

/// A cell as the text that says exactly the same.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::DateTime(time) => time_text(*time),
    }
}

/// Whole numbers without a mark; those of which digits are lost in the way that tells it.
fn number_text(number: f64) -> String {
    if number.abs() < DIGITS_KEPT {
        return number.to_string();
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}E+{power}"),
        _ => text,
    }
}

fn time_text(time: ExcelDateTime) -> String {
    if time.is_duration() {
        return number_text(time.as_f64());
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second, milli) == (0, 0, 0, 0) {
        return date;
    }
    let time = format!("{date}T{hour:02}:{minute:02}:{second:02}");
    if milli == 0 { time } else { format!("{time}.{milli:03}") }
}
