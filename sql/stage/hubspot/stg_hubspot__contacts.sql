-- One row per contact.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_hubspot__contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        contact_id as customer_source_id,
        updated_at as source_updated_at,
        -- A record that lost fields on its way is no newer than one that did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        email,
        -- HubSpot has put the country code before this one.
        coalesce(calculated_phone, phone, mobile_phone) as phone,
        first_name,
        last_name,
        company as company_name,
        case when length(country) = 2 then upper(country) end as country,
        lower(substr(language, 1, 2)) as language,
        city,
        zip as postal_code,
        lower(lifecycle_stage) as lifecycle_stage,
        lower(analytics_source) as acquisition_channel,
        -- Not having opted out is no consent.
        case when is_opted_out then 'withdrawn' end as email_consent,
        created_at,
        associated_company_id as account_source_id,
        job_title,
        street,
        state as region,
        last_seen_at
    from raw

)

select * from mapped
