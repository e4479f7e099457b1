-- One row per ticket; a deleted one is a tombstone.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_intercom__tickets

),

mapped as (

    select
        record_id,
        attributes,
        ticket_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        external_id,
        'ticket' as kind,
        'other' as channel,
        title as subject,
        case
            when is_deleted then 'deleted'
            -- a word in older versions, later an object
            when coalesce(state_category, state) = 'resolved' then 'resolved'
            when coalesce(state_category, state) = 'waiting_on_customer' then 'pending'
            when coalesce(state_category, state) is not null then 'open'
        end as status,
        ticket_type as touchpoint,
        admin_id as assignee,
        team_id as team,
        created_at,
        company_id as account_source_id,
        case when linked_conversation_id is not null then 'intercom' end as linked_source,
        linked_conversation_id as linked_source_id,
        lower(category) in ('back-office', 'back_office', 'tracker') as is_internal
    from raw

)

select * from mapped
