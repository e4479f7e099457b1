-- One row per conversation score, if the job says that customers give it.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_heyday__conversations

),

mapped as (

    select
        record_id,
        conversation_id as source_id,
        conversation_id as response_group_id,
        case when lower(channel) <> 'web' then customer_id end as customer_source_id,
        case when lower(channel) = 'web' then customer_id end as anonymous_id,
        email,
        phone,
        'conversation_score' as question_id,
        score_metric as metric,
        score_scale_min as scale_min,
        score_scale_max as scale_max,
        score,
        'chat' as channel,
        flow as touchpoint,
        'answered' as status,
        conversation_id as conversation_source_id,
        coalesce(closed_at, created_at) as answered_at,
        assignee as agent,
        case when score < score_scale_min or score > score_scale_max then 'off_scale' end as reject_rule,
        'score' as reject_column,
        cast(score as string) as reject_text
    from raw
    where score is not null and score_metric is not null

)

select * from mapped
