-- One row per customer of an export by hand; older ones have no ids.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_shopify__customers_ui

),

-- A spreadsheet gets an apostrophe before ids, phones and codes.
guarded as (

    select
        record_id,
        attributes,
        case when customer_id like '''%' then substr(customer_id, 2) else customer_id end as customer_id,
        email,
        case when phone like '''%' then substr(phone, 2) else phone end as phone,
        first_name,
        last_name,
        accepts_email,
        accepts_sms,
        company,
        street,
        city,
        country_code,
        case when postal_code like '''%' then substr(postal_code, 2) else postal_code end as postal_code
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        coalesce(customer_id, lower(email), case when phone like '+%' then phone end) as source_id,
        customer_id as customer_source_id,
        email,
        phone,
        first_name,
        last_name,
        company as company_name,
        upper(country_code) as country,
        city,
        postal_code,
        street,
        case when accepts_email then 'granted' end as email_consent
    from guarded

)

select * from mapped
