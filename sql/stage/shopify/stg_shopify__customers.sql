-- One row per customer.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select
        *,
        customer_id as own_id
    from raw_shopify__customers

),

mapped as (

    select
        record_id,
        attributes,
        own_id as source_id,
        own_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        email,
        phone,
        first_name,
        last_name,
        company as company_name,
        upper(country_code) as country,
        city,
        postal_code,
        street,
        case
            when lower(email_state) = 'subscribed' then 'granted'
            when lower(email_state) in ('unsubscribed', 'redacted') then 'withdrawn'
            when email_state is null and accepts_marketing then 'granted'
        end as email_consent,
        coalesce(email_state_at, accepts_marketing_at) as email_consent_at,
        is_email_verified,
        created_at
    from raw

)

select * from mapped
