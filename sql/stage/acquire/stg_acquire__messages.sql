-- One row per message of a case.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_acquire__cases__messages

),

authored as (

    select
        *,
        case
            when lower(user_type) in ('contact', 'visitor', 'customer') then 'customer'
            when lower(user_type) in ('agent', 'user') then 'agent'
            when lower(user_type) = 'bot' then 'bot'
            else 'system'
        end as author_kind
    from raw

),

mapped as (

    select
        record_id,
        message_id as source_id,
        case when author_kind = 'customer' then contact_id end as customer_source_id,
        case_id as conversation_source_id,
        place,
        author_kind,
        case when author_kind <> 'customer' then user_id end as author,
        case when author_kind = 'customer' then 'in' else 'out' end as direction,
        coalesce(lower(message_type), 'message') <> 'note' as is_public,
        case
            when lower(message_type) = 'note' then 'note'
            when coalesce(lower(message_type), 'message') in ('message', 'email', 'file') then 'comment'
            else 'state'
        end as kind,
        case
            when lower(case_channel) in ('chat', 'email') then lower(case_channel)
            when case_channel is not null then 'other'
        end as channel,
        body as body_text,
        sent_at
    from authored
    where message_id is not null

)

select * from mapped
