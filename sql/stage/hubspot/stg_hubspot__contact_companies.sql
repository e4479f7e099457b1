-- One row per contact and its main company.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_hubspot__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':' || associated_company_id as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        contact_id as customer_source_id,
        email,
        associated_company_id as account_source_id,
        true as is_primary
    from raw
    where associated_company_id is not null

)

select * from mapped
