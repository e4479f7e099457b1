//! Shopify orders: REST records a line, and the shop's own export of line items.

use std::fmt::Write;

use super::calendar;
use super::chance::{Chance, Purpose};
use super::event::{Event, order};
use super::json::{Json, major};
use super::person::Person;
use super::words::{CHANNELS, PRODUCTS};

/// Mean of a test order, in cents.
pub const TEST_SPEND: f64 = 100.0;
const ORDERS_A_CUSTOMER: u64 = 256;
const SHIPPING: i64 = 490;
const FREE_SHIPPING_FROM: i64 = 7_500;
/// One order in so many is placed without an account.
const GUESTS_ONE_IN: u64 = 12;

/// What is in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    /// Product, quantity and cents apiece.
    pub lines: Vec<(usize, i64, i64)>,
    pub subtotal: i64,
    pub discount: i64,
    pub shipping: i64,
    pub total: i64,
    /// Placed without an account.
    pub is_guest: bool,
}

impl Basket {
    /// Order number `n` of a customer whose orders come to `spend` cents in the mean (the gamma
    /// of Gamma–Gamma, shape 6).
    pub fn new(seed: u64, customer: u32, n: u16, spend: f64) -> Self {
        let mut chance = Chance::new(seed, u64::from(customer), Purpose::Order, u64::from(n));
        let cents = (spend * chance.gamma(6.0) / 6.0).max(150.0) as i64;
        let count = 1 + chance.weighted(&[6, 3, 1]) as i64;
        let mut lines = Vec::new();
        for _ in 0..count {
            let quantity = 1 + chance.weighted(&[8, 3, 1]) as i64;
            let apiece = (cents / count / quantity).max(1);
            lines.push((chance.below(12) as usize, quantity, apiece));
        }
        let subtotal: i64 = lines.iter().map(|(_, quantity, apiece)| quantity * apiece).sum();
        let discount = if chance.happens(0.12) { subtotal / 10 } else { 0 };
        let shipping = if subtotal < FREE_SHIPPING_FROM { SHIPPING } else { 0 };
        let total = subtotal - discount + shipping;
        let is_guest = chance.below(GUESTS_ONE_IN) == 0;
        Self { lines, subtotal, discount, shipping, total, is_guest }
    }

    /// The first line goes back.
    pub fn partial_refund(&self) -> i64 {
        self.lines.first().map_or(0, |(_, _, apiece)| *apiece)
    }

    /// The fifth of the goods that is tax (25 % on top, included in the price).
    fn tax(&self) -> i64 {
        (self.subtotal - self.discount) / 5
    }
}

pub fn order_id(event: &Event) -> u64 {
    4_500_000_000_000 + number(event)
}

fn number(event: &Event) -> u64 {
    1_000 + u64::from(event.customer) * ORDERS_A_CUSTOMER + u64::from(event.index)
}

/// A record of the REST interface.
pub fn record(person: &Person, basket: &Basket, event: &Event, json: &mut Json) {
    let is_test = event.state == order::TEST;
    let (status, fulfilment) = match event.state {
        order::PARTLY_REFUNDED => ("partially_refunded", Some("fulfilled")),
        order::REFUNDED => ("refunded", Some("fulfilled")),
        order::CANCELLED => ("voided", None),
        _ => ("paid", None),
    };
    let (id, number) = (order_id(event), number(event));
    let placed = calendar::shop_iso(event.begun);
    let updated = calendar::shop_iso(event.at);
    let email = if is_test { "shop.test@example.com" } else { person.shop_email() };
    let phone = person.phone_plain();
    let phone = phone.as_deref().filter(|_| basket.is_guest);
    let (source, medium, _, _) = CHANNELS[person.channel];
    json.object(|o| {
        o.plain("id", id);
        o.text("email", &person.email_typed(email, basket.is_guest));
        o.maybe("phone", phone);
        o.shown("name", format_args!("#{number}"));
        o.plain("order_number", number);
        o.text("currency", "EUR");
        o.text("presentment_currency", person.country().currency);
        o.text("subtotal_price", &major(basket.subtotal - basket.discount));
        o.text("total_tax", &major(basket.tax()));
        o.text("total_discounts", &major(basket.discount));
        o.text("total_price", &major(basket.total));
        o.text("created_at", &placed);
        o.text("updated_at", &updated);
        o.text("processed_at", &placed);
        let cancelled = event.state == order::CANCELLED;
        o.maybe("cancelled_at", cancelled.then_some(updated.as_str()));
        o.maybe("cancel_reason", cancelled.then_some("customer"));
        o.maybe("closed_at", None);
        o.text("financial_status", status);
        o.maybe("fulfillment_status", fulfilment);
        o.text("source_name", "web");
        if source.is_empty() {
            o.text("landing_site", "/");
        } else {
            o.shown("landing_site", format_args!("/?utm_source={source}&utm_medium={medium}"));
        }
        o.plain("buyer_accepts_marketing", person.consents);
        o.plain("test", is_test);
        account(person, basket, is_test, o);
        o.member("shipping_address", |a| {
            a.text("city", person.city.0);
            a.text("zip", person.city.1);
            a.text("country_code", person.country().code);
        });
        items(basket, number, o);
        refunds(basket, event, &updated, o);
    });
}

