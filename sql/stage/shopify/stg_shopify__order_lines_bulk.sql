-- One row per line of an order of a bulk operation.
-- grain: source_id
-- canonical: order_lines
with

raw as (

    select * from raw_shopify__orders_bulk
    where gid like 'gid://shopify/LineItem/%' and parent_gid like 'gid://shopify/Order/%'

),

placed as (

    select
        *,
        split_part(parent_gid, '/', 5) as order_id,
        -- Lines stand below their order, in their order.
        row_number() over (partition by parent_gid order by record_id asc nulls last) as line_number
    from raw

),

mapped as (

    select
        record_id,
        order_id || ':' || cast(line_number as string) as source_id,
        extracted_at,
        order_id as order_source_id,
        cast(line_number as bigint) as line_number,
        sku,
        title,
        quantity,
        price as unit_price,
        line_discount as discount,
        upper(currency) as currency,
        nullif(split_part(product_gid, '/', 5), '') as product_source_id
    from placed

)

select * from mapped
