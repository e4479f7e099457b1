-- One row per object, session and campaign that led there.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_ga4__events

),

named as (

    select
        *,
        coalesce(touch_source, param_source) as utm_source,
        coalesce(touch_medium, param_medium) as utm_medium,
        coalesce(touch_campaign, param_campaign) as utm_campaign
    from raw

),

placed as (

    select
        *,
        row_number() over (
            partition by
                record_id - record_id % 1099511627776,
                user_pseudo_id,
                coalesce(ga_session_id, event_timestamp),
                utm_source,
                utm_medium,
                utm_campaign,
                gclid
            order by event_time asc nulls last, record_id asc nulls last
        ) as place
    from named
    where
        utm_source is not null
        or utm_medium is not null
        or utm_campaign is not null
        or gclid is not null

),

mapped as (

    select
        record_id,
        coalesce(user_pseudo_id, '') || ':' || coalesce(ga_session_id, event_timestamp) || ':'
        || coalesce(utm_source, '') || ':' || coalesce(utm_medium, '') || ':'
        || coalesce(utm_campaign, '') || ':' || coalesce(gclid, '') as source_id,
        coalesce(traffic_type = internal_traffic_type, false)
        or coalesce(debug_mode = '1', false) as is_test,
        user_id as external_id,
        user_pseudo_id as anonymous_id,
        case
            when lower(utm_medium) in ('email', 'e-mail', 'newsletter') then 'email'
            when lower(utm_medium) = 'sms' then 'sms'
            when lower(utm_medium) = 'push' then 'push'
            when gclid is not null then 'ads'
            when lower(utm_medium) in ('cpc', 'ppc', 'cpm', 'display', 'banner') then 'ads'
            when lower(utm_medium) like 'paid%' then 'ads'
            when lower(utm_source) like '%linkedin%' then 'linkedin'
            else 'web'
        end as channel,
        coalesce(touch_campaign_id, utm_campaign) as campaign_source_id,
        utm_campaign as campaign_name,
        'visited' as action,
        utm_source,
        utm_medium,
        utm_campaign,
        coalesce(touch_term, param_term) as utm_term,
        coalesce(touch_content, param_content) as utm_content,
        case when gclid is not null then 'gclid' end as click_id_type,
        gclid as click_id,
        page_url,
        event_time as occurred_at
    from placed
    where place = 1

)

select * from mapped
