//! AskNicely responses: one document with a list inside, every value text, comments escaped.

use super::chance::{Chance, Purpose};
use super::event::{Event, Shape, survey};
use super::json::Json;
use super::person::Person;
use super::words::{CITIES, COMMENTS};

const RESPONSES_A_CUSTOMER: u64 = 256;

pub fn response_id(event: &Event) -> u64 {
    50_000 + u64::from(event.customer) * RESPONSES_A_CUSTOMER + u64::from(event.index)
}

/// What stands before a document's list.
pub fn opening(records: usize) -> String {
    let pages = "\"totalpages\":\"1\",\"pagenumber\":\"1\",\"pagesize\":\"50000\"";
    format!(
        "{{\"success\":true,\"total\":\"{records}\",{pages},\"since_time\":\"0\",\
         \"end_time\":\"1767225600\",\"data\":[\n"
    )
}

pub const CLOSING: &str = "\n]}\n";

pub fn record(seed: u64, person: &Person, event: &Event, json: &mut Json) {
    let index = u64::from(event.index);
    let mut chance = Chance::new(seed, u64::from(event.customer), Purpose::Survey, index);
    let (kind, touchpoint) = (usize::from(event.topic / 16), usize::from(event.topic % 16));
    let answered = event.state == survey::ANSWERED;
    let score = match (event.shape, event.topic / 16) {
        (Shape::OffScale, survey::NPS) => 11,
        (Shape::OffScale, _) => 7,
        _ => event.score,
    };
    let answer = if answered { score.to_string() } else { String::new() };
    let tone = match (event.topic / 16, event.score) {
        (survey::NPS, 9..) | (survey::CSAT | survey::STARS, 4..) => 2,
        (survey::NPS, 7..) | (survey::CSAT | survey::STARS, 3..) => 1,
        _ => 0,
    };
    let comment = chance.pick(COMMENTS[person.home][tone]);
    let says = answered && chance.happens(if tone == 1 { 0.25 } else { 0.5 });
    let comment = if says { escaped(comment) } else { String::new() };
    // Some asked to be forgotten: the panel keeps the answer and masks the address.
    let masked = chance.happens(0.004);
    let email = if masked { "xxx@example.com" } else { &person.email };
    let opened = chance.happens(0.6) || answered;
    json.object(|o| {
        o.shown("response_id", response_id(event));
        o.shown("person_id", person.panel_id());
        o.shown("contact_id", person.panel_id());
        o.text("name", if masked { "" } else { person.given.0 });
        o.text("email", email);
        o.text("answer", &answer);
        o.text("answerlabel", &answer);
        o.plain("data", "null");
        o.text("comment", &comment);
        o.plain("note", "null");
        o.text("status", if tone == 0 && answered { "open" } else { "" });
        o.plain("dontcontact", "null");
        o.shown("sent", event.begun);
        let seen = u64::from(event.begun) + 600 + chance.below(40_000);
        // An answer is opened before it is given.
        let seen = if answered { seen.min(u64::from(event.at) - 60) } else { seen };
        o.shown("opened", if opened && answered { seen } else { 0 });
        o.shown("responded", if answered { event.at } else { 0 });
        o.shown("lastemailed", event.begun);
        o.shown("created", event.begun);
        o.text("segment", survey::TOUCHPOINTS.get(touchpoint).copied().unwrap_or_default());
        o.text("question_type", survey::KINDS.get(kind).copied().unwrap_or_default());
        let ways = ["email", "email", "email", "sms", "web"];
        o.text("deliverymethod", chance.pick(&ways));
        o.text("published", "");
        o.text("publishedname", "");
        o.text("language_c", person.country().language);
        o.text("country_c", person.country().code);
        o.text("branch_location_c", CITIES[person.home][0].0);
    });
}

/// As the vendor escapes it.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
