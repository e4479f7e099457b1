-- One row per event of a thread.
-- grain: source_id
-- canonical: messages
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

mapped as (

    select
        record_id,
        event_id as source_id,
        coalesce(is_deleted, false) as is_deleted,
        case when author_kind = 'customer' then author_id end as customer_source_id,
        case when author_kind = 'customer' and author_id = customer_id then email end as email,
        thread_id as conversation_source_id,
        place,
        author_kind,
        case when author_kind in ('agent', 'bot') then author_id end as author,
        case when author_kind = 'customer' then 'in' else 'out' end as direction,
        coalesce(visibility, 'all') = 'all' as is_public,
        case
            when event_type in ('system_message', 'filled_form') then 'state'
            when visibility <> 'all' then 'note'
            else 'comment'
        end as kind,
        'chat' as channel,
        body as body_text,
        sent_at
    from named
    where event_id is not null

)

select * from mapped
