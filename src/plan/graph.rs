//! The steps of a job as a graph over tables, in an order in which they can run.

use std::collections::{BTreeMap, BTreeSet};

use super::RUN_TABLE;
use super::native::{NATIVE, Native};
use crate::catalog::{Catalog, Layer, Model};
use crate::job::{Job, Problem};
use crate::table::hash::{Hash, Hasher};

#[derive(Debug, Clone, Copy)]
pub enum NodeKind {
    /// Newest version of each key of a canonical table.
    Current,
    Native(&'static Native),
    /// A SQL model with a contract.
    Model,
}

/// One step over whole tables.
#[derive(Debug, Clone)]
pub struct Node {
    pub name: String,
    pub kind: NodeKind,
    /// Tables, and [`RUN_TABLE`].
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Of its code, contract and options.
    pub code: Hash,
}

/// Nodes in an order in which they can run.
#[derive(Debug, Clone)]
pub struct Graph {
    pub nodes: Vec<Node>,
}

/// What names of staged rows begin with.
pub const STAGED: &str = "staged_";

/// Name of the staged rows of a canonical table.
pub fn staged(table: &str) -> String {
    format!("{STAGED}{table}")
}

/// Rejects of all objects; staging makes it.
pub const REJECTS: &str = "staged_rejects";
/// Headers and members that staged objects had.
pub const SEEN: &str = "staged_seen_columns";
/// Warnings about objects that were staged.
pub const WARNINGS: &str = "staged_warnings";
/// One row per object version; staging makes it.
pub const OBJECTS: &str = "object_ledger";
/// One row per person who is forgotten; staging makes it of the registry.
pub const FORGOTTEN: &str = "forgotten_customers";

/// Name of the newest versions of a canonical table, as models read them.
pub fn current(table: &str) -> String {
    format!("current_{table}")
}

/// Name of all versions of a canonical table.
pub fn versions(table: &str) -> String {
    format!("versions_{table}")
}

impl Graph {
    /// # Errors
    /// A table nobody makes, two makers of one table, or a circle.
    pub fn new(job: &Job, catalog: &Catalog) -> Result<Self, Vec<Problem>> {
        let mut nodes = Vec::new();
        for (table, canonical) in catalog.canonical() {
            let name = &table.contract.name;
            let mut code = Hasher::new("current");
            code.part(CURRENT_VERSION.to_le_bytes())
                .part(format!("{:?}{canonical:?}", table.contract))
                // Of the local dates that staged rows get.
                .part(&job.time_zone);
            nodes.push(Node {
                name: current(name),
                kind: NodeKind::Current,
                inputs: vec![staged(name)],
                outputs: vec![current(name), versions(name)],
                code: code.finish(),
            });
        }
        for native in NATIVE {
            let mut code = Hasher::new("native");
            code.part(native.name).part(native.version.to_le_bytes()).part((native.options)(job));
            for output in native.outputs {
                if let Some(table) = catalog.tables.get(*output) {
                    code.part(format!("{:?}", table.contract));
                }
            }
            let mut inputs = BTreeSet::new();
            for &input in native.inputs {
                match catalog.models.get(input).filter(|_| is_view(catalog, input)) {
                    Some(view) => inputs.extend(through_views(catalog, view, &mut code)),
                    None => drop(inputs.insert(input.to_owned())),
                }
            }
            nodes.push(Node {
                name: native.name.to_owned(),
                kind: NodeKind::Native(native),
                inputs: inputs.into_iter().collect(),
                outputs: native.outputs.iter().map(|&name| name.to_owned()).collect(),
                code: code.finish(),
            });
        }
        for model in catalog.models.values() {
            if let Some(node) = model_node(catalog, model) {
                nodes.push(node);
            }
        }
        sort(nodes, catalog)
    }
}

/// Raised when `current` gives other rows for the same staged rows.
const CURRENT_VERSION: u32 = 1;

/// The node of a model that is written to files; views and checks have none.
fn model_node(catalog: &Catalog, model: &Model) -> Option<Node> {
    let table = catalog.tables.get(&model.name)?;
    if matches!(model.layer, Layer::Stage | Layer::Check) {
        return None;
    }
    let mut code = Hasher::new("model");
    code.part(format!("{:?}", table.contract));
    let inputs = through_views(catalog, model, &mut code);
    Some(Node {
        name: model.name.clone(),
        kind: NodeKind::Model,
        inputs: inputs.into_iter().collect(),
        outputs: vec![model.name.clone()],
        code: code.finish(),
    })
}

/// The tables a model reads, its views looked through; their code goes into `code`.
fn through_views(catalog: &Catalog, model: &Model, code: &mut Hasher) -> BTreeSet<String> {
    let mut inputs = BTreeSet::new();
    for part in with_views(catalog, model) {
        code.part(part.code_hash.as_str());
        inputs.extend(part.references.iter().filter(|name| !is_view(catalog, name)).cloned());
    }
    inputs
}

/// A model without a contract is not written; it is a view inside those that read it.
pub fn is_view(catalog: &Catalog, name: &str) -> bool {
    catalog.models.contains_key(name) && !catalog.tables.contains_key(name)
}

/// The model and all views it rests on, each after those it reads itself.
pub fn with_views<'a>(catalog: &'a Catalog, model: &'a Model) -> Vec<&'a Model> {
    fn visit<'a>(
        catalog: &'a Catalog,
        model: &'a Model,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a Model>,
    ) {
        if !seen.insert(&model.name) {
            return;
        }
        for name in &model.references {
            if let Some(below) = catalog.models.get(name).filter(|_| is_view(catalog, name)) {
                visit(catalog, below, seen, order);
            }
        }
        order.push(model);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    visit(catalog, model, &mut seen, &mut order);
    order
}

fn sort(nodes: Vec<Node>, catalog: &Catalog) -> Result<Graph, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut makers: BTreeMap<String, usize> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for output in &node.outputs {
            if makers.insert(output.clone(), i).is_some() {
                problems.push(Problem::new(&node.name, format!("`{output}` is made twice")));
            }
        }
    }
    let staged = catalog.canonical().map(|(table, _)| staged(&table.contract.name));
    let sources: BTreeSet<String> =
        staged.chain([REJECTS, SEEN, WARNINGS, OBJECTS, FORGOTTEN].map(String::from)).collect();
    for node in &nodes {
        for input in &node.inputs {
            if input != RUN_TABLE && !sources.contains(input) && !makers.contains_key(input) {
                problems.push(
                    Problem::new(&node.name, format!("reads `{input}`, which nothing makes"))
                        .hint("check the name; canonical tables are read as `current_<table>`"),
                );
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut ordered: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut made: BTreeSet<String> = sources;
    made.insert(RUN_TABLE.to_owned());
    let mut left = nodes;
    while !left.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|node| node.inputs.iter().all(|name| made.contains(name)));
        if ready.is_empty() {
            let names: Vec<_> = waiting.iter().map(|node| node.name.clone()).collect();
            return Err(vec![Problem::new(names.join(", "), "these read each other in a circle")]);
        }
        made.extend(ready.iter().flat_map(|node| node.outputs.iter().cloned()));
        ordered.extend(ready);
        left = waiting;
    }
    Ok(Graph { nodes: ordered })
}
