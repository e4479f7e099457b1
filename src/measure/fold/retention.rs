//! The fold behind everything that asks when somebody was a customer: the churn ledger and who is
//! in it, retention cohorts, survival, renewals, and churn after feedback.

use std::sync::Arc;

use super::calendar::Calendar;
use super::churn::Churn;
use super::churn_customers::Months;
use super::cohorts::Cohorts;
use super::contracts::{Contracts, Renewals};
use super::feedback::{Feedback, Windows};
use super::membership::Membership;
use super::survival::Survival;
use super::{Customer, Event, Fold, Terms};

/// Makes them.
#[derive(Debug, Clone)]
pub struct Retention {
    pub terms: Terms,
    /// With the periods of the ledger.
    pub ledger: Arc<Calendar>,
    /// With the periods that cohorts start in.
    pub cohorts: Arc<Calendar>,
    /// With months alone.
    pub months: Arc<Calendar>,
}

/// Counted over the customers of a bucket, or of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    pub churn: Churn,
    pub cohorts: Cohorts,
    pub survival: Survival,
    pub renewals: Renewals,
    pub feedback: Feedback,
}

/// Counts, and rows of single customers.
#[derive(Debug, Default)]
pub struct Rows {
    pub counted: Counted,
    pub months: Months,
    pub contracts: Contracts,
}

impl Counted {
    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self) {
        self.churn.merge(other.churn);
        self.cohorts.merge(&other.cohorts);
        self.survival.merge(other.survival);
        self.renewals.merge(other.renewals);
        self.feedback.merge(&other.feedback);
    }
}

impl Fold for Retention {
    type State = Membership;
    type Rows = Rows;

    fn init(&self) -> Membership {
        Membership::default()
    }

    fn step(&self, state: &mut Membership, event: &Event<'_>) {
        state.step(&self.terms, &Windows::new(&self.terms), event);
    }

    fn emit(&self, mut state: Membership, customer: Customer<'_>, rows: &mut Rows) {
        let lived = state.lived(&self.terms);
        let (terms, who) = (&self.terms, state.who(customer));
        let counted = &mut rows.counted;
        counted.churn.add(&self.ledger, terms, &who, &lived);
        counted.cohorts.add(&self.cohorts, terms, &lived);
        counted.survival.add(&self.cohorts, terms, &who, &lived);
        counted.renewals.add(&self.cohorts, terms, &who, &lived);
        counted.feedback.add(terms, &lived);
        rows.months.add(&self.months, terms, (customer.id, &who), &lived);
        rows.contracts.add(terms, (customer.id, &who), &lived);
    }
}
