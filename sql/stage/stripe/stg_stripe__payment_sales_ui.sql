-- One row per charge of an export by hand, as the sale it may be the only trace of.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_stripe__payments_ui

),

told as (

    select
        *,
        case
            when lower(status) in ('failed', 'canceled', 'blocked') then 'failed'
            when lower(status) in ('pending', 'uncaptured', 'incomplete') or not is_captured
                then 'pending'
            else 'succeeded'
        end as outcome
    from raw

),

mapped as (

    select
        record_id,
        charge_id as source_id,
        coalesce(lower(mode) = 'test', false) as is_test,
        customer_id as customer_source_id,
        email,
        'charge' as sale_kind,
        order_number as sale_reference,
        invoice_id as invoice_source_id,
        case
            when outcome = 'failed' then 'voided'
            when outcome = 'pending' then 'pending'
            when amount_refunded >= amount then 'refunded'
            when amount_refunded > cast(0 as decimal(18, 4)) then 'partially_refunded'
            else 'placed'
        end as status,
        amount as total,
        amount_refunded as refunded,
        upper(currency) as currency,
        created_at as placed_at
    from told

)

select * from mapped
