//! Records into files: one file an export and entity, whole or not there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::event::{Entity, Event, Shape};
use super::json::Json;
use super::person::{Person, Traits};
use super::shopify::Basket;
use super::{DemoError, asknicely, behaviour, hubspot, shopify, stripe, zendesk};

/// Bytes gathered before they are handed to the compressor.
const PIECE: usize = 1 << 16;
/// Whole records of the object that broke off.
const BEFORE_TRUNCATION: usize = 40;

#[derive(Debug, Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

fn packing(entity: Entity) -> (Packing, &'static str) {
    match entity {
        Entity::Rating => (Packing::Plain, "ndjson"),
        Entity::OrderLines | Entity::Visit => (Packing::Plain, "csv"),
        Entity::Response => (Packing::Gzip, "json.gz"),
        Entity::Web => (Packing::Zstd, "ndjson.zst"),
        _ => (Packing::Gzip, "ndjson.gz"),
    }
}

fn folder(dir: &Path, entity: Entity, date: NaiveDate) -> PathBuf {
    dir.join("raw").join(entity.key()).join(format!("dt={date}"))
}

/// Where the records of an entity's export lie.
pub fn path(dir: &Path, entity: Entity, date: NaiveDate) -> PathBuf {
    folder(dir, entity, date).join(format!("part-0000.{}", packing(entity).1))
}

/// An upload that broke off; all of it came again as the day's first part.
pub fn truncated_path(dir: &Path, date: NaiveDate) -> PathBuf {
    folder(dir, Entity::Contact, date).join("part-0000-aborted.ndjson.gz")
}

/// An export of nothing.
pub fn empty_path(dir: &Path, date: NaiveDate) -> PathBuf {
    folder(dir, Entity::Rating, date).join("part-0001.ndjson")
}

/// Writes a file under another name and renames it.
pub fn create(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), DemoError> {
    let io = |source| DemoError::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(io)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut file = BufWriter::with_capacity(PIECE, File::create(&unfinished).map_err(io)?);
    fill(&mut file).and_then(|()| file.flush()).map_err(io)?;
    std::fs::rename(&unfinished, path).map_err(io)
}

/// Writes the records of one export.
pub fn write(seed: u64, entity: Entity, path: &Path, events: &[Event]) -> Result<(), DemoError> {
    create(path, |file| match packing(entity).0 {
        Packing::Plain => records(seed, entity, events, file),
        Packing::Gzip => {
            let mut packed = GzEncoder::new(file, Compression::fast());
            records(seed, entity, events, &mut packed)?;
            packed.finish().map(|_| ())
        }
        Packing::Zstd => {
            let mut packed = zstd::Encoder::new(file, 1)?;
            records(seed, entity, events, &mut packed)?;
            packed.finish().map(|_| ())
        }
    })
}

fn records(
    seed: u64,
    entity: Entity,
    events: &[Event],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut text = match entity {
        Entity::Response => asknicely::opening(events.len()),
        Entity::OrderLines => shopify::LINES_HEADER.to_owned(),
        Entity::Visit => behaviour::VISITS_HEADER.to_owned(),
        _ => String::new(),
    };
    for (i, event) in events.iter().enumerate() {
        if entity == Entity::Response && i > 0 {
            text.push_str(",\n");
        }
        let start = text.len();
        record(seed, event, &mut text);
        if event.shape == Shape::Cut {
            let mut end = start + (text.len() - start) * 3 / 5;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        if !matches!(entity, Entity::Response | Entity::OrderLines | Entity::Visit) {
            text.push('\n');
        }
        if text.len() >= PIECE {
            drain(entity, &mut text, out)?;
        }
    }
    if entity == Entity::Response {
        text.push_str(asknicely::CLOSING);
    }
    drain(entity, &mut text, out)
}

/// The shops' spreadsheet knows nothing but its own code page.
fn drain(entity: Entity, text: &mut String, out: &mut dyn Write) -> std::io::Result<()> {
    if entity == Entity::Visit {
        out.write_all(&encoding_rs::WINDOWS_1252.encode(text).0)?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    text.clear();
    Ok(())
}

fn record(seed: u64, event: &Event, text: &mut String) {
    let person = Person::new(seed, event.customer);
    let basket = || {
        let traits = Traits::new(seed, event.customer);
        let spend =
            if event.index >= super::life::EXTRA { shopify::TEST_SPEND } else { traits.spend };
        Basket::new(seed, event.customer, event.index, spend)
    };
    // Members find out by the last byte whether a comma is due; a record stands for itself.
    let mut json = Json::default();
    std::mem::swap(&mut json.text, text);
    let start = json.text.len();
    let list = json.text.ends_with(",\n");
    debug_assert!(start == 0 || list || json.text.ends_with('\n'), "a record begins a line");
    match event.entity {
        Entity::Contact => hubspot::record(&person, event, &mut json),
        Entity::Ticket => zendesk::ticket(seed, &person, event, &mut json),
        Entity::Rating => zendesk::rating(seed, &person, event, &mut json),
        Entity::Comment => zendesk::comment(seed, &person, event, &mut json),
        Entity::Change => zendesk::change(event, &mut json),
        Entity::Response => asknicely::record(seed, &person, event, &mut json),
        Entity::Order => shopify::record(&person, &basket(), event, &mut json),
        Entity::OrderLines => shopify::lines(&person, &basket(), event, &mut json.text),
        Entity::Payer => stripe::customer(&person, event, &mut json),
        Entity::Subscription => stripe::record(seed, &person, event, &mut json),
        Entity::Web => behaviour::record(&person, event, &mut json),
        Entity::Visit => behaviour::visit(seed, &person, event, &mut json.text),
    }
    std::mem::swap(&mut json.text, text);
}

/// The first whole records of an export, as the broken upload has them.
pub fn before_truncation(events: &[Event]) -> Vec<Event> {
    let whole = events.iter().filter(|event| event.shape == Shape::Whole);
    whole.take(BEFORE_TRUNCATION).copied().collect()
}

/// A gzip stream that ends in the middle of a record, without its trailer. What came before is
/// flushed, so that every decoder gets the same records out of it.
pub fn write_truncated(seed: u64, path: &Path, events: &[Event]) -> Result<(), DemoError> {
    let mut text = String::new();
    for event in events {
        record(seed, event, &mut text);
        text.push('\n');
    }
    text.push_str("{\"id\":\"99");
    create(path, |file| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes())?;
        packed.flush()?;
        file.write_all(packed.get_ref())
    })
}
