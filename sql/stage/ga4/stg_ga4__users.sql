-- One row per object and cookie of a known user, with what first brought them; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_ga4__events

),

seen as (

    select
        *,
        row_number() over (
            partition by record_id - record_id % 1099511627776, user_pseudo_id
            order by event_time desc nulls last, record_id desc nulls last
        ) as place
    from raw
    where user_pseudo_id is not null and user_id is not null

),

mapped as (

    select
        record_id,
        attributes,
        user_pseudo_id as source_id,
        user_pseudo_id as anonymous_id,
        user_id as external_id,
        lower(substr(language, 1, 2)) as language,
        case
            when lower(first_medium) in ('organic', 'email', 'referral', 'affiliate', 'sms')
                then lower(first_medium)
            when lower(first_medium) in ('cpc', 'ppc', 'paid', 'paidsearch') then 'paid_search'
            when lower(first_medium) in ('display', 'cpm', 'banner') then 'display'
            when lower(first_medium) in ('paid_social', 'paidsocial', 'paid-social') then 'paid_social'
            when lower(first_medium) like '%social%' then 'social'
            when first_medium is not null then 'other'
        end as acquisition_channel,
        first_touch_at as created_at,
        event_time as last_seen_at,
        first_source as utm_source,
        first_medium as utm_medium,
        first_campaign as utm_campaign
    from seen
    where place = 1

)

select * from mapped
