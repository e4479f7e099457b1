-- One row per conversation that was open.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_hootsuite__open_conversations

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
        conversation_id as source_id,
        contact_id as customer_source_id,
        phone,
        case when network is not null then network || ':' || lower(replace(handle, '@', '')) end as social_handle,
        case
            when medium in ('rtm', 'whatsapp') then 'chat'
            when medium = 'email' then 'ticket'
            else 'social_dm'
        end as kind,
        case
            when medium in ('rtm', 'whatsapp') then 'chat'
            when medium = 'email' then 'email'
            when network is not null then 'social'
            else 'other'
        end as channel,
        'open' as status,
        coalesce(topics, channel_name) as touchpoint,
        agent_id as assignee,
        created_at,
        tags
    from person

)

select * from mapped
