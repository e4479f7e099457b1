-- One row per event.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_generic__events

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        anonymous_id,
        session_source_id,
        replace(lower(name), ' ', '_') as name,
        lower(channel) as channel,
        touchpoint,
        page_url,
        campaign,
        utm_source,
        utm_medium,
        product,
        amount,
        upper(currency) as currency,
        occurred_at
    from raw

)

select * from mapped
