-- One row per purchase; some are free.
-- grain: record_id
-- canonical: orders
with

raw as (

    select * from raw_cdnow__purchases

),

purchases as (

    select
        record_id,
        cast(null as string) as source_id,
        sample_id as customer_source_id,
        'placed' as status,
        value as total,
        'USD' as currency,
        purchased_on as placed_at
    from raw

)

select * from purchases
