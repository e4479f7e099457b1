-- One row per contact that has opted out of all mail, or no longer does; the property has no date.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_hubspot__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':email_marketing' as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        contact_id as customer_source_id,
        email,
        'email_marketing' as purpose,
        'email' as channel,
        -- No longer refusing is not agreeing.
        case when is_opted_out then 'withdrawn' else 'unknown' end as state,
        legal_basis,
        true as is_snapshot
    from raw
    where is_opted_out is not null

)

select * from mapped
