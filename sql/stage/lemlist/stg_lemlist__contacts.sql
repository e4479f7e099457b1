-- One row per contact.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_lemlist__contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        extracted_at,
        contact_id as customer_source_id,
        case when email like '%@%' then email end as email,
        phone,
        first_name,
        last_name,
        full_name,
        company_name,
        case when is_unsubscribed then 'withdrawn' end as email_consent,
        created_at
    from raw

)

select * from mapped
