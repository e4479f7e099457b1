-- One row per comment or note.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_intercom__conversation_parts

),

mapped as (

    select
        record_id,
        attributes,
        part_id as source_id,
        changed_at as source_updated_at,
        extracted_at,
        is_deleted,
        case
            when author_type in ('user', 'lead', 'contact') then author_id
        end as customer_source_id,
        case when author_type in ('user', 'lead', 'contact') then author_email end as email,
        conversation_id as conversation_source_id,
        'conversations' as conversation_entity,
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
        part_type not in ('note', 'note_and_reopen') as is_public,
        case when part_type like 'note%' then 'note' else 'comment' end as kind,
        case when coalesce(is_redacted, false) then null else body end as body_text,
        is_redacted,
        sent_at
    from raw
    where
        part_type in ('comment', 'note', 'note_and_reopen')
        or (body is not null and part_type in ('assignment', 'open', 'close', 'away_mode_assignment'))

)

select * from mapped
