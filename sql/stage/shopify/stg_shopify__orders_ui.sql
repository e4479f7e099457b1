-- One row per order, from its lines.
-- grain: source_id
-- canonical: orders
with

raw as (

    select
        *,
        -- The record id less the record's number: two exports may both hold the order.
        record_id - record_id % 1099511627776 as object_id
    from raw_shopify__orders_ui

),

gathered as (

    select
        object_id,
        name,
        min(record_id) as record_id,
        min(attributes) as attributes,
        max(order_id) as order_id,
        max(email) as email,
        max(phone) as phone,
        max(country) as country,
        max(financial_status) as financial_status,
        max(source_name) as source_name,
        max(currency) as currency,
        max(subtotal) as subtotal,
        max(tax) as tax,
        max(discount) as discount,
        max(total) as total,
        max(refunded) as refunded,
        min(created_at) as created_at,
        max(cancelled_at) as cancelled_at
    from raw
    group by object_id, name

),

mapped as (

    select
        record_id,
        attributes,
        coalesce(order_id, name) as source_id,
        email,
        -- Spreadsheets get an apostrophe before a phone.
        case when phone like '''%' then substr(phone, 2) else phone end as phone,
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
        upper(country) as country,
        total,
        subtotal,
        tax,
        discount,
        refunded,
        upper(currency) as currency,
        case financial_status when 'authorized' then 'authorised' else financial_status end
            as financial_status,
        created_at as placed_at,
        cancelled_at,
        case
            when order_id like '%E+%' then 'scientific_id'
            when total is null then 'missing_required'
        end as reject_rule,
        case when order_id like '%E+%' then 'order_id' else 'total' end as reject_column,
        order_id as reject_text
    from gathered

)

select * from mapped
