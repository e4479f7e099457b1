-- One row per client id of the web analytics that checkout left in an order.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_shopify__orders__notes
    where
        lower(name) = lower(ga_attribute)
        and value is not null
        and not coalesce(is_test, false)
        and coalesce(customer_id, email, phone) is not null

),

mapped as (

    select
        record_id,
        order_id || ':' || value as source_id,
        updated_at as source_updated_at,
        extracted_at,
        case
            when customer_id is not null then 'crm_id'
            when email is not null then 'email'
            else 'phone'
        end as left_type,
        case when customer_id is not null then 'shopify:' || account else '' end as left_namespace,
        coalesce(customer_id, email, phone) as left_value,
        'cookie' as right_type,
        'ga4:' || ga_account as right_namespace,
        value as right_value,
        'alias' as kind,
        placed_at as stated_at
    from raw

)

select * from mapped
