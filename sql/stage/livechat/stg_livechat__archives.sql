-- One row per thread of a chat; it ends with its last event.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_livechat__archives

),

named as (

    select
        *,
        case
            when event_id is null then null
            when event_type = 'system_message' or author_id is null then 'system'
            when ';' || bot_ids || ';' like '%;' || author_id || ';%' then 'bot'
            -- Agents are their addresses, customers are UUIDs.
            when author_id like '%@%' then 'agent'
            when author_id like '________-____-____-____-____________' then 'customer'
            else 'bot'
        end as author_kind
    from raw

),

gathered as (

    select
        min(record_id) as record_id,
        min(attributes) as attributes,
        thread_id,
        max(customer_id) as customer_id,
        max(email) as email,
        -- An agent's last word; a note is none.
        max(case when author_kind = 'agent' and coalesce(visibility, 'all') = 'all' then author_id end) as agent_id,
        max(case when author_kind = 'bot' then author_id end) as bot_id,
        max(created_at) as created_at,
        max(sent_at) as last_event_at,
        max(case when is_active then 1 else 0 end) as open_count,
        max(tags) as tags,
        max(rating) as rating,
        max(rating_comment) as rating_comment
    from named
    group by record_id, thread_id

),

mapped as (

    select
        record_id,
        attributes,
        thread_id as source_id,
        last_event_at as source_updated_at,
        customer_id as customer_source_id,
        email,
        'chat' as kind,
        'chat' as channel,
        case when open_count = 1 then 'open' else 'closed' end as status,
        agent_id as assignee,
        created_at,
        case when open_count = 0 and coalesce(agent_id, bot_id) is not null then last_event_at end as resolved_at,
        case when open_count = 0 then last_event_at end as closed_at,
        nullif(replace(replace(replace(replace(tags, '["', ''), '"]', ''), '","', ';'), '[]', ''), '') as tags,
        case
            when agent_id is not null and bot_id is not null then 'mixed'
            when agent_id is not null then 'human'
            when bot_id is not null then 'bot'
        end as handled_by
    from gathered

)

select * from mapped
