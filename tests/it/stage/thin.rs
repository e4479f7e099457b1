//! Sources whose export nobody has described: a layout that is not the assumed one must stop.

use std::io::Write as _;

use cxmart::catalog::spec::SourceSpec;
use cxmart::catalog::{Catalog, Files};
use cxmart::extract::{self, ExtractError};
use cxmart::job::Limits;

fn read(spec: &SourceSpec, bytes: &str) -> Result<usize, ExtractError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes.as_bytes()).expect("bytes");
    let chunks = extract::records_by(file.path(), "object", spec, &Limits::default(), 100)?;
    let mut rows = 0;
    for chunk in chunks {
        rows += chunk?.numbers.len();
    }
    Ok(rows)
}

/// Goal: a header that is not the assumed one never gives half a row. Method: each header of the
/// sample in turn gets another name; the object stops and names the column, unless it may lack.
#[test]
fn an_unknown_header_of_a_thin_source_stops_the_object() {
    let (catalog, _) = Catalog::read(&Files::embedded());
    for (key, delimiter, case, optional) in [
        (
            "feedier/feedback_csv",
            ';',
            include_str!("../ana/raw/feedier_feedback_csv/dt=2026-01-01/feedier_export_fr.csv"),
            &[][..],
        ),
        (
            "netigate/answersets_csv",
            ';',
            include_str!("../ana/raw/netigate_answersets_csv/dt=2026-01-01/netigate_raw_no.csv"),
            &["Kundegruppe"][..],
        ),
        (
            "heyday/conversations",
            ',',
            include_str!("cases/heyday_conversations/raw/dt=2024-06-01/heyday_conversations.csv"),
            &["Messages", "Conversation Score"][..],
        ),
        (
            "hootsuite/messages",
            ',',
            include_str!("cases/hootsuite_messages/raw/dt=2024-06-01/messages.csv"),
            &["Medium", "Agent ID", "Sent by Bot"][..],
        ),
    ] {
        let spec = catalog.specs.get(key).expect("an embedded spec");
        assert!(read(spec, case).expect("the assumed layout") > 0);
        let header = case.lines().next().expect("a header");
        for name in header.split(delimiter) {
            let others = header.split(delimiter).map(|h| if h == name { "Overskrift" } else { h });
            let renamed = others.collect::<Vec<_>>().join(&delimiter.to_string());
            let found = read(spec, &case.replacen(header, &renamed, 1));
            let name = name.trim_matches('"');
            if optional.contains(&name) {
                assert!(found.is_ok(), "{key}: {name} may lack");
                continue;
            }
            let Err(ExtractError::MissingColumn { column, .. }) = found else {
                panic!("{key}: without {name} it is read");
            };
            let named = spec.columns.iter().find(|of| of.name == column).expect("a column");
            assert!(named.from.iter().any(|from| from == name), "{key}: {column} is not {name}");
        }
    }
}
