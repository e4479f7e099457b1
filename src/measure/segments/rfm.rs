//! Recency, frequency and money by quintiles, and the field's names for their combinations.

/// Quintiles of one customer, 5 is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfm {
    pub recency: u8,
    pub frequency: u8,
    pub monetary: u8,
}

impl Rfm {
    /// `555` is the best.
    pub fn score(self) -> String {
        format!("{}{}{}", self.recency, self.frequency, self.monetary)
    }

    /// The name of its cell in the grid of recency by frequency that is in common use; money says
    /// how much, and names nothing.
    pub fn segment(self) -> &'static str {
        match (self.recency, self.frequency) {
            (5, 4 | 5) => "champions",
            (3 | 4, 4 | 5) => "loyal_customers",
            (4 | 5, 2 | 3) => "potential_loyalists",
            (5, _) => "new_customers",
            (4, _) => "promising",
            (3, 3) => "needs_attention",
            (3, _) => "about_to_sleep",
            (_, 5) => "cannot_lose_them",
            (_, 3 | 4) => "at_risk",
            _ => "hibernating",
        }
    }
}

/// Fifths by the share of customers below: equal values are never parted, and the least value is
/// in the first fifth however many have it.
fn fifths(values: &[f64]) -> Vec<u8> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let fifth = |value: &f64| {
        let below = sorted.partition_point(|other| other.total_cmp(value).is_lt());
        1 + (5 * below / sorted.len().max(1)) as u8
    };
    values.iter().map(fifth).collect()
}

/// Quintiles of customers given by days since the last order, orders and revenue.
pub fn quintiles(customers: &[(f64, f64, f64)]) -> Vec<Rfm> {
    let recency: Vec<f64> = customers.iter().map(|one| -one.0).collect();
    let frequency: Vec<f64> = customers.iter().map(|one| one.1).collect();
    let monetary: Vec<f64> = customers.iter().map(|one| one.2).collect();
    let fifths = fifths(&recency).into_iter().zip(fifths(&frequency)).zip(fifths(&monetary));
    fifths.map(|((recency, frequency), monetary)| Rfm { recency, frequency, monetary }).collect()
}
