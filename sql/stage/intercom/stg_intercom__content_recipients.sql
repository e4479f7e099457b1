-- One row per message that names who got it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_intercom__content_export

),

mapped as (

    select
        record_id,
        contact_id as source_id,
        received_at as source_updated_at,
        contact_id as customer_source_id,
        external_id,
        email,
        name as full_name,
        company_id as account_source_id
    from raw
    where contact_id is not null

)

select * from mapped
