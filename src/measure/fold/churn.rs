//! The churn ledger: customers and recurring revenue that came, stayed and went, per period.
//!
//! `n_start + n_new + n_resurrected - n_churned = n_end` holds because every span of a life adds
//! one at its start and takes one at its end, and nothing else is counted. Counts of customers are
//! never suppressed, or the ledger would not balance; rates of few customers are.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::calendar::{Calendar, Periods};
use super::columns::{batch, counts, days, flags, money, money_share, share, shares, texts};
use super::dimensions::{Split, Who};
use super::membership::Lived;
use super::{FoldError, Terms};
use crate::measure::kernel::change::of_difference;
use crate::measure::kernel::interval::{Interval, poisson_rate, wilson};

const TABLE: &str = "churn_ledger";

/// What happened in one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moves {
    pub new: i64,
    pub resurrected: i64,
    pub churned: i64,
    pub churned_of_start: i64,
    pub at_risk: i64,
    pub mrr_new: i128,
    pub mrr_expansion: i128,
    pub mrr_contraction: i128,
    pub mrr_churned: i128,
    pub mrr_reactivated: i128,
    pub has_contract: bool,
}

impl Moves {
    pub(super) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.resurrected += other.resurrected;
        self.churned += other.churned;
        self.churned_of_start += other.churned_of_start;
        self.at_risk += other.at_risk;
        self.mrr_new += other.mrr_new;
        self.mrr_expansion += other.mrr_expansion;
        self.mrr_contraction += other.mrr_contraction;
        self.mrr_churned += other.mrr_churned;
        self.mrr_reactivated += other.mrr_reactivated;
        self.has_contract |= other.has_contract;
    }

    /// Nobody came or went, and no money moved.
    pub(super) fn is_none(&self) -> bool {
        *self == Self { has_contract: self.has_contract, ..Self::default() }
    }

    pub(super) fn customers(&self) -> i64 {
        self.new + self.resurrected - self.churned
    }

    pub(super) fn mrr(&self) -> i128 {
        self.mrr_new + self.mrr_expansion + self.mrr_reactivated
            - self.mrr_contraction
            - self.mrr_churned
    }
}

/// Moves by grain (its place in the calendar) and period.
pub(super) type Ledger = BTreeMap<(usize, usize), Moves>;

/// The ledger of any number of customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Churn(Split<Ledger>);

impl Churn {
    pub fn add(&mut self, calendar: &Calendar, terms: &Terms, who: &Who<'_>, lived: &Lived) {
        let moves: Vec<_> = calendar
            .periods()
            .iter()
            .enumerate()
            .flat_map(|(grain, periods)| {
                let moves = moves(periods, terms, lived).into_iter();
                moves.map(move |(period, moves)| ((grain, period), moves))
            })
            .collect();
        if moves.is_empty() {
            return;
        }
        self.0.each(who, |ledger| {
            for (key, moved) in &moves {
                ledger.entry(*key).or_default().add(*moved);
            }
        });
    }

    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0, |mine, theirs| {
            for (key, moves) in theirs {
                mine.entry(key).or_default().add(moves);
            }
        });
    }

    /// Rows of `churn_ledger`, from the first period with a customer to the horizon's.
    ///
    /// # Errors
    /// A sum too large for money.
    pub fn batch(&self, calendar: &Calendar, terms: &Terms) -> Result<RecordBatch, FoldError> {
        let mut rows = Vec::new();
        for (dimension, value, ledger) in self.0.iter() {
            for (grain, periods) in calendar.periods().iter().enumerate() {
                rows.extend(carry(terms, ledger, grain, periods).into_iter().map(|balance| Row {
                    grain: periods.grain.name(),
                    dimension,
                    value,
                    balance,
                }));
            }
        }
        columns(&rows, terms)
    }
}

