-- One row per person.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_delighted__people

),

mapped as (

    select
        record_id,
        attributes,
        person_id as source_id,
        person_id as customer_source_id,
        coalesce(last_responded_at, last_sent_at, created_at) as source_updated_at,
        extracted_at,
        email,
        phone,
        name as full_name,
        created_at,
        last_responded_at as last_seen_at
    from raw

)

select * from mapped
