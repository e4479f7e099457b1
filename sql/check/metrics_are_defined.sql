-- Each row is a metric that is published and that the registry does not explain.
with

published as (

    select definition_id, definition_version from experience_scores
    union all
    select definition_id, definition_version from experience_cube
    union all
    select definition_id, definition_version from survey_participation
    union all
    select definition_id, definition_version from service_levels
    union all
    select definition_id, definition_version from conversation_service
    union all
    select definition_id, definition_version from customer_lifetime_value
    union all
    select definition_id, definition_version from clv_model_parameters
    union all
    select definition_id, definition_version from clv_backtest
    union all
    select definition_id, definition_version from clv_by_cohort
    union all
    select definition_id, definition_version from customer_acquisition_cost
    union all
    select definition_id, definition_version from churn_ledger
    union all
    select definition_id, definition_version from retention_cohorts
    union all
    select definition_id, definition_version from survival_curves
    union all
    select definition_id, definition_version from survival_summary
    union all
    select definition_id, definition_version from retention_projection
    union all
    select definition_id, definition_version from churn_by_feedback
    union all
    select definition_id, definition_version from customer_segments
    union all
    select definition_id, definition_version from personas
    union all
    select definition_id, definition_version from persona_profiles
    union all
    select definition_id, definition_version from churn_risk
    union all
    select definition_id, definition_version from churn_risk_model
    union all
    select definition_id, definition_version from next_best_contact
    union all
    select definition_id, definition_version from journey_stage_metrics
    union all
    select definition_id, definition_version from journey_transitions
    union all
    select definition_id, definition_version from journey_paths
    union all
    select definition_id, definition_version from touchpoint_attribution
    union all
    select definition_id, definition_version from pain_points
    union all
    select definition_id, definition_version from change_effects
    union all
    select definition_id, definition_version from sessions
    union all
    select definition_id, definition_version from funnels

)

select distinct
    published.definition_id,
    published.definition_version
from published
left join metric_definitions
    on
        published.definition_id = metric_definitions.definition_id
        and published.definition_version
        = metric_definitions.definition_version
where metric_definitions.definition_id is null
