//! Rates of exchange once more: for every day and currency, what anybody quoted is looked through.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};

use super::world::{Row, World};

/// What one unit of a currency is worth in the job's, by currency and day.
pub type Rates = BTreeMap<(String, NaiveDate), f64>;

/// The quotes of one day, by pair: of several sources that of the first by name.
type Quotes = BTreeMap<(String, String), f64>;

/// One currency in another by the quote of the pair, else by the inverse of the other way; and how
/// far it is fetched.
fn leg(quotes: &Quotes, from: &str, to: &str) -> Vec<(u8, f64)> {
    let quote = |from: &str, to: &str| quotes.get(&(from.to_owned(), to.to_owned()));
    let direct = quote(from, to).map(|rate| (0, *rate));
    direct.into_iter().chain(quote(to, from).map(|rate| (1, 1.0 / rate))).collect()
}

/// A currency in the job's, by the shortest way; of ways over a third one the first by its name.
fn rate(quotes: &Quotes, currency: &str, home: &str) -> Option<f64> {
    let mut ways: Vec<(u8, String, f64)> = Vec::new();
    for (detour, rate) in leg(quotes, currency, home) {
        ways.push((detour, String::new(), rate));
    }
    let thirds: BTreeSet<&String> = quotes.keys().flat_map(|(from, to)| [from, to]).collect();
    for third in thirds.into_iter().filter(|third| *third != currency && *third != home) {
        for (one, first) in leg(quotes, currency, third) {
            for (other, second) in leg(quotes, third, home) {
                ways.push((2 + one + other, third.clone(), first * second));
            }
        }
    }
    ways.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    ways.first().map(|(.., rate)| *rate)
}

pub async fn rates(world: &World) -> Rates {
    let mut told: BTreeMap<NaiveDate, Vec<Row>> = BTreeMap::new();
    for row in world.current("fx_rates").await {
        let is_one = row["rate"].parse::<f64>().expect("a rate") > 0.0;
        if is_one && row["from_currency"] != row["to_currency"] {
            told.entry(row["rate_date"].parse().expect("a day")).or_default().push(row);
        }
    }
    let mut quotes: BTreeMap<NaiveDate, Quotes> = BTreeMap::new();
    for (day, mut rows) in told {
        rows.sort_by_key(|row| {
            ["source", "source_account", "fx_rate_id"].map(|column| row[column].clone())
        });
        let of_day = quotes.entry(day).or_default();
        for row in rows {
            let pair = (row["from_currency"].clone(), row["to_currency"].clone());
            of_day.entry(pair).or_insert_with(|| row["rate"].parse().expect("a rate"));
        }
    }
    let home = world.terms.currency;
    let named = quotes.values().flat_map(|quotes| quotes.keys());
    let mut currencies: BTreeSet<String> =
        named.flat_map(|(from, to)| [from.clone(), to.clone()]).collect();
    currencies.remove(home);
    let mut found = Rates::new();
    let days = quotes.keys().flat_map(|day| (0..8).map(move |more| *day + TimeDelta::days(more)));
    for day in days.collect::<BTreeSet<_>>() {
        for currency in &currencies {
            // The last rate of the week before.
            let known = (0..8)
                .find_map(|back| rate(quotes.get(&(day - TimeDelta::days(back)))?, currency, home));
            if let Some(rate) = known {
                found.insert((currency.clone(), day), rate);
            }
        }
    }
    found
}

/// Goal: a day's rate is the newest of its week, by the straightest way there is. Method: as for
/// scores; how many there are.
pub async fn rates_are_the_newest_of_the_week(world: &World) -> usize {
    let wanted = rates(world).await;
    let rows = world.rows("fx_daily").await;
    assert_eq!(rows.len(), wanted.len());
    for row in &rows {
        let key = (row["currency"].clone(), row["rate_date"].parse().expect("a day"));
        let (got, wanted) = (row["rate"].parse::<f64>().expect("a rate"), wanted[&key]);
        assert!((got - wanted).abs() <= 1e-9 * wanted, "{row:?}: wanted {wanted}");
    }
    rows.len()
}
