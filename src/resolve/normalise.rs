//! One spelling for each identifier, and which values say nothing about a person.
//!
//! A value that says nothing (a placeholder, a shared mailbox, a text that is no address) is kept
//! and marked, so that people can see why records were not joined by it.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::phone::{self, Country};

/// Why an identifier is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocked {
    /// `noemail@…`, `0`, `(not set)`, hash of an empty text, all zeros.
    Placeholder,
    /// `info@…`: many people write from it.
    RoleMailbox,
    /// No address or number at all, or its country cannot be told.
    Malformed,
    /// The job says so.
    Listed,
    /// Its strength is 0.
    NeverJoins,
    /// Seen with more distinct others than one person has.
    Shared,
}

impl Blocked {
    pub fn name(self) -> &'static str {
        match self {
            Self::Placeholder => "placeholder",
            Self::RoleMailbox => "role_mailbox",
            Self::Malformed => "malformed",
            Self::Listed => "listed",
            Self::NeverJoins => "never_joins",
            Self::Shared => "shared",
        }
    }
}

/// An identifier in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normal {
    pub value: String,
    pub blocked: Option<Blocked>,
}

/// The rules of a job.
#[derive(Debug, Clone, Default)]
pub struct Normaliser {
    home: Option<&'static Country>,
    gmail_dots: bool,
    /// Type, and pattern of the value.
    block: Vec<(String, String)>,
}

/// Texts that mean "no value", in lower case.
const NULL_LIKE: &[&str] = &[
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "#n/a",
    "na",
    "undefined",
    "unknown",
    "(not set)",
    "(none)",
    "(other)",
    "not provided",
    "not set",
    "missing",
    "empty",
    "anonymous",
    "guest",
    "-",
    "--",
    "?",
    "0",
    "-1",
    "test",
    // MD5, SHA-1 and SHA-256 of the empty text.
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];
/// Local parts of addresses that exports invent where there is none.
const NO_MAILBOX: &[&str] = &[
    "noemail",
    "no-email",
    "no_email",
    "no.email",
    "nomail",
    "no-mail",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "none",
    "null",
    "unknown",
    "anonymous",
    "guest",
    "nobody",
    "na",
    "n.a",
    "invalid",
    "email",
    "mail",
    "asdf",
    "qwerty",
    "notprovided",
];
/// Local parts that belong to a desk, not to a person.
const ROLE_MAILBOXES: &[&str] = &[
    "info",
    "support",
    "sales",
    "contact",
    "kontakt",
    "hello",
    "hej",
    "hei",
    "admin",
    "administrator",
    "office",
    "post",
    "postmaster",
    "webmaster",
    "hostmaster",
    "abuse",
    "billing",
    "invoice",
    "invoices",
    "faktura",
    "rechnung",
    "accounts",
    "accounting",
    "accountspayable",
    "bogholderi",
    "regnskab",
    "service",
    "kundeservice",
    "kundservice",
    "kundenservice",
    "customerservice",
    "customer.service",
    "help",
    "helpdesk",
    "team",
    "marketing",
    "press",
    "presse",
    "hr",
    "jobs",
    "job",
    "career",
    "careers",
    "reception",
    "reservations",
    "booking",
    "orders",
    "order",
    "shop",
    "butik",
    "feedback",
    "newsletter",
    "noc",
    "security",
    "privacy",
    "gdpr",
    "legal",
    "it",
    "dev",
];

impl Normaliser {
    /// `country` is the ISO code of phone numbers without prefix; `block` holds `type:value` with
    /// `*` for any text.
    pub fn new(country: Option<&str>, gmail_dots: bool, block: &[String]) -> Self {
        let entry = |text: &String| {
            let (kind, pattern) = text.split_once(':').unwrap_or(("*", text));
            (kind.trim().to_owned(), pattern.trim().to_lowercase())
        };
        Self {
            home: country.and_then(phone::by_iso),
            gmail_dots,
            block: block.iter().map(entry).collect(),
        }
    }

    /// The one spelling of `raw`; `None` for an empty value, which is none.
    ///
    /// `kind` is the identifier's type, `source` the system that a scoped one belongs to.
    pub fn normalise(&self, kind: &str, source: &str, raw: &str) -> Option<Normal> {
        let raw = raw.trim();
        // Composing ASCII would give it back, slowly.
        let text: Cow<'_, str> =
            if raw.is_ascii() { raw.into() } else { raw.nfkc().collect::<String>().into() };
        let text = text.trim().trim_matches('"').trim();
        if text.is_empty() {
            return None;
        }
        let mut normal = match kind {
            "email" => self.email(text),
            "phone" => self.phone(text),
            "email_md5" | "email_sha256" => plain(text.to_ascii_lowercase()),
            "crm_id" => plain(crm_id(source, text)),
            _ => plain(text.to_owned()),
        };
        if self.is_listed(kind, &normal.value) {
            normal.blocked = Some(Blocked::Listed);
        }
        Some(normal)
    }

