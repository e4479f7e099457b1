-- One row per order whose buyer said whether mails are wanted.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_shopify__orders
    where coalesce(line_index, 1) = 1 and accepts_marketing is not null

),

mapped as (

    select
        record_id,
        order_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        is_test,
        customer_id as customer_source_id,
        coalesce(email, customer_email) as email,
        coalesce(phone, customer_phone) as phone,
        'email_marketing' as purpose,
        'email' as channel,
        -- A box left empty says nothing about what was agreed before.
        case when accepts_marketing then 'granted' else 'unknown' end as state,
        false as is_snapshot,
        coalesce(processed_at, created_at) as effective_at
    from raw
    where coalesce(customer_id, email, customer_email, phone, customer_phone) is not null

)

select * from mapped
