-- One row per contact of a conversation.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_hootsuite__resolved_conversations

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
        contact_id as source_id,
        contact_id as customer_source_id,
        phone,
        case when network is not null then network || ':' || lower(replace(handle, '@', '')) end as social_handle,
        full_name
    from person
    where contact_id is not null

)

select * from mapped
