-- One row per visit that came from somewhere.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_sas_ci360__visit_details

),

mapped as (

    select
        record_id,
        attributes,
        visit_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        case
            when lower(origination_type_nm) like '%email%' then 'email'
            when lower(origination_type_nm) like '%social%' then 'other'
            when lower(origination_type_nm) like '%paid%' or lower(origination_type_nm) like '%advert%' then 'ads'
            else 'web'
        end as channel,
        origination_tracking_cd as campaign_source_id,
        origination_nm as campaign_name,
        'visited' as action,
        coalesce(search_engine_desc, referrer_domain_nm) as utm_source,
        origination_type_nm as utm_medium,
        origination_nm as utm_campaign,
        search_term_txt as utm_term,
        origination_creative_nm as utm_content,
        referrer_txt as page_url,
        visit_dttm as occurred_at
    from raw
    where coalesce(origination_nm, origination_type_nm, search_engine_desc, referrer_domain_nm) is not null

)

select * from mapped
