-- One row per case; one that is opened again keeps its id.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_acquire__cases

),

gathered as (

    select
        min(record_id) as record_id,
        min(attributes) as attributes,
        case_id,
        max(title) as title,
        max(channel) as channel,
        max(status) as status,
        max(closing_state) as closing_state,
        max(wait_time) as wait_time,
        max(wait_time_unit) as wait_time_unit,
        max(user_id) as user_id,
        max(contact_id) as contact_id,
        max(company_id) as company_id,
        max(active_at) as active_at,
        max(closed_at) as closed_at,
        max(created_at) as created_at,
        max(updated_at) as updated_at,
        max(coalesce(full_name, case when lower(field_key) = 'name' then field_value end)) as full_name,
        max(coalesce(email, case when lower(field_key) = 'email' then field_value end)) as email,
        max(coalesce(phone, case when lower(field_key) = 'phone' then field_value end)) as phone,
        max(coalesce(city, case when lower(field_key) = 'city' then field_value end)) as city
    from raw
    group by record_id, case_id

),

mapped as (

    select
        record_id,
        attributes,
        case_id as source_id,
        updated_at as source_updated_at,
        contact_id as customer_source_id,
        email,
        phone,
        case
            when lower(channel) in ('chat', 'whatsapp') then 'chat'
            when lower(channel) in ('voip', 'phone', 'call', 'video') then 'call'
            when lower(channel) in ('facebook', 'twitter', 'instagram') then 'social_dm'
            else 'ticket'
        end as kind,
        case
            when lower(channel) in ('chat', 'email') then lower(channel)
            when lower(channel) in ('voip', 'phone', 'call', 'video') then 'phone'
            when lower(channel) in ('facebook', 'twitter', 'instagram') then 'social'
            when lower(channel) = 'whatsapp' then 'chat'
            when channel is not null then 'other'
        end as channel,
        title as subject,
        case
            when lower(status) in ('close', 'closed') then 'closed'
            when lower(status) in ('pending', 'queue') then 'pending'
            else 'open'
        end as status,
        user_id as assignee,
        created_at,
        case
            when lower(status) in ('close', 'closed') and coalesce(lower(closing_state), 'handled') = 'handled'
                then closed_at
        end as resolved_at,
        case when lower(status) in ('close', 'closed') then closed_at end as closed_at,
        company_id as account_source_id,
        case wait_time_unit
            when 'ms' then cast(cast(wait_time as double) / cast(1000 as double) as bigint)
            when 'min' then cast(wait_time * 60 as bigint)
            else cast(wait_time as bigint)
        end as vendor_first_response_seconds
    from gathered

)

select * from mapped
