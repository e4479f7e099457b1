-- One row per change of a cart.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__cart_activity_details

),

mapped as (

    select
        record_id,
        attributes,
        cart_activity_sk as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        session_id as session_source_id,
        case
            when lower(activity_cd) like '%add%' then 'add_to_cart'
            when lower(activity_cd) like '%remove%' then 'remove_from_cart'
            when lower(activity_cd) like '%checkout%' then 'begin_checkout'
            else 'cart_' || coalesce(lower(activity_cd), 'changed')
        end as name,
        case when mobile_app_id is not null then 'app' else 'web' end as channel,
        product_nm as product,
        cast(unit_price_amt * coalesce(quantity_val, 1) as decimal(18, 4)) as amount,
        upper(currency_cd) as currency,
        activity_dttm as occurred_at
    from raw

)

select * from mapped
