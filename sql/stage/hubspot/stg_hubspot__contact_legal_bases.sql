-- One row per contact whose processing rests on a legal basis, as the CRM was told.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_hubspot__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':data_processing' as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        contact_id as customer_source_id,
        email,
        'data_processing' as purpose,
        'granted' as state,
        legal_basis,
        true as is_snapshot
    from raw
    where legal_basis is not null

)

select * from mapped
