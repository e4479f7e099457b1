-- One row per comment.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_zendesk__ticket_comments
    where comment_id is not null

),

told as (

    select
        *,
        case
            when author_role = 'end-user' or author_id = requester_id then 'customer'
            when author_role in ('agent', 'admin') or author_id <> requester_id then 'agent'
            -- Only agents write notes.
            when not is_public then 'agent'
        end as author_kind
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        comment_id as source_id,
        extracted_at,
        case when author_kind = 'customer' then author_id end as customer_source_id,
        ticket_id as conversation_source_id,
        'tickets' as conversation_entity,
        author_kind,
        case when author_kind = 'customer' then null else author_id end as author,
        case author_kind when 'customer' then 'in' when 'agent' then 'out' end as direction,
        is_public,
        case when is_public then 'comment' else 'note' end as kind,
        case
            when via_channel in ('email', 'web', 'chat') then via_channel
            when via_channel = 'native_messaging' then 'chat'
            when via_channel = 'voice' then 'phone'
            when via_channel in ('twitter', 'facebook') then 'social'
            when via_channel is not null then 'other'
        end as channel,
        case when body like '%▇%' then null else body end as body_text,
        body like '%▇%' as is_redacted,
        created_at as sent_at
    from told

)

select * from mapped
