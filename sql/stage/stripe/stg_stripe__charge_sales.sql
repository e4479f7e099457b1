-- One row per charge, as the sale it may be the only trace of.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_stripe__charges

),

mapped as (

    select
        record_id,
        charge_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        customer_id as customer_source_id,
        external_id,
        email,
        phone,
        'charge' as sale_kind,
        order_number as sale_reference,
        -- Newer API versions name the payment on both sides instead.
        coalesce(invoice_id, payment_intent_id) as invoice_source_id,
        case
            when status = 'failed' then 'voided'
            when status = 'pending' or not is_captured then 'pending'
            when amount_refunded >= amount then 'refunded'
            when amount_refunded > cast(0 as decimal(18, 4)) then 'partially_refunded'
            else 'placed'
        end as status,
        upper(country) as country,
        case when is_captured then coalesce(amount_captured, amount) else amount end as total,
        amount_refunded as refunded,
        upper(currency) as currency,
        created_at as placed_at
    from raw

)

select * from mapped
