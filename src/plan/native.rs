//! The steps in Rust: what each reads and makes. `run::native` knows how to call them.

use crate::job::Job;

/// A step in Rust.
#[derive(Debug)]
pub struct Native {
    pub name: &'static str,
    /// Tables, views, and `run`.
    pub inputs: &'static [&'static str],
    pub outputs: &'static [&'static str],
    /// Raised when the code gives other rows for the same input.
    pub version: u32,
    /// The job's options it reads, as text.
    pub options: fn(&Job) -> String,
}

/// All steps in Rust but staging and `current`, which follow from the catalogue.
pub static NATIVE: &[Native] = &[
    Native {
        name: "resolve",
        inputs: &[
            "current_contacts",
            "current_survey_responses",
            "current_survey_answers",
            "current_survey_invitations",
            "current_conversations",
            "current_messages",
            "current_social_mentions",
            "current_orders",
            "current_payments",
            "current_subscriptions",
            "current_events",
            "current_campaign_touches",
            "current_consents",
            "current_account_members",
            "current_identity_edges",
            "versions_contacts",
            "versions_survey_responses",
            "versions_survey_answers",
            "versions_survey_invitations",
            "versions_conversations",
            "versions_messages",
            "versions_social_mentions",
            "versions_orders",
            "versions_payments",
            "versions_subscriptions",
            "versions_events",
            "versions_campaign_touches",
            "versions_consents",
            "versions_account_members",
            "versions_identity_edges",
            "forgotten_customers",
        ],
        outputs: &[
            "identity_keys",
            "identity_former",
            "customer_identifiers",
            "identity_changes",
            "identity_quarantine",
            "identity_ledger",
            "identity_matches",
            "identity_match_model",
            "identity_match_drift",
        ],
        version: 3,
        options: |job| format!("{:?}{:?}", job.country, job.identity),
    },
    Native {
        name: "accounts",
        inputs: &[
            "current_accounts",
            "current_account_members",
            "current_contacts",
            "versions_accounts",
            "versions_account_members",
            "versions_contacts",
            "identity_keys",
            "customer_identifiers",
        ],
        outputs: &["accounts", "account_members", "account_member_history"],
        version: 1,
        options: |job| {
            let priority = &job.profile.source_priority;
            format!("{:?}{:?}{priority:?}{}", job.country, job.accounts, job.time_zone)
        },
    },
    Native {
        name: "profile",
        inputs: &[
            "current_contacts",
            "current_orders",
            "current_survey_responses",
            "versions_contacts",
            "identity_keys",
            "customer_identifiers",
        ],
        outputs: &["golden_customers", "customer_field_provenance", "customer_history"],
        version: 1,
        options: |job| {
            format!("{:?}{:?}{:?}{}", job.country, job.identity, job.profile, job.time_zone)
        },
    },
    Native {
        name: "timeline",
        inputs: &["timeline_events", "fx_daily", "run"],
        outputs: &["timeline"],
        version: 4,
        options: |job| format!("{}{}", job.time_zone, job.currency),
    },
    Native {
        name: "folds",
        inputs: &["timeline", "golden_customers", "stage_events", "run"],
        outputs: &[
            "customer_purchases",
            "journey_stage_history",
            "churn_ledger_customers",
            "customer_contracts",
            "customer_features",
            "sessions",
            "churn_ledger",
            "retention_cohorts",
            "journey_stage_metrics",
            "survival_curves",
            "survival_summary",
            "retention_projection",
            "churn_by_feedback",
            "funnels",
            "journey_transitions",
            "journey_paths",
            "touchpoint_attribution",
            "path_drop_offs",
        ],
        version: 8,
        options: |job| {
            let clv = (&job.clv.fit_until, job.clv.holdout_days, job.clv.discount_rate);
            let drawn = job.risk.train_customers;
            let ways = (&job.paths, &job.sessions, job.funnels());
            format!("{clv:?}{:?}{:?}{ways:?}{drawn}", job.metrics, job.stages)
        },
    },
    Native {
        name: "clv",
        inputs: &[
            "customer_purchases",
            "customer_contracts",
            "acquisition_spending",
            "acquisition_touches",
            "timeline",
            "run",
        ],
        outputs: &[
            "customer_lifetime_value",
            "clv_model_parameters",
            "clv_backtest",
            "clv_by_cohort",
            "customer_acquisition_cost",
            "clv_reference",
        ],
        version: 3,
        options: |job| {
            let metrics = &job.metrics;
            let metrics = (metrics.inactive_days, metrics.confidence, metrics.min_cell);
            format!("{:?}{:?}{metrics:?}", job.clv, job.currency)
        },
    },
    Native {
        name: "segments",
        inputs: &["customer_features", "run"],
        outputs: &["customer_segments", "personas", "persona_profiles", "persona_reference"],
        version: 1,
        options: |job| format!("{:?}{:?}{}", job.segments, job.currency, job.metrics.min_cell),
    },
    Native {
        name: "risk",
        inputs: &["customer_features", "run"],
        outputs: &["churn_risk", "churn_risk_model"],
        version: 1,
        options: |job| {
            let metrics = &job.metrics;
            let metrics = (metrics.inactive_days, metrics.confidence, metrics.min_cell);
            format!("{:?}{metrics:?}", job.risk)
        },
    },
    Native {
        name: "resubmissions",
        inputs: &["repeated_answers"],
        outputs: &["superseded_answers"],
        version: 1,
        options: |job| format!("{}", job.metrics.resubmission_days),
    },
    Native {
        name: "scores",
        inputs: &["survey_answers", "run"],
        outputs: &["experience_scores", "experience_cube"],
        version: 4,
        options: |job| {
            let metrics = &job.metrics;
            let options = (metrics.confidence, metrics.min_cell, &metrics.periods);
            format!("{options:?}{:?}{:?}", metrics.dimensions, metrics.weights)
        },
    },
    Native {
        name: "pains",
        inputs: &["path_drop_offs", "survey_answers", "run"],
        outputs: &["pain_points"],
        version: 1,
        options: |job| {
            let metrics = &job.metrics;
            format!("{}{:?}{}", metrics.min_cell, metrics.confidence, job.paths.pain_days)
        },
    },
    Native {
        name: "changes",
        inputs: &[
            "survey_answers",
            "conversation_service",
            "current_conversations",
            "churn_ledger_customers",
            "run",
        ],
        outputs: &["change_effects"],
        version: 1,
        options: |job| {
            let metrics = &job.metrics;
            format!("{:?}{:?}{:?}", metrics.confidence, metrics.min_cell, job.changes)
        },
    },
    Native {
        name: "participation",
        inputs: &["survey_contacts", "incentive_answers", "run"],
        outputs: &["survey_participation"],
        version: 1,
        options: |job| {
            let metrics = &job.metrics;
            let options = (metrics.confidence, metrics.min_cell, &metrics.periods);
            format!("{options:?}{}", job.time_zone)
        },
    },
    Native {
        name: "service",
        inputs: &["service_cases", "service_changes", "run"],
        outputs: &["conversation_service", "service_levels"],
        version: 2,
        options: |job| {
            let metrics = &job.metrics;
            let options = (metrics.confidence, metrics.min_cell, &metrics.periods);
            format!("{options:?}{:?}{:?}{}", job.service, job.calendars, job.time_zone)
        },
    },
];