    fn is_listed(&self, kind: &str, value: &str) -> bool {
        if self.block.is_empty() {
            return false;
        }
        let value = value.to_lowercase();
        let hits = |(of, pattern): &(String, String)| {
            (of == "*" || of == kind) && matches(pattern, &value)
        };
        self.block.iter().any(hits)
    }

    fn email(&self, text: &str) -> Normal {
        let lower = text.to_lowercase();
        let mut address = lower.strip_prefix("mailto:").unwrap_or(&lower);
        // `Ana Perez <ana@example.com>`
        if let Some((_, rest)) = address.split_once('<') {
            address = rest.split('>').next().unwrap_or(rest);
        }
        let address = address.trim().trim_end_matches(['.', ',', ';']);
        if is_null_like(address) {
            return blocked(address.to_owned(), Blocked::Placeholder);
        }
        let Some((local, domain)) = address.rsplit_once('@') else {
            return blocked(address.to_owned(), Blocked::Malformed);
        };
        let labels = domain.split('.');
        let wrong = local.is_empty()
            || domain.len() > 253
            || !domain.contains('.')
            || labels.into_iter().any(str::is_empty)
            || address.contains(char::is_whitespace);
        if wrong {
            return blocked(address.to_owned(), Blocked::Malformed);
        }
        let gmail = matches!(domain, "gmail.com" | "googlemail.com");
        let value = if self.gmail_dots && gmail {
            let mailbox = local.split('+').next().unwrap_or(local).replace('.', "");
            format!("{mailbox}@gmail.com")
        } else {
            format!("{local}@{domain}")
        };
        let tld = domain.rsplit('.').next().unwrap_or(domain);
        let reserved = matches!(tld, "invalid" | "local" | "localhost");
        let test = local == "test" && (domain.starts_with("test.") || domain == "example.com");
        let why = if NO_MAILBOX.contains(&local) || reserved || test || is_one_character(local) {
            Some(Blocked::Placeholder)
        } else if ROLE_MAILBOXES.contains(&local) {
            Some(Blocked::RoleMailbox)
        } else {
            None
        };
        Normal { value, blocked: why }
    }

    fn phone(&self, text: &str) -> Normal {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if is_null_like(text) || is_nobodys(&digits) {
            return blocked(text.to_lowercase(), Blocked::Placeholder);
        }
        let Some(value) = phone::e164(text, self.home) else {
            return blocked(text.to_owned(), Blocked::Malformed);
        };
        let why = is_nobodys(phone::national(&value)).then_some(Blocked::Placeholder);
        Normal { value, blocked: why }
    }
}

/// `00000000`, `123456789`.
fn is_nobodys(digits: &str) -> bool {
    let counted = "01234567890".contains(digits) || "9876543210".contains(digits);
    digits.len() >= 6 && (counted || is_one_character(digits))
}

fn blocked(value: String, why: Blocked) -> Normal {
    Normal { value, blocked: Some(why) }
}

fn plain(value: String) -> Normal {
    let zeros = value.chars().all(|c| matches!(c, '0' | '-')) && value.contains('0');
    let why = (is_null_like(&value) || zeros).then_some(Blocked::Placeholder);
    Normal { value, blocked: why }
}

fn is_null_like(value: &str) -> bool {
    NULL_LIKE.iter().any(|null| null.eq_ignore_ascii_case(value))
}

/// `xxx`, `aaaa`, `000`.
fn is_one_character(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    text.chars().count() >= 3 && characters.all(|c| Some(c) == first)
}

fn crm_id(source: &str, text: &str) -> String {
    if let Some(path) = text.strip_prefix("gid://") {
        let last = path.rsplit('/').next().unwrap_or(path);
        return last.split('?').next().unwrap_or(last).to_owned();
    }
    if source == "salesforce" && text.len() == 15 && text.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return format!("{text}{}", salesforce_check(text));
    }
    text.to_owned()
}

/// The three characters that make a case-sensitive Salesforce id of 15 one of 18.
fn salesforce_check(id: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let letter = |part: &[u8]| {
        let upper = part.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
        let bits = upper.fold(0_usize, |bits, (i, _)| bits | 1 << i);
        LETTERS.get(bits).map_or('A', |byte| char::from(*byte))
    };
    id.as_bytes().chunks(5).map(letter).collect()
}

/// Whether `text` follows `pattern`, where `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}
