-- One row per line of an order; lines have no id, so their place in the order is one.
-- grain: source_id
-- canonical: order_lines
with

raw as (

    select
        *,
        record_id - record_id % 1099511627776 as object_id
    from raw_shopify__orders_ui

),

placed as (

    select
        *,
        max(order_id) over (partition by object_id, name) as own_order_id,
        max(currency) over (partition by object_id, name) as own_currency,
        row_number() over (partition by object_id, name order by record_id nulls first) as line_number
    from raw

),

mapped as (

    select
        record_id,
        coalesce(own_order_id, name) || ':' || cast(line_number as string) as source_id,
        coalesce(own_order_id, name) as order_source_id,
        cast(line_number as bigint) as line_number,
        sku,
        title,
        quantity,
        price as unit_price,
        line_discount as discount,
        upper(own_currency) as currency,
        case when own_order_id like '%E+%' then 'scientific_id' end as reject_rule,
        'order_id' as reject_column,
        own_order_id as reject_text
    from placed
    where title is not null or sku is not null

)

select * from mapped
