-- One row per visitor of a chat; the newest chat counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_livechat__chats

),

mapped as (

    select
        record_id,
        visitor_id as source_id,
        visitor_id as customer_source_id,
        started_at as source_updated_at,
        email,
        full_name,
        started_at as last_seen_at
    from raw
    where visitor_id is not null

)

select * from mapped
