//! The SQL of a model, taken apart: its one query, and the tables that it reads.
//!
//! The build script compiles this file, too, so that the models of the binary need not be parsed
//! at every start; therefore it names nothing else of the crate.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{TokenWithSpan, Tokenizer};

/// The words and signs of a text, with the places where they stand.
///
/// # Errors
/// What is no word or sign of SQL.
pub fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, String> {
    let found = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    found.map_err(|error| ParserError::from(error).to_string())
}

/// The query that they are.
///
/// # Errors
/// What does not parse, or is not exactly one query.
pub fn query(tokens: Vec<TokenWithSpan>) -> Result<Box<Query>, String> {
    let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|error| error.to_string())?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        _ => Err("a model is exactly one query".into()),
    }
}

/// Tables a query reads that are no CTE of its own.
pub fn reads(query: &Query) -> BTreeSet<String> {
    let mut found = Names::default();
    let _ = query.visit(&mut found);
    found.tables.difference(&found.ctes).cloned().collect()
}

#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    ctes: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
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
