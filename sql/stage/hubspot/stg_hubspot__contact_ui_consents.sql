-- One row per contact of an export by hand that has opted out of all mail, or no longer does.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_hubspot__contacts_ui

),

mapped as (

    select
        record_id,
        contact_id || ':email_marketing' as source_id,
        updated_at as source_updated_at,
        contact_id as customer_source_id,
        email,
        'email_marketing' as purpose,
        'email' as channel,
        -- No longer refusing is not agreeing.
        case when is_opted_out then 'withdrawn' else 'unknown' end as state,
        true as is_snapshot
    from raw
    where is_opted_out is not null

)

select * from mapped
