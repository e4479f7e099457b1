-- One row per lead; the loser of a merge is a tombstone.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_salesforce__leads

),

mapped as (

    select
        record_id,
        attributes,
        lead_id as source_id,
        lead_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        email,
        coalesce(mobile_phone, phone) as phone,
        external_id,
        company as company_name,
        job_title,
        case when not coalesce(is_converted, false) then 'lead' end as lifecycle_stage,
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