/// What one life does in each period.
pub(super) fn moves(periods: &Periods, terms: &Terms, lived: &Lived) -> Vec<(usize, Moves)> {
    let mut moves = Vec::with_capacity(lived.spans.len() * 2);
    for (i, span) in lived.spans.iter().enumerate() {
        let start = periods.of(span.start);
        let has_contract = lived.is_contractual;
        let (new, resurrected) = if i == 0 { (1, 0) } else { (0, 1) };
        moves.push((start, Moves { new, resurrected, has_contract, ..Moves::default() }));
        if let Some(end) = span.end {
            let end = periods.of(end);
            let churned_of_start = i64::from(end != start);
            moves.push((end, Moves { churned: 1, churned_of_start, ..Moves::default() }));
        }
    }
    if lived.is_at_risk(terms) {
        let now = periods.of(terms.horizon_day);
        moves.push((now, Moves { at_risk: 1, ..Moves::default() }));
    }
    let (mut before, mut had) = (0, false);
    for changes in lived.mrr.chunk_by(|a, b| periods.of(a.0) == periods.of(b.0)) {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { continue };
        let (delta, after) = ((last.1 - before).abs(), last.1);
        let none = Moves::default();
        let moved = match (before, after) {
            (0, 0) => none,
            (0, _) if !had => Moves { mrr_new: delta, ..none },
            (0, _) => Moves { mrr_reactivated: delta, ..none },
            (_, 0) => Moves { mrr_churned: delta, ..none },
            _ if after > before => Moves { mrr_expansion: delta, ..none },
            _ => Moves { mrr_contraction: delta, ..none },
        };
        moves.push((periods.of(first.0), moved));
        had |= changes.iter().any(|change| change.1 > 0);
        before = after;
    }
    moves
}

/// A period with what was carried into it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Balance {
    pub start_day: i32,
    /// The horizon lies in it.
    pub is_last: bool,
    pub is_complete: bool,
    pub n_start: i64,
    pub mrr_start: i128,
    pub moves: Moves,
    /// Somebody had a contract by then; otherwise money columns say nothing.
    pub has_contract: bool,
}

pub(super) fn carry(
    terms: &Terms,
    ledger: &Ledger,
    grain: usize,
    periods: &Periods,
) -> Vec<Balance> {
    let Some(((_, first), _)) = ledger.range((grain, 0)..(grain + 1, 0)).next() else {
        return Vec::new();
    };
    let (mut customers, mut mrr, mut has_contract) = (0, 0, false);
    let mut rows = Vec::new();
    let last = periods.of(terms.horizon_day);
    for period in *first..=last {
        let moves = ledger.get(&(grain, period)).copied().unwrap_or_default();
        has_contract |= moves.has_contract;
        rows.push(Balance {
            start_day: periods.start(period),
            is_last: period == last,
            is_complete: periods.end(period) <= terms.horizon_day + 1,
            n_start: customers,
            mrr_start: mrr,
            moves,
            has_contract,
        });
        customers += moves.customers();
        mrr += moves.mrr();
    }
    rows
}

fn gross_interval(balance: &Balance, confidence: f64) -> Option<Interval> {
    let part = u64::try_from(balance.moves.churned_of_start).ok()?;
    let whole = u64::try_from(balance.n_start).ok().filter(|n| *n > 0)?;
    Some(wilson(part, whole, confidence))
}

/// Net churn is the share of those at the start who left, less those who came and stayed per one
/// at the start: a binomial and a Poisson count that know nothing of each other.
fn net_interval(balance: &Balance, confidence: f64) -> Option<Interval> {
    let moves = &balance.moves;
    let left = share(moves.churned_of_start, balance.n_start)?;
    let stayed = moves.customers() + moves.churned_of_start;
    let came = share(stayed, balance.n_start)?;
    let arrivals = poisson_rate(u64::try_from(stayed).ok()?, balance.n_start as f64, confidence);
    Some(of_difference((left, gross_interval(balance, confidence)?), (came, arrivals)))
}

