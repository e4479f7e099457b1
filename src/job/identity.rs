//! Which records are one person: what a job says about identifiers, likeness, and what people say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// Which identifiers make two records one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Identifiers never used, as `type:value` (`email:info@example.com`); `*` matches any text.
    pub block: Vec<String>,
    /// An identifier seen with more distinct others than this is shared, and blocked.
    pub max_degree: u32,
    /// A cluster with more distinct e-mail addresses than this is not joined further.
    pub max_emails: u32,
    /// A cluster with more identifiers than this is not joined further.
    pub max_cluster: u32,
    /// `a.b+tag@gmail.com` is `ab@gmail.com`.
    pub gmail_dots: bool,
    /// File of the project with what people say about who is who, `.toml` or `.csv`.
    pub overrides: Option<String>,
    /// What that file says.
    #[serde(skip)]
    pub said: Vec<Said>,
    pub matching: Matching,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            block: Vec::new(),
            max_degree: 200,
            max_emails: 20,
            max_cluster: 500,
            gmail_dots: false,
            overrides: None,
            said: Vec::new(),
            matching: Matching::default(),
        }
    }
}

/// What makes people members of one company, or of one household.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Who has an e-mail address at a company's domain belongs to it.
    pub by_domain: bool,
    /// A domain that no source's company names is a company from so many people on; 0: never.
    pub domain_people_min: u32,
    /// A domain that no source's company names, and more people than this have an address at, is
    /// taken for a provider of mail.
    pub domain_people_max: u32,
    /// Domains of providers of mail, beside those that are known.
    pub free_mail: Vec<String>,
    /// People of one last name at one address are a household, an account of its own kind.
    pub household: bool,
    /// More people than this at one address under one name are no household.
    pub household_max: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            by_domain: true,
            domain_people_min: 2,
            domain_people_max: 1_000,
            free_mail: Vec::new(),
            household: false,
            household_max: 20,
        }
    }
}

/// Finding people who share no identifier by how alike their records are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// Off unless a job asks for it.
    pub enabled: bool,
    /// What contacts are compared by.
    #[serde(rename = "field")]
    pub fields: Vec<MatchField>,
    /// Contacts that agree on all parts of one of these rules are compared. A part is a column,
    /// `first(column, 3)` for its first characters, or `sounds(column)` for the sound of a name.
    pub block: Vec<Vec<String>>,
    /// Contacts at least so probably one person are one.
    pub threshold: f64,
    /// Contacts at least so probably one person are kept to look at.
    pub review: f64,
    /// More pairs to compare than this are refused before any is compared.
    pub candidates_max: u64,
    /// Only contacts of two sources are compared.
    pub across_sources: bool,
    /// Between two sources, a contact is one with its best match only.
    pub one_to_one: bool,
    /// The model is fitted once and kept; raise this number to fit it anew.
    pub fit: u32,
}

/// A column of `contacts` that records are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchField {
    pub column: String,
    pub kind: MatchKind,
    /// Not looked at where this column is equal: a postal code tells the city.
    #[serde(default)]
    pub told_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    FirstName,
    LastName,
    Date,
    Postcode,
    Text,
    Id,
    Email,
    Exact,
    List,
}

impl MatchKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Date => "date",
            Self::Postcode => "postcode",
            Self::Text => "text",
            Self::Id => "id",
            Self::Email => "email",
            Self::Exact => "exact",
            Self::List => "list",
        }
    }
}

impl Default for Matching {
    fn default() -> Self {
        let field = |column: &str, kind, told_by: Option<&str>| MatchField {
            column: column.to_owned(),
            kind,
            told_by: told_by.map(str::to_owned),
        };
        let rules: [&[&str]; 7] = [
            &["email"],
            &["phone"],
            &["last_name", "birth_date"],
            &["first_name", "birth_date"],
            &["first_name", "last_name", "postal_code"],
            &["birth_date", "postal_code"],
            &["sounds(last_name)", "first(first_name, 1)", "street"],
        ];
        Self {
            enabled: false,
            fields: vec![
                field("first_name", MatchKind::FirstName, None),
                field("last_name", MatchKind::LastName, None),
                field("birth_date", MatchKind::Date, None),
                field("street", MatchKind::Text, None),
                field("city", MatchKind::Text, Some("postal_code")),
                field("postal_code", MatchKind::Postcode, None),
                field("email", MatchKind::Email, None),
                field("phone", MatchKind::Id, None),
            ],
            block: rules.map(|rule| rule.iter().map(|&part| part.to_owned()).collect()).into(),
            threshold: 0.8,
            review: 0.8,
            candidates_max: 50_000_000,
            across_sources: false,
            one_to_one: false,
            fit: 1,
        }
    }
}

