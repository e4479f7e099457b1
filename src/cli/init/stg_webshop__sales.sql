-- One row per sale.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_webshop__sales

),

mapped as (

    select
        record_id,
        sale_id as source_id,
        email,
        amount as total,
        currency,
        case when state = 'cancelled' then 'cancelled' else 'placed' end
            as status,
        sold_at as placed_at
    from raw

)

select * from mapped
