-- One row per product of an order.
-- grain: source_id
-- canonical: order_lines
with

raw as (

    select * from raw_sas_ci360__order_details

),

mapped as (

    select
        record_id,
        attributes,
        order_id || ':' || coalesce(product_id, product_sku, product_nm, '') as source_id,
        load_dttm as source_updated_at,
        order_id as order_source_id,
        product_sku as sku,
        product_nm as title,
        quantity_amt as quantity,
        unit_price_amt as unit_price,
        upper(currency_cd) as currency,
        product_id as product_source_id
    from raw

)

select * from mapped