fn account(person: &Person, basket: &Basket, is_test: bool, o: &mut Json) {
    if basket.is_guest || is_test {
        o.plain("customer", "null");
        return;
    }
    o.member("customer", |c| {
        c.plain("id", person.shop_id());
        c.text("email", person.shop_email());
        c.text("first_name", person.given.0);
        c.text("last_name", person.family.0);
        c.maybe("phone", person.phone_plain().as_deref());
    });
}

fn items(basket: &Basket, number: u64, o: &mut Json) {
    o.list("line_items", |list| {
        for (i, (product, quantity, apiece)) in basket.lines.iter().enumerate() {
            let (sku, title, _) = PRODUCTS[*product];
            list.object(|line| {
                line.plain("id", number * 10 + i as u64);
                line.plain("product_id", 900 + product);
                line.plain("variant_id", 9_100 + product);
                line.text("sku", sku);
                line.text("title", title);
                line.plain("quantity", quantity);
                line.text("price", &major(*apiece));
                line.text("total_discount", "0.00");
            });
        }
    });
}

fn refunds(basket: &Basket, event: &Event, updated: &str, o: &mut Json) {
    let amount = match event.state {
        order::PARTLY_REFUNDED => Some(basket.partial_refund()),
        order::REFUNDED => Some(basket.total),
        _ => None,
    };
    o.list("refunds", |list| {
        let Some(amount) = amount else { return };
        list.object(|refund| {
            refund.plain("id", number(event) * 10 + 7);
            refund.text("created_at", updated);
            refund.list("transactions", |list| {
                list.object(|transaction| {
                    transaction.plain("id", number(event) * 10 + 8);
                    transaction.text("kind", "refund");
                    transaction.text("status", "success");
                    transaction.text("amount", &major(amount));
                    transaction.text("currency", "EUR");
                });
            });
        });
    });
}

/// Header of the shop's own export.
pub const LINES_HEADER: &str = "Name,Email,Financial Status,Paid at,Fulfillment Status,\
    Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,\
    Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,\
    Lineitem sku,Billing Name,Billing Country,Notes,Note Attributes,Cancelled at,Payment Method,\
    Payment Reference,Refunded Amount,Outstanding Balance,Id,Tags,Risk Level,Source,Phone\n";

/// A line for each item; what concerns the order stands on its first line only.
pub fn lines(person: &Person, basket: &Basket, event: &Event, out: &mut String) {
    let (id, number) = (order_id(event), number(event));
    let email = person.email_typed(person.shop_email(), basket.is_guest);
    let placed = calendar::shop_blank(event.begun);
    for (i, (product, quantity, apiece)) in basket.lines.iter().enumerate() {
        let (sku, title, _) = PRODUCTS[*product];
        let title = title.replace('"', "\"\"");
        let apiece = major(*apiece);
        let _ = write!(out, "#{number},{email},");
        if i > 0 {
            let _ =
                write!(out, "{},{placed},{quantity},\"{title}\",{apiece},{sku}", ",".repeat(12));
            out.push_str(&",".repeat(14));
            out.push('\n');
            continue;
        }
        let accepts = if person.consents { "yes" } else { "no" };
        let code = if basket.discount > 0 { "TAK10" } else { "" };
        let _ = write!(
            out,
            "paid,{placed},fulfilled,{placed},{accepts},EUR,{},{},{},{},{code},{},Standard,\
             {placed},{quantity},\"{title}\",{apiece},{sku},{},{},,,,Shopify Payments,c{number}.1,\
             0.00,0.00,{id},,Low,web,",
            major(basket.subtotal - basket.discount),
            major(basket.shipping),
            major(basket.tax()),
            major(basket.total),
            major(basket.discount),
            person.full_name(),
            person.country().code,
        );
        if let Some(phone) = person.phone_plain() {
            // The apostrophe keeps spreadsheets from making a number of it.
            let _ = write!(out, "'{phone}");
        }
        out.push('\n');
    }
}
