-- One row per page seen.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__page_details

),

mapped as (

    select
        record_id,
        attributes,
        detail_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        session_id as session_source_id,
        'page_view' as name,
        case when mobile_app_id is not null then 'app' else 'web' end as channel,
        page_desc as touchpoint,
        page_url_txt as page_url,
        detail_dttm as occurred_at,
        referrer_url_txt as referrer
    from raw

)

select * from mapped
