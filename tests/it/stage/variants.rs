//! Every export as it may also come: in another encoding, cut off, in another order, twice, with a
//! column more or less, as a workbook. Made here from the objects of `cases/`, and read as the spec
//! of their source reads them, up to typed columns.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::catalog::spec::FormatKind;
use cxmart::catalog::{Catalog, Files, SourceSpec};
use cxmart::extract::{self, ExtractError};
use cxmart::job::Limits;
use cxmart::stage::{Context, Typing};

use crate::extract::containers::gzip;
use crate::extract::workbook::workbook;

/// An object of a case that is text, unpacked, with the spec that reads it.
struct Export {
    name: String,
    spec: SourceSpec,
    context: Context,
    text: String,
    form: Form,
}

/// How its records stand in the text.
enum Form {
    /// The lines before the records, the records, and the lines after them.
    Csv {
        delimiter: char,
        head: Vec<String>,
        records: Vec<String>,
        foot: Vec<String>,
    },
    Lines(Vec<String>),
    Document,
}

/// What an object gives, without the numbers of its records.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    /// Rows of all raw tables.
    rows: BTreeMap<String, usize>,
    rejects: BTreeMap<(String, Option<String>), usize>,
    read: u64,
    duplicate: u64,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn exports() -> Vec<Export> {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stage/cases");
    let mut objects = Vec::new();
    files(&cases, &mut objects);
    let mut exports = Vec::new();
    for path in objects.iter().filter(|path| path.components().any(|c| c.as_os_str() == "raw")) {
        let name = path.strip_prefix(&cases).expect("below").display().to_string();
        let case = cases.join(name.split('/').next().expect("a case"));
        let source = std::fs::read_to_string(case.join("source.toml")).expect("source.toml");
        let source: toml::Table = source.parse().expect("TOML");
        let word = |key: &str| source[key].as_str().expect("text").to_owned();
        let spec = &catalog.specs[&format!("{}/{}", word("source"), word("entity"))];
        let mut context = Context::new(chrono_tz::Europe::Copenhagen);
        context.options.insert("account".into(), "main".into());
        for (option, value) in
            source.get("options").and_then(|o| o.as_table()).into_iter().flatten()
        {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            context.options.insert(option.clone(), value);
        }
        let bytes = std::fs::read(path).expect("an object");
        let Some(text) = unpacked(bytes) else { continue };
        let spec = spec.with_options(&context.options);
        let form = form(&spec, &text);
        exports.push(Export { name, spec, context, text, form });
    }
    exports
}

/// The text of an object; none of one that is no text.
fn unpacked(bytes: Vec<u8>) -> Option<String> {
    let bytes = match bytes.get(..2) {
        Some([0x1f, 0x8b]) => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).ok()?;
            plain
        }
        _ => bytes,
    };
    let text = String::from_utf8(bytes).ok()?;
    (!text.starts_with("PK")).then(|| text.trim_start_matches('\u{feff}').to_owned())
}

fn form(spec: &SourceSpec, text: &str) -> Form {
    let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let starts = text.trim_start();
    if starts.starts_with('[') || starts.starts_with('{') {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let filled = || lines.iter().filter(|line| !line.trim().is_empty());
        let are_lines = starts.starts_with('{') && filled().all(|line| is_json(line));
        // One line may be a record or a document.
        let is_list = filled().count() == 1;
        return if are_lines && !is_list && spec.format.kind != Some(FormatKind::Json) {
            Form::Lines(filled().cloned().collect())
        } else {
            Form::Document
        };
    }
    let lines = quoted_lines(text);
    let before = spec.format.preamble_rows as usize;
    let named = lines.get(before).map_or("", String::as_str);
    let count = |c: &char| named.matches(*c).count();
    let delimiter = [',', ';', '\t', '|', '\u{1}'].into_iter().max_by_key(count).expect("some");
    // Without a header of its own an export may still come with one.
    let declared = usize::from(spec.format.header_rows.unwrap_or(1));
    let has_names = spec
        .key
        .iter()
        .all(|key| named.split(delimiter).any(|cell| cell.trim().eq_ignore_ascii_case(key)));
    let headers = if declared == 0 && has_names { 1 } else { declared };
    let is_foot = |line: &String| spec.format.footer.iter().any(|foot| line.starts_with(foot));
    let (mut head, mut records) = (Vec::new(), Vec::new());
    for line in lines {
        if head.len() < before + headers { head.push(line) } else { records.push(line) }
    }
    let at = records.iter().rposition(|line| !is_foot(line)).map_or(0, |at| at + 1);
    let foot = records.split_off(at);
    Form::Csv { delimiter, head, records, foot }
}

