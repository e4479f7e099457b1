//! Every source, from the bytes of its real format to canonical rows and rejects.
//!
//! A case is a folder of `cases/`: `source.toml` (what the job says of the source beside its
//! place), `raw/` (its objects) and `expected/` (a CSV a canonical table, and one of rejects).
//! All cases run as the sources of one job. `UPDATE_GOLDENS=1` writes what came out as expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use cxmart::settings::{self, Settings};
use cxmart::state::StateReader;
use cxmart::storage::parquet::decode;

use crate::project::completed;

const JOB: &str = r#"
name = "sources"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

# The cases hold more bad records than a real export should.
[limits]
rejects_max = 1.0
"#;

/// Columns that say nothing a case could get wrong, or are hashes.
const LEFT_OUT: [&str; 7] = [
    "source",
    "source_account",
    "object_url",
    "object_version",
    "record_number",
    "identity_key",
    "dt",
];

fn cases() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stage/cases");
    let cases = std::fs::read_dir(folder).expect("the cases").map(|entry| {
        let entry = entry.expect("a case");
        (entry.file_name().into_string().expect("a name"), entry.path())
    });
    let mut cases: Vec<_> = cases.collect();
    cases.sort();
    cases
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder of objects") {
        let entry = entry.expect("an object");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Writes all cases as one project and gives its folder.
fn project(cases: &[(String, PathBuf)]) -> tempfile::TempDir {
    let project = tempfile::tempdir().expect("a temporary folder");
    let mut job = JOB.to_owned();
    for (name, folder) in cases {
        let source = std::fs::read_to_string(folder.join("source.toml")).expect("source.toml");
        writeln!(
            job,
            "[[source]]\naccount = \"{name}\"\nurl = \"raw/{name}/dt={{dt}}/*\"\n{source}"
        )
        .expect("written");
        copy(&folder.join("raw"), &project.path().join("raw").join(name));
    }
    // The mappings as they lie here, so that one can be tried without a build.
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"), &project.path().join("sql"));
    let path = project.path().join("jobs");
    std::fs::create_dir_all(&path).expect("a folder");
    std::fs::write(path.join("sources.toml"), job).expect("a job");
    project
}

/// Rows of a table as CSV lines, by the case they come from.
#[derive(Default)]
struct Golden {
    header: Vec<String>,
    rows: Vec<BTreeMap<String, String>>,
}

impl Golden {
    /// Columns in the order of the table, those without any value left out.
    fn csv(&self) -> String {
        let filled = |column: &&String| self.rows.iter().any(|row| !row[*column].is_empty());
        let columns: Vec<&String> = self.header.iter().filter(filled).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&columns).expect("a header");
        let mut rows: Vec<Vec<&String>> =
            self.rows.iter().map(|row| columns.iter().map(|c| &row[*c]).collect()).collect();
        rows.sort();
        for row in rows {
            writer.write_record(row).expect("a row");
        }
        String::from_utf8(writer.into_inner().expect("written")).expect("text")
    }
}

type Goldens = BTreeMap<(String, String), Golden>;

fn gather(table: &str, batch: &RecordBatch, goldens: &mut Goldens) {
    let format = FormatOptions::default();
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let kept = |name: &str| {
        let made = ["_week", "_month", "_quarter", "_year"].iter().any(|part| name.ends_with(part));
        !made && !LEFT_OUT.contains(&name) && name != names[0]
    };
    let accounts = batch.column_by_name("source_account").expect("an account").as_string::<i32>();
    for row in 0..batch.num_rows() {
        let cell = |column: &dyn Array| {
            let formatter = ArrayFormatter::try_new(column, &format).expect("a formatter");
            formatter.value(row).to_string()
        };
        let key = (accounts.value(row).to_owned(), table.to_owned());
        let golden = goldens.entry(key).or_default();
        let of_table = names.iter().zip(batch.columns());
        let of_table: Vec<_> = of_table
            .filter(|(name, _)| kept(name) || (table == "rejects" && **name == "record_number"))
            .collect();
        golden.header = of_table.iter().map(|(name, _)| (**name).to_owned()).collect();
        let cells = of_table.iter().map(|(name, column)| ((**name).to_owned(), cell(column)));
        golden.rows.push(cells.collect());
    }
}

