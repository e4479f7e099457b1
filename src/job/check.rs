//! What a job's values must be, beyond their types; only what the file alone can tell.

mod customers;
mod journey;
pub mod measure;

use std::collections::BTreeSet;

use globset::GlobBuilder;

use super::identity::part_column;
use super::schema::suggestion;
use super::{FIELDS, FieldRule, Job, Matching, Problem, Source, TRACKABLE};

/// Dimensions that facts carry; a pair is two of them with `*` between.
pub const DIMENSIONS: [&str; 10] = [
    "all",
    "channel",
    "country",
    "journey_stage",
    "language",
    "product",
    "segment",
    "source",
    "survey",
    "touchpoint",
];

/// All problems of a job's values.
pub fn check(path: &str, job: &Job) -> Vec<Problem> {
    let mut found = Found { path, problems: Vec::new() };
    found.head(job);
    for (i, source) in job.sources.iter().enumerate() {
        found.source(&format!("source[{i}]"), source);
        let twin = job.sources.iter().take(i).position(|other| {
            (&other.source, &other.entity, &other.account, &other.url)
                == (&source.source, &source.entity, &source.account, &source.url)
        });
        if let Some(twin) = twin {
            found.say(&format!("source[{i}]"), format!("is the same as source[{twin}]"), None);
        }
    }
    found.identity(job);
    found.priorities(job);
    found.stages(job);
    journey::check(&mut found, job);
    found.metrics(job);
    measure::check(&mut found, job);
    found.clv(job);
    customers::check(&mut found, job);
    found.privacy(job);
    found.limits(job);
    found.publish(job);
    found.problems
}

