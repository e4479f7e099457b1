-- One row per contact.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_asknicely__contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        contact_id as customer_source_id,
        email,
        name as full_name,
        segment,
        created as created_at
    from raw

)

select * from mapped
