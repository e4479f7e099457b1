//! Personas in words: names, and what sets each apart, with numbers.

use super::personas::{INPUTS, Persona, Personas};

/// What an input is called, and what much and little of it are.
fn told(input: &str) -> [&'static str; 3] {
    match input {
        "days_silent" => ["days since the last sign of life", "long silent", "lately active"],
        "tenure_days" => ["days as a customer", "long known", "new"],
        "n_active_days_365" => ["active days in a year", "often here", "seldom here"],
        "n_orders_365" => ["orders in a year", "many orders of late", "few orders of late"],
        "n_orders" => ["orders ever", "bought often", "bought seldom"],
        "average_order_value" => ["revenue an order", "large orders", "small orders"],
        "n_refunds_365" => ["refunds in a year", "gives back", "gives nothing back"],
        "n_conversations_365" => ["conversations in a year", "asks for help", "asks for no help"],
        "last_score" => ["last score, 0 to 1", "content", "discontent"],
        "n_events_90" => ["visits and clicks in 90 days", "clicks a lot", "clicks little"],
        _ => ["recurring revenue a month", "subscribes", "does not subscribe"],
    }
}

/// Places of inputs, those that set a persona apart most first.
pub fn ranked(persona: &Persona) -> Vec<usize> {
    let mut places: Vec<usize> = (0..INPUTS.len()).collect();
    places.sort_by(|a, b| persona.differs[*b].abs().total_cmp(&persona.differs[*a].abs()));
    places
}

fn word(persona: &Persona, place: usize) -> &'static str {
    let [_, much, little] = told(INPUTS.get(place).copied().unwrap_or_default());
    if persona.differs[place] > 0.0 { much } else { little }
}

/// Names those that have none by what sets them apart, with as many words as keep names apart.
pub fn name(personas: &mut [Persona]) {
    let mut taken: Vec<String> =
        personas.iter().map(|one| one.name.clone()).filter(|name| !name.is_empty()).collect();
    for persona in personas.iter_mut().filter(|one| one.name.is_empty()) {
        let words: Vec<&str> =
            ranked(persona).into_iter().map(|place| word(persona, place)).collect();
        let named = |n: &usize| words.iter().take(*n).copied().collect::<Vec<_>>().join(", ");
        let free = (2..=words.len()).map(|n| named(&n)).find(|name| !taken.contains(name));
        persona.name = free.unwrap_or_else(|| format!("persona {}", persona.number));
        taken.push(persona.name.clone());
    }
}

/// A number as people read it.
fn shown(value: Option<f64>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// What sets a persona apart, in a sentence with numbers.
pub fn summary(persona: &Persona, all: &Personas) -> String {
    let people: u64 = all.all.iter().map(|one| one.n).sum();
    let share = 100.0 * persona.n as f64 / people.max(1) as f64;
    let part = |place: usize| {
        let [what, ..] = told(INPUTS.get(place).copied().unwrap_or_default());
        let (own, whole) = (shown(persona.means[place]), shown(all.means[place]));
        format!("{what} {own} (all {whole}, {:+.1} sd)", persona.differs[place])
    };
    let parts: Vec<String> = ranked(persona).into_iter().take(4).map(part).collect();
    format!("{} customers, {share:.1} %: {}", persona.n, parts.join("; "))
}
