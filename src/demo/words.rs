//! What people are called, buy and say. All invented; domains are the reserved example ones.

/// A country of the demo with the language its people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    pub code: &'static str,
    pub language: &'static str,
    /// Calling code and the digits that follow it: the national plans give no subscriber a number
    /// that begins like this.
    pub phone: (&'static str, &'static str, u32),
    pub currency: &'static str,
    pub weight: u32,
}

pub const COUNTRIES: [Country; 5] = [
    Country { code: "DK", language: "da", phone: ("+45", "1", 7), currency: "DKK", weight: 42 },
    Country { code: "SE", language: "sv", phone: ("+46", "78", 7), currency: "SEK", weight: 20 },
    Country { code: "NO", language: "no", phone: ("+47", "1", 7), currency: "NOK", weight: 12 },
    Country { code: "DE", language: "de", phone: ("+49", "199", 7), currency: "EUR", weight: 18 },
    Country { code: "GB", language: "en", phone: ("+44", "6", 9), currency: "GBP", weight: 8 },
];

/// Given names and family names, as written and as typed into an address, by country.
pub type Name = (&'static str, &'static str);

pub const GIVEN: [&[Name]; 5] = [
    &[
        ("Freja", "freja"),
        ("Søren", "soeren"),
        ("Ida", "ida"),
        ("Mikkel", "mikkel"),
        ("Åse", "aase"),
        ("Emil", "emil"),
        ("Karen", "karen"),
        ("Jens", "jens"),
        ("Mette", "mette"),
        ("Lærke", "laerke"),
        ("Rasmus", "rasmus"),
        ("Birgit", "birgit"),
    ],
    &[
        ("Elsa", "elsa"),
        ("Göran", "goran"),
        ("Linnéa", "linnea"),
        ("Oskar", "oskar"),
        ("Maja", "maja"),
        ("Björn", "bjorn"),
        ("Astrid", "astrid"),
        ("Nils", "nils"),
        ("Åsa", "asa"),
        ("Viktor", "viktor"),
    ],
    &[
        ("Ingrid", "ingrid"),
        ("Håkon", "hakon"),
        ("Solveig", "solveig"),
        ("Magnus", "magnus"),
        ("Nora", "nora"),
        ("Øystein", "oystein"),
        ("Silje", "silje"),
        ("Lars", "lars"),
    ],
    &[
        ("Anna", "anna"),
        ("Jürgen", "juergen"),
        ("Lena", "lena"),
        ("Felix", "felix"),
        ("Käthe", "kaethe"),
        ("Moritz", "moritz"),
        ("Sophie", "sophie"),
        ("Uwe", "uwe"),
        ("Jörg", "joerg"),
        ("Greta", "greta"),
    ],
    &[
        ("Alice", "alice"),
        ("George", "george"),
        ("Hannah", "hannah"),
        ("Oliver", "oliver"),
        ("Zoë", "zoe"),
        ("Priya", "priya"),
        ("Callum", "callum"),
        ("Maeve", "maeve"),
    ],
];

pub const FAMILY: [&[Name]; 5] = [
    &[
        ("Sørensen", "soerensen"),
        ("Holm", "holm"),
        ("Østergård", "oestergaard"),
        ("Lund", "lund"),
        ("Kjær", "kjaer"),
        ("Bach", "bach"),
        ("Thomsen", "thomsen"),
        ("Dahl", "dahl"),
        ("Møller", "moeller"),
        ("Winther", "winther"),
    ],
    &[
        ("Lindström", "lindstrom"),
        ("Åberg", "aberg"),
        ("Nyström", "nystrom"),
        ("Ekman", "ekman"),
        ("Sjöberg", "sjoberg"),
        ("Hallberg", "hallberg"),
        ("Wik", "wik"),
        ("Norén", "noren"),
    ],
    &[
        ("Solberg", "solberg"),
        ("Bråten", "braten"),
        ("Nygård", "nygard"),
        ("Bjørnstad", "bjornstad"),
        ("Moen", "moen"),
        ("Fjeld", "fjeld"),
        ("Haugen", "haugen"),
    ],
    &[
        ("Müller", "mueller"),
        ("Weiß", "weiss"),
        ("Krüger", "krueger"),
        ("Schäfer", "schaefer"),
        ("Brandt", "brandt"),
        ("Vogel", "vogel"),
        ("Köhler", "koehler"),
        ("Hofmann", "hofmann"),
    ],
    &[
        ("Wright", "wright"),
        ("Hughes", "hughes"),
        ("O'Neill", "oneill"),
        ("Patel", "patel"),
        ("Barker", "barker"),
        ("Ashworth", "ashworth"),
        ("Fletcher", "fletcher"),
    ],
];

pub const CITIES: [&[(&str, &str)]; 5] = [
    &[("København", "2100"), ("Aarhus", "8000"), ("Odense", "5000"), ("Aalborg", "9000")],
    &[("Göteborg", "411 03"), ("Malmö", "211 20"), ("Uppsala", "753 10")],
    &[("Bergen", "5003"), ("Tromsø", "9008"), ("Oslo", "0150")],
    &[("Köln", "50667"), ("Flensburg", "24937"), ("München", "80331")],
    &[("Leeds", "LS1 4AP"), ("Bristol", "BS1 5TR")],
];

pub const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];

