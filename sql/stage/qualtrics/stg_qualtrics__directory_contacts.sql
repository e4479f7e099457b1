-- One row per contact of a directory.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_qualtrics__directory_contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        contact_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        email,
        phone,
        external_id,
        first_name,
        last_name,
        lower(substr(language, 1, 2)) as language,
        created_at
    from raw

)

select * from mapped
