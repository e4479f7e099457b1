-- One row per delivery that names its contact; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_asknicely__webhook

),

mapped as (

    select
        record_id,
        contact_id as source_id,
        contact_id as customer_source_id,
        email,
        first_name,
        last_name,
        name as full_name,
        created as created_at
    from raw
    where contact_id is not null

)

select * from mapped
