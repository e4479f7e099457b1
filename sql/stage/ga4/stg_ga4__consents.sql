-- One row per object, cookie, purpose and answer: what a person allowed on a day. Those without a cookie name nobody.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_ga4__events

),

purposes (purpose) as (

    values ('analytics'), ('ads')

),

told as (

    select
        raw.record_id,
        raw.user_pseudo_id,
        raw.user_id,
        raw.event_date,
        raw.event_time,
        purposes.purpose,
        lower(
            case purposes.purpose when 'ads' then raw.ads_storage else raw.analytics_storage end
        ) as answer
    from raw
    cross join purposes
    where raw.user_pseudo_id is not null

),

stated as (

    select
        *,
        case
            when answer in ('yes', 'true', '1') then 'granted'
            when answer in ('no', 'false', '0') then 'denied'
        end as state
    from told

),

gathered as (

    select
        user_pseudo_id,
        purpose,
        state,
        event_date,
        record_id - record_id % 1099511627776 as object_id,
        min(record_id) as record_id,
        max(user_id) as user_id,
        min(event_time) as effective_at
    from stated
    where state is not null
    group by user_pseudo_id, purpose, state, event_date, record_id - record_id % 1099511627776

),

mapped as (

    select
        record_id,
        user_pseudo_id || ':' || purpose || ':' || state || ':' || event_date as source_id,
        user_id as external_id,
        user_pseudo_id as anonymous_id,
        purpose,
        'web' as channel,
        state,
        effective_at
    from gathered

)

select * from mapped
