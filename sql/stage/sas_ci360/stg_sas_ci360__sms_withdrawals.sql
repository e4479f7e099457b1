-- One row per withdrawal.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_sas_ci360__sms_optout

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        phone,
        'sms' as purpose,
        'sms' as channel,
        'withdrawn' as state,
        false as is_snapshot,
        sms_optout_dttm as effective_at
    from raw

)

select * from mapped
