-- One row per customer that a review names.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_feefo__reviews

),

mapped as (

    select
        record_id,
        coalesce(external_id, lower(email), phone) as source_id,
        updated_at as source_updated_at,
        external_id,
        email,
        phone,
        coalesce(full_name, display_name) as full_name
    from raw
    where coalesce(product_index, 1) = 1 and coalesce(external_id, email, phone) is not null

)

select * from mapped
