-- One row per contact; an archived one is a tombstone.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_acquire__contacts

),

gathered as (

    select
        min(record_id) as record_id,
        min(attributes) as attributes,
        contact_id,
        max(company_id) as company_id,
        max(company_name) as company_name,
        max(country) as country,
        max(created_at) as created_at,
        max(updated_at) as updated_at,
        max(case when is_archived then 1 else 0 end) as archived_count,
        max(coalesce(full_name, case when lower(field_key) = 'name' then field_value end)) as full_name,
        max(coalesce(email, case when lower(field_key) = 'email' then field_value end)) as email,
        max(coalesce(phone, case when lower(field_key) = 'phone' then field_value end)) as phone,
        max(coalesce(city, case when lower(field_key) = 'city' then field_value end)) as city
    from raw
    group by record_id, contact_id

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        updated_at as source_updated_at,
        archived_count = 1 as is_deleted,
        contact_id as customer_source_id,
        email,
        phone,
        full_name,
        company_name,
        upper(country) as country,
        city,
        created_at,
        company_id as account_source_id
    from gathered

)

select * from mapped
