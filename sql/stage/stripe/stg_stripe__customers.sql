-- One row per customer; one person may have many.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_stripe__customers

),

mapped as (

    select
        record_id,
        attributes,
        customer_id as source_id,
        customer_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        email,
        phone,
        external_id,
        name as full_name,
        upper(country) as country,
        lower(substr(language, 1, 2)) as language,
        city,
        postal_code,
        created_at
    from raw

)

select * from mapped
