-- One row per e-mail that came back.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_sas_ci360__email_bounce

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        load_dttm as source_updated_at,
        test_flg as is_test,
        identity_id as customer_source_id,
        'email' as channel,
        task_id as campaign_source_id,
        'bounced' as action,
        email_bounce_dttm as occurred_at
    from raw

)

select * from mapped
