-- One row per order, or per refund that stands alone.
-- grain: order_id
with

placed as (

    select * from current_orders
    where not is_test

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

former as (

    select
        identity_key,
        valid_from,
        valid_to,
        customer_id
    from identity_former

)

select
    placed.order_id,
    keys.customer_id,
    coalesce(former.customer_id, keys.customer_id) as customer_id_as_of,
    placed.source,
    placed.source_account,
    placed.source_id,
    placed.order_number,
    placed.status,
    twice.order_id is null
    and coalesce(placed.status, 'placed') not in ('cancelled', 'voided', 'pending') as is_counted,
    coalesce(placed.total < cast(0 as decimal(18, 4)), false) as is_refund,
    placed.channel,
    placed.country,
    placed.product,
    placed.total,
    placed.subtotal,
    placed.tax,
    placed.discount,
    placed.refunded,
    cast(placed.total - coalesce(placed.refunded, cast(0 as decimal(18, 4))) as decimal(18, 4))
        as net_total,
    placed.currency,
    placed.landing_source,
    placed.landing_medium,
    placed.placed_at,
    placed.placed_date,
    placed.cancelled_at,
    placed.refunded_at,
    coalesce(placed.sale_kind, 'order') as sale_kind,
    placed.sale_reference,
    coalesce(twice.counted_as, placed.order_id) as counted_as,
    coalesce(placed.placed_month, date '1970-01-01') as month
from placed
left join keys on placed.identity_key = keys.identity_key
left join former
    on
        placed.identity_key = former.identity_key
        and placed.dt >= former.valid_from
        and placed.dt < former.valid_to
left join sale_duplicates as twice on placed.order_id = twice.order_id
