//! What of a canonical table says whose a row is.

use std::collections::BTreeMap;

use crate::catalog::{Canonical, Catalog, Table};

/// Statements that two identifiers are one person: they are about nothing else.
const STATEMENTS: &str = "identity_edges";

/// Tables whose rows are about a person and not about something that happened: their keys are the
/// person's.
const PEOPLE: [&str; 3] = ["contacts", "consents", "account_members"];

/// By table: a kind of link, and the column whose value other rows refer to.
const GIVES: [(&str, &str, &str); 4] = [
    ("conversations", "conversation", "source_id"),
    ("orders", "order", "source_id"),
    ("survey_invitations", "response", "response_group_id"),
    ("survey_responses", "response", "response_group_id"),
];

/// By table: a kind of link, the column that refers, and the one that says to which entity.
const UNDER: [(&str, &str, &str, &str); 8] = [
    ("conversation_changes", "conversation", "conversation_source_id", "conversation_entity"),
    ("messages", "conversation", "conversation_source_id", "conversation_entity"),
    ("order_lines", "order", "order_source_id", ""),
    ("social_mentions", "order", "order_source_id", ""),
    ("survey_answers", "response", "response_group_id", ""),
    ("survey_responses", "conversation", "conversation_source_id", ""),
    ("survey_responses", "order", "order_source_id", ""),
    ("survey_responses", "response", "response_group_id", ""),
];

/// A link that rows have to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub kind: &'static str,
    pub column: &'static str,
    /// Column with the entity of the other row; empty where there is none.
    pub entity: &'static str,
}

/// A canonical table as the room looks at it.
#[derive(Debug, Clone)]
pub struct Shape {
    pub table: String,
    pub canonical: Canonical,
    /// What its staged rows have.
    pub columns: Vec<String>,
    /// Columns that hold something personal.
    pub personal: Vec<String>,
    pub is_statement: bool,
    /// Its rows are about people.
    pub is_of_people: bool,
    pub gives: Vec<Link>,
    pub under: Vec<Link>,
    /// Whether values of a type are unique in their source only, as all tables say.
    pub scoped: BTreeMap<String, bool>,
}

impl Shape {
    pub fn new(catalog: &Catalog, table: &Table, canonical: &Canonical) -> Self {
        let name = table.contract.name.as_str();
        let personal = table.contract.columns.iter().filter(|column| column.pii);
        let gives = GIVES.iter().filter(|(of, ..)| *of == name);
        let under = UNDER.iter().filter(|(of, ..)| *of == name);
        let known = catalog.canonical().flat_map(|(_, canonical)| &canonical.identifiers);
        let mut scoped: BTreeMap<String, bool> =
            known.map(|of| (of.kind.clone(), of.scoped)).collect();
        scoped.extend(["email_md5", "email_sha256"].map(|kind| (kind.to_owned(), false)));
        let columns = table.staged.iter().flat_map(|staged| &staged.columns);
        Self {
            table: name.to_owned(),
            columns: columns.map(|column| column.name.clone()).collect(),
            canonical: canonical.clone(),
            personal: personal.map(|column| column.name.clone()).collect(),
            is_statement: name == STATEMENTS,
            is_of_people: PEOPLE.contains(&name),
            gives: gives.map(|(_, kind, column)| Link { kind, column, entity: "" }).collect(),
            under: under.map(|(_, kind, column, entity)| Link { kind, column, entity }).collect(),
            scoped,
        }
    }

    /// Whether rows of the table can be of anybody.
    pub fn is_about_people(&self) -> bool {
        self.is_statement || !self.canonical.identifiers.is_empty() || !self.under.is_empty()
    }

    /// The namespace of an identifier that a statement names.
    pub fn namespace<'a>(&self, kind: &str, given: &'a str, scope: &'a str) -> &'a str {
        match (self.scoped.get(kind).copied().unwrap_or(true), given) {
            (false, _) => "",
            (true, "") => scope,
            (true, given) => given,
        }
    }
}
