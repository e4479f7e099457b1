-- One row per dispute; what orders say was refunded comes from the charge, so nothing is taken off twice.
-- grain: source_id
-- canonical: payments
with

raw as (

    select * from raw_stripe__disputes

),

mapped as (

    select
        record_id,
        attributes,
        dispute_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        customer_id as customer_source_id,
        email,
        charge_id as order_source_id,
        invoice_id as invoice_source_id,
        'dispute' as kind,
        case
            when status in ('lost', 'charge_refunded') then 'succeeded'
            when status in ('won', 'warning_closed', 'prevented') then 'failed'
            else 'pending'
        end as status,
        cast(-amount as decimal(18, 4)) as amount,
        upper(currency) as currency,
        'stripe' as gateway,
        created_at as occurred_at
    from raw

)

select * from mapped
