//! A model: one `.sql` file, one table.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Statement, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::files::stem;
use crate::job::Problem;
use crate::table::hash::{Hash, Hasher};

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

    /// # Errors
    /// No layer folder, no query, or SQL that does not parse.
    pub fn parse(path: &str, text: &str) -> Result<Self, Problem> {
        let layer = Layer::of(path).ok_or_else(|| {
            Problem::new(path, "a model lies in one of the layer folders of sql/")
        })?;
        let mut statements = Parser::parse_sql(&GenericDialect {}, text)
            .map_err(|error| Problem::new(path, error.to_string()))?;
        let (Some(Statement::Query(query)), true) = (statements.pop(), statements.is_empty())
        else {
            return Err(Problem::new(path, "a model is exactly one query"));
        };
        let mut found = Names::default();
        let ControlFlow::Continue(()) = query.visit(&mut found) else {
            return Err(Problem::new(path, "the query cannot be walked"));
        };
        let references = found.tables.difference(&found.ctes).cloned().collect();
        let code_hash = Hasher::new("model").part(query.to_string()).finish();
        Ok(Self {
            name: stem(path).to_owned(),
            path: path.to_owned(),
            layer,
            header: header(text),
            sql: text.to_owned(),
            references,
            code_hash,
        })
    }
}

#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    ctes: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &sqlparser::ast::Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.ctes.extend(with.cte_tables.iter().map(|cte| cte.alias.name.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.tables.insert(relation.to_string());
        ControlFlow::Continue(())
    }
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
