-- One row per reward that was used, when the source says when.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_smile__reward_fulfillments

),

mapped as (

    select
        record_id,
        fulfillment_id || ':used' as source_id,
        updated_at as source_updated_at,
        customer_id as customer_source_id,
        'loyalty_reward_used' as name,
        'other' as channel,
        'loyalty' as touchpoint,
        reward_name as product,
        used_at as occurred_at
    from raw
    where used_at is not null

)

select * from mapped
