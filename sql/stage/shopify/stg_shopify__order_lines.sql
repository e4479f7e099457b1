-- One row per line of an order.
-- grain: source_id
-- canonical: order_lines
with

raw as (

    select * from raw_shopify__orders
    where line_index is not null

),

mapped as (

    select
        record_id,
        -- By place, as the export by hand has no other id of a line.
        order_id || ':' || cast(line_index as string) as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        is_test,
        order_id as order_source_id,
        line_index as line_number,
        sku,
        title,
        quantity,
        price as unit_price,
        line_discount as discount,
        upper(currency) as currency,
        product_id as product_source_id,
        line_tax as tax
    from raw

)

select * from mapped
