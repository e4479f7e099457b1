-- One row per message that somebody wrote.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_hootsuite__inbox_events

),

person as (

    select
        *,
        case
            when medium = 'twit' then 'x'
            when medium = 'fb' then 'facebook'
            when medium in ('instagram', 'linkedin') then medium
        end as network,
        -- Identifiers are free text: a handle says so itself, a number is one on WhatsApp only.
        case
            when secondary_identifier like '@%' then secondary_identifier
            when primary_identifier like '@%' then primary_identifier
        end as handle,
        case
            when medium <> 'whatsapp' then null
            when secondary_identifier like '+%' then secondary_identifier
            when primary_identifier like '+%' then primary_identifier
        end as phone,
        case
            when primary_identifier not like '@%' and primary_identifier not like '+%' then primary_identifier
        end as full_name
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        message_id as source_id,
        contact_id as customer_source_id,
        phone,
        case when network is not null then network || ':' || lower(replace(handle, '@', '')) end as social_handle,
        conversation_id as conversation_source_id,
        'customer' as author_kind,
        'in' as direction,
        true as is_public,
        'comment' as kind,
        case
            when medium in ('rtm', 'whatsapp') then 'chat'
            when network is not null then 'social'
            else 'other'
        end as channel,
        body as body_text,
        sent_at
    from person
    where event_type = 'INBOUND_MESSAGE_RECEIVED' and message_id is not null

)

select * from mapped
