-- One row per goal reached.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_sas_ci360__conversion_milestone

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        load_dttm as source_updated_at,
        test_flg as is_test,
        identity_id as customer_source_id,
        case
            when lower(channel_nm) like '%mail%' then 'email'
            when lower(channel_nm) like '%sms%' then 'sms'
            when lower(channel_nm) like '%push%' then 'push'
            when lower(channel_nm) like '%mobile%' or lower(channel_nm) like '%in%app%' then 'in_app'
            when lower(channel_nm) like '%web%' then 'web'
            when lower(channel_nm) like '%advert%' or lower(channel_nm) like '%social%' then 'ads'
            else 'other'
        end as channel,
        task_id as campaign_source_id,
        event_nm as campaign_name,
        'converted' as action,
        conversion_milestone_dttm as occurred_at
    from raw

)

select * from mapped
