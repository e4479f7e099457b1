-- One row per version of a raw object: what was read, what became of it and what of it is in use.
-- grain: object_url, object_version
with

newest as (

    select
        object_url,
        object_version
    from current_account_members
    union all
    select
        object_url,
        object_version
    from current_accounts
    union all
    select
        object_url,
        object_version
    from current_acquisition_costs
    union all
    select
        object_url,
        object_version
    from current_campaign_touches
    union all
    select
        object_url,
        object_version
    from current_consents
    union all
    select
        object_url,
        object_version
    from current_contacts
    union all
    select
        object_url,
        object_version
    from current_conversation_changes
    union all
    select
        object_url,
        object_version
    from current_conversations
    union all
    select
        object_url,
        object_version
    from current_events
    union all
    select
        object_url,
        object_version
    from current_fx_rates
    union all
    select
        object_url,
        object_version
    from current_identity_edges
    union all
    select
        object_url,
        object_version
    from current_messages
    union all
    select
        object_url,
        object_version
    from current_order_lines
    union all
    select
        object_url,
        object_version
    from current_orders
    union all
    select
        object_url,
        object_version
    from current_payments
    union all
    select
        object_url,
        object_version
    from current_social_mentions
    union all
    select
        object_url,
        object_version
    from current_subscriptions
    union all
    select
        object_url,
        object_version
    from current_survey_answers
    union all
    select
        object_url,
        object_version
    from current_survey_invitations
    union all
    select
        object_url,
        object_version
    from current_survey_questions
    union all
    select
        object_url,
        object_version
    from current_survey_responses

),

in_use as (

    select
        object_url,
        object_version,
        count(*) as n_rows
    from newest
    group by object_url, object_version

),

refused as (

    select
        object_url,
        object_version,
        count(distinct case when is_value_only = 0 then record_number end) as n_records,
        count(*) filter (where is_value_only = 1) as n_values
    from staged_rejects
    where record_number > 0
    group by object_url, object_version

)

select
    objects.object_url,
    objects.object_version,
    objects.source,
    objects.source_account,
    objects.entity,
    objects.dt,
    objects.object_bytes,
    objects.sha256,
    objects.n_read,
    objects.n_used,
    objects.n_duplicate,
    objects.n_rejected,
    objects.n_skipped,
    coalesce(refused.n_records, 0) - objects.n_rejected as n_partly_rejected,
    coalesce(refused.n_values, 0) as n_values_rejected,
    objects.n_rows,
    coalesce(in_use.n_rows, 0) as n_rows_newest,
    objects.n_rows - coalesce(in_use.n_rows, 0) as n_rows_superseded
from object_ledger as objects
left join in_use
    on
        objects.object_url = in_use.object_url
        and objects.object_version = in_use.object_version
left join refused
    on
        objects.object_url = refused.object_url
        and objects.object_version = refused.object_version