struct Row<'a> {
    grain: &'static str,
    dimension: &'static str,
    value: &'a str,
    balance: Balance,
}

fn columns(rows: &[Row<'_>], terms: &Terms) -> Result<RecordBatch, FoldError> {
    let count = |of: fn(&Balance) -> i64| counts(rows.iter().map(|row| Some(of(&row.balance))));
    let amount = |of: fn(&Balance) -> i128| {
        money(TABLE, rows.iter().map(|row| row.balance.has_contract.then(|| of(&row.balance))))
    };
    let few = |row: &Row<'_>| row.balance.n_start < terms.min_cell;
    let rate = |of: &dyn Fn(&Balance) -> Option<f64>| {
        shares(rows.iter().map(|row| if few(row) { None } else { of(&row.balance) }))
    };
    let gross = |balance: &Balance| gross_interval(balance, terms.confidence);
    let net = |balance: &Balance| net_interval(balance, terms.confidence);
    let at_risk = |row: &Row<'_>| row.balance.is_last.then_some(row.balance.moves.at_risk);
    let lost = |balance: &Balance| balance.moves.mrr_contraction + balance.moves.mrr_churned;
    let currency = rows.iter().map(|row| row.balance.has_contract.then_some(&terms.currency));
    batch(
        TABLE,
        vec![
            ("period_grain", texts(rows.iter().map(|row| Some(row.grain)))),
            ("period_start", days(rows.iter().map(|row| row.balance.start_day))),
            ("dimension", texts(rows.iter().map(|row| Some(row.dimension)))),
            ("dimension_value", texts(rows.iter().map(|row| Some(row.value)))),
            ("definition_id", texts(rows.iter().map(|_| Some("churn")))),
            ("definition_version", counts(rows.iter().map(|_| Some(1)))),
            ("is_complete", flags(rows.iter().map(|row| row.balance.is_complete))),
            ("n_start", count(|balance| balance.n_start)),
            ("n_new", count(|balance| balance.moves.new)),
            ("n_resurrected", count(|balance| balance.moves.resurrected)),
            ("n_churned", count(|balance| balance.moves.churned)),
            ("n_churned_of_start", count(|balance| balance.moves.churned_of_start)),
            ("n_end", count(|balance| balance.n_start + balance.moves.customers())),
            ("churn_gross", rate(&|b| share(b.moves.churned_of_start, b.n_start))),
            ("churn_gross_low", rate(&|b| Some(gross(b)?.low))),
            ("churn_gross_high", rate(&|b| Some(gross(b)?.high))),
            ("churn_net", rate(&|b| share(-b.moves.customers(), b.n_start))),
            ("is_suppressed", flags(rows.iter().map(few))),
            ("currency", texts(currency)),
            ("mrr_start", amount(|b| b.mrr_start)?),
            ("mrr_new", amount(|b| b.moves.mrr_new)?),
            ("mrr_expansion", amount(|b| b.moves.mrr_expansion)?),
            ("mrr_contraction", amount(|b| b.moves.mrr_contraction)?),
            ("mrr_churned", amount(|b| b.moves.mrr_churned)?),
            ("mrr_reactivated", amount(|b| b.moves.mrr_reactivated)?),
            ("mrr_end", amount(|b| b.mrr_start + b.moves.mrr())?),
            ("grr", rate(&|b| money_share(b.mrr_start - lost(b), b.mrr_start))),
            (
                "nrr",
                rate(&|b| money_share(b.mrr_start + b.moves.mrr_expansion - lost(b), b.mrr_start)),
            ),
            ("quick_ratio", rate(&|b| money_share(b.moves.mrr() + lost(b), lost(b)))),
            ("n_at_risk", counts(rows.iter().map(at_risk))),
            ("churn_net_low", rate(&|b| Some(net(b)?.low))),
            ("churn_net_high", rate(&|b| Some(net(b)?.high))),
        ],
    )
}