pub const COMPANIES: [&str; 8] = [
    "Havblik A/S",
    "Nordlys AB",
    "Fjordkraft Design AS",
    "Kranich & Söhne GmbH",
    "Birkelund ApS",
    "Tidewater Studio Ltd",
    "Solsikke IVS",
    "Grönvik Handel",
];

/// Article number, title and family.
pub const PRODUCTS: [(&str, &str, &str); 12] = [
    ("MUG-01", "Stoneware mug", "table"),
    ("PLA-02", "Dinner plate, large", "table"),
    ("LAM-03", "Reading lamp", "light"),
    ("LAM-04", "Pendant \"Måne\"", "light"),
    ("BLA-05", "Wool blanket", "textile"),
    ("TOW-06", "Linen towel, pair", "textile"),
    ("CHA-07", "Oak stool", "furniture"),
    ("TAB-08", "Side table", "furniture"),
    ("VAS-09", "Glass vase", "decor"),
    ("CAN-10", "Beeswax candles, 6", "decor"),
    ("BRU-11", "Dish brush", "kitchen"),
    ("KNI-12", "Kitchen knife 18 cm", "kitchen"),
];

pub const SHOPS: [(&str, &str); 4] = [
    ("København K", "Købmagergade"),
    ("Aarhus C", "Strøget"),
    ("Göteborg", "Avenyn"),
    ("Hamburg", "Große Bleichen"),
];

/// Plan and cents a month.
pub const PLANS: [(&str, i64); 3] = [("basic", 900), ("plus", 1_900), ("studio", 4_900)];

/// `utm_source`, `utm_medium`, HubSpot's name of the channel, and its weight.
pub const CHANNELS: [(&str, &str, &str, u32); 6] = [
    ("google", "cpc", "PAID_SEARCH", 24),
    ("google", "organic", "ORGANIC_SEARCH", 26),
    ("newsletter", "email", "EMAIL_MARKETING", 14),
    ("instagram", "paid_social", "PAID_SOCIAL", 16),
    ("friend", "referral", "REFERRALS", 8),
    ("", "", "DIRECT_TRAFFIC", 12),
];

pub const PAGES: [(&str, &str); 6] = [
    ("/", "home"),
    ("/collections/table", "catalogue"),
    ("/collections/light", "catalogue"),
    ("/blog/care-for-wood", "content"),
    ("/pages/stores", "stores"),
    ("/pages/plans", "plans"),
];

pub const SUBJECTS: [(&str, &str); 5] = [
    ("Where is my parcel?", "delivery"),
    ("Invoice wrong", "billing"),
    ("Return of an item", "returns"),
    ("Item arrived broken", "product"),
    ("Cannot log in", "account"),
];

/// Answers by language (da, sv, no, de, en), for a bad, a middling and a good experience.
pub const COMMENTS: [[&[&str]; 3]; 5] = [
    [
        &[
            "Pakken kom alt for sent, og ingen svarede på min mail.",
            "Meget skuffet. Varen var i stykker & jeg venter stadig på pengene.",
            "Dårlig kundeservice, jeg handler ikke her igen!",
            "Elendig levering - 3 uger for \"ekspres\".",
        ],
        &[
            "Helt okay, men leveringen kunne være hurtigere.",
            "Fin vare, lidt dyr.",
            "Det var som ventet.",
        ],
        &[
            "Fantastisk service og hurtig levering!",
            "Jeg er meget tilfreds, flot kvalitet.",
            "Søde medarbejdere & nem returnering. Tak!",
            "Min nye lampe er \"perfekt\" :)",
        ],
    ],
    [
        &[
            "Jag fick vänta två veckor och produkten var trasig.",
            "Mycket dåligt bemötande, aldrig mer.",
            "Besviken - supporten svarade inte.",
        ],
        &["Okej, men frakten var för dyr.", "Varken bra eller dålig."],
        &[
            "Underbar kvalitet och snabb leverans!",
            "Jättenöjd, tack för hjälpen!",
            "Smidigt & trevligt.",
        ],
    ],
    [
        &[
            "Pakken kom aldrig fram, veldig dårlig.",
            "Ødelagt vare og ingen hjelp å få.",
            "Skuffet over kundeservice.",
        ],
        &["Helt greit.", "Bra produkt, men treg levering."],
        &[
            "Kjempefornøyd, rask levering!",
            "Veldig hyggelig og god service.",
            "Nydelig kvalitet & fin pris.",
        ],
    ],
    [
        &[
            "Die Lieferung kam viel zu spät und war beschädigt.",
            "Schrecklicher Kundendienst, nie wieder!",
            "Leider sehr enttäuscht, das Geld fehlt noch immer.",
        ],
        &["In Ordnung, aber teuer.", "Es war, wie \"erwartet\"."],
        &[
            "Wunderschön und schnell geliefert!",
            "Sehr zufrieden, freundliche Beratung.",
            "Tolle Qualität & gute Größe.",
        ],
    ],
    [
        &[
            "It's broken & nobody answers my e-mails.",
            "Terrible delivery, three weeks late.",
            "Very disappointed, I want my money back.",
        ],
        &["It's fine, a bit <slow>.", "As expected."],
        &[
            "Great service, I'm really happy!",
            "Lovely quality and fast delivery.",
            "Best \"mug\" ever & friendly staff.",
        ],
    ],
];
