-- One row per rating of a chat: good is 1, bad is 0.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_zendesk_chat__chats

),

mapped as (

    select
        record_id,
        chat_id as source_id,
        chat_id as response_group_id,
        coalesce(updated_at, ended_at, started_at) as source_updated_at,
        extracted_at,
        visitor_id as anonymous_id,
        email,
        phone,
        'rating' as question_id,
        'csat' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(1 as decimal(18, 4)) as scale_max,
        case rating when 'good' then cast(1 as decimal(18, 4)) else cast(0 as decimal(18, 4)) end as score,
        rating as score_label,
        comment as comment_text,
        upper(country) as country,
        'chat' as channel,
        'support' as touchpoint,
        'answered' as status,
        chat_id as conversation_source_id,
        coalesce(ended_at, started_at) as answered_at,
        agent_id as agent
    from raw
    where rating is not null

)

select * from mapped
