-- One row per visit to a shop.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_stores__visits

),

mapped as (

    select
        record_id,
        attributes,
        visit_id as source_id,
        -- The loyalty card carries the number of the web shop's account.
        card_number as external_id,
        email,
        phone,
        'store_visit' as name,
        'store' as channel,
        shop as touchpoint,
        amount,
        upper(currency) as currency,
        visited_at as occurred_at
    from raw

)

select * from mapped
