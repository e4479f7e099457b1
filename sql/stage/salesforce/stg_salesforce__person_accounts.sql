-- One row per account that is a person.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_salesforce__accounts
    where person_contact_id is not null or person_email is not null

),

mapped as (

    select
        record_id,
        coalesce(person_contact_id, account_id) as source_id,
        coalesce(person_contact_id, account_id) as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        person_email as email,
        person_phone as phone,
        external_id,
        account_id as account_source_id,
        first_name,
        last_name,
        case when length(country) = 2 then upper(country) end as country,
        case when is_opted_out then 'withdrawn' end as email_consent,
        created_at
    from raw

)

select * from mapped
