-- One row per movement of money; what was only authorised or voided moved none.
-- grain: source_id
-- canonical: payments
with

raw as (

    select * from raw_shopify__transactions
    where kind in ('sale', 'capture', 'refund')

),

mapped as (

    select
        record_id,
        attributes,
        transaction_id as source_id,
        extracted_at,
        is_test,
        order_id as order_source_id,
        case kind when 'refund' then 'refund' else 'charge' end as kind,
        case
            when status = 'success' then 'succeeded'
            when status = 'pending' then 'pending'
            else 'failed'
        end as status,
        case kind when 'refund' then cast(-amount as decimal(18, 4)) else amount end as amount,
        upper(currency) as currency,
        gateway,
        failure_code,
        processed_at as occurred_at
    from raw

)

select * from mapped
