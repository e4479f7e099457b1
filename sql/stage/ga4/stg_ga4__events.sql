-- One row per event; those of people who refuse the cookie have no customer.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_ga4__events

),

mapped as (

    select
        record_id,
        coalesce(user_pseudo_id, '') || ':' || event_timestamp || ':' || event_name || ':'
        || coalesce(bundle_sequence_id, '') || ':' || coalesce(batch_ordering_id, '') || ':'
        || coalesce(batch_event_index, '') as source_id,
        coalesce(traffic_type = internal_traffic_type, false)
        or coalesce(debug_mode = '1', false) as is_test,
        user_id as external_id,
        user_pseudo_id as anonymous_id,
        user_pseudo_id || ':' || ga_session_id as session_source_id,
        replace(replace(lower(event_name), ' ', '_'), '-', '_') as name,
        case
            when lower(platform) = 'web' then 'web'
            when lower(platform) in ('ios', 'android') then 'app'
            else 'other'
        end as channel,
        page_url,
        coalesce(touch_campaign, param_campaign) as campaign,
        coalesce(touch_source, param_source) as utm_source,
        coalesce(touch_medium, param_medium) as utm_medium,
        item_name as product,
        coalesce(revenue, value_param) as amount,
        upper(currency_param) as currency,
        event_time as occurred_at,
        referrer,
        -- without scheme, host and query
        case
            when page_url like '%://%/%'
                then
                    split_part(
                        split_part(
                            substr(
                                split_part(page_url, '://', 2),
                                length(split_part(split_part(page_url, '://', 2), '/', 1)) + 1
                            ),
                            '?', 1
                        ),
                        '#', 1
                    )
        end as page_path,
        case
            when lower(platform) in ('web', 'ios', 'android') then lower(platform)
            else 'other'
        end as platform,
        app_version,
        device_id,
        coalesce(touch_campaign, param_campaign) as utm_campaign,
        event_params as properties,
        engagement_ms,
        session_engaged = '1' as is_session_engaged
    from raw

)

select * from mapped
