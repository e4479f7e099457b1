-- One row per ticket.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_hubspot__tickets

),

mapped as (

    select
        record_id,
        attributes,
        ticket_id as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        contact_id as customer_source_id,
        case
            when source_type = 'CHAT' then 'chat'
            when source_type = 'PHONE' then 'call'
            else 'ticket'
        end as kind,
        case
            when source_type = 'EMAIL' then 'email'
            when source_type = 'CHAT' then 'chat'
            when source_type = 'FORM' then 'web'
            when source_type = 'PHONE' then 'phone'
            when source_type is not null then 'other'
        end as channel,
        subject,
        case
            when closed_at is not null then 'closed'
            when ',' || replace(closed_stages, ' ', '') || ',' like '%,' || stage || ',%' then 'closed'
            when ',' || replace(waiting_stages, ' ', '') || ',' like '%,' || stage || ',%' then 'pending'
            else 'open'
        end as status,
        lower(priority) as priority,
        category as touchpoint,
        owner_id as assignee,
        pipeline as team,
        created_at,
        closed_at as resolved_at,
        closed_at,
        -- milliseconds
        cast(floor(cast(ms_to_first_reply as double) / 1000) as bigint) as vendor_first_response_seconds,
        company_id as account_source_id,
        cast(floor(cast(ms_to_close as double) / 1000) as bigint) as vendor_resolution_seconds
    from raw

)

select * from mapped