async fn run(project: &Path) -> Goldens {
    let settings = Settings {
        project: project.to_owned(),
        run_id: "test".into(),
        memory_bytes: 1 << 28,
        identity_salt: Some("00".repeat(32)),
        ..settings::from_environment()
    };
    let context = cxmart::run::open("jobs/sources.toml", settings).expect("the job opens");
    let store = context.store.clone();
    let context = Arc::new(context);
    cxmart::run::run(Arc::clone(&context), None).await.expect("the run succeeds");
    let release = StateReader::new(store.clone()).latest().await.expect("readable");
    let mut goldens = Goldens::new();
    for (name, dataset) in &release.expect("a release").state {
        let Some(table) = name.strip_prefix("staged_") else { continue };
        // What is told of whole objects has tests of its own.
        if ["warnings", "seen_columns", "windows"].contains(&table) {
            continue;
        }
        for file in &dataset.files {
            let bytes = store.read(&file.path).await.expect("a staged file");
            for batch in decode(&file.path, bytes, None).expect("parquet") {
                gather(table, &completed(&context, name, batch), &mut goldens);
            }
        }
    }
    goldens
}

/// Goal: what each source's spec and SQL make of its export stays as it was looked over.
/// Method: one run over all cases, staged rows compared with the CSV files of each case.
#[tokio::test(flavor = "multi_thread")]
async fn every_source_gives_the_rows_that_were_looked_over() {
    let cases = cases();
    let project = project(&cases);
    let goldens = run(project.path()).await;
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let mut wrong = String::new();
    for (name, folder) in &cases {
        let expected = folder.join("expected");
        let found: BTreeMap<String, String> = goldens
            .iter()
            .filter(|((case, _), _)| case == name)
            .map(|((_, table), golden)| (format!("{table}.csv"), golden.csv()))
            .collect();
        if update {
            let _ = std::fs::remove_dir_all(&expected);
            std::fs::create_dir_all(&expected).expect("a folder");
            for (file, text) in &found {
                std::fs::write(expected.join(file), text).expect("a golden");
            }
        }
        let known = std::fs::read_dir(&expected).into_iter().flatten().map(|entry| {
            let path = entry.expect("a golden").path();
            let file = path.file_name().expect("a name").to_string_lossy().into_owned();
            (file, std::fs::read_to_string(path).expect("text"))
        });
        let known: BTreeMap<String, String> = known.collect();
        assert!(!found.is_empty(), "case `{name}` gave no row");
        if known != found {
            writeln!(wrong, "case `{name}`\nexpected {known:#?}\nfound {found:#?}").expect("text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Rows of a golden as text, as a set: without the places of records, and without ids that are made
/// of them.
fn told(csv: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        let is_of_place = |name: &str, cell: &str| {
            ["record_number", "attributes", "raw_text"].contains(&name)
                || (name == "source_id" && cell.starts_with("r_"))
        };
        let cells = header.iter().zip(&row);
        let cells = cells.filter(|(name, cell)| !cell.is_empty() && !is_of_place(name, cell));
        cells.map(|(name, cell)| format!("{name}={cell}")).collect::<Vec<_>>().join(", ")
    });
    rows.collect()
}

/// Goal: mappings do not rest on the order of records, on records that come twice, or on the
/// encoding. Method: all cases so rewritten, held against the same goldens.
#[tokio::test(flavor = "multi_thread")]
async fn rewritten_exports_give_the_same_rows() {
    let cases = cases();
    let project = project(&cases);
    for (path, bytes) in super::variants::rewritten() {
        let path = project.path().join("raw").join(path.replacen("/raw/", "/", 1));
        std::fs::write(path, bytes).expect("an object");
    }
    let goldens = run(project.path()).await;
    let mut wrong = String::new();
    for (name, folder) in &cases {
        for entry in std::fs::read_dir(folder.join("expected")).expect("goldens") {
            let path = entry.expect("a golden").path();
            let table = path.file_stem().expect("a name").to_string_lossy().into_owned();
            // These lines have no number but their place in the export.
            if table == "order_lines" && name.starts_with("shopify_orders_") {
                continue;
            }
            let expected = told(&std::fs::read_to_string(&path).expect("text"));
            let found = goldens.get(&(name.clone(), table.clone())).map(Golden::csv);
            let found = told(&found.unwrap_or_default());
            if found != expected {
                let missing: Vec<_> = expected.difference(&found).collect();
                let more: Vec<_> = found.difference(&expected).collect();
                writeln!(wrong, "{name} {table}\n- {missing:#?}\n+ {more:#?}").expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
