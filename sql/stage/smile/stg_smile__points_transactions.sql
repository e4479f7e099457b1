-- One row per change of a balance; points are no money, so they stand among the properties.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_smile__points_transactions

),

mapped as (

    select
        record_id,
        attributes,
        transaction_id as source_id,
        customer_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        case when points_change < 0 then 'loyalty_points_spent' else 'loyalty_points_earned' end as name,
        'other' as channel,
        'loyalty' as touchpoint,
        description as campaign,
        created_at as occurred_at,
        '{"points":' || cast(points_change as string) || '}' as properties
    from raw

)

select * from mapped
