-- One row per message, rating or arrival in a chat.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_zendesk_chat__chats__history

),

mapped as (

    select
        record_id,
        chat_id || ':' || cast(place as string) as source_id,
        case when nick like 'visitor%' then visitor_id end as anonymous_id,
        case when nick like 'visitor%' then email end as email,
        case when nick like 'visitor%' then phone end as phone,
        chat_id as conversation_source_id,
        place,
        case
            when nick like 'visitor%' then 'customer'
            when nick = 'agent:trigger' then 'bot'
            when nick like 'agent%' then 'agent'
            else 'system'
        end as author_kind,
        nullif(split_part(nick, 'agent:', 2), '') as author,
        case when nick like 'visitor%' then 'in' else 'out' end as direction,
        true as is_public,
        case entry_type
            when 'chat.msg' then 'comment'
            when 'chat.rating' then 'rating'
            when 'chat.comment' then 'rating'
            when 'chat.memberjoin' then 'assignment'
            else 'state'
        end as kind,
        'chat' as channel,
        coalesce(body, new_rating) as body_text,
        sent_at
    from raw
    where sent_at is not null

)

select * from mapped
