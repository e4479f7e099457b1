//! Features of a customer as models take them: numbers that are always there, of a like size.

use crate::measure::features::{Described, Row};

/// What models are told, by name; those of `customer_features`, and what is made of them.
pub const INPUTS: [&str; 26] = [
    "days_silent",
    "silence_to_mean_gap",
    "mean_gap_days",
    "tenure_days",
    "n_active_days_90",
    "n_active_days_365",
    "n_returns",
    "n_orders_90",
    "n_orders_365",
    "n_orders",
    "days_since_order",
    "revenue_90",
    "revenue_365",
    "average_order_value",
    "n_refunds_365",
    "n_conversations_90",
    "n_conversations_365",
    "n_open_conversations",
    "last_score",
    "has_answered",
    "n_asked_90",
    "n_events_90",
    "n_messages_90",
    "is_contractual",
    "contract_days",
    "mrr",
];

type Numbers = [f64; INPUTS.len()];

/// Inputs of customers, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// As they are told to people.
    natural: Vec<Numbers>,
    /// As models take them.
    scaled: Vec<f64>,
}

impl Inputs {
    pub fn new(customers: &Described, inactive_days: u32) -> Self {
        let natural: Vec<Numbers> =
            customers.rows().map(|row| natural(row, f64::from(inactive_days))).collect();
        let scaled = natural.iter().flat_map(scaled).collect();
        Self { natural, scaled }
    }

    pub fn len(&self) -> usize {
        self.natural.len()
    }

    /// Of one customer, as models take them.
    pub fn row(&self, place: usize) -> &[f64] {
        let from = place * INPUTS.len();
        self.scaled.get(from..from + INPUTS.len()).unwrap_or(&[])
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.scaled.chunks_exact(INPUTS.len())
    }

    /// One input of one customer, as it is told to people.
    pub fn natural(&self, place: usize, input: usize) -> Option<f64> {
        self.natural.get(place)?.get(input).copied()
    }

    pub fn column(&self, input: usize) -> Vec<f64> {
        self.scaled.iter().skip(input).step_by(INPUTS.len()).copied().collect()
    }
}

/// Where there is nothing to measure: the gap of one who came once is the patience of the ledger,
/// an order that never was is as long ago as the customer is known, and no answer is a middling
/// one, which `has_answered` tells from a real one.
fn natural(row: Row<'_>, inactive_days: f64) -> Numbers {
    let gap = row.get("mean_gap_days").unwrap_or(inactive_days);
    INPUTS.map(|name| match name {
        "silence_to_mean_gap" => row.or_zero("days_silent") / gap.max(1.0),
        "mean_gap_days" => gap,
        "days_since_order" => row.get(name).unwrap_or(row.or_zero("tenure_days")),
        "average_order_value" => row.or_zero("revenue_total") / row.or_zero("n_orders").max(1.0),
        "last_score" => row.get(name).unwrap_or(0.5),
        "has_answered" => f64::from(u8::from(row.get("last_score").is_some())),
        "is_contractual" => f64::from(u8::from(row.is_contractual())),
        name => row.or_zero(name),
    })
}

/// Of counts and money the logarithm, on either side of zero; shares and flags stay.
fn scaled(natural: &Numbers) -> Numbers {
    let mut scaled = *natural;
    for (x, name) in scaled.iter_mut().zip(INPUTS) {
        if !matches!(name, "last_score" | "has_answered" | "is_contractual") {
            *x = x.signum() * libm::log1p(x.abs());
        }
    }
    scaled
}
