//! Who the churn ledger counts: its months, customer by customer.
//!
//! The same moves as in the ledger, carried for one customer alone, so that the rows of a cell add
//! up to it by construction. Months only: longer periods are made of them, and days would be as
//! many rows as customers times days.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::Calendar;
use super::churn::{Balance, Ledger, carry, moves};
use super::columns::{batch, counts, days, flags, maybe_days, money, texts};
use super::dimensions::{Known, Who};
use super::membership::Lived;
use super::{FoldError, Terms};

const TABLE: &str = "churn_ledger_customers";

/// Months of the customers of a bucket.
#[derive(Debug, Default)]
pub struct Months {
    customers: Vec<(String, Known)>,
    rows: Vec<Month>,
}

#[derive(Debug)]
struct Month {
    /// Place in `customers`.
    customer: usize,
    balance: Balance,
    churned_on: Option<i32>,
    silent_since: Option<i32>,
}

impl Months {
    /// Adds one life; `calendar` has months.
    pub fn add(
        &mut self,
        calendar: &Calendar,
        terms: &Terms,
        (id, who): (&str, &Who<'_>),
        lived: &Lived,
    ) {
        let Some(months) = calendar.periods().first() else { return };
        let mut ledger: Ledger = BTreeMap::new();
        for (period, moved) in moves(months, terms, lived) {
            ledger.entry((0, period)).or_default().add(moved);
        }
        let place = self.customers.len();
        let before = self.rows.len();
        for balance in carry(terms, &ledger, 0, months) {
            let is_idle = balance.n_start == 0 && balance.moves.is_none();
            if is_idle {
                continue;
            }
            let period = months.of(balance.start_day);
            let within = |day: i32| months.of(day) == period;
            let ended = lived.spans.iter().rev();
            let ended = ended.filter(|span| span.end.is_some_and(within));
            let last = ended.map(|span| (span.end, span.silent_since)).next();
            let silent_since = lived.spans.last().and_then(|span| span.silent_since);
            let silent_since = silent_since.filter(|_| balance.moves.at_risk > 0);
            self.rows.push(Month {
                customer: place,
                churned_on: last.and_then(|last| last.0),
                silent_since: last.and_then(|last| last.1).or(silent_since),
                balance,
            });
        }
        if self.rows.len() > before {
            self.customers.push((id.to_owned(), who.known()));
        }
    }

    /// Rows of `churn_ledger_customers`.
    ///
    /// # Errors
    /// A sum too large for money.
    pub fn batch(&self, terms: &Terms) -> Result<RecordBatch, FoldError> {
        let rows = &self.rows;
        let customer = |row: &Month| self.customers.get(row.customer);
        let count = |of: fn(&Balance) -> i64| counts(rows.iter().map(|row| Some(of(&row.balance))));
        let flag = |of: fn(&Balance) -> bool| flags(rows.iter().map(|row| of(&row.balance)));
        let amount = |of: fn(&Balance) -> i128| {
            let shown = |row: &Month| row.balance.has_contract.then(|| of(&row.balance));
            money(TABLE, rows.iter().map(shown))
        };
        let dimension = |place: usize| {
            texts(rows.iter().map(|row| customer(row).and_then(|(_, known)| known.value(place))))
        };
        let currency = rows.iter().map(|row| row.balance.has_contract.then_some(&terms.currency));
        batch(
            TABLE,
            vec![
                ("period_start", days(rows.iter().map(|row| row.balance.start_day))),
                ("customer_id", texts(rows.iter().map(|row| customer(row).map(|(id, _)| id)))),
                ("period_grain", texts(rows.iter().map(|_| Some("month")))),
                ("acquisition_channel", dimension(0)),
                ("country", dimension(1)),
                ("relationship", dimension(2)),
                ("source", dimension(3)),
                ("is_start", flag(|balance| balance.n_start > 0)),
                ("is_new", flag(|balance| balance.moves.new > 0)),
                ("n_resurrected", count(|balance| balance.moves.resurrected)),
                ("n_churned", count(|balance| balance.moves.churned)),
                ("is_churned_of_start", flag(|balance| balance.moves.churned_of_start > 0)),
                ("is_end", flag(|balance| balance.n_start + balance.moves.customers() > 0)),
                ("is_at_risk", flag(|balance| balance.moves.at_risk > 0)),
                ("churned_on", maybe_days(rows.iter().map(|row| row.churned_on))),
                ("silent_since", maybe_days(rows.iter().map(|row| row.silent_since))),
                ("currency", texts(currency)),
                ("mrr_start", amount(|balance| balance.mrr_start)?),
                ("mrr_new", amount(|balance| balance.moves.mrr_new)?),
                ("mrr_expansion", amount(|balance| balance.moves.mrr_expansion)?),
                ("mrr_contraction", amount(|balance| balance.moves.mrr_contraction)?),
                ("mrr_churned", amount(|balance| balance.moves.mrr_churned)?),
                ("mrr_reactivated", amount(|balance| balance.moves.mrr_reactivated)?),
                ("mrr_end", amount(|balance| balance.mrr_start + balance.moves.mrr())?),
            ],
        )
    }
}
