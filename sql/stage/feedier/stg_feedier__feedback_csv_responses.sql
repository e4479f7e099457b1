-- One row per feedback, with its recommendation.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_feedier__feedback_csv

),

mapped as (

    select
        record_id,
        attributes,
        feedback_id || ':nps' as source_id,
        feedback_id as response_group_id,
        customer_id as external_id,
        email,
        carrier_name as survey_name,
        'nps' as question_id,
        'nps' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(10 as decimal(18, 4)) as scale_max,
        nps_answer as score,
        nps_profile as score_label,
        comment as comment_text,
        case
            when lower(origin) in ('email', 'sms', 'web', 'chat') then lower(origin)
            when lower(origin) in ('website', 'widget') then 'web'
            when lower(origin) in ('qrcode', 'kiosk') then 'store'
            when origin is not null then 'other'
        end as channel,
        carrier_name as touchpoint,
        case
            when nps_answer is null then 'unanswered'
            when completed_at is null then 'partial'
            else 'answered'
        end as status,
        coalesce(completed_at, created_at) as answered_at,
        case when nps_answer < 0 or nps_answer > 10 then 'off_scale' end as reject_rule,
        'nps_answer' as reject_column,
        cast(nps_answer as string) as reject_text
    from raw

)

select * from mapped
