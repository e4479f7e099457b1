//! Amounts that lie in lists inside a record, added up: an order's refunds.

use serde_json::Value;

/// A way into JSON: members by name, lists element by element.
#[derive(Debug, Clone)]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    member: String,
    /// Elements count whose member of the first name is the second.
    only: Vec<(String, String)>,
}

impl Path {
    /// Reads `transactions[kind=refund][status=success].amount`.
    pub fn parse(text: &str) -> Option<Self> {
        let step = |text: &str| {
            let (member, rest) = match text.split_once('[') {
                Some((member, rest)) => (member, rest.strip_suffix(']')?),
                None => (text, ""),
            };
            let only = rest.split("][").filter(|condition| !condition.is_empty());
            let only = only.map(|condition| {
                let (name, value) = condition.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            });
            let only = only.collect::<Option<_>>()?;
            (!member.is_empty()).then(|| Step { member: member.to_owned(), only })
        };
        Some(Self { steps: text.split('.').map(step).collect::<Option<_>>()? })
    }

    /// The sum of the amounts in `json`, zero where there is none.
    ///
    /// # Errors
    /// The rule that the JSON or an amount breaks.
    pub fn sum(
        &self,
        json: &str,
        amount: impl Fn(&str) -> Result<i128, &'static str>,
    ) -> Result<i128, &'static str> {
        let value: Value = serde_json::from_str(json).map_err(|_| "malformed_json")?;
        let mut found = Vec::new();
        collect(&value, &self.steps, &mut found);
        found.into_iter().try_fold(0_i128, |sum, value| {
            let value = match value {
                Value::String(text) => amount(text),
                other => amount(&other.to_string()),
            };
            sum.checked_add(value?).ok_or("too_large")
        })
    }
}

fn collect<'a>(value: &'a Value, steps: &[Step], found: &mut Vec<&'a Value>) {
    match (value, steps.split_first()) {
        (Value::Array(list), _) => {
            for element in list {
                collect(element, steps, found);
            }
        }
        (Value::Null, _) => {}
        (value, None) => found.push(value),
        (value, Some((step, rest))) => {
            let Some(member) = value.get(&step.member) else { return };
            match member {
                Value::Array(list) => {
                    for element in list.iter().filter(|element| step.keeps(element)) {
                        collect(element, rest, found);
                    }
                }
                one if step.keeps(one) => collect(one, rest, found),
                _ => {}
            }
        }
    }
}

impl Step {
    fn keeps(&self, element: &Value) -> bool {
        self.only.iter().all(|(name, wanted)| match element.get(name) {
            Some(Value::String(text)) => text == wanted,
            Some(other) => {
                let text = other.to_string();
                text == *wanted
            }
            None => false,
        })
    }
}
