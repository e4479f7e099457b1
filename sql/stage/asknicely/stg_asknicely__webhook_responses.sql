-- One row per delivery of a response; the newest counts.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_asknicely__webhook

),

typed as (

    select
        *,
        case lower(question_type)
            when 'nps' then 'nps'
            when 'csat' then 'csat'
            when 'ces' then 'ces'
            when 'fivestar' then 'star'
            when '5star' then 'star'
            else 'other'
        end as metric
    from raw

),

scaled as (

    select
        *,
        case metric
            when 'nps' then cast(0 as decimal(18, 4))
            when 'csat' then csat_scale_min
            when 'ces' then cast(1 as decimal(18, 4))
            when 'star' then cast(1 as decimal(18, 4))
        end as scale_min,
        case metric
            when 'nps' then cast(10 as decimal(18, 4))
            when 'csat' then csat_scale_max
            when 'ces' then cast(7 as decimal(18, 4))
            when 'star' then cast(5 as decimal(18, 4))
        end as scale_max
    from typed

),

mapped as (

    select
        record_id,
        attributes,
        response_id as source_id,
        response_id as response_group_id,
        contact_id as customer_source_id,
        email,
        survey_template as survey_name,
        metric,
        scale_min,
        scale_max,
        answer as score,
        comment as comment_text,
        case
            when lower(delivery_method) in ('email', 'web', 'sms', 'chat')
                then lower(delivery_method)
            when delivery_method is not null then 'other'
        end as channel,
        coalesce(segment, survey_template) as touchpoint,
        segment,
        case
            when answer is not null then 'answered'
            when responded is not null then 'partial'
            else 'unanswered'
        end as status,
        sent as asked_at,
        opened as opened_at,
        responded as answered_at,
        revision,
        lower(life_cycle) as journey_stage,
        case when answer < scale_min or answer > scale_max then 'off_scale' end as reject_rule,
        'answer' as reject_column,
        cast(answer as string) as reject_text
    from scaled

)

select * from mapped
