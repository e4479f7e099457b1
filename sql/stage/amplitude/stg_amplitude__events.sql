-- One row per event.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_amplitude__events

),

mapped as (

    select
        record_id,
        case
            when uuid is not null then uuid
            else insert_id || ':' || coalesce(device_id, '') || ':' || coalesce(amplitude_id, '')
        end as source_id,
        uploaded_at as source_updated_at,
        amplitude_id as customer_source_id,
        -- The user id is whatever the app says: often an address.
        case when user_id like '%@%' then null else user_id end as external_id,
        coalesce(email, case when user_id like '%@%' then user_id end) as email,
        device_id as anonymous_id,
        -- -1 says that the event is of no session.
        case when session_id <> '-1' then coalesce(amplitude_id, device_id) || ':' || session_id end
            as session_source_id,
        case
            when event_type in ('[Amplitude] Page Viewed', 'Page Viewed') then 'page_view'
            else
                replace(
                    replace(replace(replace(lower(event_type), '[amplitude] ', ''), '$', ''), ' ', '_'),
                    '-', '_'
                )
        end as name,
        case
            when lower(platform) = 'web' then 'web'
            when platform is not null then 'app'
            else 'other'
        end as channel,
        page_url,
        utm_campaign as campaign,
        utm_source,
        utm_medium,
        product,
        revenue as amount,
        upper(currency) as currency,
        event_time as occurred_at,
        referrer,
        page_path,
        case
            when lower(platform) in ('web', 'ios', 'android') then lower(platform)
            else 'other'
        end as platform,
        app_version,
        case when length(country) = 2 then upper(country) end as country,
        received_at,
        utm_campaign,
        event_properties as properties,
        session_id = '-1' as is_outside_session,
        case
            when coalesce(uuid, insert_id) is null or event_type is null or event_time is null
                then 'missing_required'
        end as reject_rule,
        case
            when event_type is null then 'event_type'
            when event_time is null then 'event_time'
            else 'uuid'
        end as reject_column
    from raw
    where merged_amplitude_id is null

)

select * from mapped
