-- One row per order as the shop recorded it; what was paid back stands beside its total.
-- grain: source_id
-- canonical: orders
with

-- the order's own columns stand beside each of its lines
raw as (

    select * from raw_shopify__orders
    where coalesce(line_index, 1) = 1

),

mapped as (

    select
        record_id,
        attributes,
        order_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        is_test,
        customer_id as customer_source_id,
        coalesce(email, customer_email) as email,
        coalesce(phone, customer_phone) as phone,
        name as order_number,
        'order' as sale_kind,
        case
            when cancelled_at is not null then 'cancelled'
            when financial_status in ('refunded', 'partially_refunded', 'voided')
                then financial_status
            when financial_status in ('pending', 'authorized', 'expired') then 'pending'
            else 'placed'
        end as status,
        case
            when source_name in ('web', 'pos') then source_name
            when source_name in ('iphone', 'android') then 'app'
            when source_name is not null then 'other'
        end as channel,
        upper(country_code) as country,
        title as product,
        total,
        subtotal,
        tax,
        shipping,
        discount,
        refunded,
        upper(currency) as currency,
        nullif(split_part(split_part(landing_site, 'utm_source=', 2), '&', 1), '') as landing_source,
        nullif(split_part(split_part(landing_site, 'utm_medium=', 2), '&', 1), '') as landing_medium,
        nullif(split_part(split_part(landing_site, 'utm_campaign=', 2), '&', 1), '') as campaign,
        case financial_status when 'authorized' then 'authorised' else financial_status end
            as financial_status,
        coalesce(processed_at, created_at) as placed_at,
        cancelled_at,
        refunded_at
    from raw

)

select * from mapped
