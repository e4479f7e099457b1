//! A model: one `.sql` file, one table.

use std::collections::BTreeSet;

use super::files::stem;
use super::lint::Lint;
use super::statement;
use crate::job::Problem;
use crate::table::hash::{Hash, Hasher};

/// Of each model of the binary its path, the tables it reads and its text without comments, by path.
static BUILT_IN: &[(&str, &[&str], &str)] = &include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// The folders of `sql/`, in the order data flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    Stage,
    Canonical,
    Resolve,
    Profile,
    Measure,
    Assemble,
    Check,
}

impl Layer {
    /// The layer a path lies in.
    pub fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("sql/")?.split('/').next()? {
            "stage" => Some(Self::Stage),
            "canonical" => Some(Self::Canonical),
            "resolve" => Some(Self::Resolve),
            "profile" => Some(Self::Profile),
            "measure" => Some(Self::Measure),
            "assemble" => Some(Self::Assemble),
            "check" => Some(Self::Check),
            _ => None,
        }
    }
}

/// What the comment lines on top of a model say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// `-- One row per …`: all lines without a key.
    pub description: String,
    /// `-- grain: a, b`
    pub grain: Vec<String>,
    /// `-- reads: as_of`
    pub reads_as_of: bool,
    /// `-- canonical: orders` (staging models only)
    pub canonical: Option<String>,
    /// `-- severity: warn`: what the check finds is told, and keeps nothing from being published.
    pub only_warns: bool,
}

/// A parsed `.sql` file.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub path: String,
    pub layer: Layer,
    pub header: Header,
    pub sql: String,
    /// Tables it reads that are no CTE of its own.
    pub references: BTreeSet<String>,
    /// Of the parsed statement: comments and white space do not count.
    pub code_hash: Hash,
}

impl Model {
    /// It names a column, outside of comments.
    pub fn names(&self, column: &str) -> bool {
        let code = self.sql.lines().filter(|line| !line.trim_start().starts_with("--"));
        let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        code.flat_map(|line| line.split(word)).any(|found| found == column)
    }

    /// The model, and where its SQL breaches the house rules.
    ///
    /// # Errors
    /// No layer folder, no query, or SQL that does not parse.
    pub fn parse(path: &str, text: &str) -> Result<(Self, Vec<Problem>), Problem> {
        let layer = layer(path)?;
        let wrong = |message| Problem::new(path, message);
        let tokens = statement::tokens(text).map_err(wrong)?;
        let mut lint = Lint::new(path);
        lint.tokens(&tokens);
        let query = statement::query(tokens).map_err(wrong)?;
        lint.query(&query);
        let model = Self::new(path, text, layer, statement::reads(&query), &query.to_string());
        Ok((model, lint.problems))
    }

    /// A model of the binary, as the build script parsed it; `None`: it could not.
    ///
    /// # Errors
    /// No layer folder.
    pub fn built_in(path: &str, text: &str) -> Result<Option<Self>, Problem> {
        let found = BUILT_IN.binary_search_by_key(&path, |(path, ..)| path);
        let Some((_, reads, code)) = found.ok().and_then(|i| BUILT_IN.get(i)) else {
            return Ok(None);
        };
        let references = reads.iter().map(|&name| name.to_owned()).collect();
        Ok(Some(Self::new(path, text, layer(path)?, references, code)))
    }

    fn new(path: &str, text: &str, layer: Layer, references: BTreeSet<String>, code: &str) -> Self {
        Self {
            name: stem(path).to_owned(),
            path: path.to_owned(),
            layer,
            header: header(text),
            sql: text.to_owned(),
            references,
            code_hash: Hasher::new("model").part(code).finish(),
        }
    }
}

fn layer(path: &str) -> Result<Layer, Problem> {
    let wrong = || Problem::new(path, "a model lies in one of the layer folders of sql/");
    Layer::of(path).ok_or_else(wrong)
}

fn header(text: &str) -> Header {
    let mut header = Header::default();
    let lines = text.lines().map_while(|line| line.trim().strip_prefix("--"));
    for line in lines.map(str::trim) {
        match line.split_once(": ") {
            Some(("grain", list)) => {
                header.grain = list.split(',').map(|column| column.trim().to_owned()).collect();
            }
            Some(("reads", what)) => header.reads_as_of |= what.trim() == "as_of",
            Some(("severity", what)) => header.only_warns |= what.trim() == "warn",
            Some(("canonical", table)) => header.canonical = Some(table.trim().to_owned()),
            _ => {
                if !header.description.is_empty() {
                    header.description.push(' ');
                }
                header.description.push_str(line);
            }
        }
    }
    header
}