/// Lines, those inside of quotes kept together; blank ones go.
fn quoted_lines(text: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for piece in text.split_inclusive('\n') {
        line.push_str(piece);
        if line.matches('"').count() % 2 == 0 {
            lines.push(std::mem::take(&mut line).trim_end_matches(['\r', '\n']).to_owned());
        }
    }
    lines.push(line.trim_end_matches(['\r', '\n']).to_owned());
    lines.retain(|line| !line.is_empty());
    lines
}

impl Export {
    fn read(&self, bytes: &[u8]) -> Result<Given, ExtractError> {
        self.read_as(&self.spec, bytes)
    }

    fn read_as(&self, spec: &SourceSpec, bytes: &[u8]) -> Result<Given, ExtractError> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("bytes");
        let typing = Typing::new(spec, &self.context).expect("a spec that can be typed");
        let mut given =
            Given { rows: BTreeMap::new(), rejects: BTreeMap::new(), read: 0, duplicate: 0 };
        let (mut kept, mut left, mut skipped) = (BTreeSet::new(), BTreeSet::new(), 0);
        for chunk in extract::records_by(file.path(), "object", spec, &Limits::default(), 1_000)? {
            let chunk = chunk?;
            given.read += chunk.read;
            given.duplicate += chunk.duplicate;
            skipped += chunk.skipped;
            kept.extend(chunk.numbers.iter().chain(chunk.parts.iter().flat_map(|p| &p.numbers)));
            let typed = typing.tables(0, "2024-06-03".parse().ok(), &chunk).expect("typed");
            for reject in typed.rejects {
                if !reject.value_only {
                    left.insert(reject.record_number);
                }
                *given.rejects.entry((reject.rule.to_owned(), reject.column)).or_default() += 1;
            }
            for table in &typed.tables {
                rows(table, &mut given.rows);
            }
        }
        let used = kept.difference(&left).count() as u64;
        assert_eq!(
            given.read,
            used + left.len() as u64 + given.duplicate + skipped,
            "{}",
            self.name
        );
        Ok(given)
    }

    /// The text with its records as given.
    fn with(&self, records: impl IntoIterator<Item = String>) -> String {
        let (head, foot): (&[String], &[String]) = match &self.form {
            Form::Csv { head, foot, .. } => (head, foot),
            _ => (&[], &[]),
        };
        let lines = head.iter().cloned().chain(records).chain(foot.iter().cloned());
        lines.map(|line| line + "\n").collect()
    }

    fn records(&self) -> &[String] {
        match &self.form {
            Form::Csv { records, .. } | Form::Lines(records) => records,
            Form::Document => &[],
        }
    }

    /// Cells that no column names are elements of the record.
    fn takes_all_cells(&self) -> bool {
        self.spec.format.each.as_deref() == Some("*")
    }
}

/// Objects of the cases with their records in reverse, twice where they have a key, and in UTF-16;
/// by their path below `cases/`.
pub(super) fn rewritten() -> Vec<(String, Vec<u8>)> {
    let other = |export: Export| {
        let times = if export.spec.key.is_empty() { 1 } else { 2 };
        let reversed = export.records().iter().rev().cloned();
        let text = if matches!(export.form, Form::Document) {
            export.text.clone()
        } else {
            export.with(std::iter::repeat_n(reversed, times).flatten())
        };
        (export.name.clone(), utf16(&text))
    };
    exports().into_iter().map(other).collect()
}

