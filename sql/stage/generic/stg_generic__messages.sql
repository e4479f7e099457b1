-- One row per message.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_generic__messages

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        anonymous_id,
        lower(social_handle) as social_handle,
        conversation_source_id,
        coalesce(conversation_entity, 'conversations') as conversation_entity,
        place,
        author_kind,
        author,
        case when author_kind = 'customer' then 'in' else 'out' end as direction,
        coalesce(is_public, coalesce(kind, 'comment') <> 'note') as is_public,
        coalesce(kind, case when is_public = false then 'note' else 'comment' end) as kind,
        lower(channel) as channel,
        body_text,
        is_redacted,
        sent_at
    from raw

)

select * from mapped
