-- One row per customer of a thread; the newest thread counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_livechat__archives__users

),

mapped as (

    select
        record_id,
        user_id as source_id,
        user_id as customer_source_id,
        created_at as source_updated_at,
        email,
        full_name,
        created_at as last_seen_at
    from raw
    where user_type = 'customer'

)

select * from mapped
