//! Excel workbooks, made here from their parts.

use super::containers::zipped;
use super::{check, fails, spec};

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#;
const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="About" sheetId="1" r:id="rId1"/><sheet name="Answers" sheetId="2" r:id="rId2"/></sheets></workbook>"#;
const BOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId4" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;
/// Style 1 is a date, style 2 a date with time.
const STYLES: &str = r#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>"#;
const STRINGS: &str = r#"<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="2" uniqueCount="2"><si><t>id</t></si><si><t>said "well", twice</t></si></sst>"#;

fn sheet(rows: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
    )
}

fn book(first: &str, second: &str) -> Vec<u8> {
    zipped(&[
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("_rels/.rels", RELS.as_bytes()),
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", BOOK_RELS.as_bytes()),
        ("xl/styles.xml", STYLES.as_bytes()),
        ("xl/sharedStrings.xml", STRINGS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet(first).as_bytes()),
        ("xl/worksheets/sheet2.xml", sheet(second).as_bytes()),
    ])
}

fn text(at: &str, text: &str) -> String {
    format!("<c r=\"{at}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
}

/// A workbook whose first sheet has these cells, all of them text.
pub(crate) fn workbook(lines: &[Vec<String>]) -> Vec<u8> {
    let column = |at: usize| {
        let letter = |n: usize| char::from(b'A' + u8::try_from(n % 26).expect("a letter"));
        let last = letter(at).to_string();
        if at < 26 { last } else { format!("{}{last}", letter(at / 26 - 1)) }
    };
    let cell = |row: usize, (at, cell): (usize, &String)| {
        let cell = cell.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text(&format!("{}{row}", column(at)), &cell)
    };
    let row = |(row, cells): (usize, &Vec<String>)| {
        let filled = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let cells: String = filled.map(|filled| cell(row, filled)).collect();
        format!("<row r=\"{row}\">{cells}</row>")
    };
    book(&(1..).zip(lines).map(row).collect::<String>(), "")
}

/// Goal: dates are dates, ids exact, lost digits told, and cells that are not there null.
#[test]
fn a_sheet_is_read_as_it_shows() {
    let header: String = format!(
        "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>{}{}{}{}</row>",
        text("B1", "day"),
        text("C1", "at"),
        text("D1", "note"),
        text("E1", "ok")
    );
    let rows = format!(
        "{header}<row r=\"2\"><c r=\"A2\"><v>450000000001</v></c><c r=\"B2\" s=\"1\"><v>45440</v></c><c r=\"C2\" s=\"2\"><v>45440.395833333336</v></c><c r=\"D2\" t=\"s\"><v>1</v></c><c r=\"E2\" t=\"b\"><v>1</v></c></row>\
         <row r=\"4\"><c r=\"A4\"><v>4500000000000000000</v></c><c r=\"D4\"><v>1.5</v></c></row>\
         <row r=\"5\"><c r=\"A5\" s=\"1\"/><c r=\"B5\"/></row>\
         <row r=\"6\">{}</row>",
        text("A6", "007")
    );
    check(
        &spec("", "id day at note ok"),
        book(&rows, ""),
        "1: 450000000001|2024-05-28|2024-05-28T09:30:00|said \"well\", twice|true
         2: 4.5E+18|||1.5|
         3: 007||||",
    );
}

/// Goal: a named sheet, rows before the header, two header rows and a footer work as in CSV.
#[test]
fn sheets_have_preambles_headers_and_footers_too() {
    let rows = format!(
        "<row r=\"1\">{}</row><row r=\"3\">{}{}</row><row r=\"4\">{}{}</row><row r=\"5\">{}{}</row><row r=\"6\">{}</row>",
        text("A1", "Report"),
        text("A3", "id"),
        text("B3", "How?"),
        text("B4", "Phone"),
        text("C4", "Mail"),
        text("A5", "7"),
        text("C5", "x"),
        text("A6", "Total: 1"),
    );
    let text = "description = \"t\"\n[format]\nkind = \"xlsx\"\nsheet = \"Answers\"\npreamble_rows = 2\nheader_rows = 2\nfooter = [\"Total\"]\n[[column]]\nname = \"id\"\n[[column]]\nname = \"mail\"\nfrom = [\"How?: Mail\"]\n";
    let spec = cxmart::catalog::SourceSpec::parse("sql/stage/t/t.toml", text).expect("a spec");
    check(&spec, book("", &rows), "1: 7|x\n1 skipped");
}

/// Goal: what is no workbook, has no such sheet or expands too far is told, without a panic.
#[test]
fn damaged_workbooks_are_told() {
    let wrong = spec("kind = \"xlsx\"", "id");
    check(&wrong, "id\n1\n", "1! undecodable_object it is no workbook");
    let gone = spec("sheet = \"Gone\"", "id");
    let shown = super::read(&book("", ""), &gone);
    assert!(shown.starts_with("1! undecodable_object"), "{shown}");
    assert_eq!(super::read(&book("", ""), &spec("", "id")), "");
    let empty = zipped(&[("xl/workbook.xml", b"<workbook>"), ("xl/x", b"")]);
    assert!(super::read(&empty, &spec("", "id")).contains("able_object"));
    let bomb = zipped(&[("xl/workbook.xml", &vec![b' '; 20 << 20])]);
    fails(&spec("", "id"), bomb, "object `object` passes the limit `expansion_ratio_max` of 200");
}
