-- One row per message.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_hootsuite__messages

),

turned as (

    select
        *,
        lower(direction) as way,
        case
            when lower(direction) = 'inbound' then 'customer'
            when sent_by_bot then 'bot'
            else 'agent'
        end as author_kind
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        message_id as source_id,
        case when author_kind = 'customer' then contact_id end as customer_source_id,
        conversation_id as conversation_source_id,
        author_kind,
        case when author_kind <> 'customer' then agent_id end as author,
        case when author_kind = 'customer' then 'in' else 'out' end as direction,
        way <> 'note' as is_public,
        case when way = 'note' then 'note' else 'comment' end as kind,
        case
            when medium in ('rtm', 'whatsapp') then 'chat'
            when medium in ('fb', 'twit', 'instagram', 'linkedin') then 'social'
            when medium is not null then 'other'
        end as channel,
        body as body_text,
        sent_at
    from turned

)

select * from mapped
