-- One row per answer to a contact.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_sas_ci360__response_history

),

mapped as (

    select
        record_id,
        attributes,
        response_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        case
            when lower(response_channel_nm) like '%mail%' then 'email'
            when lower(response_channel_nm) like '%sms%' then 'sms'
            when lower(response_channel_nm) like '%push%' then 'push'
            when lower(response_channel_nm) like '%mobile%' or lower(response_channel_nm) like '%in%app%' then 'in_app'
            when lower(response_channel_nm) like '%web%' then 'web'
            when lower(response_channel_nm) like '%advert%' or lower(response_channel_nm) like '%social%' then 'ads'
            else 'other'
        end as channel,
        task_id as campaign_source_id,
        response_nm as campaign_name,
        case
            when lower(response_nm) like '%open%' then 'opened'
            when lower(response_nm) like '%click%' then 'clicked'
            when lower(response_nm) like '%bounce%' then 'bounced'
            when lower(response_nm) like '%opt%out%' or lower(response_nm) like '%unsubscri%' then 'unsubscribed'
            when lower(response_nm) like '%conver%' then 'converted'
            else 'replied'
        end as action,
        response_dttm as occurred_at
    from raw
    where not (email_details and coalesce(lower(response_channel_nm), '') like '%mail%')

)

select * from mapped
