//! One person: who they are, and what the systems know them by.

use std::fmt::Write;

use super::chance::{Chance, Purpose};
use super::words::{CHANNELS, CITIES, COMPANIES, COUNTRIES, Country, DOMAINS, FAMILY, GIVEN, Name};

/// A person as they are, whatever the systems make of them.
#[derive(Debug, Clone)]
pub struct Person {
    pub number: u32,
    /// Place in [`COUNTRIES`] and the lists that go with it.
    pub home: usize,
    pub given: Name,
    pub family: Name,
    pub email: String,
    /// Used in some systems instead of the first.
    pub second_email: Option<String>,
    /// Digits after the calling code.
    pub phone: Option<String>,
    pub city: (&'static str, &'static str),
    pub company: Option<&'static str>,
    /// Place in [`CHANNELS`].
    pub channel: usize,
    /// The address the shop knows.
    pub shop_by_second: bool,
    /// The address is typed with capitals now and then.
    pub shouts: bool,
    /// Has two contacts in the CRM, merged later.
    pub doubled: bool,
    pub consents: bool,
}

/// One household in so many shares a phone with the customer before.
const SHARED_PHONE_ONE_IN: u64 = 150;

impl Person {
    pub fn new(seed: u64, number: u32) -> Self {
        let mut chance = Chance::new(seed, u64::from(number), Purpose::Person, 0);
        let home = chance.weighted(&COUNTRIES.map(|country| country.weight));
        let (given, family) = (chance.pick(GIVEN[home]), chance.pick(FAMILY[home]));
        let domain = chance.pick(&DOMAINS);
        let email = format!("{}.{}{number}@{domain}", given.1, family.1);
        let has_second = chance.happens(0.12);
        let initial = given.1.get(..1).unwrap_or_default();
        let second = format!("{initial}{}.{number}@{}", family.1, chance.pick(&DOMAINS));
        let has_phone = chance.happens(0.7);
        let shared = number > 0 && chance.below(SHARED_PHONE_ONE_IN) == 0;
        Self {
            number,
            home,
            given,
            family,
            email,
            second_email: has_second.then_some(second),
            phone: has_phone.then(|| phone(&COUNTRIES[home], number - u32::from(shared))),
            city: chance.pick(CITIES[home]),
            company: chance.happens(0.15).then(|| chance.pick(&COMPANIES)),
            channel: chance.weighted(&CHANNELS.map(|channel| channel.3)),
            shop_by_second: has_second && chance.happens(0.5),
            shouts: chance.happens(0.2),
            doubled: has_second && chance.happens(0.35),
            consents: chance.happens(0.6),
        }
    }

    pub fn country(&self) -> &'static Country {
        &COUNTRIES[self.home]
    }

    pub fn full_name(&self) -> String {
        format!("{} {}", self.given.0, self.family.0)
    }

    /// With the calling code, in the digits of E.164.
    pub fn phone_plain(&self) -> Option<String> {
        Some(format!("{}{}", self.country().phone.0, self.phone.as_ref()?))
    }

    /// As people type it: with blanks, with `00`, or without calling code where that is enough.
    pub fn phone_typed(&self, style: u64) -> Option<String> {
        let digits = self.phone.as_ref()?;
        let code = self.country().phone.0;
        let mut text = String::new();
        match style % 4 {
            0 if code == "+45" => text.clone_from(digits),
            1 => {
                let _ = write!(text, "00{} {digits}", code.trim_start_matches('+'));
            }
            2 => text = format!("{code}{digits}"),
            _ => {
                text.push_str(code);
                for (i, c) in digits.chars().enumerate() {
                    if i % 2 == 0 {
                        text.push(' ');
                    }
                    text.push(c);
                }
            }
        }
        Some(text)
    }

    /// The address as a hurried person types it.
    pub fn email_typed(&self, address: &str, hurried: bool) -> String {
        if self.shouts && hurried { address.to_uppercase() } else { address.to_owned() }
    }

    /// The address the shop knows.
    pub fn shop_email(&self) -> &str {
        match &self.second_email {
            Some(second) if self.shop_by_second => second,
            _ => &self.email,
        }
    }

    /// Id in the company's own systems.
    pub fn user_id(&self) -> String {
        format!("U-{:07}", self.number)
    }

    /// Cookie of one of the person's devices.
    pub fn cookie(&self, device: u64) -> String {
        let seal = Chance::new(0, u64::from(self.number), Purpose::Web, device).next() >> 40;
        format!("{:08x}.{device}{seal:06x}", self.number)
    }

    pub fn contact_id(&self, which: u16) -> u64 {
        10_000_000 + u64::from(self.number) * 2 + u64::from(which)
    }

    pub fn requester_id(&self) -> u64 {
        396_000_000_000 + u64::from(self.number)
    }

    pub fn panel_id(&self) -> u64 {
        500_000 + u64::from(self.number)
    }

    pub fn shop_id(&self) -> u64 {
        5_500_000_000 + u64::from(self.number)
    }

    pub fn payer_id(&self) -> String {
        format!("cus_D{:09X}", u64::from(self.number))
    }
}

fn phone(country: &Country, number: u32) -> String {
    let (_, prefix, digits) = country.phone;
    format!("{prefix}{number:0width$}", width = digits as usize)
}

/// What drives a life: the latent variables of the models that are fitted to it.
#[derive(Debug, Clone)]
pub struct Traits {
    /// First visit, in days since the start.
    pub arrival: f64,
    /// Satisfaction of a standard person is 0.
    pub mood: f64,
    /// Days between orders while alive.
    pub gap: f64,
    /// Chance to leave after an order, at mood 0.
    pub drop: f64,
    /// Mean order in cents.
    pub spend: f64,
    pub buys: bool,
    pub signs_up: bool,
    pub subscribes: bool,
    pub talks: f64,
    pub visits_shops: bool,
}

impl Traits {
    /// Purchases: gamma rates and beta dropout (Fader, Hardie and Lee 2005), gamma–gamma spend.
    pub fn new(seed: u64, number: u32) -> Self {
        let mut chance = Chance::new(seed, u64::from(number), Purpose::Traits, 0);
        // More arrive as the company grows: the density rises by half over the two years.
        let u = chance.unit();
        let arrival = 728.0 * (libm::sqrt(4.0 + 5.0 * u) - 2.0);
        let mood = chance.normal();
        let weekly = chance.gamma(0.9) / 9.0;
        let drop = chance.beta(1.2, 4.0);
        let spend = 6.0 * 1_900.0 / chance.gamma(4.0) * 1.5;
        let buys = chance.happens(0.66);
        Self {
            arrival,
            mood,
            gap: 7.0 / weekly.max(0.004),
            drop,
            spend: spend.clamp(600.0, 90_000.0),
            buys,
            signs_up: chance.happens(if buys { 0.8 } else { 0.45 }),
            subscribes: buys && chance.happens(0.34),
            talks: 0.2 + 0.5 * chance.unit(),
            visits_shops: chance.happens(0.22),
        }
    }
}
