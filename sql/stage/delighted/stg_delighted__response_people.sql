-- One row per response that expands its person; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_delighted__survey_responses
    where person_id is not null and (email is not null or phone is not null)

),

mapped as (

    select
        record_id,
        person_id as source_id,
        person_id as customer_source_id,
        coalesce(updated_at, created_at) as source_updated_at,
        extracted_at,
        external_id,
        email,
        phone,
        name as full_name,
        person_created_at as created_at
    from raw

)

select * from mapped
