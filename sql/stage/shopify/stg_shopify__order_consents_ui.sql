-- One row per order of an export by hand whose buyer said whether mails are wanted.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_shopify__orders_ui
    where
        accepts_marketing is not null
        and email is not null
        and coalesce(order_id, '') not like '%E+%'

),

mapped as (

    select
        record_id,
        coalesce(order_id, name) as source_id,
        email,
        'email_marketing' as purpose,
        'email' as channel,
        case when accepts_marketing then 'granted' else 'unknown' end as state,
        false as is_snapshot,
        created_at as effective_at
    from raw

)

select * from mapped
