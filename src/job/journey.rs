//! What a job says of visits and of the ways it wants to watch customers go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Job, Stages};

/// The funnel of a job that names none.
const DEFAULT: &str = "journey";
/// The stage that silence leads to: nobody is on the way there.
pub const LAPSED: &str = "lapsed";

/// How visits of web sites and apps are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Minutes without an event after which a session is over, where the source does not say.
    pub inactive_minutes: u32,
    /// Such a session ends at midnight of the job's zone, too.
    pub cut_at_midnight: bool,
    /// Such a session ends when another campaign leads there, too.
    pub cut_at_campaign: bool,
    /// Names of events that are a page or screen seen.
    pub page_events: Vec<String>,
    /// Names of events that make a session an engaged one.
    pub key_events: Vec<String>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            inactive_minutes: 30,
            cut_at_midnight: false,
            cut_at_campaign: false,
            page_events: ["page_view", "screen_view"].map(String::from).into(),
            key_events: vec!["purchase".into()],
        }
    }
}

/// Steps that customers are expected to take one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Funnel {
    pub name: String,
    /// In order; two at least.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// Steps count that are taken within so many days of the first.
    #[serde(default = "default_days")]
    pub days: u32,
    #[serde(default)]
    pub order: Order,
}

fn default_days() -> u32 {
    30
}

/// What may lie between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Anything.
    #[default]
    Loose,
    /// Anything but another step of the funnel.
    Strict,
}

/// What takes a customer one step on: an event that all lists fit which are not empty, or a stage
/// entered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    /// Stages of the journey, one of which is entered; a stage after them will do from the second
    /// step on. Stands alone.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Kinds of the timeline: `event`, `order`, `subscription_started`, …
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Names of web, app, campaign and loyalty events.
    #[serde(default)]
    pub events: Vec<String>,
    #[serde(default)]
    pub touchpoints: Vec<String>,
    #[serde(default)]
    pub channels: Vec<String>,
}

impl Step {
    fn stage(name: &str) -> Self {
        Self { name: name.to_owned(), stages: vec![name.to_owned()], ..Self::default() }
    }

    /// Whether events can take it.
    pub fn is_of_events(&self) -> bool {
        let lists = [&self.kinds, &self.events, &self.touchpoints, &self.channels];
        lists.iter().any(|list| !list.is_empty())
    }
}

impl Job {
    /// The funnels asked for, else one over the stages.
    pub fn funnels(&self) -> Vec<Funnel> {
        if self.funnels.is_empty() {
            over(&self.stages).into_iter().collect()
        } else {
            self.funnels.clone()
        }
    }
}

/// One step a stage; a single stage is no way.
fn over(stages: &Stages) -> Option<Funnel> {
    let steps = stages.order.iter().filter(|name| *name != LAPSED);
    let steps: Vec<Step> = steps.map(|name| Step::stage(name)).take(STEPS_MAX).collect();
    let (name, days) = (DEFAULT.to_owned(), stages.conversion_days);
    (steps.len() > 1).then_some(Funnel { name, steps, days, order: Order::Loose })
}

/// Steps of one funnel.
pub const STEPS_MAX: usize = 32;
/// Funnels of one job.
pub const FUNNELS_MAX: usize = 100;
