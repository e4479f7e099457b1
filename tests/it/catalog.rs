//! The embedded models and specs hold the house rules, and the rules find what they are for.

use std::path::PathBuf;

use cxmart::catalog::spec::SourceSpec;
use cxmart::catalog::{Catalog, Files, Model, lint};
use cxmart::job::{Job, schema};
use cxmart::plan::native::NATIVE;

/// Goal: what a start takes for checked has no problem, and reads as if it were checked. Method:
/// the same files as a project's own, of which every text is parsed and checked.
#[test]
fn the_embedded_catalogue_has_no_problem() {
    let (catalog, problems) = Catalog::read(&Files::embedded().unchecked());
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(!catalog.models.is_empty() && !catalog.specs.is_empty() && !catalog.tables.is_empty());

    let (trusted, problems) = Catalog::read(&Files::embedded());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(trusted.specs, catalog.specs);
    for (name, checked) in &catalog.models {
        let built_in = Model::built_in(&checked.path, &checked.sql).expect("a layer");
        assert!(built_in.is_some(), "{name}: not parsed by the build");
        assert_eq!(format!("{:#?}", trusted.models.get(name)), format!("{:#?}", Some(checked)));
    }
    assert_eq!(format!("{trusted:?}"), format!("{catalog:?}"));
}

/// Goal: a project's file is checked, and so is what a file of the binary makes of it. Method:
/// files of the binary replaced by wrong ones, and by themselves.
#[test]
fn what_a_project_replaces_is_checked_with_all_that_rests_on_it() {
    let model = "sql/assemble/orders.sql";
    let spec = "sql/stage/intercom/conversations.toml";
    let embedded = Files::embedded();
    let (orders, conversations) = (embedded.get(model), embedded.get(spec));
    let (orders, conversations) = (orders.expect("a model"), conversations.expect("a spec"));
    let (without_parts, _) = conversations.split_once("[[part]]").expect("a spec with parts");
    for (path, text, says) in [
        (model, format!("{orders} limit 3"), "orders.sql:"),
        (spec, format!("{conversations}\nfoo = 1"), "foo: there is no such field"),
        (spec, without_parts.to_owned(), "which no spec gives"),
    ] {
        let mut files = Files::embedded();
        files.insert(path, text);
        assert!(!files.is_built_in(path));
        let (_, problems) = Catalog::read(&files);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|one| one.contains(says)), "{path}: {told:?}");
    }
    let mut files = Files::embedded();
    files.insert(model, orders);
    assert!(files.is_built_in(model), "the same text");
}

/// Goal: no file of `sql/` is dead. Method: a model is alive if it makes a table, checks, stages
/// what a spec reads, or is read by one that is alive or by a native step.
#[test]
fn every_file_of_sql_is_in_the_graph() {
    let files = Files::embedded();
    let (catalog, _) = Catalog::read(&files);
    for (path, _) in files.under("sql/") {
        let stem = cxmart::catalog::files::stem(path);
        let known = catalog.models.values().any(|model| model.path == path)
            || catalog.tables.contains_key(stem)
            || catalog.canonical_tables.contains_key(stem)
            || catalog.specs.values().any(|spec| spec.entity == stem);
        assert!(known, "{path} is in no catalogue");
    }
    for model in catalog.models.values() {
        let name = &model.name;
        let staged = catalog
            .specs
            .values()
            .any(|s| s.raw_tables().iter().any(|t| model.references.contains(t)));
        let read = catalog.models.values().any(|other| other.references.contains(name));
        let native = NATIVE.iter().any(|native| native.inputs.contains(&name.as_str()));
        let made = catalog.tables.contains_key(name) || model.path.starts_with("sql/check/");
        assert!(staged || read || native || made, "{} is read by nothing", model.path);
    }
}

