-- One row per change of state or assignment.
-- grain: source_id
-- canonical: conversation_changes
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
        conversation_id as conversation_source_id,
        'conversations' as conversation_entity,
        case
            when part_type = 'close' then 'resolved'
            when part_type in ('open', 'note_and_reopen') then 'reopened'
            when part_type = 'snoozed' then 'pending'
            when part_type in ('unsnoozed', 'timer_unsnooze') then 'opened'
            else 'assigned'
        end as kind,
        assigned_to as value_text,
        case
            when author_is_ai then 'bot'
            when author_type in ('user', 'lead', 'contact') then 'customer'
            when author_type = 'admin' then 'agent'
            when author_type = 'bot' then 'bot'
            else 'system'
        end as author_kind,
        sent_at as changed_at
    from raw
    where
        part_type in (
            'close', 'open', 'note_and_reopen', 'snoozed', 'unsnoozed', 'timer_unsnooze',
            'assignment', 'away_mode_assignment', 'default_assignment', 'assign_and_reopen'
        )

)

select * from mapped
