-- One row per object and cookie that was seen with a user id.
-- grain: source_id
-- canonical: identity_edges
with

raw as (

    select * from raw_ga4__events

),

paired as (

    select
        account,
        user_pseudo_id,
        user_id,
        record_id - record_id % 1099511627776 as object_id,
        min(record_id) as record_id,
        min(event_time) as stated_at
    from raw
    where user_pseudo_id is not null and user_id is not null
    group by account, user_pseudo_id, user_id, record_id - record_id % 1099511627776

),

mapped as (

    select
        record_id,
        user_pseudo_id || ':' || user_id as source_id,
        'cookie' as left_type,
        'ga4:' || account as left_namespace,
        user_pseudo_id as left_value,
        'external_id' as right_type,
        '' as right_namespace,
        user_id as right_value,
        'login' as kind,
        stated_at
    from paired

)

select * from mapped
