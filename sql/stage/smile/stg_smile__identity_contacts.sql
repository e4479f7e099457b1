-- One row per number of a customer in the shop, with the names and address the shop has.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_smile__customer_identities

),

mapped as (

    select
        record_id,
        attributes,
        identity_id as source_id,
        customer_id as customer_source_id,
        email,
        first_name,
        last_name
    from raw

)

select * from mapped
