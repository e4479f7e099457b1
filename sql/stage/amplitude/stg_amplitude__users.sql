-- One row per object and user that is known; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_amplitude__events

),

seen as (

    select
        *,
        row_number() over (
            partition by record_id - record_id % 1099511627776, amplitude_id
            order by event_time desc nulls last, record_id desc nulls last
        ) as place
    from raw
    where (user_id is not null or email is not null) and event_time is not null

),

mapped as (

    select
        record_id,
        attributes,
        amplitude_id as source_id,
        uploaded_at as source_updated_at,
        amplitude_id as customer_source_id,
        -- The user id is whatever the app says: often an address.
        case when user_id like '%@%' then null else user_id end as external_id,
        coalesce(email, case when user_id like '%@%' then user_id end) as email,
        device_id as anonymous_id,
        case when length(country) = 2 then upper(country) end as country,
        account_id as account_source_id,
        plan,
        user_created_at as created_at,
        event_time as last_seen_at,
        first_source as utm_source,
        first_medium as utm_medium,
        first_campaign as utm_campaign
    from seen
    where place = 1

)

select * from mapped