#[test]
fn the_subset_refuses_what_engines_or_runs_disagree_on() {
    for (sql, says) in [
        ("select now() as x from t", "calls `now`"),
        ("select current_timestamp as x from t", "calls `current_timestamp`"),
        ("select random() as x from t", "calls `random`"),
        ("select md5(a) as x from t", "calls `md5`"),
        ("select date_trunc('month', a) as x from t", "calls `date_trunc`"),
        ("select regexp_replace(a, 'b', 'c') as x from t", "calls `regexp_replace`"),
        ("select strpos(a, 'b') as x from t", "calls `strpos`"),
        ("select avg(a) as x from t", "calls `avg`"),
        ("select stddev(a) as x from t", "calls `stddev`"),
        ("select max_by(a, b) as x from t", "calls `max_by`"),
        ("select concat(a, b) as x from t", "calls `concat`"),
        ("select round(a, 2) as x from t", "calls `round`"),
        ("select sum(cast(a as double)) as x from t", "sums over double"),
        ("select sum(coalesce(cast(a as double) * 2, b)) as x from t", "sums over double"),
        ("select a / b as x from t", "divides without a cast to double"),
        ("select (cast(a as double) / b) * 0.5 as x from t", "bare decimal literal"),
        ("select floor(a) as x from t", "uncast `ceil` or `floor`"),
        ("select cast(a as varchar) as x from t", "casts to `VARCHAR`"),
        ("select cast(a as text) as x from t", "casts to `TEXT`"),
        ("select a::bigint as x from t", "casts with `::`"),
        ("select \"a\" as x from t", "quotes the name `a`"),
        ("select extract(dow from a) as x from t", "day of the week"),
        ("select end_date - start_date as x from t", "subtracts dates"),
        ("select a from t order by a nulls last", "orders its rows"),
        ("select a from t limit 3", "limits its rows"),
        ("select distinct on (a) a, b from t", "has `distinct on`"),
        ("select a from t qualify row_number() over (order by a nulls last) = 1", "has `qualify`"),
        ("with recursive c as (select 1 as a) select a from c", "is recursive"),
        ("select row_number() over (order by a) as x from t", "without a place for nulls"),
        ("select sum(a) over (order by a nulls last) as x from t", "has no frame"),
        ("select a.k from a full join b using (k)", "full or right join with `using`"),
        ("select a.k from a right join b using (k)", "full or right join with `using`"),
        ("select a.k from a natural join b", "natural join"),
        ("select a.k from a, b", "joins with a comma"),
    ] {
        let problems = lint::sql("sql/measure/x.sql", sql);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|one| one.contains(says)), "{sql}: {told:?}");
        assert!(problems.iter().all(|problem| problem.hint.is_some()), "{sql}: no hint");
    }
}

#[test]
fn the_subset_accepts_what_all_engines_agree_on() {
    for sql in [
        "select cast(a as double) / b as x, cast(floor(cast(a as double)) as bigint) as y from t",
        "select sum(a) as x, count(distinct b) as y, sum(cast(a as decimal(18,4))) as z from t",
        "select sum(case when a > 0.5 then 1 else 0 end) filter (where b is not null) as x from t",
        "select lag(a) over (partition by k order by a nulls last, id nulls last) as x from t",
        "select sum(a) over (partition by k order by a nulls last
            rows between unbounded preceding and current row) as x from t",
        "select coalesce(a.k, b.k) as k from a full join b on a.k = b.k",
        "select a.k from a left join b using (k) cross join run",
        "select substr(a, 1, 3) || '/' || split_part(b, '-', 2) as x from t",
        "select day + interval '1' day as x from t where day between date '2024-01-01' and as_of",
        "select k from a where k in (select k from b) union all select k from c",
        "select try_cast(a as bigint) as x, nullif(a, '') as y, greatest(b, c) as z from t",
    ] {
        let told: Vec<_> = lint::sql("x.sql", sql).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{sql}: {told:?}");
    }
}

