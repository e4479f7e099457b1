-- One row per visit to a shop.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_generic__store_visits

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
        'store_visit' as name,
        'store' as channel,
        shop as touchpoint,
        product,
        amount,
        upper(currency) as currency,
        occurred_at
    from raw

)

select * from mapped
