//! Stripe customers and subscriptions: seconds since 1970, minor units, lower-case currencies.

use super::calendar::DAY;
use super::event::{Event, payer, subscription};
use super::json::Json;
use super::life::{EXTRA, notice, subscription_days};
use super::person::Person;
use super::words::PLANS;

pub fn payer_id(person: &Person, event: &Event) -> String {
    if event.index == EXTRA { format!("cus_T{:09X}", person.number) } else { person.payer_id() }
}

pub fn subscription_id(event: &Event) -> String {
    format!("sub_D{:09X}{}", event.customer, event.index)
}

pub fn customer(person: &Person, event: &Event, json: &mut Json) {
    let is_test = event.state == payer::TEST;
    let is_deleted = event.state == payer::DELETED;
    json.object(|o| {
        o.text("id", &payer_id(person, event));
        o.text("object", "customer");
        if !is_deleted {
            let email = if is_test { "billing.test@example.com" } else { &person.email };
            o.text("email", &person.email_typed(email, true));
            o.text("name", &person.full_name());
            o.maybe("phone", person.phone_plain().filter(|_| !is_test).as_deref());
            o.member("address", |a| {
                a.text("city", person.city.0);
                a.text("country", person.country().code);
                a.text("postal_code", person.city.1);
            });
        }
        o.plain("created", event.begun);
        o.text("currency", "eur");
        o.plain("balance", 0);
        o.plain("delinquent", event.state == payer::LATE);
        o.plain("livemode", !is_test);
        o.member("metadata", |m| {
            if !is_deleted && !is_test {
                m.text("external_id", &person.user_id());
            }
        });
        o.plain("updated", event.at);
        o.plain("is_deleted", is_deleted);
    });
}

pub fn record(seed: u64, person: &Person, event: &Event, json: &mut Json) {
    let (plan, monthly) = PLANS[usize::from(event.topic & 3) % PLANS.len()];
    let cycle = subscription_days(event.topic) * DAY;
    let yearly = event.topic & 4 != 0;
    // Ten months' money for a year.
    let amount = if yearly { monthly * 10 } else { monthly };
    let had_trial = event.topic & 8 != 0;
    let (status, stopping) = match event.state {
        subscription::TRIAL => ("trialing", false),
        subscription::STOPPING => ("active", true),
        subscription::ENDED => ("canceled", false),
        _ => ("active", false),
    };
    let is_ended = event.state == subscription::ENDED;
    let cycles = (event.at - event.begun) / cycle;
    let period = event.begun + (cycles - u32::from(is_ended && cycles > 0)) * cycle;
    let asked = if is_ended {
        Some(event.at - notice(seed, event.customer, event.index))
    } else {
        stopping.then_some(event.at)
    };
    let trial_end = event.begun + 14 * DAY;
    json.object(|o| {
        o.text("id", &subscription_id(event));
        o.text("object", "subscription");
        o.text("customer", &person.payer_id());
        o.text("status", status);
        o.plain("created", event.begun);
        o.plain("start_date", event.begun);
        o.plain("current_period_start", period);
        o.plain("current_period_end", period + cycle);
        moment(o, "cancel_at", stopping.then_some(period + cycle));
        o.plain("cancel_at_period_end", stopping);
        moment(o, "canceled_at", asked);
        moment(o, "ended_at", is_ended.then_some(event.at));
        moment(o, "trial_start", had_trial.then_some(event.begun));
        moment(o, "trial_end", had_trial.then_some(trial_end));
        o.member("items", |items| {
            items.text("object", "list");
            items.list("data", |list| {
                list.object(|item| {
                    item.shown("id", format_args!("si_{:X}{}", event.customer, event.index));
                    item.member("price", |price| {
                        let interval = if yearly { "year" } else { "month" };
                        price.shown("id", format_args!("price_{plan}_{interval}"));
                        price.text("nickname", plan);
                        price.plain("unit_amount", amount);
                        price.text("currency", "eur");
                        price.member("recurring", |r| {
                            r.text("interval", interval);
                            r.plain("interval_count", 1);
                        });
                    });
                    item.plain("quantity", 1);
                });
            });
        });
        o.plain("livemode", true);
        o.member("metadata", |_| {});
        o.plain("updated", event.at);
    });
}

fn moment(o: &mut Json, name: &str, at: Option<u32>) {
    match at {
        Some(at) => o.plain(name, at),
        None => o.plain(name, "null"),
    }
}
