-- One row per customer of a conversation who says who they are.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_heyday__conversations

),

mapped as (

    select
        record_id,
        customer_id as source_id,
        case when lower(channel) <> 'web' then customer_id end as customer_source_id,
        case when lower(channel) = 'web' then customer_id end as anonymous_id,
        email,
        phone,
        full_name,
        lower(substr(language, 1, 2)) as language
    from raw
    where customer_id is not null and coalesce(email, phone, full_name) is not null

)

select * from mapped
