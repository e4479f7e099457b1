//! The house rules of SQL: one portable subset, a header, and no reading against the flow.
//!
//! The same files run on DataFusion today and on a cluster later, and must give the same bytes
//! however the work was split. What is refused here was either measured to differ between engines
//! or between two runs of one; each rule says what to write instead. Types of columns are not
//! known here, so a rule that would need them looks at casts and literals alone.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, Distinct, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, JoinConstraint, JoinOperator, OrderByExpr, Query, Select,
    SetExpr, Spanned, TableWithJoins, Value, Visit, Visitor, WindowType,
};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Catalog, Layer, Model, statement};
use crate::job::Problem;

/// Functions that are refused, and what to do instead.
const REFUSED: [(&str, &[&str]); 8] = [
    (
        "read the run's day from the table `run`",
        &["now", "current_timestamp", "current_date", "current_time", "localtimestamp", "today"],
    ),
    ("nothing random reaches a table", &["random", "rand", "uuid", "gen_random_uuid", "newid"]),
    (
        "ids are made in Rust from natural keys",
        &["md5", "sha", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512", "hash", "digest"],
    ),
    (
        "engines differ; month, week and bucket columns of canonical tables are staged",
        &[
            "date_trunc",
            "date_part",
            "date_bin",
            "date_format",
            "date_diff",
            "datediff",
            "date_add",
            "dateadd",
            "date_sub",
            "strftime",
            "to_char",
            "to_date",
            "to_timestamp",
            "from_unixtime",
            "make_date",
        ],
    ),
    (
        "engines differ; use `replace`, `split_part`, `like` or the spec's cleaning",
        &["regexp_replace", "regexp_match", "regexp_matches", "regexp_extract", "strpos", "instr"],
    ),
    (
        "float statistics are kernels in Rust; a mean is `cast(sum(x) as double) / count(x)`",
        &[
            "avg",
            "mean",
            "stddev",
            "stddev_pop",
            "stddev_samp",
            "var",
            "var_pop",
            "var_samp",
            "variance",
            "corr",
            "covar",
            "covar_pop",
            "covar_samp",
            "median",
            "percentile",
            "percentile_cont",
            "percentile_disc",
            "quantile",
            "approx_distinct",
            "approx_count_distinct",
            "approx_median",
            "approx_percentile_cont",
        ],
    ),
    (
        "the answer depends on the order rows come in; use `row_number` over a unique order",
        &[
            "max_by",
            "min_by",
            "arg_max",
            "arg_min",
            "any_value",
            "first",
            "last",
            "array_agg",
            "string_agg",
            "listagg",
            "group_concat",
            "explode",
            "unnest",
        ],
    ),
    ("engines differ; use `||` with `coalesce`, or decimals", &["concat", "round"]),
];

/// Window functions that take no frame.
const FRAMELESS: [&str; 8] =
    ["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"];

/// Words that one of DuckDB, Spark and Postgres wants quoted as a column name.
const RESERVED: &str = "all analyse analyze and anti any array as asc asymmetric authorization \
    between both case cast check collate column constraint create cross current_catalog \
    current_date current_role current_time current_timestamp current_user default deferrable desc \
    describe distinct do else end except exists false fetch filter for foreign from full function \
    glob grant group having ilike in initially inner intersect into is isnull join lambda lateral \
    leading left like limit localtime localtimestamp minus natural not notnull null of offset on \
    only or order outer overlaps pivot placing position primary qualify references returning right \
    select semi session_user show similar some summarize symmetric table tablesample then to \
    trailing true try_cast union unique unknown unpivot user using values variadic when where \
    window with";

/// Breaches of the rules in what a model says of itself, and in how it hangs together with others.
/// `raw` are the raw tables that specs give.
pub fn model(model: &Model, catalog: &Catalog, raw: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |message: String, hint: &str| {
        problems.push(Problem::new(&model.path, message).hint(hint));
    };
    let header = &model.header;
    if header.description.is_empty() {
        say("says not what one row is".into(), "open with a comment: `-- One row per …`");
    }
    if header.grain.is_empty() && model.layer != Layer::Check {
        say("says not what makes a row unique".into(), "add a comment line `-- grain: a, b`");
    }
    let read = model.references.iter().filter(|name| name.starts_with("raw_")).count();
    if model.layer == Layer::Stage && read > 0 && header.canonical.is_none() {
        say("says not which table it fills".into(), "add a line `-- canonical: <table>`");
    }
    // Raw tables stream side by side: a join of two would wait for the one while the other is full.
    if model.layer == Layer::Stage && read > 1 {
        let hint = "columns of a part may read the record, too: name them in the spec";
        say("reads more than one raw table".into(), hint);
    }
    if let Some(table) = catalog.tables.get(&model.name)
        && model.layer != Layer::Stage
        && table.contract.grain != header.grain
        && !header.grain.is_empty()
    {
        let (here, there) = (header.grain.join(", "), table.contract.grain.join(", "));
        say(
            format!("has the grain `{here}`, but its contract says `{there}`"),
            "say the same columns in the same order in both files",
        );
    }
    for name in &model.references {
        if let Some((message, hint)) = against_the_flow(model, name, catalog, raw) {
            say(message, hint);
        }
    }
    problems
}

/// Why a model must not read a table.
fn against_the_flow(
    model: &Model,
    name: &str,
    catalog: &Catalog,
    raw: &BTreeSet<String>,
) -> Option<(String, &'static str)> {
    let after_raw = name.strip_prefix("raw_");
    if model.layer == Layer::Stage {
        let own = model.path.strip_prefix("sql/stage/").and_then(|rest| rest.split_once('/'));
        let source = after_raw.and_then(|rest| rest.split_once("__")).map(|(source, _)| source);
        let is_view = catalog.models.get(name).is_some_and(|other| other.layer == Layer::Stage);
        if is_view {
            return None;
        }
        if source.is_some() && source == own.map(|(source, _)| source) {
            let known = raw.contains(name);
            let hint = "a spec `<entity>.toml` or a `[[part]]` of one gives a raw table its name";
            return (!known).then(|| (format!("reads `{name}`, which no spec gives"), hint));
        }
        let hint = "sources meet later, in the layers above; here only `raw_<source>__<entity>`";
        return Some((format!("is a staging model and reads `{name}`"), hint));
    }
    if model.layer == Layer::Check {
        return None;
    }
    let told = matches!(name, "staged_rejects" | "staged_seen_columns" | "staged_warnings");
    let staged = name.strip_prefix("staged_").is_some() && !told;
    if after_raw.is_some() || staged {
        let hint = "read `current_<table>`, the newest version of each record";
        return Some((format!("reads `{name}`, which is not resolved yet"), hint));
    }
    if told && model.layer != Layer::Assemble {
        return Some((format!("reads `{name}`"), "only assemble publishes rejects and warnings"));
    }
    let above = catalog.tables.get(name).filter(|table| table.canonical.is_none());
    let above = above.map(|table| table.layer);
    let above = above.or_else(|| catalog.models.get(name).map(|other| other.layer))?;
    (above > model.layer).then(|| {
        let hint = "data flows stage, canonical, resolve, profile, measure, assemble, check";
        (format!("reads `{name}` of the later layer {above:?}").to_lowercase(), hint)
    })
}

/// Whether a name needs no quotes in any SQL, and is no path.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The name of a table or model stands in SQL and in paths of files as it is.
pub fn name(path: &str, name: &str) -> Option<Problem> {
    let wrong = || Problem::new(path, format!("`{name}` is not a name of a table"));
    (!is_plain(name)).then(|| wrong().hint("lower case letters, digits and `_`"))
}

/// Columns of a contract that some reader would have to quote.
pub fn reserved(path: &str, columns: &[crate::table::Column]) -> Vec<Problem> {
    let problem = |name: &str| {
        if RESERVED.split_whitespace().any(|word| word == name) {
            let message =
                format!("column `{name}` is a reserved word of DuckDB, Spark or Postgres");
            return Some(Problem::new(path, message).hint("find a name no reader must quote"));
        }
        let hint = "lower case letters, digits and `_`";
        (!is_plain(name)).then(|| {
            Problem::new(path, format!("column `{name}` would have to be quoted")).hint(hint)
        })
    };
    columns.iter().filter_map(|column| problem(&column.name)).collect()
}

/// Breaches of the portable subset in one query.
pub fn sql(path: &str, text: &str) -> Vec<Problem> {
    let mut lint = Lint::new(path);
    if let Ok(tokens) = statement::tokens(text) {
        lint.tokens(&tokens);
        if let Ok(query) = statement::query(tokens) {
            lint.query(&query);
        }
    }
    lint.problems
}

/// Looks for breaches of the portable subset.
pub(super) struct Lint<'a> {
    path: &'a str,
    pub(super) problems: Vec<Problem>,
    /// Texts of `ceil` and `floor` that stand inside a cast.
    cast: BTreeSet<String>,
}

