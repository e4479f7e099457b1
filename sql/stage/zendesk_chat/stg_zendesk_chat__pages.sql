-- One row per page seen before or during a chat.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_zendesk_chat__chats__pages

),

mapped as (

    select
        record_id,
        chat_id || ':' || cast(place as string) as source_id,
        visitor_id as anonymous_id,
        email,
        phone,
        chat_id as session_source_id,
        'page_view' as name,
        'web' as channel,
        page_url,
        referrer,
        seen_at as occurred_at
    from raw
    where seen_at is not null

)

select * from mapped
