//! Builds the crate again when an embedded file changes (the embedding macro cannot see new ones),
//! and parses the embedded models, so that no command has to at its start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/catalog/statement.rs"]
mod statement;

fn main() -> io::Result<()> {
    for path in ["sql", "jobs", "build.rs", "src/catalog/statement.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let mut paths = Vec::new();
    models(Path::new("sql"), &mut paths)?;
    // Sorted: the catalogue searches them by path.
    let rows: BTreeMap<_, _> = paths.iter().filter_map(|path| row(path)).collect();
    let rows: Vec<_> = rows.into_values().collect();
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(folder.join("models.rs"), format!("[\n{}]\n", rows.concat()))
}

/// Paths of the SQL files below a folder.
fn models(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            models(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "sql") {
            found.push(path);
        }
    }
    Ok(())
}

/// A path; and with the tables it reads and its text without comments as a line of Rust. A model
/// that does not parse has none: the catalogue parses it and says why.
fn row(path: &Path) -> Option<(String, String)> {
    let query = statement::query(statement::tokens(&fs::read_to_string(path).ok()?).ok()?).ok()?;
    let path = path.to_str()?.replace('\\', "/");
    let reads: Vec<_> = statement::reads(&query).into_iter().collect();
    let row = format!("({path:?}, &{reads:?}, {:?}),\n", query.to_string());
    Some((path, row))
}
