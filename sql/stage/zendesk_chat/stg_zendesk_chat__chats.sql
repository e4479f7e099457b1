-- One row per chat or offline message; its ticket is named, so that the pair counts once.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_zendesk_chat__chats

),

mapped as (

    select
        record_id,
        attributes,
        chat_id as source_id,
        coalesce(updated_at, ended_at, started_at) as source_updated_at,
        extracted_at,
        visitor_id as anonymous_id,
        email,
        phone,
        case when chat_type = 'offline_msg' then 'ticket' else 'chat' end as kind,
        case when chat_type = 'offline_msg' then 'web' else 'chat' end as channel,
        case
            when chat_type = 'offline_msg' then 'open'
            when ended_at is null then 'open'
            else 'closed'
        end as status,
        department_name as team,
        agent_id as assignee,
        started_at as created_at,
        -- A chat has no other end than its end; one that nobody took was not resolved.
        case
            when chat_type = 'chat' and not coalesce(is_missed, false) and agent_id is not null then ended_at
        end as resolved_at,
        case when chat_type = 'chat' then ended_at end as closed_at,
        case
            when chat_type = 'chat' and first_response_seconds > cast(0 as decimal(18, 4))
                then cast(first_response_seconds as bigint)
        end as vendor_first_response_seconds,
        case when ticket_id is not null then ticket_source end as linked_source,
        ticket_id as linked_source_id,
        nullif(replace(replace(replace(replace(tags, '["', ''), '"]', ''), '","', ';'), '[]', ''), '') as tags,
        case when agent_id is not null then 'human' end as handled_by,
        agent_messages as vendor_replies,
        visitor_messages as vendor_customer_messages
    from raw

)

select * from mapped
