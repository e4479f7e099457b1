-- One row per charge that was tried.
-- grain: source_id
-- canonical: payments
with

raw as (

    select * from raw_stripe__charges

),

mapped as (

    select
        record_id,
        attributes,
        charge_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        customer_id as customer_source_id,
        external_id,
        email,
        phone,
        -- The sale it is; what shop order that was, the sale says.
        charge_id as order_source_id,
        invoice_id as invoice_source_id,
        'charge' as kind,
        -- Authorised and not yet taken.
        case when status = 'succeeded' and not is_captured then 'pending' else status end as status,
        case when is_captured then coalesce(amount_captured, amount) else amount end as amount,
        case when lower(fee_currency) = lower(currency) then fee end as fee,
        upper(currency) as currency,
        'stripe' as gateway,
        failure_code,
        created_at as occurred_at
    from raw

)

select * from mapped