impl<'a> Lint<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self { path, problems: Vec::new(), cast: BTreeSet::new() }
    }

    fn say(&mut self, line: u64, message: impl Into<String>, hint: &str) {
        let path = if line > 0 { format!("{}:{line}", self.path) } else { self.path.to_owned() };
        let problem = Problem::new(path, message).hint(hint);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn tokens(&mut self, tokens: &[TokenWithSpan]) {
        for found in tokens {
            let line = found.span.start.line;
            match &found.token {
                Token::Word(word) if word.quote_style.is_some() => {
                    let message = format!("quotes the name `{}`", word.value);
                    self.say(line, message, "names need no quotes; a quoted one is text in Spark");
                }
                Token::DoubleColon => self.say(line, "casts with `::`", "write `cast(… as …)`"),
                _ => {}
            }
        }
    }

    pub(super) fn query(&mut self, query: &Query) {
        let _ = query.visit(self);
    }

    fn function(&mut self, function: &Function, line: u64) {
        let name = function.name.to_string().to_ascii_lowercase();
        let refused = REFUSED.iter().find(|(_, names)| names.contains(&name.as_str()));
        if let Some((hint, _)) = refused {
            self.say(line, format!("calls `{name}`"), hint);
        }
        let summed = name == "sum" && arguments(function).any(is_double);
        if summed {
            let hint = "the last digits depend on how the work was split; sum integers or decimals";
            self.say(line, "sums over double", hint);
        }
        match &function.over {
            Some(WindowType::WindowSpec(window)) => {
                self.order(&window.order_by, line);
                let framed = window.window_frame.is_some() || FRAMELESS.contains(&name.as_str());
                if !window.order_by.is_empty() && !framed {
                    let message = format!("`{name}` over an order has no frame");
                    let hint = "add `rows between unbounded preceding and current row`";
                    self.say(line, message, hint);
                }
            }
            Some(WindowType::NamedWindow(_)) => {
                self.say(line, "names a window", "write the window where it is used");
            }
            None => {}
        }
    }

    fn order(&mut self, order: &[OrderByExpr], line: u64) {
        if order.iter().any(|by| by.options.nulls_first.is_none()) {
            let hint = "engines differ; write `nulls first` or `nulls last` after each column";
            self.say(line, "orders without a place for nulls", hint);
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, line: u64) {
        let double = is_double(left) || is_double(right);
        if *op == BinaryOperator::Divide && !double {
            let hint = "integers and decimals divide differently; `cast(a as double) / b`";
            self.say(line, "divides without a cast to double", hint);
        }
        let bare = |one: &Expr, other: &Expr| is_decimal_literal(one) && is_double(other);
        if bare(left, right) || bare(right, left) {
            let hint = "a bare literal is a decimal here and a double there; cast it as double";
            self.say(line, "has a bare decimal literal beside a double", hint);
        }
        let is_day = |side: &Expr| match side {
            Expr::Identifier(name) => name.value.ends_with("_date"),
            Expr::CompoundIdentifier(parts) => {
                parts.last().is_some_and(|name| name.value.ends_with("_date"))
            }
            Expr::Cast { data_type, .. } => *data_type == DataType::Date,
            Expr::TypedString(text) => text.data_type == DataType::Date,
            _ => false,
        };
        if *op == BinaryOperator::Minus && is_day(left) && is_day(right) {
            let hint = "engines give days, an interval or an error; stage the number in Rust";
            self.say(line, "subtracts dates", hint);
        }
    }

    fn from(&mut self, tables: &[TableWithJoins], line: u64) {
        if tables.len() > 1 {
            self.say(line, "joins with a comma", "write `cross join` or `join … on`");
        }
        for join in tables.iter().flat_map(|table| &table.joins) {
            let (outer, constraint) = match &join.join_operator {
                JoinOperator::Right(on)
                | JoinOperator::RightOuter(on)
                | JoinOperator::FullOuter(on) => (true, on),
                JoinOperator::Join(on)
                | JoinOperator::Inner(on)
                | JoinOperator::Left(on)
                | JoinOperator::LeftOuter(on)
                | JoinOperator::CrossJoin(on) => (false, on),
                _ => continue,
            };
            if outer && matches!(constraint, JoinConstraint::Using(_)) {
                let hint = "the key of right-only rows is lost; `on a.k = b.k` with `coalesce`";
                self.say(line, "has a full or right join with `using`", hint);
            }
            if matches!(constraint, JoinConstraint::Natural) {
                self.say(line, "has a natural join", "name the columns with `using` or `on`");
            }
        }
    }
}

impl Visitor for Lint<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let line = query.span().start.line;
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            self.say(line, "is recursive", "sequences are folds in Rust");
        }
        if query.order_by.is_some() {
            self.say(line, "orders its rows", "a table has no order; files are sorted by grain");
        }
        if query.limit_clause.is_some() || query.fetch.is_some() {
            self.say(line, "limits its rows", "which rows stay depends on how the work was split");
        }
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.select(select);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let line = expr.span().start.line;
        match expr {
            Expr::Function(function) => self.function(function, line),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, line),
            Expr::Cast { kind, expr, data_type, .. } => {
                if matches!(**expr, Expr::Ceil { .. } | Expr::Floor { .. }) {
                    self.cast.insert(expr.to_string());
                }
                if is_unsized_text(data_type) {
                    self.say(line, format!("casts to `{data_type}`"), "write `string`");
                }
                if *kind == CastKind::SafeCast {
                    self.say(line, "casts with `safe_cast`", "write `try_cast`");
                }
            }
            Expr::Ceil { .. } | Expr::Floor { .. } if !self.cast.contains(&expr.to_string()) => {
                let hint = "engines give different types; wrap it: `cast(floor(x) as bigint)`";
                self.say(line, "has an uncast `ceil` or `floor`", hint);
            }
            Expr::Extract { field: DateTimeField::DayOfWeek | DateTimeField::Dow, .. } => {
                let hint = "engines start the week on different days; stage it in Rust";
                self.say(line, "extracts the day of the week", hint);
            }
            Expr::Position { .. } => {
                self.say(line, "calls `position`", "use `split_part` or `like`");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Lint<'_> {
    fn select(&mut self, select: &Select) {
        let line = select.span().start.line;
        if select.qualify.is_some() {
            let hint = "filter on the window's column in a CTE of its own";
            self.say(line, "has `qualify`", hint);
        }
        if matches!(select.distinct, Some(Distinct::On(_))) {
            let hint = "use `row_number` over a unique order, and keep 1";
            self.say(line, "has `distinct on`", hint);
        }
        if !select.named_window.is_empty() {
            self.say(line, "names a window", "write the window where it is used");
        }
        self.from(&select.from, line);
    }
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

/// Whether an expression is seen to be a double: a cast, or arithmetic over one.
fn is_double(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { data_type, .. } => {
            matches!(
                data_type,
                DataType::Double(_) | DataType::DoublePrecision | DataType::Float(_)
            )
        }
        Expr::Nested(inner) => is_double(inner),
        Expr::UnaryOp { expr, .. } => is_double(expr),
        Expr::BinaryOp { left, op, right } => {
            let arithmetic = matches!(
                op,
                BinaryOperator::Plus
                    | BinaryOperator::Minus
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
            );
            arithmetic && (is_double(left) || is_double(right))
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            let passes = ["coalesce", "nullif", "greatest", "least", "abs", "max", "min"];
            let gives = ["sqrt", "exp", "ln", "power", "log", "log10"];
            gives.contains(&name.as_str())
                || (passes.contains(&name.as_str()) && arguments(function).any(is_double))
        }
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter().any(|when| is_double(&when.result))
                || else_result.as_deref().is_some_and(is_double)
        }
        _ => false,
    }
}

fn is_decimal_literal(expr: &Expr) -> bool {
    let Expr::Value(value) = expr else { return false };
    matches!(&value.value, Value::Number(text, _) if text.contains('.'))
}

fn is_unsized_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Varchar(None)
            | DataType::CharVarying(None)
            | DataType::CharacterVarying(None)
            | DataType::Nvarchar(None)
            | DataType::Char(None)
            | DataType::Text
    )
}
