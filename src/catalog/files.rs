//! The text files of a project: embedded ones, overlaid by a folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::job::Problem;

static SQL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql");
static JOBS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/jobs");
/// A larger text file in a project folder is a mistake.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Path (with `/`) to text; borrowed is what the binary carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Cow<'static, str>>);

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

    /// Lays a text over another; the same text again stays the binary's.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        let (path, text) = (path.into(), text.into());
        if self.get(&path) != Some(text.as_str()) {
            self.0.insert(path, Cow::Owned(text));
        }
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(|text| &**text)
    }

    /// The text is the binary's own.
    ///
    /// A test holds that all of these are without a problem, so what follows from the text of one
    /// file alone (its fields, its SQL) is not checked again at every start. How a file hangs
    /// together with others always is: a project may have changed those.
    pub fn is_built_in(&self, path: &str) -> bool {
        matches!(self.0.get(path), Some(Cow::Borrowed(_)))
    }

    /// The same texts, as if a project had all of them: nothing is taken to be checked.
    #[must_use]
    pub fn unchecked(self) -> Self {
        let owned = |(path, text): (_, Cow<'_, str>)| (path, Cow::Owned(text.into_owned()));
        Self(self.0.into_iter().map(owned).collect())
    }

    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0.iter().filter(move |(path, _)| path.starts_with(prefix));
        all.map(|(path, text)| (path.as_str(), &**text))
    }
}

fn gather(root: &str, dir: &Dir<'static>, files: &mut BTreeMap<String, Cow<'static, str>>) {
    for file in dir.files() {
        if let Some(text) = file.contents_utf8() {
            files.insert(format!("{root}/{}", file.path().display()), Cow::Borrowed(text));
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
