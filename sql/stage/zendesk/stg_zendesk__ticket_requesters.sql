-- One row per ticket that says who its requester is; the newest ticket counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_zendesk__tickets

),

mapped as (

    select
        record_id,
        requester_id as source_id,
        requester_id as customer_source_id,
        coalesce(generated_at, updated_at) as source_updated_at,
        extracted_at,
        email,
        phone,
        full_name
    from raw
    where
        requester_id is not null
        and (email is not null or full_name is not null or phone is not null)
        and status <> 'deleted'

)

select * from mapped
