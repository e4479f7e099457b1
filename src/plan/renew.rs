//! Steps that are done again because somebody asks for it: a model that is fitted once and kept.

use std::collections::BTreeSet;

use super::{Plan, Reason};

/// The step that keeps the parameters of matching.
pub const RESOLVE: &str = "resolve";

impl Plan {
    /// Plans a step, and all that rest on it, whatever they were made from. A day before the horizon
    /// is not planned otherwise: it shows what the newest release knows.
    pub fn renew(&mut self, name: &str) {
        if self.is_past {
            return;
        }
        let mut dirty: BTreeSet<String> = BTreeSet::new();
        for step in &mut self.steps {
            if step.reason == Reason::Unchanged {
                let inputs = step.node.inputs.iter().filter(|input| dirty.contains(*input));
                let inputs: Vec<String> = inputs.cloned().collect();
                if step.node.name == name {
                    step.reason = Reason::ChangedCode;
                } else if !inputs.is_empty() {
                    step.reason = Reason::Inputs(inputs);
                }
            }
            if step.reason != Reason::Unchanged {
                dirty.extend(step.node.outputs.iter().cloned());
            }
        }
    }
}
