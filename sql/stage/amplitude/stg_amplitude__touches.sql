-- One row per event that names the campaign that led there.
-- grain: source_id
-- canonical: campaign_touches
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
        case
            when lower(utm_medium) in ('email', 'e-mail', 'newsletter') then 'email'
            when lower(utm_medium) = 'sms' then 'sms'
            when lower(utm_medium) = 'push' then 'push'
            when gclid is not null then 'ads'
            when lower(utm_medium) in ('cpc', 'ppc', 'cpm', 'display', 'banner') then 'ads'
            when lower(utm_medium) like 'paid%' then 'ads'
            else 'web'
        end as channel,
        utm_campaign as campaign_source_id,
        utm_campaign as campaign_name,
        'visited' as action,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        case when gclid is not null then 'gclid' end as click_id_type,
        gclid as click_id,
        page_url,
        event_time as occurred_at
    from raw
    where
        event_time is not null
        and (
            utm_source is not null
            or utm_medium is not null
            or utm_campaign is not null
            or gclid is not null
        )

)

select * from mapped
