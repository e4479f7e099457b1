-- One row per event that the job says is a sale; the shop, if there is one, counts before it.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_amplitude__events

),

mapped as (

    select
        record_id,
        coalesce(order_id, uuid, insert_id) as source_id,
        uploaded_at as source_updated_at,
        amplitude_id as customer_source_id,
        -- The user id is whatever the app says: often an address.
        case when user_id like '%@%' then null else user_id end as external_id,
        coalesce(email, case when user_id like '%@%' then user_id end) as email,
        order_id as order_number,
        'placed' as status,
        case
            when lower(platform) = 'web' then 'web'
            when platform is not null then 'app'
            else 'other'
        end as channel,
        product,
        revenue as total,
        upper(coalesce(currency, default_currency)) as currency,
        utm_source as landing_source,
        utm_medium as landing_medium,
        utm_campaign as campaign,
        event_time as placed_at,
        'analytics' as sale_kind,
        order_id as sale_reference
    from raw
    where event_type = purchase_event and event_time is not null

)

select * from mapped