fn rows(table: &RecordBatch, rows: &mut BTreeMap<String, usize>) {
    let format = FormatOptions::default().with_null("~");
    let schema = table.schema();
    assert!(table.column(0).as_primitive_opt::<Int64Type>().is_some(), "record ids come first");
    let columns = schema.fields().iter().zip(table.columns()).skip(1);
    let columns: Vec<_> =
        columns.filter(|(field, _)| field.name() != "attributes").map(|(_, c)| c).collect();
    for row in 0..table.num_rows() {
        let cell = |column: &&std::sync::Arc<dyn Array>| {
            ArrayFormatter::try_new(column, &format).expect("a formatter").value(row).to_string()
        };
        let text: Vec<_> = columns.iter().map(cell).collect();
        *rows.entry(text.join("|")).or_default() += 1;
    }
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Goal: a mark of the encoding, and UTF-16, change nothing; an old code page is read where the
/// spec names it.
#[test]
fn encodings_do_not_change_what_an_export_says() {
    let mut in_old_code_page = 0;
    for export in exports() {
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        let marked = format!("\u{feff}{}", export.text);
        assert_eq!(export.read(marked.as_bytes()).expect(&export.name), plain, "{}", export.name);
        let wide = export.read(&utf16(&export.text)).expect(&export.name);
        assert_eq!(wide, plain, "{} in UTF-16", export.name);
        // Names with accents, so that the bytes are no UTF-8.
        let accents = export.text.replace("Perez", "P\u{e9}rez").replace("Ana", "\u{c5}na");
        let (bytes, _, lost) = encoding_rs::WINDOWS_1252.encode(&accents);
        if lost || std::str::from_utf8(&bytes).is_ok() {
            continue;
        }
        let mut spec = export.spec.clone();
        spec.format.encoding = Some("windows-1252".into());
        let old = export.read_as(&spec, &bytes).expect(&export.name);
        let new = export.read(accents.as_bytes()).expect(&export.name);
        assert_eq!(old, new, "{} in windows-1252", export.name);
        in_old_code_page += 1;
    }
    assert!(in_old_code_page > 20, "{in_old_code_page} exports name a person with an accent");
}

/// Goal: an object that breaks off gives records that the whole one has, says so, and no panic;
/// cut plain text may end in half a record, but never in more than one.
#[test]
fn what_breaks_off_gives_only_what_is_there() {
    for export in exports() {
        let whole = export.read(export.text.as_bytes()).expect(&export.name);
        let packed = gzip(export.text.as_bytes());
        for end in [packed.len() / 3, packed.len() * 2 / 3, packed.len() - 4] {
            let Ok(cut) = export.read(&packed[..end]) else { continue };
            let told = |(rule, _): &(String, Option<String>)| rule == "truncated_object";
            assert!(cut.rejects.keys().any(told), "{} packed: {:?}", export.name, cut.rejects);
            let more: Vec<_> =
                cut.rows.keys().filter(|row| !whole.rows.contains_key(*row)).collect();
            assert!(more.is_empty() || !export.spec.parts.is_empty(), "{}: {more:?}", export.name);
        }
        let mut cuts = 0;
        for end in (0..export.text.len()).step_by(export.text.len() / 7 + 1) {
            let Some(text) = export.text.get(..end) else { continue };
            let Ok(cut) = export.read(text.as_bytes()) else { continue };
            cuts += 1;
            assert!(cut.read <= whole.read + 1, "{}: {} of {}", export.name, cut.read, whole.read);
        }
        assert!(
            cuts > 0 || export.spec.columns.iter().any(|c| c.required_header),
            "{}",
            export.name
        );
    }
}

/// Goal: records in another order are the same records.
#[test]
fn the_order_of_records_does_not_matter() {
    let mut shuffled = 0;
    for export in exports() {
        if export.records().len() < 2 {
            continue;
        }
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        let text = export.with(export.records().iter().rev().cloned());
        assert_eq!(export.read(text.as_bytes()).expect(&export.name), plain, "{}", export.name);
        shuffled += 1;
    }
    assert!(shuffled > 60, "{shuffled}");
}

/// Goal: records that stand twice count once where they have a key, and twice where they have none.
#[test]
fn records_that_stand_twice_are_told_by_their_key() {
    let mut keyed = 0;
    for export in exports() {
        if export.records().is_empty() {
            continue;
        }
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        let twice = export.records().iter().chain(export.records()).cloned();
        let twice = export.read(export.with(twice).as_bytes()).expect(&export.name);
        let rows = |times: usize| -> BTreeMap<String, usize> {
            plain.rows.iter().map(|(row, n)| (row.clone(), n * times)).collect()
        };
        if export.spec.key.is_empty() {
            assert_eq!((twice.rows, twice.duplicate), (rows(2), 0), "{}", export.name);
        } else {
            assert_eq!(twice.rows, rows(1), "{}", export.name);
            assert!(twice.duplicate > plain.duplicate, "{}", export.name);
            keyed += 1;
        }
    }
    assert!(keyed > 60, "{keyed}");
}

/// Goal: a column that the spec does not know changes nothing else; where further cells are
/// answers, it is one.
#[test]
fn a_column_more_changes_nothing_else() {
    let mut wider = 0;
    for export in exports() {
        let text = match &export.form {
            Form::Document => continue,
            Form::Lines(lines) => {
                let wider = |line: &String| line.replacen('{', "{\"zz_new\":\"zz\",", 1);
                export.with(lines.iter().map(wider).map(|line| line.replace(",}", "}")))
            }
            Form::Csv { head, .. } if head.len() <= export.spec.format.preamble_rows as usize => {
                continue;
            }
            Form::Csv { delimiter, head, records, foot } => {
                let before = export.spec.format.preamble_rows as usize;
                let (preamble, names) = head.split_at(before);
                let wider = names.iter().chain(records).map(|line| format!("{line}{delimiter}zz"));
                let lines = preamble.iter().cloned().chain(wider).chain(foot.iter().cloned());
                lines.map(|line| line + "\n").collect()
            }
        };
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        let more = export.read(text.as_bytes()).expect(&export.name);
        if export.takes_all_cells() {
            assert!(more.rows.len() > plain.rows.len(), "{}", export.name);
            assert_eq!(more.read, plain.read, "{}", export.name);
        } else {
            assert_eq!(more, plain, "{}", export.name);
        }
        wider += 1;
    }
    assert!(wider > 80, "{wider}");
}

/// Goal: without one of its columns an export is read all the same, or it stops and names a column
/// that the spec requires; no record is lost on the way.
#[test]
fn a_column_less_is_null_or_stops_the_object() {
    let (mut narrower, mut stopped) = (0, 0);
    for export in exports() {
        let Form::Csv { delimiter, head, records, foot } = &export.form else { continue };
        // Without the names of its key a first line is no header.
        if export.spec.format.header_rows == Some(0) {
            continue;
        }
        let before = export.spec.format.preamble_rows as usize;
        let names = cells(head.get(before).map_or("", String::as_str), *delimiter);
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        for (at, name) in names.iter().enumerate().take(40) {
            let lines = head.iter().skip(before).chain(records);
            let lines = lines.map(|line| without(line, *delimiter, at));
            let lines = head.iter().take(before).cloned().chain(lines).chain(foot.iter().cloned());
            let text: String = lines.map(|line| line + "\n").collect();
            match export.read(text.as_bytes()) {
                Ok(given) => assert_eq!(given.read, plain.read, "{} {}", export.name, name),
                Err(error) => {
                    let required = export.spec.columns.iter().any(|column| {
                        let is_key = export.spec.key.contains(&column.name);
                        let named = |from: &String| {
                            let from = from.strip_prefix("header:3:").unwrap_or(from);
                            from.split('.').next().is_some_and(|f| same_name(f, name))
                        };
                        (column.required_header || is_key || column.required)
                            && column.from.iter().any(named)
                    });
                    assert!(error.is_of_header() && required, "{} {}: {error}", export.name, name);
                    stopped += 1;
                }
            }
            narrower += 1;
        }
    }
    assert!(narrower > 300 && stopped > 30, "{narrower} {stopped}");
}

fn same_name(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(u8::try_from(delimiter).expect("one byte"))
        .quoting(delimiter != '\u{1}')
        .from_reader(line.as_bytes());
    let record = reader.records().next().map(|record| record.expect("cells"));
    record.iter().flat_map(|record| record.iter().map(str::to_owned)).collect()
}

fn without(line: &str, delimiter: char, at: usize) -> String {
    let quoted = |cell: String| match delimiter {
        '\u{1}' => cell,
        _ => format!("\"{}\"", cell.replace('"', "\"\"")),
    };
    let cells = cells(line, delimiter).into_iter().enumerate().filter(|(i, _)| *i != at);
    cells.map(|(_, cell)| quoted(cell)).collect::<Vec<_>>().join(&delimiter.to_string())
}

/// Goal: an export saved as a workbook says what its CSV file says. Method: the tables of survey
/// tools and of exports by hand, each cell as text.
#[test]
fn a_workbook_says_what_the_table_says() {
    let mut books = 0;
    for export in exports() {
        let Form::Csv { delimiter, head, records, foot } = &export.form else { continue };
        if head.is_empty() || *delimiter == '\u{1}' {
            continue;
        }
        let lines = head.iter().chain(records).chain(foot);
        let lines: Vec<Vec<String>> = lines.map(|line| cells(line, *delimiter)).collect();
        let mut spec = export.spec.clone();
        spec.format.kind = None;
        let book = export.read_as(&spec, &workbook(&lines)).expect(&export.name);
        let plain = export.read(export.text.as_bytes()).expect(&export.name);
        assert_eq!(book, plain, "{}", export.name);
        books += 1;
    }
    assert!(books > 20, "{books}");
}

/// Goal: who moved a record does not change it. Method: the lines of each export in the envelopes
/// of Singer and Airbyte, the latter also in a cell, give the same rows.
#[test]
fn wrappers_do_not_change_what_an_export_says() {
    let mut wrapped = BTreeSet::new();
    for export in exports() {
        let envelope = export.spec.format.envelope.as_deref().unwrap_or_default();
        let Form::Lines(lines) = &export.form else { continue };
        let is_wrapped =
            |line: &String| line.contains("_airbyte_data") || line.contains("\"record\"");
        if envelope != "_airbyte_data|record" || lines.iter().any(is_wrapped) {
            continue;
        }
        let plain = export.read(export.text.as_bytes()).expect("the export");
        let singer = lines
            .iter()
            .map(|line| format!("{{\"type\":\"RECORD\",\"stream\":\"s\",\"record\":{line}}}\n"));
        let singer = singer.collect::<String>();
        let singer =
            format!("{{\"type\":\"SCHEMA\",\"stream\":\"s\"}}\n{singer}{{\"type\":\"STATE\"}}\n");
        let airbyte = lines
            .iter()
            .map(|line| format!("{{\"_airbyte_raw_id\":\"x\",\"_airbyte_data\":{line}}}\n"));
        let cells = lines.iter().map(|line| format!("x,\"{}\"\n", line.replace('"', "\"\"")));
        let cells = format!("_airbyte_raw_id,_airbyte_data\n{}", cells.collect::<String>());
        for (by, text, control) in
            [("Singer", singer, 2), ("Airbyte", airbyte.collect(), 0), ("a cell", cells, 0)]
        {
            if by == "a cell" && export.spec.format.kind.is_some() {
                continue;
            }
            let given = export.read(text.as_bytes());
            let mut given = given.unwrap_or_else(|e| panic!("{} by {by}: {e}", export.name));
            given.read -= control;
            assert_eq!(given, plain, "{} by {by}", export.name);
        }
        wrapped.insert(export.spec.key());
    }
    for source in ["hubspot", "intercom", "salesforce", "shopify", "stripe", "typeform", "zendesk"]
    {
        assert!(wrapped.iter().any(|key| key.starts_with(source)), "{source}: {wrapped:?}");
    }
}