struct Found<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn say(&mut self, at: &str, message: impl Into<String>, hint: Option<&str>) {
        let problem = Problem::new(format!("{}: {at}", self.path), message);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    fn head(&mut self, job: &Job) {
        if !is_name(&job.name) {
            let hint = "use letters, digits, `-` and `_`";
            self.say("name", format!("`{}` is not a name", job.name), Some(hint));
        }
        if job.time_zone.parse::<chrono_tz::Tz>().is_err() {
            let near = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let near = super::schema::nearest(&job.time_zone, near);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use an IANA name such as `Europe/Copenhagen`".into(),
            };
            let message = format!("`{}` is not a time zone", job.time_zone);
            self.say("time_zone", message, Some(&hint));
        }
        if job.warehouse.trim().is_empty() {
            self.say(
                "warehouse",
                "is empty",
                Some("a folder, or a url such as `s3://bucket/mart`"),
            );
        }
        self.secret("warehouse", &job.warehouse);
        if let Some(country) = &job.country
            && !COUNTRIES.split_whitespace().any(|known| known == country)
        {
            let hint = "ISO 3166 in capitals, such as `DK`, `GB` or `US`";
            self.say("country", format!("`{country}` is not a country code"), Some(hint));
        }
        if !CURRENCIES.split_whitespace().any(|known| known == job.currency) {
            let hint = "ISO 4217 in capitals, such as `EUR`, `DKK` or `USD`";
            self.say("currency", format!("`{}` is not a currency code", job.currency), Some(hint));
        }
    }

    /// Urls are told in logs, tables and lineage.
    fn secret(&mut self, at: &str, url: &str) {
        if holds_secret(url) {
            let hint = "object stores read their own variables, such as AWS_ACCESS_KEY_ID";
            self.say(at, "is a url with a secret in it", Some(hint));
        }
    }

    fn source(&mut self, at: &str, source: &Source) {
        for (key, value) in [("source", &source.source), ("entity", &source.entity)] {
            if !is_name(value) {
                let hint = "a name as in `sql/stage/<source>/<entity>.toml`";
                self.say(&format!("{at}.{key}"), format!("`{value}` is not a name"), Some(hint));
            }
        }
        if source.account.is_empty() {
            self.say(&format!("{at}.account"), "is empty", Some("leave it out for `main`"));
        }
        let at = format!("{at}.url");
        let url = source.url.as_str();
        if url.trim().is_empty() {
            self.say(&at, "is empty", Some("a path or url, such as `raw/orders/dt={dt}/*.csv`"));
            return;
        }
        if url.matches("{dt}").count() > 1 {
            self.say(&at, "`{dt}` stands more than once", Some("write `*` for the others"));
        }
        self.secret(&at, url);
        let rest = url.replace("{dt}", "0000-00-00");
        if let Some(name) = rest.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
            let hint = "the only template is `{dt}`; `*` matches any text without `/`, `**` any";
            self.say(&at, format!("`{{{}}}` is not a template", name.0), Some(hint));
        } else if let Err(error) = GlobBuilder::new(&rest).literal_separator(true).build() {
            let hint = "`[` and `{` have a meaning in patterns; write `[[]` for a plain `[`";
            self.say(&at, format!("is not a pattern: {}", error.kind()), Some(hint));
        }
    }

    fn privacy(&mut self, job: &Job) {
        let privacy = &job.privacy;
        if privacy.pseudonyms && privacy.key_id.as_deref().is_none_or(|name| !is_name(name)) {
            let hint = "a name for the key in `CXMART__PRIVACY__KEY`, such as `2026-01`";
            self.say("privacy.key_id", "is missing or no name", Some(hint));
        }
        for (table, days) in &privacy.retention {
            if *days == 0 {
                let at = format!("privacy.retention.{table}");
                self.say(&at, "is 0: nothing would be kept", None);
            }
        }
    }

    fn identity(&mut self, job: &Job) {
        for (i, rule) in job.identity.block.iter().enumerate() {
            let cut = rule.split_once(':').map(|(kind, value)| (kind.trim(), value.trim()));
            if cut.is_none_or(|(kind, value)| !is_name(kind) || value.is_empty()) {
                let hint = "write `type:value`, such as `email:info@*` or `phone:+4511111111`";
                let message = format!("`{rule}` names no identifier");
                self.say(&format!("identity.block[{i}]"), message, Some(hint));
            }
        }
        for (key, value) in [
            ("max_degree", job.identity.max_degree),
            ("max_emails", job.identity.max_emails),
            ("max_cluster", job.identity.max_cluster),
        ] {
            if value == 0 {
                self.say(&format!("identity.{key}"), "is 0: nobody would be resolved", None);
            }
        }
        self.matching(&job.identity.matching);
        for (i, domain) in job.accounts.free_mail.iter().enumerate() {
            let is_domain = domain.contains('.') && !domain.contains(['@', '/', ' ']);
            if !is_domain || *domain != domain.to_lowercase() {
                let hint = "write it as behind the `@`, in lower case: `mail.example`";
                let message = format!("`{domain}` is no domain");
                self.say(&format!("accounts.free_mail[{i}]"), message, Some(hint));
            }
        }
    }

    fn matching(&mut self, matching: &Matching) {
        const AT: &str = "identity.matching";
        let known: Vec<&str> = matching.fields.iter().map(|field| field.column.as_str()).collect();
        self.twins(
            &format!("{AT}.field"),
            &known.iter().map(|&n| n.to_owned()).collect::<Vec<_>>(),
        );
        if known.is_empty() || matching.block.is_empty() {
            self.say(AT, "has no fields, or no rules in `block`", Some("leave out for defaults"));
        }
        for (i, field) in matching.fields.iter().enumerate() {
            if let Some(by) = field.told_by.as_deref().filter(|by| !known.contains(by)) {
                let at = format!("{AT}.field[{i}].told_by");
                let hint = suggestion(by, known.iter().copied());
                self.say(&at, format!("`{by}` is not one of the fields"), Some(&hint));
            }
        }
        for (i, part) in matching.block.iter().enumerate().flat_map(|(i, rule)| {
            let parts = rule.iter().map(move |part| (i, part));
            parts.filter(|(_, p)| part_column(p).is_none_or(|column| !known.contains(&column)))
        }) {
            let hint = "a field, `first(field, 3)` or `sounds(field)`";
            self.say(&format!("{AT}.block[{i}]"), format!("`{part}` is no part"), Some(hint));
        }
        if matching.block.iter().any(Vec::is_empty) {
            self.say(&format!("{AT}.block"), "has a rule without parts", None);
        }
        for (key, value) in [("threshold", matching.threshold), ("review", matching.review)] {
            if !(0.0..1.0).contains(&value) {
                let message = format!("{value} is not within 0 to 1");
                self.say(&format!("{AT}.{key}"), message, Some("0.8 is four to one"));
            }
        }
    }

    fn priorities(&mut self, job: &Job) {
        let known: BTreeSet<&str> = job.sources.iter().map(|s| s.source.as_str()).collect();
        let lists = [("profile.source_priority".to_owned(), &job.profile.source_priority)];
        let fields = job.profile.field_priority.iter();
        let fields = fields.map(|(field, list)| (format!("profile.field_priority.{field}"), list));
        for (at, list) in lists.into_iter().chain(fields) {
            for (i, name) in list.iter().enumerate().filter(|(_, n)| !known.contains(n.as_str())) {
                let hint = suggestion(name, known.iter().copied());
                let message = format!("`{name}` is not a source of this job");
                self.say(&format!("{at}[{i}]"), message, Some(&hint));
            }
            self.twins(&at, list);
        }
        let profile = &job.profile;
        let ranked = profile.field_priority.keys().map(|name| ("field_priority", name));
        let ruled = profile.field_rules.keys().map(|name| ("field_rules", name));
        for (key, name) in ranked.chain(ruled).filter(|(_, name)| !FIELDS.contains(&name.as_str()))
        {
            let hint = suggestion(name, FIELDS);
            let message = format!("`{name}` is not a field of a profile");
            self.say(&format!("profile.{key}.{name}"), message, Some(&hint));
        }
        for (i, name) in profile.tracked.iter().enumerate() {
            if !TRACKABLE.contains(&name.as_str()) {
                let hint = suggestion(name, TRACKABLE);
                let message = format!("`{name}` is not a column that can be tracked");
                self.say(&format!("profile.tracked[{i}]"), message, Some(&hint));
            }
        }
        for (name, rules) in &profile.field_rules {
            if name == "email_consent" {
                let hint = "the latest word counts, and a denial wins a tie";
                let message = "has a rule of its own";
                self.say("profile.field_rules.email_consent", message, Some(hint));
            } else if name != "email" && rules.contains(&FieldRule::Verified) {
                let message = "`verified` is known of e-mail addresses only";
                self.say(&format!("profile.field_rules.{name}"), message, None);
            }
        }
    }

    fn stages(&mut self, job: &Job) {
        let order = &job.stages.order;
        if order.is_empty() {
            self.say("stages.order", "is empty", Some("leave it out for the six default stages"));
        }
        for (i, stage) in order.iter().enumerate() {
            if !is_name(stage) {
                let hint = "use letters, digits, `-` and `_`";
                self.say(
                    &format!("stages.order[{i}]"),
                    format!("`{stage}` is not a name"),
                    Some(hint),
                );
            }
        }
        self.twins("stages.order", order);
        self.positive("stages.conversion_days", job.stages.conversion_days);
        self.positive("stages.loyal_orders", job.stages.loyal_orders);
        self.positive("paths.touches_max", job.paths.touches_max);
        self.positive("paths.pain_days", job.paths.pain_days);
    }

    fn metrics(&mut self, job: &Job) {
        let metrics = &job.metrics;
        if !(0.9..=0.999).contains(&metrics.confidence) {
            let message = format!("{} is not within 0.9 to 0.999", metrics.confidence);
            self.say("metrics.confidence", message, Some("0.95 gives 95 % intervals"));
        }
        self.positive("metrics.inactive_days", metrics.inactive_days);
        if metrics.periods.is_empty() {
            let hint = "some of `day`, `week`, `month`, `quarter`, `year`";
            self.say("metrics.periods", "is empty", Some(hint));
        }
        let names = |list: &[super::Period]| -> Vec<String> {
            list.iter().map(|period| period.name().to_owned()).collect()
        };
        self.twins("metrics.periods", &names(&metrics.periods));
        self.twins("metrics.cohorts", &names(&metrics.cohorts));
        self.dimensions("metrics.dimensions", &metrics.dimensions, &DIMENSIONS);
    }

    /// Each is one of `known`, or two with `*` between.
    fn dimensions(&mut self, key: &str, dimensions: &[String], known: &[&str]) {
        self.twins(key, dimensions);
        for (i, dimension) in dimensions.iter().enumerate() {
            let at = format!("{key}[{i}]");
            let parts: Vec<&str> = dimension.split('*').collect();
            if parts.len() > 2 {
                self.say(&at, format!("`{dimension}` has more than two parts"), None);
            }
            for part in &parts {
                if !known.contains(part) {
                    let hint = suggestion(part, known.iter().copied());
                    self.say(&at, format!("`{part}` is not a dimension"), Some(&hint));
                } else if parts.len() > 1 && *part == "all" {
                    self.say(&at, "`all` has no part in a pair", None);
                }
            }
        }
    }

    fn clv(&mut self, job: &Job) {
        let clv = &job.clv;
        if !(0.0..=1.0).contains(&clv.margin) {
            let hint = "0.35 keeps 35 of 100 as gross profit";
            self.say("clv.margin", format!("{} is not within 0 to 1", clv.margin), Some(hint));
        }
        for (product, margin) in &clv.margins {
            if !(0.0..=1.0).contains(margin) {
                let at = format!("clv.margins.{product}");
                self.say(&at, format!("{margin} is not within 0 to 1"), None);
            }
        }
        if !(0.0..=1.0).contains(&clv.discount_rate) {
            let hint = "per year; 0.1 is 10 %";
            let message = format!("{} is not within 0 to 1", clv.discount_rate);
            self.say("clv.discount_rate", message, Some(hint));
        }
        if !clv.acquisition_cost.is_finite() || clv.acquisition_cost < 0.0 {
            self.say("clv.acquisition_cost", "is not an amount of 0 or more", None);
        }
        if !(clv.drift_max.is_finite() && clv.drift_max > 0.0) {
            let hint = "0.01 bears a hundredth of log-likelihood per customer";
            self.say("clv.drift_max", format!("{} is not above 0", clv.drift_max), Some(hint));
        }
        self.positive("clv.unit_days", clv.unit_days);
        self.positive("clv.horizon_days", clv.horizon_days);
        if let Some(day) = &clv.fit_until
            && day.parse::<chrono::NaiveDate>().is_err()
        {
            self.say("clv.fit_until", format!("`{day}` is not a date"), Some("write YYYY-MM-DD"));
        }
    }

    fn limits(&mut self, job: &Job) {
        let limits = &job.limits;
        if !(0.0..=1.0).contains(&limits.rejects_max) {
            let message = format!("{} is not within 0 to 1", limits.rejects_max);
            self.say("limits.rejects_max", message, Some("0.05 is 5 of 100 records"));
        }
        for (key, value) in [
            ("object_bytes_max", limits.object_bytes_max),
            ("expansion_ratio_max", limits.expansion_ratio_max),
            ("record_bytes_max", limits.record_bytes_max),
            ("columns_max", u64::from(limits.columns_max)),
            ("batch_objects", u64::from(limits.batch_objects)),
            ("batch_bytes", limits.batch_bytes),
        ] {
            if value == 0 {
                self.say(&format!("limits.{key}"), "is 0: nothing would pass", None);
            }
        }
    }

    fn publish(&mut self, job: &Job) {
        let Some(export) = &job.publish.export else { return };
        self.secret("publish.export", export);
        let rest = export.replace("{release}", "1");
        if export.trim().is_empty() {
            self.say("publish.export", "is empty", Some("leave it out for no export"));
        } else if rest.contains(['{', '}']) {
            self.say("publish.export", "the only template is `{release}`", None);
        } else if rest == *export {
            let hint = "add `{release}`: an export never goes into a folder that has one";
            self.say("publish.export", "is the same folder for each release", Some(hint));
        }
    }

    fn positive(&mut self, at: &str, value: u32) {
        if value == 0 {
            self.say(at, "is 0", Some("1 or more"));
        }
    }

    fn twins(&mut self, at: &str, list: &[String]) {
        let mut seen = BTreeSet::new();
        for (i, name) in list.iter().enumerate() {
            if !seen.insert(name) {
                self.say(&format!("{at}[{i}]"), format!("`{name}` stands twice"), None);
            }
        }
    }
}

/// Whether a url carries a password, or a query that signs it.
pub fn holds_secret(url: &str) -> bool {
    const SIGNED: [&str; 5] = ["sig=", "signature=", "token=", "credential=", "secret="];
    let Some((_, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let has_password = host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let query = rest.split_once('?').map(|(_, query)| query.to_ascii_lowercase());
    has_password || query.is_some_and(|query| SIGNED.iter().any(|word| query.contains(word)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// ISO 3166-1 alpha-2, and `XK`, which carriers and shops use.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA \
    ZM ZW";

/// ISO 4217, money in use.
const CURRENCIES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP \
    BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP \
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS \
    KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR \
    MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF \
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD \
    TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";
