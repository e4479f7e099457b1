-- One row per contact and further company of it.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_hubspot__contacts__company_ids

),

mapped as (

    select
        record_id,
        contact_id || ':' || company_id as source_id,
        updated_at as source_updated_at,
        is_archived as is_deleted,
        contact_id as customer_source_id,
        company_id as account_source_id,
        false as is_primary
    from raw
    where company_id is not null and company_id <> coalesce(primary_company_id, '')

)

select * from mapped
