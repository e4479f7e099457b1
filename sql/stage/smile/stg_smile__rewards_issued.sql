-- One row per reward that was given out; one that was called back is a tombstone.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_smile__reward_fulfillments

),

mapped as (

    select
        record_id,
        attributes,
        fulfillment_id || ':issued' as source_id,
        updated_at as source_updated_at,
        fulfillment_status in ('cancelled', 'failed') as is_deleted,
        customer_id as customer_source_id,
        'loyalty_reward_issued' as name,
        'other' as channel,
        'loyalty' as touchpoint,
        reward_name as product,
        created_at as occurred_at
    from raw
    where fulfillment_status <> 'pending'

)

select * from mapped
