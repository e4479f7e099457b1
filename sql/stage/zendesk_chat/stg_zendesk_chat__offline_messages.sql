-- One row per message that was left while nobody was there.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_zendesk_chat__chats

),

mapped as (

    select
        record_id,
        attributes,
        chat_id || ':0' as source_id,
        visitor_id as anonymous_id,
        email,
        phone,
        chat_id as conversation_source_id,
        cast(0 as bigint) as place,
        'customer' as author_kind,
        'in' as direction,
        true as is_public,
        'comment' as kind,
        'web' as channel,
        message as body_text,
        started_at as sent_at
    from raw
    where chat_type = 'offline_msg' and message is not null

)

select * from mapped
