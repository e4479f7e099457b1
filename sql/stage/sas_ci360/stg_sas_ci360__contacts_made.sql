-- One row per contact made; members of a control group got nothing.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_sas_ci360__contact_history

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        case
            when lower(contact_channel_nm) like '%mail%' then 'email'
            when lower(contact_channel_nm) like '%sms%' then 'sms'
            when lower(contact_channel_nm) like '%push%' then 'push'
            when lower(contact_channel_nm) like '%mobile%' or lower(contact_channel_nm) like '%in%app%' then 'in_app'
            when lower(contact_channel_nm) like '%web%' then 'web'
            when lower(contact_channel_nm) like '%advert%' or lower(contact_channel_nm) like '%social%' then 'ads'
            else 'other'
        end as channel,
        task_id as campaign_source_id,
        contact_nm as campaign_name,
        'sent' as action,
        contact_dttm as occurred_at
    from raw
    where
        not coalesce(control_group_flg, false)
        and not (email_details and coalesce(lower(contact_channel_nm), '') like '%mail%')

)

select * from mapped
