-- One row per order as the site saw it; the shop's own record of the sale goes before.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_sas_ci360__order_summary

),

mapped as (

    select
        record_id,
        attributes,
        order_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        order_id as order_number,
        'placed' as status,
        case when mobile_app_id is not null then 'app' else 'web' end as channel,
        case when length(billing_country_nm) = 2 then upper(billing_country_nm) end as country,
        total_price_amt as total,
        total_tax_amt as tax,
        upper(currency_cd) as currency,
        activity_dttm as placed_at,
        'analytics' as sale_kind,
        order_id as sale_reference,
        shipping_amt as shipping
    from raw

)

select * from mapped
