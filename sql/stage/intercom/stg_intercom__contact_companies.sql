-- One row per contact and company it belongs to.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_intercom__contacts__companies

),

mapped as (

    select
        record_id,
        contact_id || ':' || company_id as source_id,
        updated_at as source_updated_at,
        is_deleted,
        contact_id as customer_source_id,
        company_id as account_source_id,
        place = 1 as is_primary
    from raw
    where company_id is not null

)

select * from mapped
