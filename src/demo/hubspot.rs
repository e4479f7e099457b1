//! HubSpot contacts, as its objects interface (v3) gives them: every property is text.

use super::calendar;
use super::event::{Event, contact};
use super::json::Json;
use super::person::Person;
use super::words::CHANNELS;

pub fn record(person: &Person, event: &Event, json: &mut Json) {
    let is_twin = event.index == 1;
    let id = person.contact_id(event.index);
    let created = calendar::iso(event.begun, ".112Z");
    // The interface mixes both spellings of UTC.
    let suffix = if event.at.is_multiple_of(2) { "Z" } else { ".000Z" };
    let modified = calendar::iso(event.at, suffix);
    let merged = event.topic & contact::MERGED != 0;
    let second = person.second_email.as_deref();
    let email = if is_twin { second.unwrap_or(&person.email) } else { &person.email };
    let phone = person.phone_typed(u64::from(event.begun)).filter(|_| !is_twin || merged);
    json.object(|o| {
        o.shown("id", id);
        o.member("properties", |p| {
            p.shown("hs_object_id", id);
            p.text("email", &person.email_typed(email, is_twin));
            let additional = if merged { second } else { None };
            p.text("hs_additional_emails", additional.unwrap_or_default());
            p.text("phone", phone.as_deref().unwrap_or_default());
            p.text("firstname", if is_twin { "" } else { person.given.0 });
            p.text("lastname", person.family.0);
            p.text("company", person.company.unwrap_or_default());
            p.text("country", person.country().code);
            p.text("hs_language", person.country().language);
            p.text("city", person.city.0);
            p.text("zip", person.city.1);
            let stage = contact::STAGES.get(usize::from(event.state));
            p.text("lifecyclestage", stage.copied().unwrap_or("other"));
            p.text("hs_analytics_source", CHANNELS[person.channel].2);
            let out = event.topic & contact::OPTED_OUT != 0;
            let optout = if out { "true" } else { "" };
            p.text("hs_email_optout", optout);
            let basis = if person.consents { "Freely given consent from contact" } else { "" };
            p.text("hs_legal_basis", basis);
            p.text("createdate", &created);
            p.text("lastmodifieddate", &modified);
            if merged {
                let loser = person.contact_id(1);
                p.shown("hs_merged_object_ids", loser);
                let ms = u64::from(event.at) * 1_000;
                p.shown("hs_calculated_merged_vids", format_args!("{loser}:{ms};{id}:{ms}"));
            }
        });
        o.text("createdAt", &created);
        o.text("updatedAt", &modified);
        o.plain("archived", false);
    });
}