/// Goal: headers, contracts and the direction of the flow. Method: one wrong file each, laid over
/// the embedded ones, must give one problem that names the file.
#[test]
fn headers_contracts_and_the_flow_are_checked() {
    let contract = "description = \"x\"\ngrain = [\"a\"]\n[[column]]\nname = \"a\"\ntype = \"text\"\n\
                    description = \"x\"\n";
    for (path, text, says) in [
        ("sql/measure/m.sql", "select a from current_orders", "says not what one row is"),
        ("sql/measure/m.sql", "-- One row.\nselect a from current_orders", "makes a row unique"),
        (
            "sql/measure/m.sql",
            "-- One row.\n-- grain: a\nselect a from raw_asknicely__responses",
            "is not resolved yet",
        ),
        (
            "sql/measure/m.sql",
            "-- One row.\n-- grain: a\nselect a from staged_orders",
            "is not resolved yet",
        ),
        (
            "sql/measure/m.sql",
            "-- One row.\n-- grain: a\nselect a from load_reconciliation",
            "of the later layer assemble",
        ),
        (
            "sql/stage/asknicely/stg_asknicely__x.sql",
            "-- One row.\n-- grain: a\n-- canonical: orders\nselect a from raw_shopify__orders",
            "is a staging model and reads",
        ),
        (
            "sql/stage/asknicely/stg_asknicely__x.sql",
            "-- One row.\n-- grain: a\nselect a from raw_asknicely__responses",
            "says not which table it fills",
        ),
        (
            "sql/stage/asknicely/stg_asknicely__x.sql",
            "-- One row.\n-- grain: a\n-- canonical: orders\nselect a from raw_asknicely__typo",
            "which no spec gives",
        ),
        (
            "sql/stage/shopify/stg_shopify__x.sql",
            "-- One row.\n-- grain: a\n-- canonical: orders\nselect a from raw_shopify__orders cross join raw_shopify__orders_ui",
            "reads more than one raw table",
        ),
        ("sql/assemble/m.sql", "-- One row.\n-- grain: b\nselect a from x", "has the grain `b`"),
        ("sql/assemble/m.toml", "grain = 3\nfoo = 1", "foo: there is no such field"),
        ("sql/assemble/m.toml", &contract.replace("\"a\"", "\"order\""), "is a reserved word"),
        ("sql/assemble/m.toml", &contract.replace("\"a\"", "\"Camel\""), "have to be quoted"),
        ("sql/stage/asknicely/x.toml", "description = 3", "x.toml: description: is a whole number"),
    ] {
        let mut files = Files::embedded();
        files.insert("sql/assemble/m.toml", contract);
        files.insert(path, text);
        let (_, problems) = Catalog::read(&files);
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|one| one.contains(says)), "{path}: {text}: {told:?}");
    }
}

/// `docs/tables.md` is written from the contracts; `UPDATE_GOLDENS=1` writes it.
#[test]
fn the_tables_in_docs_are_those_of_the_contracts() {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let mut text = String::from(
        "# Tables\n\nWhat a release holds, written from the contracts in `sql/`.\n\
         Read them by `catalog/views.sql` of the warehouse, by their Delta logs, or from an export; \
         never by listing `tables/`, where files of other releases lie too.\n",
    );
    for table in catalog.tables.values().filter(|table| table.published) {
        let contract = &table.contract;
        text.push_str(&format!("\n## `{}`\n\n{}\n", contract.name, contract.description));
        text.push_str(&format!("\nGrain: {}.", contract.grain.join(", ")));
        if !contract.partition.is_empty() {
            text.push_str(&format!(" Partition: {}.", contract.partition.join(", ")));
        }
        text.push_str("\n\n| column | type | what |\n|---|---|---|\n");
        for column in &contract.columns {
            let kind = format!("{:?}", column.kind).to_lowercase();
            let personal = if column.pii { " Personal." } else { "" };
            let words = column.description.replace('|', "\\|");
            text.push_str(&format!("| `{}` | {kind} | {words}{personal} |\n", column.name));
        }
    }
    golden("docs/tables.md", &text);
}

fn golden(path: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, text).expect("the golden file");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE_GOLDENS=1 writes it", path.display());
}

/// Editors read these files; `UPDATE_GOLDENS=1` writes them.
#[test]
fn the_schemas_in_docs_are_those_of_the_types() {
    let plan = cxmart::plan::document::schema();
    for (name, schema) in [
        ("job", schema::schema_of::<Job>()),
        ("source-spec", schema::schema_of::<SourceSpec>()),
        ("plan", plan),
    ] {
        golden(&format!("docs/schemas/{name}.schema.json"), &format!("{schema:#}\n"));
    }
}

/// Goal: the history is loaded by the very job that runs at night. Method: both example jobs say
/// the same but for their limits.
#[test]
fn the_backfill_job_is_the_nightly_job_with_larger_batches() {
    let read = |name: &str| {
        let path = format!("{}/jobs/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut job: toml::Table =
            std::fs::read_to_string(path).expect("a job").parse().expect("TOML");
        (job.remove("limits").is_some(), job)
    };
    assert_eq!(read("nightly"), read("backfill"));
}
