-- One row per case.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_salesforce__cases

),

mapped as (

    select
        record_id,
        attributes,
        case_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        -- A merged case is marked deleted; it stays, with what it was merged into.
        coalesce(is_deleted, false) and merged_into is null as is_deleted,
        contact_id as customer_source_id,
        supplied_email as email,
        supplied_phone as phone,
        account_id as account_source_id,
        'case' as kind,
        case
            when lower(origin) in ('email', 'web', 'chat', 'phone') then lower(origin)
            when lower(origin) like 'email%' then 'email'
            when lower(origin) in ('facebook', 'twitter', 'instagram', 'social') then 'social'
            when origin is not null then 'other'
        end as channel,
        subject,
        case
            when is_closed then 'closed'
            when lower(status) in ('on hold', 'pending', 'waiting on customer') then 'pending'
            when lower(status) in ('resolved', 'solved') then 'resolved'
            else 'open'
        end as status,
        lower(priority) as priority,
        coalesce(reason, case_type) as touchpoint,
        owner_id as assignee,
        created_at,
        closed_at as resolved_at,
        closed_at,
        merged_into
    from raw

)

select * from mapped
