-- One row per answered survey.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_hubspot__feedback_submissions

),

typed as (

    select
        *,
        case upper(survey_type)
            when 'NPS' then 'nps'
            when 'CSAT' then 'csat'
            when 'CES' then 'ces'
            else 'other'
        end as metric
    from raw

),

scaled as (

    select
        *,
        case metric
            when 'nps' then cast(0 as decimal(18, 4))
            when 'csat' then cast(0 as decimal(18, 4))
            when 'ces' then ces_scale_min
        end as scale_min,
        case metric
            when 'nps' then cast(10 as decimal(18, 4))
            when 'csat' then cast(2 as decimal(18, 4))
            when 'ces' then ces_scale_max
        end as scale_max
    from typed

),

mapped as (

    select
        record_id,
        attributes,
        submission_id as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        submission_id as response_group_id,
        contact_id as customer_source_id,
        nullif(trim(split_part(emails, ';', 1)), '') as email,
        survey_id,
        survey_name,
        metric,
        scale_min,
        scale_max,
        value as score,
        -- HubSpot counts the happy ones of its 0 to 2.
        case when metric = 'csat' then value = 2 end as is_favourable,
        response_group as score_label,
        comment as comment_text,
        case
            when lower(survey_channel) in ('email', 'web', 'chat', 'sms') then lower(survey_channel)
            when survey_channel is not null then 'other'
        end as channel,
        case when ticket_id is not null then 'support' else survey_name end as touchpoint,
        case when value is null then 'unanswered' else 'answered' end as status,
        ticket_id as conversation_source_id,
        answered_at,
        agent_email as agent,
        case when value < scale_min or value > scale_max then 'off_scale' end as reject_rule,
        'value' as reject_column,
        cast(value as string) as reject_text
    from scaled

)

select * from mapped
