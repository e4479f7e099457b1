-- One row per activity that names its person; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_lemlist__activities

),

mapped as (

    select
        record_id,
        coalesce(contact_id, lead_id) as source_id,
        created_at as source_updated_at,
        extracted_at,
        coalesce(contact_id, lead_id) as customer_source_id,
        case when email like '%@%' then email end as email,
        phone,
        first_name,
        last_name,
        company_name
    from raw
    where
        coalesce(contact_id, lead_id) is not null
        and (first_name is not null or last_name is not null or company_name is not null)

)

select * from mapped
