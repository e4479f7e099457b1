-- One row per message of a chat.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_livechat__chats__messages

),

mapped as (

    select
        record_id,
        coalesce(event_id, chat_id || ':' || cast(place as string)) as source_id,
        case when user_type = 'visitor' then visitor_id end as customer_source_id,
        chat_id as conversation_source_id,
        place,
        case user_type when 'visitor' then 'customer' when 'agent' then 'agent' else 'system' end as author_kind,
        agent_id as author,
        case when user_type = 'visitor' then 'in' else 'out' end as direction,
        true as is_public,
        'comment' as kind,
        'chat' as channel,
        body as body_text,
        sent_at
    from raw

)

select * from mapped
