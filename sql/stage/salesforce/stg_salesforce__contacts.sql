-- One row per contact; the loser of a merge is a tombstone.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_salesforce__contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        contact_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        email,
        coalesce(mobile_phone, phone, home_phone) as phone,
        external_id,
        account_id as account_source_id,
        job_title,
        birth_date,
        street,
        first_name,
        last_name,
        case when length(country) = 2 then upper(country) end as country,
        city,
        postal_code,
        lower(lead_source) as acquisition_channel,
        -- Not having opted out is no consent.
        case when is_opted_out then 'withdrawn' end as email_consent,
        created_at
    from raw

)

select * from mapped
