-- One row per customer of an export by hand and channel.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_shopify__customers_ui

),

-- A spreadsheet gets an apostrophe before ids, phones and codes.
guarded as (

    select
        record_id,
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

purposes (purpose) as (

    values ('email_marketing'), ('sms')

),

told as (

    select
        guarded.*,
        purposes.purpose,
        case purposes.purpose when 'sms' then guarded.accepts_sms else guarded.accepts_email end as accepts
    from guarded
    cross join purposes

),

mapped as (

    select
        record_id,
        coalesce(customer_id, lower(email), case when phone like '+%' then phone end) || ':' || purpose as source_id,
        customer_id as customer_source_id,
        email,
        phone,
        purpose,
        case purpose when 'sms' then 'sms' else 'email' end as channel,
        case when accepts then 'granted' else 'unknown' end as state,
        true as is_snapshot
    from told
    where accepts is not null

)

select * from mapped
