-- One row per feedback on a case.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_acquire__cases__feedbacks

),

mapped as (

    select
        record_id,
        feedback_id as source_id,
        feedback_id as response_group_id,
        contact_id as customer_source_id,
        'rating' as question_id,
        rating_metric as metric,
        rating_scale_min as scale_min,
        rating_scale_max as scale_max,
        rating as score,
        comment as comment_text,
        case when lower(case_channel) in ('chat', 'email') then lower(case_channel) else 'other' end as channel,
        'support' as touchpoint,
        case when rating is null then 'partial' else 'answered' end as status,
        case_id as conversation_source_id,
        answered_at,
        agent_id as agent,
        case when rating < rating_scale_min or rating > rating_scale_max then 'off_scale' end as reject_rule,
        'rating' as reject_column,
        cast(rating as string) as reject_text
    from raw
    where feedback_id is not null

)

select * from mapped
