-- One row per visitor that a chat names.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_zendesk_chat__chats

),

mapped as (

    select
        record_id,
        visitor_id as source_id,
        coalesce(updated_at, ended_at, started_at) as source_updated_at,
        extracted_at,
        -- A visitor is a browser: it may change hands.
        visitor_id as anonymous_id,
        email,
        phone,
        full_name,
        upper(country) as country,
        city,
        started_at as last_seen_at
    from raw
    where visitor_id is not null and coalesce(email, phone, full_name) is not null

)

select * from mapped
