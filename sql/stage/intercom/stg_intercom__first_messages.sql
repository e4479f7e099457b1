-- One row per conversation: the message that opened it.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_intercom__conversations

),

mapped as (

    select
        record_id,
        'source:' || conversation_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        case
            when author_type in ('user', 'lead', 'contact') then author_id
        end as customer_source_id,
        case when author_type in ('user', 'lead', 'contact') then author_email end as email,
        conversation_id as conversation_source_id,
        'conversations' as conversation_entity,
        cast(1 as bigint) as place,
        case
            when author_is_ai then 'bot'
            when author_type in ('user', 'lead', 'contact') then 'customer'
            when author_type = 'admin' then 'agent'
            when author_type = 'bot' then 'bot'
            else 'system'
        end as author_kind,
        case
            when author_type not in ('user', 'lead', 'contact') then author_id
        end as author,
        case
            when author_type in ('user', 'lead', 'contact') then 'in'
            else 'out'
        end as direction,
        true as is_public,
        'comment' as kind,
        case
            when source_type = 'email' then 'email'
            when source_type = 'conversation' then 'chat'
            when source_type = 'phone_call' then 'phone'
            when source_type in ('facebook', 'instagram', 'twitter', 'whatsapp') then 'social'
            when source_type = 'sms' then 'sms'
            when source_type is not null then 'other'
        end as channel,
        message_body as body_text,
        message_is_redacted as is_redacted,
        created_at as sent_at
    from raw
    where message_id is not null or message_body is not null

)

select * from mapped
