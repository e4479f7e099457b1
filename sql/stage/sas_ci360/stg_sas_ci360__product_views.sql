-- One row per product on a page seen.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__product_views

),

mapped as (

    select
        record_id,
        attributes,
        detail_id || ':' || coalesce(product_id, product_sku, product_nm, '') as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        session_id as session_source_id,
        'product_view' as name,
        case when mobile_app_id is not null then 'app' else 'web' end as channel,
        product_nm as product,
        price_val as amount,
        upper(currency_cd) as currency,
        action_dttm as occurred_at
    from raw

)

select * from mapped
