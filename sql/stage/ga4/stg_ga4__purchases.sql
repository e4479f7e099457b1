-- One row per sale that the web analytics saw, and per refund of one; the shop, if there is one, counts before it.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_ga4__events

),

-- A thank-you page that is loaded again tells the sale again: the first of an object counts.
told as (

    select
        *,
        user_id as external_id,
        coalesce(traffic_type = internal_traffic_type, false)
        or coalesce(debug_mode = '1', false) as is_test,
        row_number() over (
            partition by
                record_id - record_id % 1099511627776,
                event_name,
                transaction_id,
                -- a sale may be paid back in parts
                case when event_name = 'refund' then event_timestamp end
            order by event_time asc nulls last, record_id asc nulls last
        ) as place
    from raw
    where event_name in ('purchase', 'refund') and transaction_id is not null

),

mapped as (

    select
        record_id,
        case
            when event_name = 'refund' then transaction_id || ':refund:' || event_timestamp
            else transaction_id
        end as source_id,
        is_test,
        external_id,
        transaction_id as order_number,
        case when event_name = 'refund' then 'refunded' else 'placed' end as status,
        case
            when lower(platform) = 'web' then 'web'
            when lower(platform) in ('ios', 'android') then 'app'
            else 'other'
        end as channel,
        item_name as product,
        case
            when event_name = 'refund' then -coalesce(refund_value, value_param)
            else coalesce(revenue, value_param)
        end as total,
        tax_value as tax,
        shipping_value as shipping,
        upper(currency_param) as currency,
        coalesce(touch_source, param_source) as landing_source,
        coalesce(touch_medium, param_medium) as landing_medium,
        coalesce(touch_campaign, param_campaign) as campaign,
        event_time as placed_at,
        'analytics' as sale_kind,
        transaction_id as sale_reference
    from told
    where place = 1

)

select * from mapped
