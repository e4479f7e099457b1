-- One row per message.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_heyday__messages__messages

),

mapped as (

    select
        record_id,
        coalesce(message_id, conversation_id || ':' || cast(place as string)) as source_id,
        conversation_id as conversation_source_id,
        'conversations' as conversation_entity,
        place,
        author_kind,
        case when author_kind = 'customer' then 'in' else 'out' end as direction,
        true as is_public,
        'comment' as kind,
        'chat' as channel,
        body as body_text,
        sent_at
    from raw

)

select * from mapped
