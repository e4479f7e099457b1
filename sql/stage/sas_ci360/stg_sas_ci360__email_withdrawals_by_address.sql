-- One row per withdrawal.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_sas_ci360__email_optout_details

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        load_dttm as source_updated_at,
        test_flg as is_test,
        identity_id as customer_source_id,
        email_address as email,
        'email_marketing' as purpose,
        'email' as channel,
        'withdrawn' as state,
        false as is_snapshot,
        email_action_dttm as effective_at
    from raw

)

select * from mapped
