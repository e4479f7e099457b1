//! The text files of a project: embedded ones, overlaid by a folder.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::job::Problem;

static SQL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql");
static JOBS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/jobs");
/// A larger text file in a project folder is a mistake.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Path (with `/`) to text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, String>);

impl Files {
    /// What the binary carries.
    pub fn embedded() -> Self {
        let mut files = BTreeMap::new();
        for (root, dir) in [("sql", &SQL), ("jobs", &JOBS)] {
            gather(root, dir, &mut files);
        }
        Self(files)
    }

    /// Lays the `sql/` and `jobs/` folders of `project` over these files.
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8.
    pub fn overlay(mut self, project: &Path) -> Result<Self, Problem> {
        for root in ["sql", "jobs"] {
            self.read_folder(root, &project.join(root))?;
        }
        Ok(self)
    }

    fn read_folder(&mut self, name: &str, folder: &Path) -> Result<(), Problem> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                self.read_folder(&below, &path)?;
            } else if below.ends_with(".sql") || below.ends_with(".toml") {
                let size = entry.metadata().map_or(0, |meta| meta.len());
                if size > FILE_BYTES_MAX {
                    let message = format!("is larger than {FILE_BYTES_MAX} bytes");
                    return Err(Problem::new(below, message));
                }
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| Problem::new(&below, format!("cannot be read: {error}")))?;
                self.insert(below, text);
            }
        }
        Ok(())
    }

    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.0.insert(path.into(), text.into());
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0.iter().filter(move |(path, _)| path.starts_with(prefix));
        all.map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

fn gather(root: &str, dir: &Dir<'_>, files: &mut BTreeMap<String, String>) {
    for file in dir.files() {
        if let Some(text) = file.contents_utf8() {
            files.insert(format!("{root}/{}", file.path().display()), text.to_owned());
        }
    }
    for below in dir.dirs() {
        gather(root, below, files);
    }
}

/// File name without folder and ending.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}
