//! What the company logs itself: events of its web shop, and visits to its shops on paper roll.

use super::calendar;
use super::chance::{Chance, Purpose};
use super::event::{Event, KNOWN, SECOND_DEVICE, Shape, web};
use super::json::Json;
use super::person::{Person, Traits};
use super::words::{CHANNELS, PAGES, PRODUCTS, SHOPS};

pub fn event_id(event: &Event) -> String {
    let (customer, index) = (u64::from(event.customer), u64::from(event.index));
    let seal = Chance::new(1, customer, Purpose::Web, index).next() >> 16;
    format!("{:08x}-{:04x}-4000-8000-{seal:012x}", event.customer, event.index)
}

pub fn visit_id(event: &Event) -> u64 {
    70_000_000 + u64::from(event.customer) * 256 + u64::from(event.index)
}

/// A web event, one a line.
pub fn record(person: &Person, event: &Event, json: &mut Json) {
    let device = u64::from(event.score & SECOND_DEVICE != 0);
    let is_known = event.score & KNOWN != 0;
    let gives_email = matches!(event.state, web::CHECKOUT | web::SIGNUP | web::FORM);
    let cookie = person.cookie(device);
    let product = usize::from(event.topic) % PRODUCTS.len();
    let (sku, _, family) = PRODUCTS[product];
    let is_product = matches!(
        event.state,
        web::PRODUCT | web::CART | web::CHECKOUT | web::PURCHASE | web::REVIEW
    );
    let (path, touchpoint) = match event.state {
        web::PAGE => PAGES[usize::from(event.topic) % PAGES.len()],
        web::PRODUCT => ("/products/", "product"),
        web::CART | web::CHECKOUT | web::PURCHASE => ("/checkout", "checkout"),
        web::SIGNUP => ("/account/new", "onboarding"),
        web::FORM => ("/newsletter", "newsletter"),
        web::FEATURE => ("/studio", "service"),
        web::REFERRAL => ("/friends", "advocacy"),
        web::REVIEW => ("/reviews", "advocacy"),
        _ => ("/", "email"),
    };
    let (source, medium, _, _) = CHANNELS[person.channel];
    json.object(|o| {
        o.text("event_id", &event_id(event));
        o.text("name", web::NAMES.get(usize::from(event.state)).copied().unwrap_or_default());
        o.text("occurred_at", &calendar::iso(event.at, ".250Z"));
        o.text("anonymous_id", &cookie);
        o.maybe("external_id", is_known.then(|| person.user_id()).as_deref());
        if gives_email {
            o.text("email", &person.email);
        }
        o.shown("session_id", format_args!("{cookie}.{}", event.begun));
        o.text("channel", "web");
        o.text("touchpoint", touchpoint);
        let page = if is_product && event.state == web::PRODUCT { sku } else { "" };
        o.shown("page_url", format_args!("https://shop.example.com{path}{page}"));
        o.maybe("product", is_product.then_some(family));
        if !source.is_empty() && event.index < 4 {
            o.text("utm_source", source);
            o.text("utm_medium", medium);
        }
    });
}

/// Header of the visits.
pub const VISITS_HEADER: &str =
    "Besøg;Tidspunkt;Butik;Gade;Kundenummer;E-mail;Telefon;Beløb;Valuta\r\n";

/// A visit to a shop, as its spreadsheet writes it.
pub fn visit(seed: u64, person: &Person, event: &Event, out: &mut String) {
    use std::fmt::Write;
    let index = u64::from(event.index);
    let mut chance = Chance::new(seed, u64::from(event.customer), Purpose::Visit, index);
    let (shop, street) = chance.pick(&SHOPS);
    let time = match event.shape {
        Shape::BadDate => "31-02-2025 10:00".to_owned(),
        _ => calendar::wall(event.at),
    };
    let _ = write!(out, "{};{time};", visit_id(event));
    if event.shape == Shape::Ragged {
        let _ = write!(out, "{shop}\r\n");
        return;
    }
    let who = chance.below(10);
    let has_account = Traits::new(seed, event.customer).signs_up;
    let card = if who < 4 && has_account { person.user_id() } else { String::new() };
    let email = if (3..8).contains(&who) { person.email.as_str() } else { "" };
    let phone = person.phone_typed(3).filter(|_| who == 8).unwrap_or_default();
    let cents = 500 + (chance.wait(4_000.0)) as i64;
    let thousands = cents / 100_000;
    let amount = match thousands {
        0 => format!("{},{:02}", cents / 100, cents % 100),
        _ => format!("{thousands}.{:03},{:02}", cents / 100 % 1_000, cents % 100),
    };
    let _ = write!(out, "{shop};{street};{card};{email};{phone};{amount};EUR\r\n");
}
