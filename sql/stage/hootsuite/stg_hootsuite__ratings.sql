-- One row per score that a resolved conversation shows; it has no time of its own, so the resolution dates it.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_hootsuite__resolved_conversations

),

metrics (metric) as (

    values ('csat'), ('nps')

),

crossed as (

    select
        raw.*,
        metrics.metric
    from raw
    cross join metrics

),

scored as (

    select
        *,
        case when metric = 'csat' then csat_scale_min else cast(0 as decimal(18, 4)) end as scale_min,
        case when metric = 'csat' then csat_scale_max else cast(10 as decimal(18, 4)) end as scale_max,
        case when metric = 'csat' then csat else nps end as score
    from crossed

),

person as (

    select
        *,
        case
            when medium = 'twit' then 'x'
            when medium = 'fb' then 'facebook'
            when medium in ('instagram', 'linkedin') then medium
        end as network,
        -- Identifiers are free text: a handle says so itself, a number is one on WhatsApp only.
        case
            when secondary_identifier like '@%' then secondary_identifier
            when primary_identifier like '@%' then primary_identifier
        end as handle,
        case
            when medium <> 'whatsapp' then null
            when secondary_identifier like '+%' then secondary_identifier
            when primary_identifier like '+%' then primary_identifier
        end as phone,
        case
            when primary_identifier not like '@%' and primary_identifier not like '+%' then primary_identifier
        end as full_name
    from scored

),

mapped as (

    select
        record_id,
        conversation_id || ':' || metric as source_id,
        conversation_id as response_group_id,
        contact_id as customer_source_id,
        phone,
        metric as question_id,
        metric,
        scale_min,
        scale_max,
        score,
        case when medium in ('rtm', 'whatsapp') then 'chat' else 'other' end as channel,
        'support' as touchpoint,
        'answered' as status,
        conversation_id as conversation_source_id,
        coalesce(resolved_at, created_at) as answered_at,
        agent_id as agent,
        case when score < scale_min or score > scale_max then 'off_scale' end as reject_rule,
        metric as reject_column,
        cast(score as string) as reject_text
    from person
    where score is not null

)

select * from mapped
