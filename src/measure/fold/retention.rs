//! The fold behind the churn ledger and the retention cohorts: both ask when somebody was a
//! customer.

use std::sync::Arc;

use super::calendar::Calendar;
use super::churn::Churn;
use super::cohorts::Cohorts;
use super::membership::Membership;
use super::{Customer, Event, Fold, Terms};

/// Makes `churn_ledger` and `retention_cohorts`.
#[derive(Debug, Clone)]
pub struct Retention {
    pub terms: Terms,
    /// With the periods of the ledger.
    pub ledger: Arc<Calendar>,
    /// With the periods that cohorts start in.
    pub cohorts: Arc<Calendar>,
}

/// Counted over the customers of a bucket, or of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub churn: Churn,
    pub cohorts: Cohorts,
}

impl Rows {
    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self) {
        self.churn.merge(other.churn);
        self.cohorts.merge(&other.cohorts);
    }
}

impl Fold for Retention {
    type State = Membership;
    type Rows = Rows;

    fn init(&self) -> Membership {
        Membership::default()
    }

    fn step(&self, state: &mut Membership, event: &Event<'_>) {
        state.step(&self.terms, event);
    }

    fn emit(&self, mut state: Membership, customer: Customer<'_>, rows: &mut Rows) {
        let lived = state.lived(&self.terms);
        rows.churn.add(&self.ledger, &state.who(customer), &lived);
        rows.cohorts.add(&self.cohorts, &self.terms, &lived);
    }
}
