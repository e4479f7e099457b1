-- One row per message by which somebody mentioned the company in public.
-- grain: source_id
-- canonical: social_mentions
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
        case when network is not null then network || ':' || lower(replace(handle, '@', '')) end as social_handle,
        coalesce(network, 'other') as network,
        case when trigger_action = 'REPLY' then 'comment' else 'mention' end as kind,
        coalesce(full_name, handle) as author_name,
        body as body_text,
        lower(language) as language,
        channel_name as brand_profile,
        sent_at as posted_at
    from person
    where
        message_id is not null
        and (trigger_action = 'MENTION' or (trigger_action = 'REPLY' and trigger_type = 'POST'))

)

select * from mapped
