-- One row per customer of a bulk operation.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select
        *,
        split_part(gid, '/', 5) as own_id
    from raw_shopify__customers_bulk
    where gid like 'gid://shopify/Customer/%'

),

mapped as (

    select
        record_id,
        attributes,
        own_id as source_id,
        own_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
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
