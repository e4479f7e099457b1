-- One row per contact, be it a user or a lead.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_intercom__contacts

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false) or coalesce(is_archived, false) as is_deleted,
        contact_id as customer_source_id,
        external_id,
        email,
        phone,
        name as full_name,
        company_name,
        case
            when length(country_code) = 2 then upper(country_code)
            when length(country) = 2 then upper(country)
        end as country,
        lower(substr(language, 1, 2)) as language,
        city,
        region,
        case when role = 'lead' then 'lead' end as lifecycle_stage,
        case
            when unsubscribed_from_emails or marked_email_as_spam then 'withdrawn'
        end as email_consent,
        company_id as account_source_id,
        plan,
        created_at,
        last_seen_at
    from raw

)

select * from mapped
