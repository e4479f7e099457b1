-- One row per order.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_generic__orders

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        order_number,
        coalesce(status, 'placed') as status,
        lower(channel) as channel,
        upper(country) as country,
        product,
        total,
        subtotal,
        tax,
        discount,
        refunded,
        upper(coalesce(currency, default_currency)) as currency,
        landing_source,
        landing_medium,
        placed_at,
        cancelled_at,
        refunded_at
    from raw

)

select * from mapped
