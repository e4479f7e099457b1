-- One row per order of a bulk operation.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_shopify__orders_bulk
    where gid like 'gid://shopify/Order/%'

),

mapped as (

    select
        record_id,
        attributes,
        split_part(gid, '/', 5) as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_test,
        -- Orders below their customer name it as their parent.
        nullif(
            split_part(
                coalesce(customer_gid, case when parent_gid like 'gid://shopify/Customer/%' then parent_gid end),
                '/', 5
            ),
            ''
        ) as customer_source_id,
        email,
        phone,
        name as order_number,
        'order' as sale_kind,
        case
            when cancelled_at is not null then 'cancelled'
            when lower(financial_status) in ('refunded', 'partially_refunded', 'voided')
                then lower(financial_status)
            when lower(financial_status) in ('pending', 'authorized', 'expired') then 'pending'
            else 'placed'
        end as status,
        case
            when source_name in ('web', 'pos') then source_name
            when source_name in ('iphone', 'android') then 'app'
            when source_name is not null then 'other'
        end as channel,
        upper(country_code) as country,
        total,
        subtotal,
        tax,
        shipping,
        discount,
        refunded,
        upper(currency) as currency,
        case when lower(financial_status) = 'authorized' then 'authorised' else lower(financial_status) end
            as financial_status,
        coalesce(processed_at, created_at) as placed_at,
        cancelled_at,
        case when total is null then 'missing_required' end as reject_rule,
        'total' as reject_column
    from raw

)

select * from mapped
