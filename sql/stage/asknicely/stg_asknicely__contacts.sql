-- One row per response that names its contact; the newest export counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_asknicely__responses

),

mapped as (

    select
        record_id,
        contact_id as source_id,
        contact_id as customer_source_id,
        email,
        name as full_name,
        case when dont_contact is not null then 'withdrawn' end as email_consent,
        dont_contact_at as email_consent_at,
        created as created_at
    from raw
    where contact_id is not null

)

select * from mapped
