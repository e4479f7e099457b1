-- One row per number of a customer in the shop.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_smile__customer_identities

),

mapped as (

    select
        record_id,
        identity_id as source_id,
        'crm_id' as left_type,
        'smile:' || account as left_namespace,
        customer_id as left_value,
        case when distinct_id_source is null then 'external_id' else 'crm_id' end as right_type,
        coalesce(distinct_id_source, '') as right_namespace,
        distinct_id as right_value,
        'alias' as kind
    from raw
    where distinct_id is not null

)

select * from mapped