/// The column that a part of a blocking rule is about; `None` when it is no part.
pub fn part_column(part: &str) -> Option<&str> {
    let part = part.trim();
    let Some((verb, rest)) = part.split_once('(') else { return Some(part) };
    let inner = rest.strip_suffix(')')?;
    match (verb.trim(), inner.split_once(',')) {
        ("sounds", None) => Some(inner.trim()),
        ("first", Some((column, count))) => {
            let count: usize = count.trim().parse().ok()?;
            (count > 0).then_some(column.trim())
        }
        _ => None,
    }
}

/// One line of the overrides file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    pub kind: SaidKind,
    /// `type:value`, or `type[source:account]:value` for an id of one system.
    pub left: String,
    #[serde(default)]
    pub right: String,
    pub reason: String,
    pub author: String,
    /// First day of a link, YYYY-MM-DD; without it both were always one.
    #[serde(default)]
    pub since: Option<chrono::NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaidKind {
    Link,
    NeverLink,
    Block,
}

impl SaidKind {
    /// As the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::NeverLink => "never_link",
            Self::Block => "block",
        }
    }
}

impl Said {
    /// Type, namespace and value of one side.
    pub fn side(text: &str) -> Option<(&str, &str, &str)> {
        let bracket = text.find('[').filter(|at| text.find(':').is_none_or(|colon| *at < colon));
        let (kind, namespace, value) = if let Some(at) = bracket {
            let (kind, rest) = text.split_at_checked(at)?;
            let (namespace, value) = rest.strip_prefix('[')?.split_once("]:")?;
            (kind, namespace, value)
        } else {
            let (kind, value) = text.split_once(':')?;
            (kind, "", value)
        };
        let (kind, value) = (kind.trim(), value.trim());
        (!kind.is_empty() && !value.is_empty()).then_some((kind, namespace.trim(), value))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Said>,
}

/// Reads an overrides file: `[[rule]]` tables, or CSV with the columns `kind`, `left`, `right`,
/// `reason`, `author` and, if wished, `since`.
///
/// # Errors
/// Every line that is wrong, or the one mistake that makes the file unreadable.
pub fn read(path: &str, text: &str) -> Result<Vec<Said>, Vec<Problem>> {
    const HINT: &str = "`kind` is link, never_link or block; every rule has a reason and an author";
    let wrong = |message: String| vec![Problem::new(path, message).hint(HINT)];
    let is_csv =
        std::path::Path::new(path).extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let said: Vec<Said> = if is_csv {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let rows: Result<_, _> = reader.deserialize().collect();
        rows.map_err(|error| wrong(error.to_string()))?
    } else {
        let file: File = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        file.rule
    };
    let mut problems = Vec::new();
    for (i, rule) in said.iter().enumerate() {
        let mut say = |what: &str, hint: &str| {
            problems.push(Problem::new(format!("{path}: rule[{i}].{what}"), hint));
        };
        if Said::side(&rule.left).is_none() {
            say("left", "is no identifier; write `email:ana@example.com`");
        }
        let is_block = rule.kind == SaidKind::Block;
        if is_block != rule.right.trim().is_empty() {
            say("right", if is_block { "a block names one identifier" } else { "is missing" });
        } else if !is_block && Said::side(&rule.right).is_none() {
            say("right", "is no identifier; write `crm_id[hubspot:main]:101`");
        }
        for (key, value) in [("reason", &rule.reason), ("author", &rule.author)] {
            if value.trim().is_empty() {
                say(key, "is empty");
            }
        }
    }
    problems.extend(denied(path, &said));
    if problems.is_empty() { Ok(said) } else { Err(problems) }
}

/// Links of two identifiers that another rule keeps apart.
fn denied(path: &str, said: &[Said]) -> Vec<Problem> {
    let sides = |rule: &Said| {
        let mut sides = [rule.left.trim().to_lowercase(), rule.right.trim().to_lowercase()];
        sides.sort_unstable();
        sides
    };
    let apart = said.iter().enumerate().filter(|(_, rule)| rule.kind == SaidKind::NeverLink);
    let apart: std::collections::BTreeMap<_, _> = apart.map(|(i, rule)| (sides(rule), i)).collect();
    let links = said.iter().enumerate().filter(|(_, rule)| rule.kind == SaidKind::Link);
    let denied = links.filter_map(|(i, rule)| {
        let other = apart.get(&sides(rule))?;
        let message = format!("links the two that rule[{other}] keeps apart");
        Some(Problem::new(format!("{path}: rule[{i}]"), message).hint("one of them has to go"))
    });
    denied.collect()
}
