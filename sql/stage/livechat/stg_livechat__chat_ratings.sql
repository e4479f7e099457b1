-- One row per rating of a chat: good is 1, bad is 0. A chat that was not rated was asked all the same.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_livechat__chats

),

mapped as (

    select
        record_id,
        chat_id as source_id,
        chat_id as response_group_id,
        coalesce(ended_at, started_at) as source_updated_at,
        visitor_id as customer_source_id,
        email,
        'rating' as question_id,
        'csat' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(1 as decimal(18, 4)) as scale_max,
        case rate when 'good' then cast(1 as decimal(18, 4)) when 'bad' then cast(0 as decimal(18, 4)) end as score,
        case when rate <> 'not_rated' then rate end as score_label,
        'chat' as channel,
        'support' as touchpoint,
        case when rate = 'not_rated' then 'unanswered' else 'answered' end as status,
        chat_id as conversation_source_id,
        case when rate <> 'not_rated' then coalesce(ended_at, started_at) end as answered_at,
        agent_email as agent
    from raw
    where rate is not null

)

select * from mapped
