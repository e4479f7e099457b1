-- One row per change of a ticket's state or assignment.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_intercom__tickets__parts

),

mapped as (

    select
        record_id,
        'ticket:' || part_id as source_id,
        changed_at as source_updated_at,
        conversation_id as conversation_source_id,
        'tickets' as conversation_entity,
        case
            when part_type like '%assign%' then 'assigned'
            when new_state = 'resolved' then 'resolved'
            when previous_state = 'resolved' then 'reopened'
            when new_state = 'waiting_on_customer' then 'pending'
            when new_state = 'submitted' or previous_state = 'waiting_on_customer' then 'opened'
        end as kind,
        coalesce(new_state, assigned_to) as value_text,
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
        part_type like '%assign%'
        or new_state in ('resolved', 'waiting_on_customer', 'submitted')
        or previous_state in ('resolved', 'waiting_on_customer')

)

select * from mapped
