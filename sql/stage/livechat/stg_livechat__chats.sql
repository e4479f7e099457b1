-- One row per chat.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_livechat__chats

),

mapped as (

    select
        record_id,
        attributes,
        chat_id as source_id,
        coalesce(ended_at, started_at) as source_updated_at,
        visitor_id as customer_source_id,
        email,
        'chat' as kind,
        'chat' as channel,
        case when coalesce(is_pending, false) or ended_at is null then 'open' else 'closed' end as status,
        agent_email as assignee,
        started_at as created_at,
        case when agent_email is not null then ended_at end as resolved_at,
        ended_at as closed_at,
        nullif(replace(replace(replace(replace(tags, '["', ''), '"]', ''), '","', ';'), '[]', ''), '') as tags,
        case when agent_email is not null then 'human' end as handled_by
    from raw

)

select * from mapped
