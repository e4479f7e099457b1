-- One row per answer without a score; the first open one is the comment of the response.
-- grain: source_id
-- canonical: survey_answers
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

mapped as (

    select
        record_id,
        feedback_id || ':' || coalesce(question_id, 'place ' || cast(answer_place as string))
        || ':' || cast(answer_place as string) as source_id,
        feedback_id as response_group_id,
        customer_id as external_id,
        email,
        phone,
        carrier_id as survey_id,
        question_id,
        answer_place as place,
        question_title as question_text,
        case
            when is_text then 'text'
            when try_cast(answer as decimal(18, 4)) is not null then 'number'
            else 'choice'
        end as answer_type,
        answer as value_text,
        try_cast(answer as decimal(18, 4)) as value_number,
        coalesce(completed_at, created_at) as answered_at
    from placed
    where
        metric is null
        and answer_place is not null
        and (comment_place is null or answer_place <> comment_place)

)

select * from mapped
