-- One row per invoice; a draft or open one is no revenue yet.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_stripe__invoices

),

mapped as (

    select
        record_id,
        attributes,
        invoice_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false) or status = 'deleted' as is_deleted,
        not coalesce(is_live, true) as is_test,
        customer_id as customer_source_id,
        external_id,
        email,
        phone,
        number as order_number,
        'invoice' as sale_kind,
        order_number as sale_reference,
        payment_intent_id as invoice_source_id,
        case
            when status = 'paid' then 'placed'
            when status in ('void', 'uncollectible') then 'voided'
            else 'pending'
        end as status,
        case
            when status = 'paid' then 'paid'
            when status in ('void', 'uncollectible') then 'voided'
            else 'pending'
        end as financial_status,
        upper(country) as country,
        total,
        subtotal,
        tax,
        upper(currency) as currency,
        coalesce(finalized_at, created_at) as placed_at,
        voided_at as cancelled_at
    from raw

)

select * from mapped
