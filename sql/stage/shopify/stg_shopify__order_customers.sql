-- One row per order that names its customer; the newest order counts. A guest has no row here.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_shopify__orders
    where coalesce(line_index, 1) = 1 and customer_id is not null

),

mapped as (

    select
        record_id,
        customer_id as source_id,
        customer_id as customer_source_id,
        coalesce(customer_updated_at, updated_at) as source_updated_at,
        extracted_at,
        is_test,
        customer_email as email,
        customer_phone as phone,
        first_name,
        last_name,
        upper(country_code) as country,
        case
            when lower(marketing_state) = 'subscribed' then 'granted'
            when lower(marketing_state) in ('unsubscribed', 'redacted') then 'withdrawn'
            when marketing_state is null and accepts_marketing then 'granted'
        end as email_consent,
        marketing_state_at as email_consent_at,
        customer_created_at as created_at
    from raw

)

select * from mapped
