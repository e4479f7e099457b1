-- One row per author of a review; the newest review counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_trustpilot__reviews

),

mapped as (

    select
        record_id,
        consumer_id as source_id,
        consumer_id as customer_source_id,
        created_at as source_updated_at,
        extracted_at,
        email,
        consumer_name as full_name
    from raw
    where consumer_id is not null

)

select * from mapped
