-- One row per opportunity; only a won one is revenue.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_salesforce__opportunities

),

mapped as (

    select
        record_id,
        attributes,
        opportunity_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        account_id as account_source_id,
        'deal' as sale_kind,
        order_number as sale_reference,
        case
            when is_won then 'placed'
            when is_closed then 'voided'
            else 'pending'
        end as status,
        name as product,
        amount as total,
        upper(coalesce(currency, default_currency)) as currency,
        closed_at as placed_at
    from raw

)

select * from mapped
