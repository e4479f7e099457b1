-- One row per session; its visitor is a browser.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__session_details

),

mapped as (

    select
        record_id,
        attributes,
        session_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        visitor_id as anonymous_id,
        session_id as session_source_id,
        'session_start' as name,
        case when app_id is not null then 'app' else 'web' end as channel,
        session_start_dttm as occurred_at,
        case
            when lower(platform_desc) like '%ios%' then 'ios'
            when lower(platform_desc) like '%android%' then 'android'
            when app_id is null then 'web'
            else 'other'
        end as platform,
        app_version,
        upper(country_cd) as country
    from raw

)

select * from mapped
