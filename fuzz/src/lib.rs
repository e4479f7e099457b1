//! What must be true of any bytes; shared by the fuzz targets and the property tests.

use std::collections::BTreeSet;
use std::io::Write;

use arrow::array::{Array, StringArray};
use cxmart::catalog::SourceSpec;
use cxmart::extract::{self, RawChunk};
use cxmart::job::Limits;
use cxmart::stage::{Context, Typing};

/// Specs that between them use every option of the decoders.
const SPECS: [&str; 8] = [
    "",
    "[format]\nkind = \"csv\"\nheader_rows = 0\nencoding = \"windows-1252\"\n",
    "[format]\nkind = \"csv\"\nheader_rows = 3\npreamble_rows = 1\nfooter = [\"Total\"]\n",
    "[format]\nkind = \"csv\"\ndelimiter = \"whitespace\"\n",
    "[format]\nkind = \"ndjson\"\nenvelope = \"data|record\"\n",
    "[format]\nkind = \"ndjson\"\neach = \"items.parts\"\n",
    "[format]\nkind = \"json\"\nlist = \"a.b\"\n",
    "[[part]]\nname = \"items\"\neach = \"items\"\n[[part.column]]\nname = \"sku\"\nfrom = [\"@.sku\", \"@\"]\n",
];

const COLUMNS: &str = "
[[column]]
name = \"id\"
[[column]]
name = \"name\"
from = [\"name\", \"items[kind=x].name\", \"person.name.0\", \"@.name\"]
";

/// Reads `data` as an object by every spec, in chunks of different sizes.
pub fn records(data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(data).expect("bytes");
    let limits = Limits { record_bytes_max: 4_096, columns_max: 40, ..Limits::default() };
    for (i, format) in SPECS.iter().enumerate() {
        let key = if i % 2 == 0 { "key = [\"id\"]\n" } else { "" };
        let (format, parts) = match format.find("[[part]]") {
            Some(at) => format.split_at(at),
            None => (*format, ""),
        };
        let text = format!("description = \"any\"\n{key}{format}{COLUMNS}{parts}");
        let spec = SourceSpec::parse("sql/stage/any/any.toml", &text).expect("a good spec");
        let chunk_records = if i % 3 == 0 { 1 } else { 1_000 };
        let Ok(chunks) = extract::records_by(file.path(), "object", &spec, &limits, chunk_records)
        else {
            continue;
        };
        // An object that must stop the run may say so at any chunk.
        let chunks: Vec<_> = chunks.map_while(Result::ok).collect();
        balances(&chunks);
    }
}

/// No record is lost, none is counted twice, and columns are as long as they say.
pub fn balances(chunks: &[RawChunk]) {
    let mut kept = BTreeSet::new();
    let (mut read, mut duplicate, mut skipped, mut refused) = (0, 0, 0, 0);
    for chunk in chunks {
        for column in &chunk.columns {
            assert_eq!(column.len(), chunk.numbers.len());
        }
        if let Some(attributes) = &chunk.attributes {
            assert_eq!(attributes.len(), chunk.numbers.len());
        }
        for part in &chunk.parts {
            kept.extend(part.numbers.iter().copied());
            for column in &part.columns {
                assert_eq!(column.len(), part.numbers.len());
            }
        }
        kept.extend(chunk.numbers.iter().copied());
        read += chunk.read;
        duplicate += chunk.duplicate;
        skipped += chunk.skipped;
        refused += chunk.rejects.iter().filter(|reject| !reject.value_only).count() as u64;
    }
    assert_eq!(read, kept.len() as u64 + duplicate + skipped + refused);
}

const TYPES: &str = "
description = \"any\"
key = [\"id\"]
[[column]]
name = \"id\"
[[column]]
name = \"words\"
strip_tags = true
[[column]]
name = \"whole\"
type = \"int64\"
lenient = true
[[column]]
name = \"share\"
type = \"float64\"
percent = true
lenient = true
[[column]]
name = \"amount\"
type = \"money\"
decimal_mark = \",\"
lenient = true
[[column]]
name = \"cents\"
type = \"money\"
minor_units_of = \"words\"
[[column]]
name = \"sum\"
type = \"money\"
sum_of = \"a[b=c].d\"
lenient = true
[[column]]
name = \"truth\"
type = \"bool\"
[[column]]
name = \"day\"
type = \"date\"
formats = [\"%d.%m.%y\", \"%G-%V-%u\"]
lenient = true
[[column]]
name = \"time\"
type = \"timestamp\"
unit = \"us\"
lenient = true
";

/// Types the lines of `data`, the same text in every column.
pub fn typing(data: &[u8]) {
    let spec = SourceSpec::parse("sql/stage/any/any.toml", TYPES).expect("a good spec");
    let context = Context::new(chrono_tz::Africa::Casablanca);
    let typing = Typing::new(&spec, &context).expect("a spec that can be typed");
    let text = String::from_utf8_lossy(data);
    let lines: Vec<Option<&str>> = text.lines().map(Some).collect();
    let rows = lines.len() as u64;
    let columns = spec.columns.iter().map(|_| StringArray::from(lines.clone())).collect();
    let numbers = (1..=rows).collect();
    let chunk = RawChunk { numbers, columns, read: rows, ..RawChunk::default() };
    let typed = typing.tables(0, "2025-01-31".parse().ok(), &chunk).expect("no text makes it fail");
    let left = typed.rejects.iter().filter(|reject| !reject.value_only);
    let left: BTreeSet<u64> = left.map(|reject| reject.record_number).collect();
    let stayed: usize = typed.tables.iter().map(|table| table.num_rows()).sum();
    assert_eq!(stayed + left.len(), lines.len());
}
