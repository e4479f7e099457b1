//! What would have to be made again if something changed, without changing it.

use std::collections::BTreeSet;

use super::graph::{staged, with_views};
use super::{Plan, Reason};
use crate::catalog::Catalog;
use crate::job::schema::nearest;

/// Marks what a change to `name` makes due: a step, a table, a model, a view, a source spec
/// (`hubspot/contacts`), or an object by its url.
///
/// # Errors
/// Nobody knows the name; what comes nearest, if anything does.
pub fn suppose(plan: &mut Plan, catalog: &Catalog, name: &str) -> Result<(), Option<String>> {
    let mut dirty = staged_by(plan, catalog, name);
    let mut found = !dirty.is_empty();
    for step in &mut plan.steps {
        let node = &step.node;
        let model = catalog.models.get(&node.name);
        let views = model.map(|model| with_views(catalog, model)).unwrap_or_default();
        let is_it = node.name == name
            || node.outputs.iter().any(|output| output == name)
            || views.iter().any(|view| view.name == name);
        let new: Vec<_> =
            node.inputs.iter().filter(|input| dirty.contains(*input)).cloned().collect();
        found |= is_it;
        if !is_it && new.is_empty() {
            continue;
        }
        dirty.extend(node.outputs.iter().cloned());
        if step.reason == Reason::Unchanged {
            step.reason = if is_it { Reason::Supposed } else { Reason::Inputs(new) };
        }
    }
    if found {
        return Ok(());
    }
    let steps = plan.steps.iter().map(|step| step.node.name.as_str());
    let known = steps.chain(catalog.specs.keys().map(String::as_str));
    Err(nearest(name, known).map(str::to_owned))
}

/// Staged tables that come out differently.
fn staged_by(plan: &Plan, catalog: &Catalog, name: &str) -> BTreeSet<String> {
    let of_object = plan.batches.iter().find(|batch| batch.objects.iter().any(|o| o.url == name));
    let spec = catalog.specs.get(of_object.map_or(name, |batch| batch.spec.as_str()));
    let models = spec.map(|spec| catalog.staging_models(spec)).unwrap_or_default();
    let by_model = catalog.models.get(name).into_iter();
    let models = models.into_iter().chain(by_model);
    models.filter_map(|model| model.header.canonical.as_deref().map(staged)).collect()
}
