-- One row per scored answer, and one per feedback that has none.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_feedier__feedback

),

typed as (

    select
        *,
        case lower(question_type)
            when 'nps' then 'nps'
            when 'csat' then 'csat'
            when 'satisfaction' then 'csat'
            when 'smiley' then 'csat'
            when 'ces' then 'ces'
            when 'star' then 'star'
            when 'stars' then 'star'
        end as metric,
        lower(question_type) in ('text', 'textarea', 'comment', 'open') as is_text
    from raw

),

placed as (

    select
        *,
        count(metric) over (partition by record_id) as count_scored,
        min(case when is_text then answer_place end) over (partition by record_id) as comment_place
    from typed

),

-- the first open answer is the comment
spoken as (

    select
        *,
        max(case when answer_place = comment_place then answer end)
            over (partition by record_id) as comment_text
    from placed

),

scored as (

    select
        record_id,
        attributes,
        feedback_id,
        customer_id,
        email,
        phone,
        carrier_id,
        carrier_name,
        origin,
        created_at,
        completed_at,
        metric,
        case when metric is not null then question_id end as question_id,
        case when metric is not null then question_title end as question_title,
        case when metric is not null then answer end as answer,
        case when metric is not null then try_cast(answer as decimal(18, 4)) end as score,
        case when metric = 'nps' then nps_profile end as score_label,
        comment_text,
        case metric
            when 'nps' then cast(0 as decimal(18, 4))
            when 'csat' then csat_scale_min
            when 'ces' then ces_scale_min
            when 'star' then cast(1 as decimal(18, 4))
        end as scale_min,
        case metric
            when 'nps' then cast(10 as decimal(18, 4))
            when 'csat' then csat_scale_max
            when 'ces' then ces_scale_max
            when 'star' then star_scale_max
        end as scale_max
    from spoken
    where metric is not null or (count_scored = 0 and coalesce(answer_place, 1) = 1)

),

mapped as (

    select
        record_id,
        attributes,
        case
            when metric is null then feedback_id
            else feedback_id || ':' || question_id
        end as source_id,
        feedback_id as response_group_id,
        customer_id as external_id,
        email,
        phone,
        carrier_id as survey_id,
        carrier_name as survey_name,
        question_id,
        question_title as question_text,
        coalesce(metric, 'other') as metric,
        scale_min,
        scale_max,
        score,
        score_label,
        comment_text,
        case
            when lower(origin) in ('email', 'sms', 'web', 'chat') then lower(origin)
            when lower(origin) in ('website', 'widget') then 'web'
            when lower(origin) in ('qrcode', 'kiosk') then 'store'
            when origin is not null then 'other'
        end as channel,
        carrier_name as touchpoint,
        case
            when completed_at is null then 'partial'
            when metric is not null and score is null then 'unanswered'
            else 'answered'
        end as status,
        coalesce(completed_at, created_at) as answered_at,
        case
            when metric is not null and question_id is null then 'missing_required'
            when metric is not null and answer is not null and score is null then 'not_a_number'
            when score < scale_min or score > scale_max then 'off_scale'
        end as reject_rule,
        case
            when metric is not null and question_id is null then 'question_id'
            else 'answer'
        end as reject_column,
        answer as reject_text
    from scored

)

select * from mapped
