-- One row per change of points; points are no money, so they stand among the properties.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_generic__loyalty_transactions

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        'loyalty_points_' || coalesce(kind, case when points < 0 then 'spent' else 'earned' end) as name,
        'other' as channel,
        coalesce(programme, 'loyalty') as touchpoint,
        reason as campaign,
        occurred_at,
        '{"points":' || cast(points as string) || '}' as properties
    from raw

)

select * from mapped
