-- One row per charge of an export by hand.
-- grain: source_id
-- canonical: payments
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
        attributes,
        charge_id as source_id,
        coalesce(lower(mode) = 'test', false) as is_test,
        customer_id as customer_source_id,
        email,
        -- The sale it is; what shop order that was, the sale says.
        charge_id as order_source_id,
        invoice_id as invoice_source_id,
        'charge' as kind,
        outcome as status,
        amount,
        case when lower(fee_currency) = lower(currency) then fee end as fee,
        upper(currency) as currency,
        'stripe' as gateway,
        failure_code,
        created_at as occurred_at
    from told

)

select * from mapped
