-- One row per contact that belongs to a company.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_acquire__contacts

),

mapped as (

    select
        record_id,
        contact_id || ':' || company_id as source_id,
        updated_at as source_updated_at,
        contact_id as customer_source_id,
        company_id as account_source_id,
        true as is_primary
    from raw
    where coalesce(field_index, 1) = 1 and company_id is not null

)

select * from mapped
