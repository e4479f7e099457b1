//! What happened, small enough to hold millions: who, when, what; the rest is drawn again when the
//! record is written.

/// An export of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Entity {
    Contact,
    Ticket,
    Rating,
    Comment,
    /// A dated change of a ticket, or a target set for it.
    Change,
    Response,
    Order,
    /// The same orders as line items, from the shop's own export.
    OrderLines,
    Payer,
    Subscription,
    Web,
    Visit,
}

impl Entity {
    pub const ALL: [Self; 12] = [
        Self::Contact,
        Self::Ticket,
        Self::Rating,
        Self::Comment,
        Self::Change,
        Self::Response,
        Self::Order,
        Self::OrderLines,
        Self::Payer,
        Self::Subscription,
        Self::Web,
        Self::Visit,
    ];

    /// `<source>/<entity>`, as the folder and the source spec are called.
    pub fn key(self) -> &'static str {
        match self {
            Self::Contact => "hubspot/contacts",
            Self::Ticket => "zendesk/tickets",
            Self::Rating => "zendesk/satisfaction_ratings",
            Self::Comment => "zendesk/ticket_comments",
            Self::Change => "zendesk/ticket_metric_events",
            Self::Response => "asknicely/responses",
            Self::Order => "shopify/orders",
            Self::OrderLines => "shopify/orders_ui",
            Self::Payer => "stripe/customers",
            Self::Subscription => "stripe/subscriptions",
            Self::Web => "generic/events",
            Self::Visit => "stores/visits",
        }
    }
}

/// How a record reaches its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Shape {
    Whole,
    /// The same bytes again in the same file.
    Again,
    /// The same bytes again in the next file.
    Resent,
    /// A second, broken copy of the line.
    Cut,
    /// An answer that its scale does not have.
    OffScale,
    /// A day that no calendar has.
    BadDate,
    /// A line of a table that lacks fields.
    Ragged,
}

/// One record to be written. The order of the fields is the order of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Place of its export among [`super::calendar::Exports::dates`].
    pub export: u16,
    pub entity: Entity,
    /// When the source last changed it, in seconds since 1970.
    pub at: u32,
    pub customer: u32,
    /// Which of the customer's things of this kind.
    pub index: u16,
    /// What it has come to; every vendor's room has its words.
    pub state: u8,
    pub shape: Shape,
    /// When the thing itself began.
    pub begun: u32,
    pub topic: u8,
    pub score: i8,
}

/// Marks of [`Event::score`] on web events.
pub const KNOWN: i8 = 1;
pub const SECOND_DEVICE: i8 = 2;

/// States by entity.
pub mod contact {
    pub const STAGES: [&str; 5] =
        ["subscriber", "lead", "salesqualifiedlead", "customer", "evangelist"];
    pub const CUSTOMER: u8 = 3;
    pub const EVANGELIST: u8 = 4;
    /// Topic: the second contact has been merged into this one.
    pub const MERGED: u8 = 1;
    /// Topic: no more mail.
    pub const OPTED_OUT: u8 = 2;
}

pub mod ticket {
    pub const OPEN: u8 = 0;
    pub const SOLVED: u8 = 1;
    pub const CLOSED: u8 = 2;
    pub const DELETED: u8 = 3;
}

pub mod comment {
    pub const CUSTOMER: u8 = 0;
    pub const AGENT: u8 = 1;
    pub const NOTE: u8 = 2;
}

pub mod change {
    pub const OPENED: u8 = 0;
    pub const PROMISED: u8 = 1;
    pub const ANSWERED: u8 = 2;
    pub const SOLVED: u8 = 3;
    pub const REOPENED: u8 = 4;
    /// Things of one ticket; the index of one is the ticket's times this, and its place.
    pub const OF_A_TICKET: u16 = 32;
}

pub mod rating {
    pub const OFFERED: u8 = 0;
    pub const BAD: u8 = 1;
    pub const GOOD: u8 = 2;
}

pub mod survey {
    pub const ASKED: u8 = 0;
    pub const ANSWERED: u8 = 1;
    pub const NPS: u8 = 0;
    pub const CSAT: u8 = 1;
    pub const STARS: u8 = 2;
    pub const KINDS: [&str; 3] = ["nps", "csat", "fivestar"];
    pub const TOUCHPOINTS: [&str; 5] =
        ["onboarding", "checkout", "delivery", "support", "relationship"];
}

pub mod order {
    pub const PAID: u8 = 0;
    pub const PARTLY_REFUNDED: u8 = 1;
    pub const REFUNDED: u8 = 2;
    pub const CANCELLED: u8 = 3;
    pub const TEST: u8 = 4;
}

pub mod subscription {
    pub const ACTIVE: u8 = 0;
    pub const TRIAL: u8 = 1;
    pub const STOPPING: u8 = 2;
    pub const ENDED: u8 = 3;
}

pub mod payer {
    pub const LIVE: u8 = 0;
    pub const LATE: u8 = 1;
    pub const DELETED: u8 = 2;
    pub const TEST: u8 = 3;
}

pub mod web {
    pub const NAMES: [&str; 11] = [
        "page_view",
        "product_view",
        "add_to_cart",
        "checkout_started",
        "purchase",
        "signup",
        "newsletter_clicked",
        "feature_used",
        "referral_sent",
        "review_posted",
        "form_submitted",
    ];
    pub const PAGE: u8 = 0;
    pub const PRODUCT: u8 = 1;
    pub const CART: u8 = 2;
    pub const CHECKOUT: u8 = 3;
    pub const PURCHASE: u8 = 4;
    pub const SIGNUP: u8 = 5;
    pub const NEWSLETTER: u8 = 6;
    pub const FEATURE: u8 = 7;
    pub const REFERRAL: u8 = 8;
    pub const REVIEW: u8 = 9;
    pub const FORM: u8 = 10;
}
