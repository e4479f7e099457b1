-- One row per company that a contact names.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_acquire__contacts

),

mapped as (

    select
        record_id,
        company_id as source_id,
        updated_at as source_updated_at,
        company_name as name,
        lower(replace(replace(replace(company_website, 'https://', ''), 'http://', ''), 'www.', '')) as domain
    from raw
    where coalesce(field_index, 1) = 1 and company_id is not null and company_name is not null

)

select * from mapped
